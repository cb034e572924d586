#include "store/operator_facts.hpp"

#include "store/leases.hpp"

namespace agentauri::store {
namespace {

const Query kServer{
    "operator_server", "SELECT 0, '', FALSE, 0, 0, FALSE, 'on', 'on', 'on', ''",
    "SELECT CAST(current_setting('server_version_num') AS bigint), CAST(current_user AS text), "
    "(SELECT rolsuper FROM pg_roles WHERE rolname = current_user), "
    "(SELECT CAST(sum(numbackends) AS bigint) FROM pg_stat_database), "
    "CAST(current_setting('max_connections') AS bigint), "
    "COALESCE((SELECT ssl FROM pg_stat_ssl WHERE pid = pg_backend_pid()), FALSE), current_setting('fsync'), "
    "current_setting('full_page_writes'), current_setting('synchronous_commit'), "
    "current_setting('password_encryption')"};
const Query kHeadSeen{
    "operator_head_seen",
    "SELECT b.seen_at FROM chains c JOIN blocks b ON b.chain_id = c.chain_id AND b.hash = c.head_hash "
    "WHERE c.chain_id = :chain"};
const Query kUnprocessed{
    "operator_unprocessed",
    "SELECT l.seq, b.seen_at FROM block_log l JOIN blocks b ON b.chain_id = l.chain_id AND b.hash = "
    "l.block_hash WHERE l.chain_id = :chain AND l.seq > "
    "COALESCE((SELECT MIN(c.seq) FROM engine_cursor c WHERE c.chain_id = :chain), 0) "
    "ORDER BY l.seq LIMIT 1"};
const Query kLiving{"operator_living_roles",
                    "SELECT roles FROM instances WHERE heartbeat_at >= :since ORDER BY started_at"};
const Query kDue{"operator_due_since", "SELECT MIN(next_at) FROM jobs WHERE state = 'pending' AND next_at < :now"};
const Query kDead{
    "operator_dead_deliveries",
    "SELECT count(*) FROM jobs WHERE finished_at IS NOT NULL AND finished_at >= :since AND state = 'dead'"};
const Query kLetters{"operator_event_dead_letters", "SELECT count(*) FROM event_dead_letters"};
const Query kCanaries{"operator_key_canaries", "SELECT kid, sealed FROM key_canaries ORDER BY used_at DESC, kid"};

Result<ChainFacts> read_chain_facts(Tx& tx, ChainRow row) {
  ChainFacts out;
  const auto of_chain = Params().i64("chain", row.chain_id);
  auto seen = tx.run(kHeadSeen, of_chain);
  if (!seen) return fail(seen);
  if (!seen->empty()) out.head_seen_at = seen->time(0, 0);
  auto next = tx.run(kUnprocessed, of_chain);
  if (!next) return fail(next);
  if (!next->empty()) {
    out.unprocessed_entries = row.last_seq - next->i64(0, 0) + 1;
    out.unprocessed_since = next->time(0, 1);
  }
  auto coverage = read_coverage(tx, row.chain_id);
  if (!coverage) return fail(coverage);
  out.coverage = std::move(*coverage);
  out.row = std::move(row);
  return out;
}

}   // namespace

Result<ServerFacts> read_server_facts(Tx& tx) {
  auto now = tx.now();
  if (!now) return fail(now);
  auto row = tx.run(kServer);
  if (!row) return fail(row);
  ServerFacts out;
  out.now = *now;
  out.version = row->i64(0, 0);
  out.user = row->text(0, 1);
  out.is_superuser = row->boolean(0, 2);
  out.connections = row->i64(0, 3);
  out.max_connections = row->i64(0, 4);
  out.is_encrypted = row->boolean(0, 5);
  for (const auto& [column, name] :
       {std::pair(6, "fsync"), std::pair(7, "full_page_writes"), std::pair(8, "synchronous_commit")}) {
    // `local`, `remote_write` and the like wait for this server's disk too.
    if (row->text(0, static_cast<std::size_t>(column)) != "off") continue;
    out.is_durable = false;
    out.durability += (out.durability.empty() ? "" : ", ") + std::string(name);
  }
  out.password_encryption = row->text(0, 9);
  return out;
}

Result<PipelineFacts> read_pipeline_facts(Tx& tx) {
  auto now = tx.now();
  if (!now) return fail(now);
  PipelineFacts out;
  auto chains = list_chains(tx);
  if (!chains) return fail(chains);
  for (auto& row : *chains) {
    auto chain = read_chain_facts(tx, std::move(row));
    if (!chain) return fail(chain);
    out.chains.push_back(std::move(*chain));
  }
  auto living = tx.run(kLiving, Params().time("since", *now - kSilence));
  if (!living) return fail(living);
  for (std::size_t i = 0; i < living->size(); ++i) out.living_roles.push_back(living->text(i, 0));
  auto due = tx.run(kDue, Params().time("now", *now));
  if (!due) return fail(due);
  out.due_since = due->time_or_null(0, 0);
  auto dead = tx.run(kDead, Params().time("since", *now - std::chrono::hours(24)));
  if (!dead) return fail(dead);
  out.dead_deliveries = dead->i64(0, 0);
  auto letters = tx.run(kLetters);
  if (!letters) return fail(letters);
  out.event_dead_letters = letters->i64(0, 0);
  return out;
}

Result<std::vector<KeyCanary>> peek_key_canaries(Tx& tx) {
  auto rows = tx.run(kCanaries);
  if (!rows) return fail(rows);
  std::vector<KeyCanary> out;
  for (std::size_t i = 0; i < rows->size(); ++i) out.push_back({rows->text(i, 0), rows->text(i, 1)});
  return out;
}

}   // namespace agentauri::store
