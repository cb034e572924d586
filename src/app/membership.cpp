#include "app/membership.hpp"

#include <algorithm>

namespace agentauri::app {
namespace {

constexpr auto kLeaseRetry = std::chrono::milliseconds(500);

struct Beat {
  bool was_dead = false;
  std::int64_t gateways = 0;
};

}   // namespace

Membership::Membership(store::Database& db, domain::InstanceId id, std::string roles)
    : db_(db), id_(id), roles_(std::move(roles)), process_(store::this_process()) {}

Task<Result<void>> Membership::join() {
  auto enter = [id = id_, process = process_, roles = roles_, reach = reach_](store::Tx& tx) -> Result<void> {
    if (auto removed = store::remove_dead_instances(tx, process, reach); !removed) return fail(removed);
    return store::register_instance(tx, id, process, roles);
  };
  const auto entered = co_await db_.transact<void>(store::Priority::interactive, std::move(enter));
  if (entered) reach_.reached();
  co_return entered;
}

Task<void> Membership::run() {
  bool silent = false;
  while (co_await sleep_for(store::kHeartbeat)) {
    // Declared dead by somebody while it was frozen or cut off, it enters again under its old name and goes on. That is
    // safe: whatever it held is guarded by epochs. A lease that has passed on has a higher one, so that the next commit
    // of its former holder here is fenced, who then takes its turn for the lease again; jobs that were taken back have
    // a higher one too, and their results are dropped. To end the process instead would only add what is lost by a
    // restart, in every process at once after an outage.
    auto beat = [id = id_, process = process_, roles = roles_, reach = reach_](store::Tx& tx) -> Result<Beat> {
      auto beaten = store::heartbeat(tx, id);
      const bool dead = !beaten && beaten.error().code == Code::fenced;
      if (!beaten && !dead) return fail(beaten);
      if (dead) {
        if (auto entered = store::register_instance(tx, id, process, roles); !entered) return fail(entered);
      }
      if (auto removed = store::remove_dead_instances(tx, process, reach); !removed) return fail(removed);
      auto gateways = store::count_instances(tx, "gateway");
      if (!gateways) return fail(gateways);
      return Beat{dead, *gateways};
    };
    const auto beaten = co_await db_.transact<Beat>(store::Priority::interactive, std::move(beat));
    if (beaten) {
      reach_.reached();
      gateways_ = static_cast<std::size_t>(std::max<std::int64_t>(1, beaten->gateways));
      if (beaten->was_dead)
        log_.warn("this process was silent for too long and had been declared dead; what it held may have passed on");
      else if (silent)
        log_.info("the heartbeat reaches the store again");
      silent = false;
      continue;
    }
    if (beaten.error().code == Code::cancelled) co_return;
    if (!silent) log_.warn("the heartbeat does not reach the store", {{"why", beaten.error().text}});
    silent = true;
  }
}

Task<void> Membership::leave() {
  auto remove = [id = id_](store::Tx& tx) { return store::remove_instance(tx, id); };
  const auto removed = co_await db_.transact<void>(store::Priority::interactive, std::move(remove));
  if (!removed)
    log_.warn("this process could not sign off; others wait for its silence", {{"why", removed.error().text}});
}

Task<std::optional<std::int64_t>> Membership::hold(std::string name) {
  bool told = false;
  for (;;) {
    auto acquire = [id = id_, name, reach = reach_](store::Tx& tx) {
      return store::acquire_lease(tx, name, id, reach);
    };
    const auto epoch =
        co_await db_.transact<std::optional<std::int64_t>>(store::Priority::interactive, std::move(acquire));
    if (epoch && *epoch) {
      log_.info("lease held", {{"lease", name}, {"epoch", **epoch}});
      co_return **epoch;
    }
    if (!epoch && (epoch.error().code == Code::cancelled || epoch.error().code == Code::fenced)) co_return std::nullopt;
    if (!told) {
      log_.info(epoch ? "another process holds the lease; waiting" : "the lease cannot be asked for; waiting",
                {{"lease", name}, {"why", epoch ? std::string() : epoch.error().text}});
    }
    told = true;
    if (!co_await sleep_for(kLeaseRetry)) co_return std::nullopt;
  }
}

}   // namespace agentauri::app
