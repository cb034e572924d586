// What the worker does beside its attempts: jobs that nobody works at any more.
#include "delivery/dispatcher.hpp"

namespace agentauri::delivery {

// Silence says something only of workers that could have been heard: after an outage of the store everybody has been
// silent, and whoever is back first must not take the jobs of those that are still at them.
Task<void> Dispatcher::recover() {
  auto take_back = [me = settings_.instance, now = clock_.now(),
                    reach = reach_](store::Tx& tx) -> Result<std::int64_t> {
    auto at = tx.now();
    if (!at) return fail(at);
    return store::recover_jobs(tx, reach.silent_since(*at), now, me);
  };
  auto recovered = co_await db_.transact<std::int64_t>(store::Priority::bulk, std::move(take_back));
  if (recovered) reach_.reached();
  if (!recovered || *recovered == 0) co_return;
  log_.warn("jobs of a worker that is gone are due again; their last attempt is unknown", {{"jobs", *recovered}});
  wake_.notify();
}

// A claim's commit may be done although its answer was lost: its jobs are leased to this worker, which does not know of
// them, and to everybody else this worker looks alive. Called by the claim loop, while no claim is under way: whatever
// is leased and not in hand was lost, or its result was.
Task<void> Dispatcher::give_back_lost() {
  auto leased = co_await db_.snapshot<std::vector<store::LeasedJob>>(
      [me = settings_.instance](store::Tx& tx) { return store::leased_jobs(tx, me); });
  if (!leased) co_return;
  std::erase_if(*leased, [this](const store::LeasedJob& job) {
    const auto held = in_hand_.find(job.id);
    return held != in_hand_.end() && held->second == job.lease_epoch;
  });
  if (leased->empty()) co_return;
  auto give_back = [me = settings_.instance, jobs = std::move(*leased), now = clock_.now()](store::Tx& tx) {
    return store::give_back_jobs(tx, me, jobs, now);
  };
  auto given = co_await db_.transact<std::int64_t>(store::Priority::bulk, std::move(give_back));
  if (given && *given > 0) log_.warn("jobs that this worker had without knowing are due again", {{"jobs", *given}});
}

// Jobs of workers that are gone, and places of receivers that nobody asks for any more.
Task<void> Dispatcher::upkeep_loop() {
  do {
    co_await recover();
    lanes_.prune(clock_.now());
  } while (co_await sleep_for(settings_.recover_every));
}

}   // namespace agentauri::delivery
