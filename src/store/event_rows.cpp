#include "store/event_rows.hpp"

#include <fmt/format.h>

#include "store/chain_log.hpp"
#include "store/counting.hpp"
#include "store/event_storage.hpp"

namespace agentauri::store {
namespace {

using domain::ChainId;
using domain::Event;

// block_time is taken from `blocks` by the statement itself, so that a block never has two times.
#define EVENT_INSERT(CANONICAL)                                                                        \
  "INSERT INTO events ("                                                                               \
  "chain_id, block_hash, txn_index, log_index, block_time, id, txn_hash, contract, txn_ordinal, "      \
  "content_hash, block_num, registry, event_type, agent_id, owner, token_uri, metadata_key, "          \
  "metadata_value, client_address, feedback_index, value, value_decimals, score, tag1, tag2, "         \
  "tag1_hash, endpoint, file_uri, file_hash, validator_address, request_hash, request_uri, response, " \
  "response_uri, response_hash, tag, parse_error, raw, canonical, live, inserted_at"                   \
  ") VALUES ("                                                                                         \
  ":chain, :block_hash, :txn_index, :log_index, "                                                      \
  "(SELECT b.time FROM blocks b WHERE b.chain_id = :chain AND b.hash = :block_hash), :id, :txn_hash, " \
  ":contract, :txn_ordinal, :content_hash, :block_num, :registry, :event_type, :agent_id, :owner, "    \
  ":token_uri, :metadata_key, :metadata_value, :client_address, :feedback_index, :value, "             \
  ":value_decimals, :score, :tag1, :tag2, :tag1_hash, :endpoint, :file_uri, :file_hash, "              \
  ":validator_address, :request_hash, :request_uri, :response, :response_uri, :response_hash, :tag, "  \
  ":parse_error, :raw, " CANONICAL                                                                     \
  ", :live, :now"                                                                                      \
  ") ON CONFLICT (chain_id, block_hash, txn_index, log_index, block_time) "
const Query kPutEvent{"event_put", EVENT_INSERT(":canonical") "DO UPDATE SET canonical = :canonical"};
// Live blocks alone say what is part of the chain; other events are what their block is.
#define OF_BLOCK "(SELECT b.canonical FROM blocks b WHERE b.chain_id = :chain AND b.hash = :block_hash)"
const Query kPutHistoryEvent{"event_put_history",
                             EVENT_INSERT(OF_BLOCK) "DO UPDATE SET canonical = excluded.canonical"};
const Query kPutLateEvent{"event_put_late", EVENT_INSERT(OF_BLOCK) "DO NOTHING"};
#undef OF_BLOCK
#undef EVENT_INSERT

#define EVENT_COLUMNS                                                                                                  \
  "block_hash, txn_index, log_index, block_time, txn_hash, contract, txn_ordinal, content_hash, block_num, registry, " \
  "event_type, agent_id, owner, token_uri, metadata_key, metadata_value, client_address, "                             \
  "feedback_index, value, value_decimals, score, tag1, tag2, tag1_hash, endpoint, file_uri, file_hash, "               \
  "validator_address, request_hash, request_uri, response, response_uri, response_hash, tag, parse_error, raw, "       \
  "chain_id "
// The time names the one chunk of a hypertable.
const Query kOrphanEvents{"event_orphan",
                          "UPDATE events SET canonical = :no WHERE chain_id = :chain AND block_hash = :hash AND "
                          "block_time = (SELECT b.time FROM blocks b WHERE b.chain_id = :chain AND b.hash = :hash)"};
const Query kBlockEvents{"event_of_block",
                         "SELECT " EVENT_COLUMNS
                         "FROM events WHERE chain_id = :chain AND block_hash = :hash AND block_time = :time AND live = "
                         ":yes ORDER BY txn_index, log_index LIMIT :limit OFFSET :from"};
// One id in two blocks: that of the chain as it is.
const Query kFindEvent{"event_find", "SELECT " EVENT_COLUMNS
                                     ", canonical FROM events WHERE txn_hash = :txn AND id = :id ORDER BY canonical "
                                     "DESC, block_num DESC LIMIT 1"};
// A filter that may be absent cannot use an index: the most selective one that is there has statements of its own, each
// with an index in the order of the list.
//
// PostgreSQL asks for a range of that one value, and in its order, so that there is one index for it. Asked for
// `chain_id = ...` it takes the list of every chain and reads all of that for a chain with few events (3 s with a
// million; this way 0.1 ms).
#define OF_CHAIN "(CAST(:chain AS bigint) IS NULL OR chain_id = :chain) "
#define OF_TYPE "(CAST(:event_type AS text) IS NULL OR event_type = :event_type) "
#define OF_AGENT "(CAST(:agent_id AS text) IS NULL OR agent_id = :agent_id) "
#define EVENT_FILTER(FIRST)                                                                                          \
  "FROM events WHERE canonical = :yes AND " FIRST                                                                    \
  "AND (CAST(:registry AS text) IS NULL OR registry = :registry) "                                                   \
  "AND (CAST(:search AS text) IS NULL OR LOWER(event_type) LIKE :search ESCAPE '!' OR LOWER(registry) LIKE :search " \
  "ESCAPE '!' OR agent_id LIKE :search ESCAPE '!') "
#define EVENT_LIST(FIRST, ORDER)        \
  "SELECT " EVENT_COLUMNS EVENT_FILTER( \
      FIRST) "ORDER BY " ORDER          \
             "block_time DESC, block_num DESC, chain_id, txn_index DESC, log_index DESC LIMIT :limit OFFSET :offset"
#define EVENT_COUNT(FIRST) "SELECT count(*) FROM (SELECT 1 " EVENT_FILTER(FIRST) "LIMIT :limit) AS counted"
struct EventQueries {
  Query list, count;
};
#define EVENTS_OF(NAME, COLUMN, VALUE, OTHERS)                                           \
  {                                                                                      \
      {"event_list_" NAME, EVENT_LIST(COLUMN " = " VALUE OTHERS, ""),                    \
       EVENT_LIST(COLUMN " >= " VALUE " AND " COLUMN " <= " VALUE OTHERS, COLUMN ", ")}, \
      {"event_count_" NAME, EVENT_COUNT(COLUMN " = " VALUE OTHERS),                      \
       EVENT_COUNT(COLUMN " >= " VALUE " AND " COLUMN " <= " VALUE OTHERS)},             \
  }
const EventQueries kEvents{{"event_list", EVENT_LIST(OF_CHAIN "AND " OF_TYPE "AND " OF_AGENT, "")},
                           {"event_count", EVENT_COUNT(OF_CHAIN "AND " OF_TYPE "AND " OF_AGENT)}};
const EventQueries kEventsByAgent EVENTS_OF("agent", "agent_id", ":agent_id ", "AND " OF_CHAIN "AND " OF_TYPE);
const EventQueries kEventsByType EVENTS_OF("type", "event_type", ":event_type ", "AND " OF_CHAIN "AND " OF_AGENT);
const EventQueries kEventsByChain EVENTS_OF("chain", "chain_id", ":chain ", "AND " OF_TYPE "AND " OF_AGENT);
#undef EVENTS_OF
#undef EVENT_COUNT
#undef EVENT_LIST
#undef EVENT_FILTER
#undef OF_AGENT
#undef OF_TYPE
#undef OF_CHAIN
#undef EVENT_COLUMNS

const EventQueries& queries_for(const EventFilter& filter) {
  return filter.agent_id     ? kEventsByAgent
         : filter.event_type ? kEventsByType
         : filter.chain_id   ? kEventsByChain
                             : kEvents;
}

// `fault` names what cannot be read; the rest of the event stands.
Event read_event(const Rows& rows, std::size_t i, const char*& fault) {
  Event e;
  const auto number = [&](std::size_t column, const char* name, auto parse) -> decltype(parse(std::string_view{})) {
    const auto text = rows.text_or_null(i, column);
    if (!text) return std::nullopt;
    auto value = parse(*text);
    if (!value) fault = name;
    return value;
  };
  e.block_hash = rows.fixed<32>(i, 0);
  e.txn_index = static_cast<std::uint32_t>(rows.i64(i, 1));
  e.log_index = static_cast<std::uint32_t>(rows.i64(i, 2));
  e.block_time = rows.time(i, 3);
  e.txn_hash = rows.fixed<32>(i, 4);
  e.contract = rows.fixed<20>(i, 5);
  e.txn_ordinal = static_cast<std::uint32_t>(rows.i64(i, 6));
  e.content_hash = rows.fixed<32>(i, 7);
  e.block_num = static_cast<std::uint64_t>(rows.i64(i, 8));
  const auto registry = domain::parse_registry(rows.text(i, 9));
  if (!registry) fault = "registry";
  e.registry = registry.value_or(domain::Registry::identity);
  e.event_type = rows.text(i, 10);
  e.agent_id = number(11, "agent_id", [](std::string_view text) { return parse_uint256(text); });
  e.owner = rows.text_or_null(i, 12);
  e.token_uri = rows.text_or_null(i, 13);
  e.metadata_key = rows.text_or_null(i, 14);
  e.metadata_value = rows.text_or_null(i, 15);
  e.client_address = rows.text_or_null(i, 16);
  const auto index = number(17, "feedback_index", [](std::string_view text) { return parse_uint256(text); });
  if (index) e.feedback_index = index->to_u64();
  e.value = number(18, "value", [](std::string_view text) { return parse_int128(text); });
  if (const auto decimals = rows.i64_or_null(i, 19)) e.value_decimals = static_cast<std::uint8_t>(*decimals);
  if (const auto score = rows.i64_or_null(i, 20)) e.score = static_cast<std::int32_t>(*score);
  e.tag1 = rows.text_or_null(i, 21);
  e.tag2 = rows.text_or_null(i, 22);
  e.tag1_hash = rows.text_or_null(i, 23);
  e.endpoint = rows.text_or_null(i, 24);
  e.file_uri = rows.text_or_null(i, 25);
  e.file_hash = rows.text_or_null(i, 26);
  e.validator_address = rows.text_or_null(i, 27);
  e.request_hash = rows.text_or_null(i, 28);
  e.request_uri = rows.text_or_null(i, 29);
  if (const auto response = rows.i64_or_null(i, 30)) e.response = static_cast<std::int32_t>(*response);
  e.response_uri = rows.text_or_null(i, 31);
  e.response_hash = rows.text_or_null(i, 32);
  e.tag = rows.text_or_null(i, 33);
  e.parse_error = rows.text_or_null(i, 34);
  e.raw = rows.text_or_null(i, 35);
  e.chain_id = rows.i64(i, 36);
  return e;
}

Params event_params(const Event& e, bool live, Time now) {
  const auto small = [](const auto& value) { return value ? std::optional<std::int64_t>(*value) : std::nullopt; };
  Params p;
  p.i64("txn_index", e.txn_index)
      .i64("log_index", e.log_index)
      .text("id", domain::event_id(e))
      .blob("txn_hash", e.txn_hash.view())
      .blob("contract", e.contract.view());
  p.i64("txn_ordinal", e.txn_ordinal)
      .blob("content_hash", e.content_hash.view())
      .text("registry", std::string(domain::to_string(e.registry)))
      .text("event_type", e.event_type);
  p.text("agent_id", e.agent_id ? std::optional(to_string(*e.agent_id)) : std::nullopt)
      .text("owner", e.owner)
      .text("token_uri", e.token_uri)
      .text("metadata_key", e.metadata_key);
  p.text("metadata_value", e.metadata_value)
      .text("client_address", e.client_address)
      .numeric("feedback_index", e.feedback_index ? std::optional(std::to_string(*e.feedback_index)) : std::nullopt);
  p.numeric("value", e.value ? std::optional(to_string(*e.value)) : std::nullopt)
      .i64("value_decimals", small(e.value_decimals))
      .i64("score", small(e.score))
      .text("tag1", e.tag1)
      .text("tag2", e.tag2);
  p.text("tag1_hash", e.tag1_hash)
      .text("endpoint", e.endpoint)
      .text("file_uri", e.file_uri)
      .text("file_hash", e.file_hash)
      .text("validator_address", e.validator_address);
  p.text("request_hash", e.request_hash)
      .text("request_uri", e.request_uri)
      .i64("response", small(e.response))
      .text("response_uri", e.response_uri)
      .text("response_hash", e.response_hash)
      .text("tag", e.tag);
  p.text("parse_error", e.parse_error)
      .text("raw", e.raw)
      .boolean("canonical", true)
      .boolean("live", live)
      .time("now", now)
      .i64("chain", e.chain_id)
      .blob("block_hash", e.block_hash.view())
      .i64("block_num", static_cast<std::int64_t>(e.block_num));
  return p;
}

// LIKE with `!` as its escape, so that a user's % and _ mean themselves.
std::string like_pattern(std::string_view text) {
  std::string out = "%";
  for (const char c : text) {
    if (c == '%' || c == '_' || c == '!') out.push_back('!');
    out.push_back(c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c);
  }
  return out + '%';
}

}   // namespace

Result<std::int64_t> put_events(Tx& tx, const std::vector<IngestedBlock>& blocks, EventKind kind, Time now) {
  std::vector<Params> rows;
  if (auto good = events_can_be_written(tx); !good) return fail(good);
  for (const auto& block : blocks) {
    for (const auto& event : block.events) rows.push_back(event_params(event, kind == EventKind::live, now));
  }
  const Query& query = kind == EventKind::live ? kPutEvent : kind == EventKind::late ? kPutLateEvent : kPutHistoryEvent;
  return tx.run_many(query, rows);
}

Result<void> orphan_events(Tx& tx, ChainId chain, const Bytes& block_hash) {
  auto row = tx.run(kOrphanEvents, Params().i64("chain", chain).blob("hash", block_hash).boolean("no", false));
  if (!row) return fail(row);
  return {};
}

Result<std::vector<Event>> read_block_events(Tx& tx, ChainId chain, const Hash32& block_hash, Time block_time,
                                             std::int64_t from, std::int64_t limit) {
  auto rows = tx.run(kBlockEvents, Params()
                                       .i64("chain", chain)
                                       .blob("hash", block_hash.view())
                                       .time("time", block_time)
                                       .boolean("yes", true)
                                       .i64("limit", limit)
                                       .i64("from", from));
  if (!rows) return fail(rows);
  std::vector<Event> out;
  for (std::size_t i = 0; i < rows->size(); ++i) {
    const char* fault = nullptr;
    out.push_back(read_event(*rows, i, fault));
    if (fault)
      return fail(Code::corrupt, fmt::format("event {}: its {} cannot be read", domain::event_id(out.back()), fault));
  }
  return out;
}

Result<std::optional<FoundEvent>> find_event(Tx& tx, std::string_view id) {
  // {registry}-{chain}-{txn hash}-{log index}
  const std::size_t last = id.rfind('-');
  const std::size_t before = last == std::string_view::npos || last == 0 ? last : id.rfind('-', last - 1);
  if (last == std::string_view::npos || before == std::string_view::npos) return std::nullopt;
  const auto txn = parse_hash(id.substr(before + 1, last - before - 1));
  if (!txn) return std::nullopt;
  auto rows = tx.run(kFindEvent, Params().blob("txn", txn->view()).text("id", std::string(id)));
  if (!rows) return fail(rows);
  if (rows->empty()) return std::nullopt;
  const char* fault = nullptr;   // what can be read of it stands
  return FoundEvent{read_event(*rows, 0, fault), rows->boolean(0, 37)};
}

Result<EventPage> list_events(Tx& tx, const EventFilter& filter, std::int64_t limit, std::int64_t offset) {
  const EventQueries& queries = queries_for(filter);
  const auto params = [&] {
    return Params()
        .boolean("yes", true)
        .i64("chain", filter.chain_id)
        .text("registry", filter.registry)
        .text("event_type", filter.event_type)
        .text("agent_id", filter.agent_id)
        .text("search", filter.search ? std::optional(like_pattern(*filter.search)) : std::nullopt);
  };
  auto rows = tx.run(queries.list, params().i64("limit", limit).i64("offset", offset));
  if (!rows) return fail(rows);
  EventPage out;
  if (const auto known = total_of_last_page(rows->size(), limit, offset)) {
    out.total = *known;
  } else {
    auto count = tx.run(queries.count, params().i64("limit", kMaxCounted));
    if (!count) return fail(count);
    out.total = count->i64(0, 0);
  }
  for (std::size_t i = 0; i < rows->size(); ++i) {
    const char* fault = nullptr;   // a list shows what there is
    out.rows.push_back(read_event(*rows, i, fault));
  }
  return out;
}

}   // namespace agentauri::store
