// Who is there and who holds what, for operators to look at (leases.hpp is what the processes themselves live by).
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "core/base/time.hpp"
#include "domain/ids.hpp"
#include "store/database.hpp"

namespace agentauri::store {

struct LeaseRow {
  std::string name;   // chain:<id>, engine:<shard>
  domain::InstanceId holder;
  std::int64_t epoch = 0;
  Time acquired_at;
};

struct InstanceRow {
  domain::InstanceId id;
  std::int64_t pid = 0;   // in its own pid namespace
  std::string roles;      // a list such as `gateway,worker`
  Time started_at;
  std::chrono::milliseconds silent{0};   // since its last heartbeat, on the database's clock
  std::vector<LeaseRow> leases;
};

struct Presence {
  std::vector<InstanceRow> instances;   // by roles, the longest there first
  std::vector<LeaseRow> free;           // whose holder is not there any more
};
Result<Presence> read_presence(Tx& tx);

}   // namespace agentauri::store
