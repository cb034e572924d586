#include "app/membership.hpp"

namespace agentauri::app {
namespace {

constexpr auto kLeaseRetry = std::chrono::milliseconds(500);

}   // namespace

Membership::Membership(store::Database& db, domain::InstanceId id, std::string roles, std::function<void()> on_lost)
    : db_(db), id_(id), roles_(std::move(roles)), on_lost_(std::move(on_lost)), process_(store::this_process()) {}

Task<Result<void>> Membership::join() {
  auto enter = [id = id_, process = process_, roles = roles_](store::Tx& tx) -> Result<void> {
    if (auto removed = store::remove_dead_instances(tx, process); !removed) return fail(removed);
    return store::register_instance(tx, id, process, roles);
  };
  co_return co_await db_.transact<void>(store::Priority::interactive, std::move(enter));
}

Task<void> Membership::run() {
  bool silent = false;
  while (co_await sleep_for(store::kHeartbeat)) {
    auto beat = [id = id_, process = process_](store::Tx& tx) -> Result<void> {
      if (auto beaten = store::heartbeat(tx, id); !beaten) return beaten;
      if (auto removed = store::remove_dead_instances(tx, process); !removed) return fail(removed);
      return {};
    };
    const auto beaten = co_await db_.transact<void>(store::Priority::interactive, std::move(beat));
    if (beaten) {
      if (silent) log_.info("the heartbeat reaches the store again");
      silent = false;
      continue;
    }
    if (beaten.error().code == Code::cancelled) co_return;
    if (beaten.error().code == Code::fenced) {
      log_.error("this process was silent for too long and has been declared dead: its leases have passed on");
      on_lost_();
      co_return;
    }
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
    auto acquire = [id = id_, name](store::Tx& tx) { return store::acquire_lease(tx, name, id); };
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
