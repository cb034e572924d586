#include "engine/engine.hpp"

#include <pthread.h>

#include <algorithm>
#include <exception>

namespace agentauri::engine {
namespace {

using store::Tx;

constexpr auto kFirstBackoff = std::chrono::milliseconds(250);
constexpr auto kMaxBackoff = std::chrono::milliseconds(60'000);
constexpr auto kMaxStoreBackoff = std::chrono::milliseconds(1'000);   // of a store that is away: it may be back
constexpr auto kNewsEvery = std::chrono::seconds(60);

}   // namespace

Engine::Engine(store::Database& db, const Clock& clock, EngineSettings settings, Metrics& metrics,
               std::function<void()> wake_workers)
    : db_(db),
      clock_(clock),
      settings_(std::move(settings)),
      wake_workers_(std::move(wake_workers)),
      cache_(settings_.cache_bytes),
      paces_(settings_.jobs_per_hour),
      metrics_(metrics),
      counted_(metrics),
      breakers_(metrics) {}

Engine::~Engine() {
  stop();
}

// --- one step --------------------------------------------------------------------------------------------------------

Result<void> Engine::load() {
  if (auto loaded = triggers_.load(db_, settings_.shard); !loaded) return loaded;
  struct Known {
    std::vector<std::pair<domain::TriggerId, std::string>> errors;
    std::vector<store::OrganizationPace> paces;
    std::vector<store::TroubledTrigger> troubled;
  };
  auto known = db_.snapshot_blocking<Known>([](Tx& tx) -> Result<Known> {
    auto errors = store::read_trigger_errors(tx);
    if (!errors) return fail(errors);
    auto paces = store::read_paces(tx);
    if (!paces) return fail(paces);
    auto troubled = store::read_troubled_triggers(tx);
    if (!troubled) return fail(troubled);
    return Known{std::move(*errors), std::move(*paces), std::move(*troubled)};
  });
  if (!known) return fail(known);
  errors_ = {known->errors.begin(), known->errors.end()};
  paces_.load(known->paces);
  troubled_ = {};
  breakers_.clear();
  for (const auto& [trigger, chain, state] : known->troubled) {
    troubled_[trigger].insert(chain);
    breakers_.note(trigger, chain, state);
  }
  counted_.troubled.set(static_cast<double>(troubled_.size()));
  return {};
}

Result<Engine::Overview> Engine::look() {
  return db_.snapshot_blocking<Overview>([](Tx& tx) -> Result<Overview> {
    auto newest = store::newest_revision(tx);
    if (!newest) return fail(newest);
    auto chains = store::list_chains(tx);
    if (!chains) return fail(chains);
    return Overview{*newest, std::move(*chains)};
  });
}

bool Engine::has_work(const store::ChainRow& chain, std::int64_t newest_revision) const {
  const auto cursor = cursors_.find(chain.chain_id);
  return cursor == cursors_.end() || cursor->second.seq < chain.last_seq || newest_revision > recorded_revision_ ||
         !triggers_.aftermath().empty();
}

Result<Progress> Engine::step() {
  if (!triggers_.loaded()) {
    if (auto done = load(); !done) return fail(done);
  }
  breakers_.show(triggers_.index(), clock_.now());   // one that was open may be half open by now
  auto seen = look();
  if (!seen) return fail(seen);
  Progress total;
  for (const auto& chain : seen->chains) {
    const auto cursor = cursors_.find(chain.chain_id);
    metrics_of(chain.chain_id)
        .lag.set(static_cast<double>(chain.last_seq - (cursor == cursors_.end() ? 0 : cursor->second.seq)));
    if (!has_work(chain, seen->newest_revision)) continue;
    auto progress = step_chain(chain.chain_id);
    if (!progress) return progress;
    total.events += progress->events;
    total.evaluated += progress->evaluated;
    total.matched += progress->matched;
    total.jobs += progress->jobs;
    total.failed_chains += progress->failed_chains;
    total.more = total.more || progress->more;
  }
  return total;
}

Result<Progress> Engine::step_chain(domain::ChainId chain) {
  const auto trouble = troubles_.find(chain);
  BatchOrder order{.chain = chain, .now = clock_.now(), .max_events = settings_.batch_events, .pass_over = {}};
  if (trouble != troubles_.end()) {
    if (trouble->second.waits(order.now)) return Progress{.failed_chains = 1};
    if (trouble->second.one_by_one()) order.max_events = 1;
    order.pass_over = trouble->second.poison();
  }
  Batch batch;
  auto progress = run_batch(order, batch);
  if (progress) {
    if (trouble != troubles_.end() && trouble->second.note_success(progress->events)) troubles_.erase(trouble);
    return progress;
  }
  const Error& error = progress.error();
  if (error.code == Code::fenced || error.code == Code::cancelled) return progress;
  // Whether a failed commit happened all the same is not always known: look again.
  cache_.clear();
  cursors_.erase(chain);
  auto& own = trouble != troubles_.end()
                  ? trouble->second
                  : troubles_.emplace(chain, ChainTrouble(order.max_events, order.now)).first->second;
  counted_.count_failure();
  own.note_failure(error, batch.at_event, batch.dead_letter.has_value(), order.now);
  if (own.stalled()) show_stall(chain, own);
  metrics_of(chain).stalled.set(own.stalled() ? 1 : 0);
  if (!own.is_news(order.now)) return Progress{.failed_chains = 1};
  const auto wait = std::chrono::duration_cast<std::chrono::seconds>(own.retry_at() - order.now);
  log_.error("a batch failed and will be tried again", {{"chain_id", chain},
                                                        {"why", error.text},
                                                        {"event_id", batch.at_event.value_or("")},
                                                        {"next_in_s", static_cast<std::int64_t>(wait.count())}});
  return Progress{.failed_chains = 1};
}

// On the chain's row, so that `agentauri chain status` and /health/ready tell of it. Written at each attempt, as the
// indexer may have written over it meanwhile; the first commit that goes through takes it back.
void Engine::show_stall(domain::ChainId chain, const ChainTrouble& trouble) {
  auto shown = db_.transact_blocking<void>(store::Priority::interactive,
                                           [&](Tx& tx) { return store::set_engine_stall(tx, chain, trouble.error()); });
  if (!shown) log_.warn("the chain's row could not be marked", {{"chain_id", chain}, {"why", shown.error().text}});
}

// Reads and computes on a snapshot, so that nobody's writes wait for it; then one short transaction makes it true, if
// the lease is still ours and the cursor where it was.
Result<Progress> Engine::run_batch(const BatchOrder& order, Batch& batch) {
  BatchBuilder builder(triggers_, cache_, troubled_, errors_, settings_, order, batch);
  auto work = db_.snapshot_blocking<bool>([&](Tx& tx) { return builder.build(tx, recorded_revision_); });
  if (!work) return fail(work);
  if (!*work) {
    cursors_[order.chain] = batch.cursor;
    return Progress{};
  }
  Outcome outcome;
  auto committed = db_.transact_blocking<void>(store::Priority::interactive, [&](Tx& tx) -> Result<void> {
    try {
      return commit(tx, order, batch, outcome);
    } catch (const std::bad_alloc&) {
      return fail(Code::busy, "there is not enough memory for a commit");
    } catch (const std::exception& e) {
      return fail(Code::internal, plain(e.what()));
    }
  });
  if (!committed) {
    if (!batch.jobs.empty() || batch.crowd) counted_.enqueue_failures.add();
    return fail(committed);
  }
  batch.progress.jobs = outcome.jobs;
  count(order.chain, batch, outcome);
  take(order, batch, std::move(outcome));
  if (batch.progress.jobs > 0) wake_workers_();
  return batch.progress;
}

// Only now is it true.
void Engine::take(const BatchOrder& order, Batch& batch, Outcome out) {
  for (auto& [row, value] : batch.reads) cache_.put(row, std::move(value));
  forget_mended(order.chain, batch);
  for (auto& [row, value] : batch.states) cache_.put(row, std::move(value));
  for (const auto trigger : triggers_.aftermath().edited) errors_.erase(trigger);
  for (const auto trigger : triggers_.aftermath().deleted) errors_.erase(trigger);
  for (const auto& [trigger, fault] : triggers_.aftermath().faults) errors_[trigger] = fault;
  for (const auto& [trigger, error] : batch.errors) {
    if (error)
      errors_[trigger] = *error;
    else
      errors_.erase(trigger);
  }
  triggers_.settled();
  paces_.take(std::move(out.pace), order.now);
  if (out.pruned_below) pruned_below_[order.chain] = *out.pruned_below;
  cursors_[order.chain] = out.cursor;
  recorded_revision_ = std::max(recorded_revision_, out.cursor.revision);
}

// Triggers without anything in their circuit breaker are not asked for it at each event.
void Engine::forget_mended(domain::ChainId chain, const Batch& batch) {
  for (const auto trigger : triggers_.aftermath().deleted) {
    troubled_.erase(trigger);
    breakers_.forget(trigger);
  }
  for (const auto& gone : triggers_.aftermath().gone_conditions) {
    if (gone.condition != rules::kBreakerCondition) continue;
    troubled_.erase(gone.trigger);
    breakers_.forget(gone.trigger);
  }
  for (const auto& [row, value] : batch.states) {
    if (row.condition != rules::kBreakerCondition) continue;
    breakers_.note(row.trigger, chain, value ? std::optional(value->state) : std::nullopt);
    if (value) {
      troubled_[row.trigger].insert(chain);
    } else if (const auto known = troubled_.find(row.trigger); known != troubled_.end()) {
      known->second.erase(chain);
      if (known->second.empty()) troubled_.erase(known);
    }
  }
  counted_.troubled.set(static_cast<double>(troubled_.size()));
  breakers_.show(triggers_.index(), clock_.now());
}

Engine::ChainMetrics& Engine::metrics_of(domain::ChainId chain) {
  const auto known = chain_metrics_.find(chain);
  if (known != chain_metrics_.end()) return known->second;
  auto lag = metrics_.gauge("engine_lag_entries", "Entries of the block log that are not processed yet",
                            {{"chain_id", std::to_string(chain)}});
  auto stalled = metrics_.gauge("engine_stalled", "1: an undo of the chain fails for good, so no event is processed",
                                {{"chain_id", std::to_string(chain)}});
  auto& made = chain_metrics_.emplace(chain, ChainMetrics{lag, stalled, {}}).first->second;
  for (const auto registry : {domain::Registry::identity, domain::Registry::reputation, domain::Registry::validation}) {
    const Labels labels{{"chain_id", std::to_string(chain)}, {"registry", std::string(domain::to_string(registry))}};
    made.processed.emplace(registry, metrics_.counter("events_processed_total", "Events handled", labels));
  }
  return made;
}

void Engine::count(domain::ChainId chain, const Batch& batch, const Outcome& outcome) {
  auto& own = metrics_of(chain);
  for (const auto& [registry, events] : batch.events_by_registry)
    own.processed.at(registry).add(static_cast<double>(events));
  counted_.count(batch);
  counted_.throttled.add(static_cast<double>(outcome.pace.delayed));
  if (outcome.state_write_seconds) counted_.state_write_seconds.observe(*outcome.state_write_seconds);
  for (const auto trigger : batch.opened) {
    log_.warn("a trigger fails again and again and is left alone for a while", {{"trigger_id", to_string(trigger)}});
  }
  tell_of_jobs(batch);
  own.stalled.set(0);
  own.lag.set(static_cast<double>(std::max<std::int64_t>(outcome.row.last_seq - outcome.cursor.seq, 0)));
  if (!batch.dead_letter) return;
  log_.error("an event was set aside after failing again and again; its chain goes on",
             {{"chain_id", chain},
              {"event_id", batch.dead_letter->event_id.value_or("")},
              {"block_hash", to_hex_0x(batch.dead_letter->block_hash)},
              {"why", batch.dead_letter->error}});
}

// The id of each job leads from here to the lines of its attempts. Of a crowd there is one line for all.
void Engine::tell_of_jobs(const Batch& batch) const {
  if (!log_.enabled(Level::info)) return;
  for (const auto& job : batch.jobs) {
    log_.info("an alert is made", {{"request_id", job.request_id},
                                   {"job_id", to_hex(job.id.view())},
                                   {"chain_id", job.chain_id},
                                   {"event_id", job.event_id},
                                   {"trigger_id", to_string(job.trigger_id)},
                                   {"action_id", job.action_id},
                                   {"why_dead", job.dead_reason.value_or("")}});
  }
  if (batch.crowd)
    log_.info("an event matched very many triggers: their alerts are made",
              {{"chain_id", batch.crowd->event.chain_id},
               {"event_id", domain::event_id(batch.crowd->event)},
               {"matches", static_cast<std::uint64_t>(batch.crowd->matches.size())}});
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

Result<Progress> Engine::guarded_step() {
  try {
    return step();
  } catch (const std::exception& e) {
    counted_.crashed.add();
    return fail(Code::internal, plain(e.what()));
  }
}

void Engine::loop() {
  pthread_setname_np(pthread_self(), "engine");
  auto backoff = kFirstBackoff;
  auto quiet_until = std::chrono::steady_clock::time_point::min();
  bool hinted = false;
  for (;;) {
    const auto progress = guarded_step();
    counted_.count_step(progress, hinted);
    std::unique_lock lock(mutex_);
    if (stopping_) return;
    if (progress) {
      backoff = kFirstBackoff;
      quiet_until = std::chrono::steady_clock::time_point::min();
      if (!progress->more) wanted_.wait_for(lock, settings_.poll, [this] { return stopping_ || awake_; });
    } else if (progress.error().code == Code::fenced) {
      lock.unlock();
      log_.warn("the engine's lease has passed on", {{"lease", settings_.lease_name}});
      on_fenced_();
      return;
    } else {
      const auto now = std::chrono::steady_clock::now();
      if (is_passing(progress.error().code)) backoff = std::min(backoff, kMaxStoreBackoff);
      if (progress.error().code != Code::cancelled && now >= quiet_until) {
        quiet_until = now + kNewsEvery;
        log_.error("the store does not serve the engine",
                   {{"why", progress.error().text}, {"next_in_ms", static_cast<std::int64_t>(backoff.count())}});
      }
      // Hints do not shorten this: they say nothing about the store.
      wanted_.wait_for(lock, backoff, [this] { return stopping_; });
      backoff = std::min(backoff * 2, kMaxBackoff);
    }
    hinted = awake_ || (progress && progress->more);
    awake_ = false;
    if (stopping_) return;
  }
}

}   // namespace agentauri::engine
