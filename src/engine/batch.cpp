#include "engine/batch.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <exception>
#include <functional>
#include <iterator>
#include <new>

#include "rules/condition_types.hpp"

namespace agentauri::engine {
namespace {

using store::StateRow;
using store::StateValue;
using store::Tx;

constexpr std::size_t kMaxErrorBytes = 300;
constexpr std::size_t kCrowd = 100;                 // matches of one event from which an operator wants to know
constexpr std::size_t kMaxJobs = 2'000;             // of a batch; the jobs of one event stay together
constexpr std::size_t kRowBytes = 500;              // of a job or a state, beside its texts
constexpr std::int64_t kMaxEvaluations = 200'000;   // of a batch: below a second

}   // namespace

BatchBuilder::BatchBuilder(TriggerSet& triggers, StateCache& cache, Troubled& troubled,
                           const std::map<domain::TriggerId, std::string>& known_errors, const EngineSettings& settings,
                           const BatchOrder& order, Batch& batch)
    : triggers_(triggers),
      cache_(cache),
      troubled_(troubled),
      known_errors_(known_errors),
      settings_(settings),
      order_(order),
      batch_(batch) {}

Result<bool> BatchBuilder::build(Tx& tx, std::int64_t recorded_revision) {
  batch_ = Batch{};
  failure_ = {};
  alerts_.emplace(settings_, order_.now);
  try {
    return compute(tx, recorded_revision);
  } catch (const std::bad_alloc&) {
    return fail(Code::busy, "there is not enough memory for a batch");
  } catch (const std::exception& e) {
    return fail(Code::internal, fmt::format("a batch failed: {}", plain(e.what())));
  }
}

Result<bool> BatchBuilder::compute(Tx& tx, std::int64_t recorded_revision) {
  // In the snapshot that shows the blocks: an edit that was committed before a block is known when it is evaluated.
  if (auto adopted = triggers_.adopt(tx); !adopted) return fail(adopted);
  batch_.revision = triggers_.revision();
  if (auto started = read_start(tx); !started) return fail(started);
  const bool settled = batch_.before && batch_.revision <= recorded_revision && triggers_.aftermath().empty();
  if (batch_.cursor.seq >= batch_.row.last_seq && settled) return false;
  auto entries = store::read_block_log(tx, order_.chain, batch_.cursor.seq, order_.max_events);
  if (!entries) return fail(entries);
  for (const auto& entry : *entries) {
    if (full()) break;
    auto done = entry.op > 0 ? join(tx, entry) : leave(tx, entry);
    if (!done) return fail(done);
    if (batch_.cursor.seq != entry.seq) break;   // stopped inside a large block
    if (order_.max_events == 1) break;
  }
  batch_.progress.more = batch_.cursor.seq < batch_.row.last_seq;
  return true;
}

Result<void> BatchBuilder::read_start(Tx& tx) {
  auto row = store::find_chain(tx, order_.chain);
  if (!row) return fail(row);
  if (!*row) return fail(Code::not_found, fmt::format("chain {} is not known to the store", order_.chain));
  batch_.row = std::move(**row);
  auto cursor = store::read_cursor(tx, settings_.shard, order_.chain);
  if (!cursor) return fail(cursor);
  batch_.before = *cursor;
  batch_.cursor = cursor->value_or(store::EngineCursor{});
  return {};
}

bool BatchBuilder::full() const {
  return batch_.progress.events >= order_.max_events || batch_.jobs.size() >= kMaxJobs ||
         batch_.bytes >= settings_.batch_bytes || batch_.progress.evaluated >= kMaxEvaluations;
}

Result<void> BatchBuilder::join(Tx& tx, const store::LogEntry& entry) {
  if (order_.pass_over) {
    set_aside(entry);
    return {};
  }
  const std::int64_t room = order_.max_events - batch_.progress.events;
  auto events =
      store::read_block_events(tx, order_.chain, entry.block_hash, entry.block_time, batch_.cursor.position, room);
  if (!events) return fail(events);
  std::int64_t done = 0;
  for (const auto& event : *events) {
    if (full()) break;
    const auto started = std::chrono::steady_clock::now();
    batch_.at_event = domain::event_id(event);
    process(tx, event, entry.seq);
    if (!failure_) return failure_;
    ++done;
    ++batch_.progress.events;
    ++batch_.events_by_registry[event.registry];
    batch_.durations.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count());
  }
  if (done == room || done < static_cast<std::int64_t>(events->size())) {
    batch_.cursor.position += done;   // there may be more in this block
    return {};
  }
  batch_.cursor.seq = entry.seq;
  batch_.cursor.position = 0;
  return {};
}

void BatchBuilder::set_aside(const store::LogEntry& entry) {
  const Poison& poison = *order_.pass_over;
  batch_.dead_letter = store::EventDeadLetter{order_.chain, entry.block_hash, batch_.cursor.position, poison.event_id,
                                              poison.error, poison.attempts,  poison.first_seen,      order_.now};
  ++batch_.cursor.position;
  ++batch_.progress.events;
}

// Undo: what the block changed becomes what it was, and what it enqueued is taken back where that is still possible.
Result<void> BatchBuilder::leave(Tx& tx, const store::LogEntry& entry) {
  // Changes of this batch to the same block have not reached the store yet.
  States before;
  auto stored = store::read_images(tx, order_.chain, entry.block_num);
  if (!stored) return fail(stored);
  if (const auto own = batch_.images.find(entry.block_num); own != batch_.images.end()) {
    before = std::move(own->second);
    batch_.images.erase(own);
  }
  // The stored ones are the earlier; unless this batch has undone them already.
  const bool undone = std::any_of(batch_.undone.begin(), batch_.undone.end(),
                                  [&entry](const auto& block) { return block.first == entry.block_num; });
  if (!undone) {
    for (auto& image : *stored) before[image.row] = std::move(image.before);
  }
  for (auto& [row, value] : before) {
    if (!triggers_.knows(row)) continue;   // nobody will ever ask for it
    if (row.condition == rules::kBreakerCondition) troubled_[row.trigger].insert(order_.chain);
    batch_.states[row] = std::move(value);
  }
  std::erase_if(batch_.jobs, [&entry](const store::NewJob& job) { return job.block_hash == entry.block_hash; });
  batch_.undone.emplace_back(entry.block_num, entry.block_hash);
  batch_.cursor.seq = entry.seq;
  batch_.cursor.position = 0;
  return {};
}

std::optional<StateValue> BatchBuilder::state_of(Tx& tx, const StateRow& row) {
  ++batch_.cache_hits;
  if (const auto own = batch_.states.find(row); own != batch_.states.end()) return own->second;
  if (const auto* cached = cache_.find(row)) return *cached;
  if (const auto read = batch_.reads.find(row); read != batch_.reads.end()) return read->second;
  --batch_.cache_hits;
  const auto begun = std::chrono::steady_clock::now();
  auto stored = store::read_state(tx, row);
  batch_.state_reads.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count());
  if (!stored) {
    if (failure_) failure_ = fail(stored);
    return std::nullopt;
  }
  batch_.reads.emplace(row, *stored);
  return *stored;
}

void BatchBuilder::process(Tx& tx, const domain::Event& event, std::int64_t seq) {
  std::size_t matches = 0;
  for (const auto* trigger : triggers_.index().candidates(event)) {
    ++batch_.progress.evaluated;
    try {
      if (evaluate(tx, event, *trigger, seq)) ++matches;
    } catch (const std::bad_alloc&) {
      throw;   // not the trigger's fault, and it passes
    } catch (const std::exception& e) {
      ++batch_.crashed;
      note_failed_evaluation(tx, event, trigger->trigger, fmt::format("internal error: {}", plain(e.what())));
    }
    if (!failure_) return;
  }
  if (matches > kCrowd) ++batch_.crowded;
}

// Whether it matched. Changes the batch only at its end, so that an exception leaves no half of a match behind.
bool BatchBuilder::evaluate(Tx& tx, const domain::Event& event, const rules::CompiledTrigger& compiled,
                            std::int64_t seq) {
  const auto& trigger = compiled.trigger;
  rules::BreakerState breaker;
  if (is_troubled(trigger.id)) {
    breaker = breaker_of(tx, trigger);
    const auto before = breaker.phase;
    if (!rules::allow(breaker, trigger.breaker, event.block_time)) {
      ++batch_.left_alone;
      return false;
    }
    if (breaker.phase != before) ++batch_.breaker_transitions;
  }
  const auto row_of = [&](const rules::StateKey& key) {
    return StateRow{trigger.id, key.condition, key.revision, order_.chain, key.key};
  };
  const auto read = [&](const rules::StateKey& key) -> std::optional<std::string> {
    auto value = state_of(tx, row_of(key));
    return value ? std::optional(std::move(value->state)) : std::nullopt;
  };
  // By reference: it then fits into the function object itself.
  const rules::StateReader reader = std::ref(read);
  auto evaluation = rules::evaluate(event, compiled, reader, rules::Explain::no);
  if (!failure_) return false;
  if (evaluation.decision == rules::Decision::error) {
    note_failed_evaluation(tx, event, trigger,
                           evaluation.steps.empty() ? "evaluation failed" : std::move(evaluation.steps.back().text));
    return false;
  }
  const bool matched = evaluation.decision == rules::Decision::match;
  const bool is_crowd = batch_.bytes >= settings_.batch_bytes;
  rules::Evaluation explained;
  std::vector<store::NewJob> jobs;
  if (matched) {
    // The same inputs again, this time with words: dear, so only for what fires.
    explained = rules::evaluate(event, compiled, reader, rules::Explain::yes);
    if (!is_crowd) jobs = alerts_->make(event, trigger, explained, seq);
  }
  for (auto& change : evaluation.changes) put_state(tx, event, row_of(change.key), std::move(change.after));
  if (is_troubled(trigger.id)) {
    note_closing(event, breaker);
    put_breaker(tx, event, trigger, {});   // a success: all is forgotten
  }
  for (const auto& job : jobs) batch_.bytes += kRowBytes + job.text_bytes();
  batch_.jobs.insert(batch_.jobs.end(), std::make_move_iterator(jobs.begin()), std::make_move_iterator(jobs.end()));
  if (matched && is_crowd) join_crowd(event, compiled, std::move(explained), seq);
  if (matched) ++batch_.progress.matched;
  if (known_errors_.contains(trigger.id)) batch_.errors[trigger.id] = std::nullopt;
  return matched;
}

void BatchBuilder::join_crowd(const domain::Event& event, const rules::CompiledTrigger& compiled,
                              rules::Evaluation explained, std::int64_t seq) {
  if (!batch_.crowd) batch_.crowd = Crowd{event, seq, {}};
  const bool has_states = std::any_of(compiled.conditions.begin(), compiled.conditions.end(),
                                      [](const auto& condition) { return condition->is_stateful(); });
  explained.changes = {};
  batch_.crowd->matches.push_back({&compiled, has_states ? std::optional(std::move(explained)) : std::nullopt});
}

void BatchBuilder::put_state(Tx& tx, const domain::Event& event, const StateRow& row, std::optional<std::string> text) {
  auto before = state_of(tx, row);
  std::optional<StateValue> after;
  if (text) after = StateValue{std::move(*text), event.block_num};
  if (!before && !after) return;
  batch_.bytes += kRowBytes + (before ? before->state.size() : 0) + (after ? after->state.size() : 0);
  batch_.images[event.block_num].emplace(row, std::move(before));   // the first change of a block counts
  batch_.states[row] = std::move(after);
}

bool BatchBuilder::is_troubled(domain::TriggerId trigger) const {
  const auto known = troubled_.find(trigger);
  return known != troubled_.end() && known->second.contains(order_.chain);
}

rules::BreakerState BatchBuilder::breaker_of(Tx& tx, const domain::Trigger& trigger) {
  const auto stored =
      state_of(tx, {trigger.id, rules::kBreakerCondition, trigger.breaker.revision, order_.chain, std::string()});
  return rules::read_breaker(stored ? std::optional(stored->state) : std::nullopt);
}

void BatchBuilder::put_breaker(Tx& tx, const domain::Event& event, const domain::Trigger& trigger,
                               const rules::BreakerState& state) {
  put_state(tx, event, {trigger.id, rules::kBreakerCondition, trigger.breaker.revision, order_.chain, std::string()},
            rules::breaker_text(state));
}

void BatchBuilder::note_closing(const domain::Event& event, const rules::BreakerState& before) {
  if (before.phase == rules::BreakerState::Phase::closed) return;
  ++batch_.breaker_transitions;
  if (before.opened_at)
    batch_.breaker_open.push_back(std::chrono::duration<double>(event.block_time - *before.opened_at).count());
}

// An error of the trigger itself: it is shown on the trigger, and it counts.
void BatchBuilder::note_failed_evaluation(Tx& tx, const domain::Event& event, const domain::Trigger& trigger,
                                          std::string text) {
  batch_.errors[trigger.id] = clipped(std::move(text), kMaxErrorBytes);
  auto breaker = breaker_of(tx, trigger);
  (void)rules::allow(breaker, trigger.breaker, event.block_time);   // it was: so the state is past its recovery time
  const auto before = breaker.phase;
  rules::note_failure(breaker, trigger.breaker, event.block_time);
  ++batch_.failed_evaluations;
  if (breaker.phase != before) ++batch_.breaker_transitions;
  if (!failure_) return;
  troubled_[trigger.id].insert(order_.chain);
  put_breaker(tx, event, trigger, breaker);
  if (breaker.phase == rules::BreakerState::Phase::open) batch_.opened.push_back(trigger.id);
}

}   // namespace agentauri::engine
