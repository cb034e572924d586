#include "store/tables.hpp"

namespace agentauri::store {

const std::vector<TableInfo>& all_tables() {
  static const std::vector<TableInfo> tables{
      {.name = "agentauri_migrations", .key = {"version"}, .is_local = true},
      {.name = "instances", .key = {"id"}, .is_local = true},
      {.name = "counters", .key = {"name"}},
      {.name = "leases", .key = {"name"}},
      {.name = "accounts", .key = {"id"}},
      {.name = "organizations", .key = {"id"}},
      {.name = "members", .key = {"id"}},
      {.name = "sessions", .key = {"id"}},
      {.name = "refresh_tokens", .key = {"id"}},
      {.name = "revocations", .key = {"seq"}},
      {.name = "api_keys", .key = {"id"}},
      {.name = "api_key_audit", .key = {"id"}},
      {.name = "auth_failures", .key = {"id"}},
      {.name = "identities", .key = {"id"}},
      {.name = "auth_nonces", .key = {"nonce"}},
      {.name = "agent_links", .key = {"id"}},
      {.name = "invitations", .key = {"id"}},
      {.name = "idempotency_keys", .key = {"principal", "route", "key"}},
      {.name = "key_canaries", .key = {"kid"}},
      {.name = "chains", .key = {"chain_id"}},
      {.name = "blocks", .key = {"chain_id", "hash"}},
      {.name = "block_log", .key = {"chain_id", "seq"}},
      {.name = "coverage", .key = {"chain_id", "contract", "from_block"}},
      {.name = "events", .key = {"chain_id", "block_hash", "txn_index", "log_index", "block_time"}},
      {.name = "event_counts", .key = {"chain_id", "event_type"}},
      {.name = "event_dead_letters", .key = {"chain_id", "block_hash", "position"}},
      {.name = "triggers", .key = {"id"}},
      {.name = "trigger_conditions", .key = {"id"}, .identity = "id"},
      {.name = "trigger_actions", .key = {"id"}, .identity = "id"},
      {.name = "trigger_revisions", .key = {"revision"}},
      {.name = "trigger_state", .key = {"trigger_id", "condition_id", "condition_rev", "chain_id", "key"}},
      {.name = "state_images", .key = {"chain_id", "block_num", "trigger_id", "condition_id", "condition_rev", "key"}},
      {.name = "engine_cursor", .key = {"shard", "chain_id"}},
      {.name = "agent_follows", .key = {"id"}},
      {.name = "agent_follow_triggers", .key = {"trigger_id"}},
      {.name = "jobs", .key = {"id"}},
      {.name = "attempts", .key = {"job_id", "n"}},
      {.name = "organization_pace", .key = {"organization_id"}},
  };
  return tables;
}

}   // namespace agentauri::store
