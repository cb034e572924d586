// What an operator asks of a database: who is connected how, how large it is, how far the pipeline is behind. For
// `agentauri doctor` and `db stats`; read-only, and nothing here reads a large table.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "domain/ids.hpp"
#include "store/chain_log.hpp"
#include "store/database.hpp"
#include "store/event_storage.hpp"
#include "store/key_canaries.hpp"

namespace agentauri::store {

// Of the connection and its server. The embedded store has only `now`, the rest is as it stands here.
struct ServerFacts {
  Time now;                   // the server's clock
  std::int64_t version = 0;   // 150004: PostgreSQL 15.4
  std::string user;
  bool is_superuser = false;
  std::int64_t connections = 0, max_connections = 0;   // of the whole server
  bool is_encrypted = false;                           // this connection, by TLS
  bool is_durable = true;                              // fsync, full_page_writes and synchronous_commit are on
  std::string durability;                              // those that are not
  std::string password_encryption;
};
Result<ServerFacts> read_server_facts(Tx& tx);

struct ChainFacts {
  ChainRow row;
  std::vector<CoverageRow> coverage;
  std::optional<Time> head_seen_at;        // when our clock saw the last block
  std::optional<Time> unprocessed_since;   // when the first block that the engine has not processed was seen
  std::int64_t unprocessed_entries = 0;    // of the log
};
struct PipelineFacts {
  std::vector<ChainFacts> chains;
  std::vector<std::string> living_roles;   // of each process whose heartbeat is fresh
  std::optional<Time> due_since;           // of the delivery that waits longest beyond its time
  std::int64_t dead_deliveries = 0;        // that died in the last day
  std::int64_t event_dead_letters = 0;
};
Result<PipelineFacts> read_pipeline_facts(Tx& tx);

// As read_key_canaries(), without keeping others out.
Result<std::vector<KeyCanary>> peek_key_canaries(Tx& tx);

}   // namespace agentauri::store
