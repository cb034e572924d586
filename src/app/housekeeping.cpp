#include "app/housekeeping.hpp"

#include <random>

#include "store/event_storage.hpp"
#include "store/leases.hpp"

namespace agentauri::app {
namespace {

constexpr auto kWorthTelling = std::chrono::hours(24);

std::chrono::milliseconds give_or_take_a_fifth(std::chrono::milliseconds wait) {
  std::mt19937_64 engine{std::random_device{}()};
  return std::chrono::duration_cast<std::chrono::milliseconds>(
      wait * std::uniform_real_distribution<double>(0.8, 1.2)(engine));
}

}   // namespace

Housekeeping::Housekeeping(store::Database& db, const Clock& clock, domain::InstanceId instance,
                           HousekeepingSettings settings, Metrics& metrics)
    : db_(db),
      clock_(clock),
      instance_(instance),
      settings_(settings),
      deliveries_(metrics, "deliveries"),
      events_(metrics, "events") {}

Task<void> Housekeeping::run() {
  auto pause = settings_.first;
  while (co_await sleep_for(give_or_take_a_fifth(pause))) {
    pause = settings_.every;
    if (co_await is_mine()) co_await pass();
  }
}

Task<bool> Housekeeping::is_mine() {
  auto acquire = [id = instance_](store::Tx& tx) { return store::acquire_lease(tx, "housekeeping", id); };
  const auto epoch = co_await db_.transact<std::optional<std::int64_t>>(store::Priority::bulk, std::move(acquire));
  co_return epoch && epoch->has_value();
}

Task<void> Housekeeping::pass() {
  co_await forget_jobs();
  if (settings_.event_retention) co_await forget_events();
}

Task<void> Housekeeping::forget_jobs() {
  const Time before = clock_.now() - settings_.retention;
  const BackgroundTask::Run run(deliveries_);
  std::optional<store::EndedJob> after;
  std::int64_t jobs = 0, attempts = 0;
  while (!co_await cancelled()) {
    auto forget = [before, after, undo = settings_.undo_blocks, batch = settings_.batch](store::Tx& tx) {
      return store::forget_jobs(tx, before, undo, after, batch);
    };
    const auto gone = co_await db_.transact<store::Forgotten>(store::Priority::bulk, std::move(forget));
    if (!gone) {
      if (gone.error().code != Code::cancelled)
        log_.warn("old jobs could not be deleted; later again", {{"why", gone.error().text}});
      break;
    }
    jobs += gone->jobs;
    attempts += gone->attempts;
    deliveries_.deleted(gone->jobs + gone->attempts);
    if (!gone->last) break;
    after = gone->last;
  }
  if (jobs > 0)
    log_.info("old jobs deleted", {{"jobs", jobs}, {"attempts", attempts}, {"ended_before", to_rfc3339(before)}});
}

// What may go is told to everybody first, in a transaction of its own; then it goes.
Task<void> Housekeeping::forget_events() {
  const BackgroundTask::Run run(events_);
  const Time wanted = clock_.now() - *settings_.event_retention;
  auto mark = [wanted, undo = settings_.undo_blocks](store::Tx& tx) -> Result<store::ForgettableEvents> {
    if (auto good = store::events_can_be_written(tx); !good) return fail(good);
    auto events = store::find_forgettable_events(tx, wanted, undo);
    if (!events) return events;
    if (auto marked = store::mark_forgotten_events(tx, events->before, undo); !marked) return fail(marked);
    return events;
  };
  auto events = co_await db_.transact<store::ForgettableEvents>(store::Priority::bulk, std::move(mark));
  std::int64_t gone = 0;
  Result<void> outcome;
  if (!events) outcome = fail(events);
  while (outcome && !co_await cancelled()) {
    auto forget = [before = events->before, batch = settings_.event_batch](store::Tx& tx) {
      return store::forget_events(tx, before, batch);
    };
    auto batch = co_await db_.transact<std::int64_t>(store::Priority::bulk, std::move(forget));
    if (!batch) outcome = fail(batch);
    if (!batch || *batch == 0) break;
    gone += *batch;
    events_.deleted(*batch);
  }
  if (!outcome && outcome.error().code != Code::cancelled)
    log_.warn("old events could not be deleted; later again", {{"why", outcome.error().text}});
  if (gone > 0) log_.info("old events deleted", {{"events", gone}, {"before", to_rfc3339(events->before)}});
  if (events) report_holder(*events, wanted);
}

void Housekeeping::report_holder(const store::ForgettableEvents& events, Time wanted) {
  // A chain that rests holds its last blocks back, which is as it should be, and no news every hour.
  if (!events.held_by || wanted - events.before < kWorthTelling) return;
  log_.info(
      "events are kept longer than EVENT_RETENTION_DAYS says",
      {{"chain", events.held_by->chain_id}, {"why", events.held_by->why}, {"kept_from", to_rfc3339(events.before)}});
}

}   // namespace agentauri::app
