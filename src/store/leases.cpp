#include "store/leases.hpp"

#include <fmt/format.h>
#include <unistd.h>

#include <climits>
#include <csignal>
#include <fstream>
#include <sstream>

namespace agentauri::store {
namespace {

const Query kRegister{"instance_register",
                      "INSERT INTO instances (id, host, pid, pid_start, roles, started_at, heartbeat_at) "
                      "VALUES (:id, :host, :pid, :pid_start, :roles, :now, :now)"};
const Query kBeat{"instance_heartbeat", "UPDATE instances SET heartbeat_at = :now WHERE id = :id"};
const Query kRemove{"instance_remove", "DELETE FROM instances WHERE id = :id"};
const Query kRemoveSilent{"instance_remove_silent", "DELETE FROM instances WHERE heartbeat_at < :since"};
const Query kNeighbours{"instance_neighbours", "SELECT id, pid, pid_start FROM instances WHERE host = :host"};
// Roles are a list such as `gateway,worker`.
const Query kCountRole{"instance_count_role",
                       "SELECT count(*) FROM instances WHERE ',' || roles || ',' LIKE '%,' || :role || ',%'"};
const Query kTakeLease{
    "lease_take",
    "INSERT INTO leases (name, instance_id, epoch, acquired_at) VALUES (:name, :id, 1, :now) "
    "ON CONFLICT (name) DO UPDATE SET epoch = CASE WHEN leases.instance_id = :id THEN leases.epoch ELSE leases.epoch + "
    "1 END, "
    "acquired_at = CASE WHEN leases.instance_id = :id THEN leases.acquired_at ELSE :now END, instance_id = :id "
    "WHERE NOT EXISTS (SELECT 1 FROM instances i WHERE i.id = leases.instance_id AND i.heartbeat_at >= :since) "
    "OR leases.instance_id = :id RETURNING epoch"};
const Query kCheckLease{"lease_check",
                        "SELECT 1 FROM leases WHERE name = :name AND instance_id = :id AND epoch = :epoch",
                        "SELECT 1 FROM leases WHERE name = :name AND instance_id = :id AND epoch = :epoch FOR SHARE"};
// A lease that nobody has held yet begins in nobody's name.
const Query kRaiseLease{
    "lease_raise",
    "INSERT INTO leases (name, instance_id, epoch, acquired_at) VALUES (:name, :nobody, :next, :now) "
    "ON CONFLICT (name) DO UPDATE SET epoch = CASE WHEN leases.epoch < :next THEN :next "
    "ELSE leases.epoch + 1 END RETURNING epoch"};

std::string read_line(const char* path) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  return line;
}

// Field 22 of /proc/<pid>/stat, in clock ticks since boot; nullopt when there is no such process, or when it has ended
// and only waits for its parent to notice.
std::optional<std::int64_t> start_of(std::int64_t pid) {
  std::ifstream file(fmt::format("/proc/{}/stat", pid));
  std::string line;
  if (!std::getline(file, line)) return std::nullopt;
  // The second field is the name in parentheses and may hold anything.
  std::istringstream rest(line.substr(line.rfind(')') + 1));
  std::string field;
  rest >> field;
  if (field == "Z" || field == "X") return std::nullopt;
  for (int i = 4; i <= 22; ++i) rest >> field;
  return rest ? std::optional<std::int64_t>(std::stoll(field)) : std::nullopt;
}

}   // namespace

ProcessIdentity this_process() {
  char space[PATH_MAX] = {};
  const ssize_t length = ::readlink("/proc/self/ns/pid", space, sizeof space - 1);
  ProcessIdentity me;
  me.host = fmt::format("{} {}", read_line("/proc/sys/kernel/random/boot_id"), length > 0 ? space : "pid:?");
  me.pid = ::getpid();
  me.pid_start = start_of(me.pid).value_or(0);
  return me;
}

Result<void> register_instance(Tx& tx, domain::InstanceId id, const ProcessIdentity& process, std::string_view roles) {
  auto now = tx.now();
  if (!now) return fail(now);
  auto row = tx.run(kRegister, Params()
                                   .id("id", id)
                                   .text("host", process.host)
                                   .i64("pid", process.pid)
                                   .i64("pid_start", process.pid_start)
                                   .text("roles", std::string(roles))
                                   .time("now", *now));
  if (!row) return fail(row);
  return {};
}

Result<void> heartbeat(Tx& tx, domain::InstanceId id) {
  auto now = tx.now();
  if (!now) return fail(now);
  auto row = tx.run(kBeat, Params().id("id", id).time("now", *now));
  if (!row) return fail(row);
  if (row->affected() == 0) return fail(Code::fenced, "this process has been declared dead");
  return {};
}

Result<void> remove_instance(Tx& tx, domain::InstanceId id) {
  auto row = tx.run(kRemove, Params().id("id", id));
  if (!row) return fail(row);
  return {};
}

Result<std::int64_t> count_instances(Tx& tx, std::string_view role) {
  auto rows = tx.run(kCountRole, Params().text("role", std::string(role)));
  if (!rows) return fail(rows);
  return rows->i64(0, 0);
}

Result<std::int64_t> remove_dead_instances(Tx& tx, const ProcessIdentity& me, const Reach& reach) {
  auto now = tx.now();
  if (!now) return fail(now);
  auto silent = tx.run(kRemoveSilent, Params().time("since", reach.silent_since(*now)));
  if (!silent) return fail(silent);
  std::int64_t removed = silent->affected();
  auto neighbours = tx.run(kNeighbours, Params().text("host", me.host));
  if (!neighbours) return fail(neighbours);
  for (std::size_t i = 0; i < neighbours->size(); ++i) {
    if (start_of(neighbours->i64(i, 1)) == neighbours->i64(i, 2)) continue;
    if (auto gone = remove_instance(tx, neighbours->id<domain::InstanceId>(i, 0)); !gone) return fail(gone);
    ++removed;
  }
  return removed;
}

Result<std::optional<std::int64_t>> acquire_lease(Tx& tx, std::string_view name, domain::InstanceId id,
                                                  const Reach& reach) {
  auto now = tx.now();
  if (!now) return fail(now);
  auto row = tx.run(
      kTakeLease,
      Params().text("name", std::string(name)).id("id", id).time("now", *now).time("since", reach.silent_since(*now)));
  if (!row) return fail(row);
  if (row->empty()) return std::nullopt;
  return row->i64(0, 0);
}

Result<void> check_lease(Tx& tx, std::string_view name, domain::InstanceId id, std::int64_t epoch) {
  auto row = tx.run(kCheckLease, Params().text("name", std::string(name)).id("id", id).i64("epoch", epoch));
  if (!row) return fail(row);
  if (row->empty()) return fail(Code::fenced, fmt::format("the lease {} has passed to somebody else", name));
  return {};
}

Result<std::int64_t> raise_lease(Tx& tx, std::string_view name, std::int64_t above) {
  auto now = tx.now();
  if (!now) return fail(now);
  auto row =
      tx.run(kRaiseLease,
             Params().text("name", std::string(name)).uuid("nobody", Uuid{}).i64("next", above + 1).time("now", *now));
  if (!row) return fail(row);
  return row->i64(0, 0);
}

}   // namespace agentauri::store
