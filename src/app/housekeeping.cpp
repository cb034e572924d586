#include "app/housekeeping.hpp"

#include <random>

#include "store/leases.hpp"

namespace agentauri::app {
namespace {

std::chrono::milliseconds give_or_take_a_fifth(std::chrono::milliseconds wait) {
  std::mt19937_64 engine{std::random_device{}()};
  return std::chrono::duration_cast<std::chrono::milliseconds>(
      wait * std::uniform_real_distribution<double>(0.8, 1.2)(engine));
}

}   // namespace

Housekeeping::Housekeeping(store::Database& db, const Clock& clock, domain::InstanceId instance,
                           HousekeepingSettings settings, Metrics& metrics)
    : db_(db), clock_(clock), instance_(instance), settings_(settings), deliveries_(metrics, "deliveries") {}

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

}   // namespace agentauri::app
