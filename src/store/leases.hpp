// Instances and leases: who does what, on the database's clock. A lease is void when its holder's heartbeat is older
// than kSilence and whoever says so has been heard meanwhile (reach.hpp), or when its process is known to be gone (same
// host and pid namespace, pid not running).
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "domain/ids.hpp"
#include "store/database.hpp"
#include "store/reach.hpp"

namespace agentauri::store {

// Of this process, read from /proc.
struct ProcessIdentity {
  std::string host;   // boot id and pid namespace
  std::int64_t pid = 0;
  std::int64_t pid_start = 0;
};
ProcessIdentity this_process();

Result<void> register_instance(Tx& tx, domain::InstanceId id, const ProcessIdentity& process, std::string_view roles);
// fenced when the row is gone (somebody declared this process dead).
Result<void> heartbeat(Tx& tx, domain::InstanceId id);
Result<void> remove_instance(Tx& tx, domain::InstanceId id);
// How many processes with that role are there, the silent ones not counted once somebody noticed.
Result<std::int64_t> count_instances(Tx& tx, std::string_view role);
// Deletes instances that are silent, as far as `reach` (of the caller) lets one tell, or whose process is gone. Returns
// how many.
Result<std::int64_t> remove_dead_instances(Tx& tx, const ProcessIdentity& me, const Reach& reach = Reach::long_since());

// The epoch when `id` now holds the lease (held before, free, or its holder is dead, by the same measure); nullopt when
// somebody else does.
Result<std::optional<std::int64_t>> acquire_lease(Tx& tx, std::string_view name, domain::InstanceId id,
                                                  const Reach& reach = Reach::long_since());
// Code::fenced unless `id` holds `name` with `epoch`. For commits whose own tables carry no epoch.
Result<void> check_lease(Tx& tx, std::string_view name, domain::InstanceId id, std::int64_t epoch);
// A new epoch, higher than the lease's and than `above`, whoever holds the lease: what was begun under an older one can
// no longer be committed, and the holder goes on when it asks again. Returns it.
Result<std::int64_t> raise_lease(Tx& tx, std::string_view name, std::int64_t above);

}   // namespace agentauri::store
