#include "store/instances.hpp"

#include <algorithm>

namespace agentauri::store {
namespace {

const Query kInstances{"instance_list",
                       "SELECT id, pid, roles, started_at, heartbeat_at FROM instances ORDER BY roles, started_at, id"};
const Query kLeases{"lease_list", "SELECT name, instance_id, epoch, acquired_at FROM leases ORDER BY name"};

}   // namespace

Result<Presence> read_presence(Tx& tx) {
  auto now = tx.now();
  if (!now) return fail(now);
  auto rows = tx.run(kInstances);
  if (!rows) return fail(rows);
  Presence out;
  for (std::size_t i = 0; i < rows->size(); ++i) {
    InstanceRow row;
    row.id = rows->id<domain::InstanceId>(i, 0);
    row.pid = rows->i64(i, 1);
    row.roles = rows->text(i, 2);
    row.started_at = rows->time(i, 3);
    row.silent = std::chrono::duration_cast<std::chrono::milliseconds>(*now - rows->time(i, 4));
    out.instances.push_back(std::move(row));
  }
  auto leases = tx.run(kLeases);
  if (!leases) return fail(leases);
  for (std::size_t i = 0; i < leases->size(); ++i) {
    LeaseRow lease{leases->text(i, 0), leases->id<domain::InstanceId>(i, 1), leases->i64(i, 2), leases->time(i, 3)};
    const auto holder = std::find_if(out.instances.begin(), out.instances.end(),
                                     [&lease](const InstanceRow& row) { return row.id == lease.holder; });
    (holder == out.instances.end() ? out.free : holder->leases).push_back(std::move(lease));
  }
  return out;
}

}   // namespace agentauri::store
