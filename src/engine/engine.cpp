#include "engine/engine.hpp"

#include <fmt/format.h>
#include <pthread.h>

#include <algorithm>

#include "core/json/json.hpp"
#include "rules/action_config.hpp"
#include "rules/event_data.hpp"
#include "store/jobs.hpp"
#include "store/leases.hpp"
#include "store/revisions.hpp"

namespace agentauri::engine {
namespace {

using store::StateRow;
using store::StateValue;
using store::Tx;

constexpr std::size_t kMaxCachedStates = 200'000;
constexpr std::int64_t kRevisionPage = 500;
constexpr std::size_t kMaxErrorChars = 300;
constexpr std::size_t kCrowd = 100;                       // matches of one event from which an operator wants to know
constexpr std::uint64_t kPruneEvery = 32;                 // blocks between two prunings
constexpr auto kFirstBackoff = std::chrono::milliseconds(1000);
constexpr auto kMaxBackoff = std::chrono::milliseconds(60'000);

}  // namespace

// What a batch read, and everything that its one transaction will write.
struct Engine::Batch {
  domain::ChainId chain = 0;
  store::ChainRow row;
  std::optional<store::EngineCursor> before;                           // the cursor that the batch starts from
  store::EngineCursor cursor;
  std::map<StateRow, std::optional<StateValue>> reads;                 // found in the store
  std::map<StateRow, std::optional<StateValue>> states;                // after this batch
  std::map<std::uint64_t, std::map<StateRow, std::optional<StateValue>>> images;   // block -> before
  std::vector<std::pair<std::uint64_t, Hash32>> undone;                // blocks that left
  std::vector<store::NewJob> jobs;
  std::map<domain::TriggerId, std::optional<std::string>> errors;
  Progress progress;
  bool stale = false;                                                  // an edit came first: adopt it, then compute again
  Time now;
  Result<void> failure;                                                // of a read in the middle of an evaluation
};

Engine::Engine(store::Database& db, const Clock& clock, EngineSettings settings, Metrics& metrics, std::function<void()> wake_workers)
    : db_(db), clock_(clock), settings_(std::move(settings)), wake_workers_(std::move(wake_workers)), metrics_(metrics),
      duration_(metrics.histogram("event_processing_duration_seconds", "Time per event", kEventBuckets)),
      evaluated_(metrics.counter("triggers_evaluated_total", "Triggers evaluated against an event")),
      matched_(metrics.counter("triggers_matched_total", "Triggers that matched an event")),
      crowded_(metrics.counter("event_processor_trigger_count_exceeded_total", "Events that matched more than 100 triggers; none is cut")) {}

Engine::~Engine() { stop(); }

// --- triggers --------------------------------------------------------------------------------------------------------

// The triggers as the last committed batch knew them; with no cursor yet, as they are now.
Result<void> Engine::load() {
  auto target = db_.snapshot_blocking<std::int64_t>([this](Tx& tx) -> Result<std::int64_t> {
    auto adopted = store::adopted_revision(tx, settings_.shard);
    if (!adopted) return fail(adopted);
    if (*adopted) return **adopted;
    return store::newest_revision(tx);
  });
  if (!target) return fail(target);
  index_ = TriggerIndex();
  states_.clear();
  domain::TriggerId after{};
  for (;;) {
    auto page = db_.snapshot_blocking<std::vector<store::Revision>>([&](Tx& tx) { return store::read_triggers_at(tx, *target, after, kRevisionPage); });
    if (!page) return fail(page);
    for (auto& revision : *page) {
      after = revision.trigger.id;
      auto compiled = rules::compile(std::move(revision.trigger));
      if (compiled) index_.put(std::make_shared<const rules::CompiledTrigger>(std::move(*compiled)));
      else log_.error("a stored trigger does not compile and cannot fire", {{"trigger_id", to_string(after)}, {"why", compiled.error().text}});
    }
    if (page->size() < static_cast<std::size_t>(kRevisionPage)) break;
  }
  revision_ = *target;
  loaded_ = true;
  log_.info("triggers loaded", {{"triggers", static_cast<std::uint64_t>(index_.size())}, {"revision", revision_}});
  return {};
}

// Edits take effect between batches.
Result<void> Engine::adopt() {
  for (;;) {
    auto page = db_.snapshot_blocking<std::vector<store::Revision>>([this](Tx& tx) { return store::read_revisions(tx, revision_, kRevisionPage); });
    if (!page) return fail(page);
    for (auto& revision : *page) {
      const auto id = revision.trigger.id;
      if (revision.deleted) {
        index_.remove(id);
        std::erase_if(states_, [id](const auto& entry) { return entry.first.trigger == id; });
        // A batch that read the trigger before may have enqueued after the deletion cancelled what there was.
        auto cleaned = db_.transact_blocking<void>(store::Priority::bulk, [id, now = clock_.now()](Tx& tx) -> Result<void> {
          if (auto cancelled = store::cancel_jobs(tx, id, std::nullopt, "trigger deleted", now); !cancelled) return fail(cancelled);
          return store::forget_state(tx, id);
        });
        if (!cleaned) return cleaned;
      } else {
        auto compiled = rules::compile(std::move(revision.trigger));
        if (compiled) {
          index_.put(std::make_shared<const rules::CompiledTrigger>(std::move(*compiled)));
        } else {
          index_.remove(id);
          log_.error("an edited trigger does not compile and cannot fire", {{"trigger_id", to_string(id)}, {"why", compiled.error().text}});
        }
      }
      revision_ = revision.revision;
    }
    if (page->size() < static_cast<std::size_t>(kRevisionPage)) return {};
  }
}

// --- one batch -------------------------------------------------------------------------------------------------------

Result<Progress> Engine::step() {
  if (!loaded_) {
    if (auto done = load(); !done) return fail(done);
  }
  if (auto adopted = adopt(); !adopted) return fail(adopted);
  auto chains = db_.snapshot_blocking<std::vector<store::ChainRow>>([](Tx& tx) { return store::list_chains(tx); });
  if (!chains) return fail(chains);
  Progress total;
  for (const auto& chain : *chains) {
    auto progress = step_chain(chain);
    if (!progress) return progress;
    total.events += progress->events;
    total.evaluated += progress->evaluated;
    total.matched += progress->matched;
    total.jobs += progress->jobs;
    total.more = total.more || progress->more;
  }
  return total;
}

// Reads and computes on a snapshot, so that nobody's writes wait for it; then one short transaction makes it true, if the
// lease is still ours and the cursor where it was.
Result<Progress> Engine::step_chain(const store::ChainRow& chain) {
  auto batch = std::make_shared<Batch>();
  batch->chain = chain.chain_id;
  batch->now = clock_.now();
  auto work = db_.snapshot_blocking<bool>([this, batch](Tx& tx) { return compute(tx, *batch); });
  if (!work) return fail(work);
  if (batch->stale) {
    // An edit that was committed before a block must be known when the block is evaluated.
    if (auto adopted = adopt(); !adopted) return fail(adopted);
    return Progress{.more = true};
  }
  if (!*work) return Progress{};
  auto committed = db_.transact_blocking<void>(store::Priority::interactive, [this, batch](Tx& tx) { return commit(tx, *batch); });
  if (!committed) return fail(committed);

  // Only now is it true.
  for (auto& [row, value] : batch->reads) states_[row] = std::move(value);
  for (auto& [row, value] : batch->states) states_[row] = std::move(value);
  if (states_.size() > kMaxCachedStates) states_.clear();
  for (auto& [trigger, error] : batch->errors) {
    if (error) errors_[trigger] = *error;
    else errors_.erase(trigger);
  }
  const Progress& progress = batch->progress;
  evaluated_.add(static_cast<double>(progress.evaluated));
  matched_.add(static_cast<double>(progress.matched));
  if (progress.jobs > 0) wake_workers_();
  return progress;
}

// false: there is nothing to do.
Result<bool> Engine::compute(Tx& tx, Batch& batch) {
  auto newest = store::newest_revision(tx);
  if (!newest) return fail(newest);
  if (*newest > revision_) {
    batch.stale = true;
    return false;
  }
  auto row = store::find_chain(tx, batch.chain);
  if (!row) return fail(row);
  if (!*row) return false;
  batch.row = **row;
  auto cursor = store::read_cursor(tx, settings_.shard, batch.chain);
  if (!cursor) return fail(cursor);
  batch.before = *cursor;
  batch.cursor = cursor->value_or(store::EngineCursor{});
  metrics_.gauge("engine_lag_entries", "Entries of the block log that are not processed yet", {{"chain_id", std::to_string(batch.chain)}})
      .set(static_cast<double>(batch.row.last_seq - batch.cursor.seq));
  if (batch.cursor.seq >= batch.row.last_seq && batch.before && batch.before->revision == revision_) return false;
  auto entries = store::read_block_log(tx, batch.chain, batch.cursor.seq, settings_.batch_events);
  if (!entries) return fail(entries);
  for (const auto& entry : *entries) {
    if (batch.progress.events >= settings_.batch_events) break;
    auto done = entry.op > 0 ? process_joined(tx, batch, entry) : process_left(tx, batch, entry);
    if (!done) return fail(done);
    if (batch.cursor.seq != entry.seq) break;   // stopped inside a large block
  }
  batch.progress.more = batch.cursor.seq < batch.row.last_seq;
  return true;
}

Result<void> Engine::process_joined(Tx& tx, Batch& batch, const store::LogEntry& entry) {
  const std::int64_t room = settings_.batch_events - batch.progress.events;
  auto events = store::read_block_events(tx, batch.chain, entry.block_hash, entry.block_time, batch.cursor.position, room);
  if (!events) return fail(events);
  for (const auto& event : *events) {
    const auto started = std::chrono::steady_clock::now();
    process_event(tx, batch, event, entry.seq);
    if (!batch.failure) return batch.failure;
    ++batch.progress.events;
    duration_.observe(std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count());
    metrics_.counter("events_processed_total", "Events handled", {{"chain_id", std::to_string(batch.chain)}, {"registry", std::string(domain::to_string(event.registry))}}).add();
  }
  if (static_cast<std::int64_t>(events->size()) == room) {
    batch.cursor.position += room;   // there may be more in this block
    return {};
  }
  batch.cursor.seq = entry.seq;
  batch.cursor.position = 0;
  return {};
}

// Undo: what the block changed becomes what it was, and what it enqueued is taken back where that is still possible.
Result<void> Engine::process_left(Tx& tx, Batch& batch, const store::LogEntry& entry) {
  // Changes of this batch to the same block have not reached the store yet.
  std::map<StateRow, std::optional<StateValue>> before;
  auto stored = store::read_images(tx, batch.chain, entry.block_num);
  if (!stored) return fail(stored);
  if (const auto own = batch.images.find(entry.block_num); own != batch.images.end()) {
    before = std::move(own->second);
    batch.images.erase(own);
  }
  // The stored ones are the earlier; unless this batch has undone them already.
  const auto undone = std::any_of(batch.undone.begin(), batch.undone.end(), [&entry](const auto& block) { return block.first == entry.block_num; });
  if (!undone) {
    for (auto& image : *stored) before[image.row] = std::move(image.before);
  }
  for (auto& [row, value] : before) batch.states[row] = std::move(value);
  std::erase_if(batch.jobs, [&entry](const store::NewJob& job) { return job.block_hash == entry.block_hash; });
  batch.undone.emplace_back(entry.block_num, entry.block_hash);
  batch.cursor.seq = entry.seq;
  batch.cursor.position = 0;
  return {};
}

std::optional<StateValue> Engine::state_of(Tx& tx, Batch& batch, const StateRow& row) {
  if (const auto own = batch.states.find(row); own != batch.states.end()) return own->second;
  if (const auto cached = states_.find(row); cached != states_.end()) return cached->second;
  if (const auto read = batch.reads.find(row); read != batch.reads.end()) return read->second;
  auto stored = store::read_state(tx, row);
  if (!stored) {
    if (batch.failure) batch.failure = fail(stored);
    return std::nullopt;
  }
  batch.reads.emplace(row, *stored);
  return *stored;
}

void Engine::process_event(Tx& tx, Batch& batch, const domain::Event& event, std::int64_t seq) {
  std::size_t matches = 0;
  for (const auto& trigger : index_.candidates(event)) {
    const auto row_of = [&](const rules::StateKey& key) { return StateRow{trigger->trigger.id, key.condition, key.revision, batch.chain, key.key}; };
    const rules::StateReader reader = [&](const rules::StateKey& key) -> std::optional<std::string> {
      const auto value = state_of(tx, batch, row_of(key));
      return value ? std::optional(value->state) : std::nullopt;
    };
    auto evaluation = rules::evaluate(event, *trigger, reader, rules::Explain::no);
    if (!batch.failure) return;
    ++batch.progress.evaluated;
    if (evaluation.decision == rules::Decision::error) {
      std::string text = evaluation.steps.empty() ? "evaluation failed" : evaluation.steps.back().text;
      text.resize(std::min(text.size(), kMaxErrorChars));
      batch.errors[trigger->trigger.id] = std::move(text);
      continue;
    }
    if (errors_.contains(trigger->trigger.id)) batch.errors[trigger->trigger.id] = std::nullopt;
    if (evaluation.decision == rules::Decision::match) {
      ++matches;
      // The same inputs again, this time with words: dear, so only for what fires.
      match(batch, event, *trigger, rules::evaluate(event, *trigger, reader, rules::Explain::yes), seq);
    }
    for (auto& change : evaluation.changes) {
      const StateRow row = row_of(change.key);
      auto before = state_of(tx, batch, row);
      batch.images[event.block_num].emplace(row, before);   // the first change of a block counts
      batch.states[row] = StateValue{std::move(change.after), event.block_num};
    }
  }
  if (matches > kCrowd) crowded_.add();
}

void Engine::match(Batch& batch, const domain::Event& event, const rules::CompiledTrigger& compiled, const rules::Evaluation& evaluation, std::int64_t seq) {
  const auto& trigger = compiled.trigger;
  ++batch.progress.matched;
  const auto name = settings_.chain_names.find(batch.chain);
  const auto data = rules::event_data(event, trigger, evaluation, name == settings_.chain_names.end() ? fmt::format("chain {}", batch.chain) : name->second, seq);
  const std::string data_text = json::dump(data);
  const std::string explanation = rules::explanation_json(evaluation);
  const auto usual = settings_.confirmations.find(batch.chain);
  const std::uint64_t confirmations = trigger.min_confirmations ? static_cast<std::uint64_t>(*trigger.min_confirmations) : usual == settings_.confirmations.end() ? 0 : usual->second;
  for (const auto& action : trigger.actions) {
    store::NewJob job;
    job.id = domain::occurrence_id(event, trigger.id, action.id);
    job.organization_id = trigger.organization_id;
    job.trigger_id = trigger.id;
    job.action_id = action.id;
    job.action_type = action.type;
    job.priority = action.priority;
    job.chain_id = batch.chain;
    job.block_num = event.block_num;
    job.block_hash = event.block_hash;
    job.seq = seq;
    if (confirmations > 0 && event.block_num + confirmations > batch.row.head_num) job.hold_until_block = event.block_num + confirmations;
    job.event_id = domain::event_id(event);
    job.event_data = data_text;
    job.explanation = explanation;
    job.request_id = "job-" + to_hex(job.id.view()).substr(0, 24);
    if (action.type == domain::ActionType::rest) {
      const auto config = json::parse(action.config);
      auto webhook = config && config->is_object() ? rules::parse_webhook_config(config->get_object()) : Result<rules::WebhookConfig>(fail(Code::corrupt, "the action's configuration cannot be read"));
      auto body = webhook ? rules::render_webhook_body(*webhook, data) : Result<std::string>(fail(webhook));
      if (body) {
        job.body = std::move(*body);
        if (auto endpoint = rules::webhook_endpoint(*webhook)) job.endpoint = std::move(*endpoint);
        if (webhook->max_age) job.expires_at = batch.now + *webhook->max_age;
      } else {
        job.dead_reason = fmt::format("the body could not be made: {}", body.error().text);
      }
    }
    batch.jobs.push_back(std::move(job));
  }
}

Result<void> Engine::commit(Tx& tx, Batch& batch) {
  if (auto held = store::check_lease(tx, settings_.lease_name, settings_.instance, settings_.epoch); !held) return held;
  auto row = store::find_chain(tx, batch.chain);
  if (!row) return fail(row);
  auto cursor = store::read_cursor(tx, settings_.shard, batch.chain);
  if (!cursor) return fail(cursor);
  const bool same = cursor->has_value() == batch.before.has_value() && (!*cursor || ((*cursor)->seq == batch.before->seq && (*cursor)->position == batch.before->position));
  if (!same || !*row) return fail(Code::fenced, "the engine's cursor was moved by another process");

  for (const auto& [num, hash] : batch.undone) {
    if (auto dropped = store::drop_images(tx, batch.chain, num); !dropped) return dropped;
    if (auto orphaned = store::orphan_jobs(tx, batch.chain, hash, batch.now); !orphaned) return fail(orphaned);
  }
  std::vector<std::pair<StateRow, std::optional<StateValue>>> changed(batch.states.begin(), batch.states.end());
  if (auto written = store::write_states(tx, changed); !written) return written;
  for (const auto& [block, rows] : batch.images) {
    std::vector<store::StateImage> images;
    for (const auto& [state, before] : rows) images.push_back({state, before});
    if (auto written = store::write_images(tx, block, images); !written) return written;
  }
  // The head may have moved since: what was held may be due by now.
  for (auto& job : batch.jobs) {
    if (job.hold_until_block && *job.hold_until_block <= (*row)->head_num) job.hold_until_block.reset();
  }
  if (auto inserted = store::insert_jobs(tx, batch.jobs, batch.now); !inserted) return fail(inserted);
  batch.progress.jobs = static_cast<std::int64_t>(batch.jobs.size());
  for (const auto& [trigger, error] : batch.errors) {
    const auto known = errors_.find(trigger);
    if (error && known != errors_.end() && known->second == *error) continue;
    if (auto set = store::set_trigger_error(tx, trigger, error); !set) return set;
  }
  const std::uint64_t head = (*row)->head_num;
  std::uint64_t keep_from = head > settings_.min_undo_blocks ? head - settings_.min_undo_blocks : 0;
  if ((*row)->finalized_num) keep_from = std::min(keep_from, *(*row)->finalized_num);
  if (head > settings_.max_undo_blocks) keep_from = std::max(keep_from, head - settings_.max_undo_blocks);
  if (std::uint64_t& pruned = pruned_below_[batch.chain]; keep_from >= pruned + kPruneEvery) {
    if (auto gone = store::prune_images(tx, batch.chain, keep_from); !gone) return fail(gone);
    pruned = keep_from;
  }
  batch.cursor.revision = revision_;
  batch.cursor.epoch = settings_.epoch;
  return store::write_cursor(tx, settings_.shard, batch.chain, batch.cursor);
}

// --- the loop --------------------------------------------------------------------------------------------------------

void Engine::start(std::function<void()> on_fenced) {
  on_fenced_ = std::move(on_fenced);
  thread_ = std::thread([this] { loop(); });
}

void Engine::wake() {
  const std::lock_guard lock(mutex_);
  awake_ = true;
  wanted_.notify_one();
}

void Engine::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    wanted_.notify_one();
  }
  if (thread_.joinable()) thread_.join();
}

void Engine::loop() {
  pthread_setname_np(pthread_self(), "engine");
  auto backoff = kFirstBackoff;
  for (;;) {
    auto progress = step();
    std::chrono::milliseconds pause = settings_.poll;
    if (progress) {
      backoff = kFirstBackoff;
      if (progress->more) pause = std::chrono::milliseconds(0);
    } else if (progress.error().code == Code::fenced) {
      log_.warn("the engine's lease has passed on", {{"lease", settings_.lease_name}});
      on_fenced_();
      return;
    } else if (progress.error().code != Code::cancelled) {
      log_.error("a batch failed and will be tried again", {{"why", progress.error().text}, {"next_in_ms", static_cast<std::int64_t>(backoff.count())}});
      states_.clear();
      pause = backoff;
      backoff = std::min(backoff * 2, kMaxBackoff);
    }
    std::unique_lock lock(mutex_);
    if (pause.count() > 0) wanted_.wait_for(lock, pause, [this] { return stopping_ || awake_; });
    awake_ = false;
    if (stopping_) return;
  }
}

}  // namespace agentauri::engine
