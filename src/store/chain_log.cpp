#include "store/chain_log.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace agentauri::store {
namespace {

using domain::ChainId;
using domain::Event;

constexpr std::int64_t kMaxTotal = 100'000;

const Query kListChains{"chain_list",
                        "SELECT chain_id, name, start_block, live_from_block, last_seq, epoch, head_num, head_hash, safe_num, finalized_num, state, reason, updated_at "
                        "FROM chains ORDER BY chain_id"};
const Query kFindChain{"chain_find",
                       "SELECT chain_id, name, start_block, live_from_block, last_seq, epoch, head_num, head_hash, safe_num, finalized_num, state, reason, updated_at "
                       "FROM chains WHERE chain_id = :chain"};
const Query kAttach{"chain_attach",
                    "INSERT INTO chains (chain_id, name, start_block, live_from_block, last_seq, epoch, head_num, state, updated_at) "
                    "VALUES (:chain, :name, :start, :live_from, 0, :epoch, :head, 'ok', :now) "
                    "ON CONFLICT (chain_id) DO UPDATE SET name = :name, start_block = :start, epoch = :epoch, updated_at = :now WHERE chains.epoch <= :epoch"};
// Orders and fences in one statement: the sequence is drawn under the row's lock, and only by the holder of the lease.
const Query kAdvance{"chain_advance",
                     "UPDATE chains SET last_seq = last_seq + :entries, head_num = :head, head_hash = :hash, safe_num = COALESCE(:safe, safe_num), "
                     "finalized_num = COALESCE(:finalized, finalized_num), updated_at = :now WHERE chain_id = :chain AND epoch = :epoch RETURNING last_seq"};
const Query kTouch{"chain_touch", "UPDATE chains SET updated_at = :now WHERE chain_id = :chain AND epoch = :epoch"};
const Query kSetState{"chain_set_state", "UPDATE chains SET state = :state, reason = :reason, updated_at = :now WHERE chain_id = :chain AND epoch = :epoch"};

const Query kPutBlock{"block_put",
                      "INSERT INTO blocks (chain_id, hash, num, parent_hash, time, canonical, has_events, seen_at) "
                      "VALUES (:chain, :hash, :num, :parent, :time, :canonical, :has_events, :seen_at) "
                      "ON CONFLICT (chain_id, hash) DO UPDATE SET canonical = :canonical, has_events = :has_events"};
const Query kPutEntry{"block_log_put", "INSERT INTO block_log (chain_id, seq, op, block_hash, block_num) VALUES (:chain, :seq, :op, :hash, :num)"};
const Query kReadLog{"block_log_read",
                     "SELECT l.seq, l.op, l.block_hash, l.block_num, b.time FROM block_log l JOIN blocks b ON b.chain_id = l.chain_id AND b.hash = l.block_hash "
                     "WHERE l.chain_id = :chain AND l.seq > :after ORDER BY l.seq LIMIT :limit"};
const Query kAbove{"block_above", "SELECT hash, num, has_events FROM blocks WHERE chain_id = :chain AND num > :num AND canonical = :yes ORDER BY num DESC"};
const Query kOrphanBlocks{"block_orphan", "UPDATE blocks SET canonical = :no WHERE chain_id = :chain AND num > :num AND canonical = :yes"};
const Query kOrphanEvents{"event_orphan", "UPDATE events SET canonical = :no WHERE chain_id = :chain AND block_hash = :hash"};
const Query kCanonical{"block_canonical",
                       "SELECT hash, num, parent_hash, time, seen_at FROM blocks WHERE chain_id = :chain AND num >= :from AND num <= :to AND canonical = :yes ORDER BY num"};
const Query kPrune{"block_prune", "DELETE FROM blocks WHERE chain_id = :chain AND num < :below AND has_events = :no"};

// block_time is taken from `blocks` by the statement itself, so that a block never has two times.
#define EVENT_INSERT \
  "INSERT INTO events (" \
  "chain_id, block_hash, txn_index, log_index, block_time, id, txn_hash, contract, txn_ordinal, " \
  "content_hash, block_num, registry, event_type, agent_id, owner, token_uri, metadata_key, " \
  "metadata_value, client_address, feedback_index, value, value_decimals, score, tag1, tag2, " \
  "tag1_hash, endpoint, file_uri, file_hash, validator_address, request_hash, request_uri, response, " \
  "response_uri, response_hash, tag, parse_error, raw, canonical, live, inserted_at" \
  ") VALUES (" \
  ":chain, :block_hash, :txn_index, :log_index, " \
  "(SELECT b.time FROM blocks b WHERE b.chain_id = :chain AND b.hash = :block_hash), :id, :txn_hash, " \
  ":contract, :txn_ordinal, :content_hash, :block_num, :registry, :event_type, :agent_id, :owner, " \
  ":token_uri, :metadata_key, :metadata_value, :client_address, :feedback_index, :value, " \
  ":value_decimals, :score, :tag1, :tag2, :tag1_hash, :endpoint, :file_uri, :file_hash, " \
  ":validator_address, :request_hash, :request_uri, :response, :response_uri, :response_hash, :tag, " \
  ":parse_error, :raw, :canonical, :live, :now" \
  ") ON CONFLICT (chain_id, block_hash, txn_index, log_index, block_time) "
const Query kPutEvent{"event_put", EVENT_INSERT "DO UPDATE SET canonical = :canonical"};
const Query kPutLateEvent{"event_put_late", EVENT_INSERT "DO NOTHING"};
#undef EVENT_INSERT

#define EVENT_COLUMNS \
  "block_hash, txn_index, log_index, block_time, txn_hash, contract, txn_ordinal, content_hash, block_num, registry, event_type, agent_id, owner, token_uri, metadata_key, metadata_value, client_address, " \
  "feedback_index, value, value_decimals, score, tag1, tag2, tag1_hash, endpoint, file_uri, file_hash, validator_address, request_hash, request_uri, response, response_uri, response_hash, tag, parse_error, raw, chain_id "
const Query kBlockEvents{"event_of_block",
                         "SELECT " EVENT_COLUMNS "FROM events WHERE chain_id = :chain AND block_hash = :hash AND block_time = :time AND live = :yes ORDER BY txn_index, log_index LIMIT :limit OFFSET :from"};
#define EVENT_FILTER \
  "FROM events WHERE canonical = :yes AND (CAST(:chain AS bigint) IS NULL OR chain_id = :chain) AND (CAST(:registry AS text) IS NULL OR registry = :registry) " \
  "AND (CAST(:event_type AS text) IS NULL OR event_type = :event_type) AND (CAST(:agent_id AS text) IS NULL OR agent_id = :agent_id) " \
  "AND (CAST(:search AS text) IS NULL OR LOWER(event_type) LIKE :search ESCAPE '!' OR LOWER(registry) LIKE :search ESCAPE '!' OR agent_id LIKE :search ESCAPE '!') "
const Query kListEvents{"event_list", "SELECT " EVENT_COLUMNS EVENT_FILTER "ORDER BY block_time DESC, block_num DESC, chain_id, txn_index DESC, log_index DESC LIMIT :limit OFFSET :offset"};
const Query kCountEvents{"event_count", "SELECT count(*) FROM (SELECT 1 " EVENT_FILTER "LIMIT :limit) AS counted"};

const Query kCoverage{"coverage_list", "SELECT contract, from_block, to_block, level FROM coverage WHERE chain_id = :chain ORDER BY contract, from_block"};
const Query kExtend{"coverage_extend", "UPDATE coverage SET to_block = :to WHERE chain_id = :chain AND contract = :contract AND to_block = :from - 1 AND level = :level"};
const Query kAddCoverage{"coverage_add", "INSERT INTO coverage (chain_id, contract, from_block, to_block, level) VALUES (:chain, :contract, :from, :to, :level)"};
const Query kDropCoverage{"coverage_drop", "DELETE FROM coverage WHERE chain_id = :chain AND from_block > :num"};
const Query kCutCoverage{"coverage_cut", "UPDATE coverage SET to_block = :num WHERE chain_id = :chain AND to_block > :num"};

ChainRow read_chain(const Rows& rows, std::size_t i) {
  ChainRow out;
  out.chain_id = rows.i64(i, 0);
  out.name = rows.text(i, 1);
  out.start_block = static_cast<std::uint64_t>(rows.i64(i, 2));
  out.live_from_block = static_cast<std::uint64_t>(rows.i64(i, 3));
  out.last_seq = rows.i64(i, 4);
  out.epoch = rows.i64(i, 5);
  out.head_num = static_cast<std::uint64_t>(rows.i64(i, 6));
  if (!rows.is_null(i, 7)) out.head_hash = rows.fixed<32>(i, 7);
  if (const auto safe = rows.i64_or_null(i, 8)) out.safe_num = static_cast<std::uint64_t>(*safe);
  if (const auto finalized = rows.i64_or_null(i, 9)) out.finalized_num = static_cast<std::uint64_t>(*finalized);
  out.state = rows.text(i, 10);
  out.reason = rows.text_or_null(i, 11);
  out.updated_at = rows.time(i, 12);
  return out;
}

Event read_event(const Rows& rows, std::size_t i) {
  Event e;
  e.block_hash = rows.fixed<32>(i, 0);
  e.txn_index = static_cast<std::uint32_t>(rows.i64(i, 1));
  e.log_index = static_cast<std::uint32_t>(rows.i64(i, 2));
  e.block_time = rows.time(i, 3);
  e.txn_hash = rows.fixed<32>(i, 4);
  e.contract = rows.fixed<20>(i, 5);
  e.txn_ordinal = static_cast<std::uint32_t>(rows.i64(i, 6));
  e.content_hash = rows.fixed<32>(i, 7);
  e.block_num = static_cast<std::uint64_t>(rows.i64(i, 8));
  e.registry = domain::parse_registry(rows.text(i, 9)).value_or(domain::Registry::identity);
  e.event_type = rows.text(i, 10);
  if (const auto agent = rows.text_or_null(i, 11)) e.agent_id = parse_uint256(*agent);
  e.owner = rows.text_or_null(i, 12);
  e.token_uri = rows.text_or_null(i, 13);
  e.metadata_key = rows.text_or_null(i, 14);
  e.metadata_value = rows.text_or_null(i, 15);
  e.client_address = rows.text_or_null(i, 16);
  if (const auto index = rows.text_or_null(i, 17)) e.feedback_index = parse_uint256(*index)->to_u64();
  if (const auto value = rows.text_or_null(i, 18)) e.value = parse_int128(*value);
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
  p.i64("txn_index", e.txn_index).i64("log_index", e.log_index).text("id", domain::event_id(e)).blob("txn_hash", e.txn_hash.view()).blob("contract", e.contract.view());
  p.i64("txn_ordinal", e.txn_ordinal).blob("content_hash", e.content_hash.view()).text("registry", std::string(domain::to_string(e.registry))).text("event_type", e.event_type);
  p.text("agent_id", e.agent_id ? std::optional(to_string(*e.agent_id)) : std::nullopt).text("owner", e.owner).text("token_uri", e.token_uri).text("metadata_key", e.metadata_key);
  p.text("metadata_value", e.metadata_value).text("client_address", e.client_address).numeric("feedback_index", e.feedback_index ? std::optional(std::to_string(*e.feedback_index)) : std::nullopt);
  p.numeric("value", e.value ? std::optional(to_string(*e.value)) : std::nullopt).i64("value_decimals", small(e.value_decimals)).i64("score", small(e.score)).text("tag1", e.tag1).text("tag2", e.tag2);
  p.text("tag1_hash", e.tag1_hash).text("endpoint", e.endpoint).text("file_uri", e.file_uri).text("file_hash", e.file_hash).text("validator_address", e.validator_address);
  p.text("request_hash", e.request_hash).text("request_uri", e.request_uri).i64("response", small(e.response)).text("response_uri", e.response_uri).text("response_hash", e.response_hash).text("tag", e.tag);
  p.text("parse_error", e.parse_error).text("raw", e.raw).boolean("canonical", true).boolean("live", live).time("now", now).i64("chain", e.chain_id).blob("block_hash", e.block_hash.view()).i64("block_num", static_cast<std::int64_t>(e.block_num));
  return p;
}

Params block_params(ChainId chain, const BlockRow& block, bool has_events) {
  return Params().i64("chain", chain).blob("hash", block.hash.view()).i64("num", static_cast<std::int64_t>(block.num)).blob("parent", block.parent_hash.view())
      .time("time", block.time).boolean("canonical", true).boolean("has_events", has_events).time("seen_at", block.seen_at);
}

Result<void> put_blocks(Tx& tx, ChainId chain, const std::vector<IngestedBlock>& blocks, bool live, Time now) {
  std::vector<Params> rows, events;
  for (const auto& block : blocks) {
    rows.push_back(block_params(chain, block.block, !block.events.empty()));
    for (const auto& event : block.events) events.push_back(event_params(event, live, now));
  }
  if (auto put = tx.run_many(kPutBlock, rows); !put) return fail(put);
  if (auto put = tx.run_many(kPutEvent, events); !put) return fail(put);
  return {};
}

// Ranges of one contract and level that touch become one.
Result<void> cover(Tx& tx, ChainId chain, const Coverage& coverage, std::uint64_t from, std::uint64_t to) {
  for (const auto& contract : coverage.contracts) {
    Params p;
    p.i64("chain", chain).blob("contract", contract.view()).i64("from", static_cast<std::int64_t>(from)).i64("to", static_cast<std::int64_t>(to))
        .text("level", coverage.header_checked ? "header_checked" : "provider_trusted");
    auto extended = tx.run(kExtend, p);
    if (!extended) return fail(extended);
    if (extended->affected() > 0) continue;
    if (auto added = tx.run(kAddCoverage, p); !added) return fail(added);
  }
  return {};
}

std::unexpected<Error> fenced(ChainId chain) { return fail(Code::fenced, fmt::format("chain {} is followed by another process now", chain)); }

struct Advance {
  std::int64_t entries = 0;
  std::uint64_t head_num = 0;
  Hash32 head_hash;
  std::optional<std::uint64_t> safe, finalized;
};
Result<std::int64_t> advance(Tx& tx, ChainId chain, std::int64_t epoch, const Advance& step, Time now) {
  const auto number = [](const std::optional<std::uint64_t>& n) { return n ? std::optional(static_cast<std::int64_t>(*n)) : std::nullopt; };
  auto row = tx.run(kAdvance, Params().i64("chain", chain).i64("epoch", epoch).i64("entries", step.entries).i64("head", static_cast<std::int64_t>(step.head_num))
                                  .blob("hash", step.head_hash.view()).i64("safe", number(step.safe)).i64("finalized", number(step.finalized)).time("now", now));
  if (!row) return fail(row);
  if (row->empty()) return fenced(chain);
  return row->i64(0, 0);
}

Result<void> log_joined(Tx& tx, ChainId chain, const std::vector<IngestedBlock>& blocks, std::int64_t last_seq, std::int64_t entries) {
  std::int64_t seq = last_seq - entries;
  std::vector<Params> rows;
  for (const auto& block : blocks) {
    if (block.events.empty()) continue;
    rows.push_back(Params().i64("chain", chain).i64("seq", ++seq).i64("op", 1).blob("hash", block.block.hash.view()).i64("num", static_cast<std::int64_t>(block.block.num)));
  }
  auto put = tx.run_many(kPutEntry, rows);
  if (!put) return fail(put);
  return {};
}

std::int64_t with_events(const std::vector<IngestedBlock>& blocks) {
  return std::count_if(blocks.begin(), blocks.end(), [](const auto& block) { return !block.events.empty(); });
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

}  // namespace

Result<std::vector<ChainRow>> list_chains(Tx& tx) {
  auto rows = tx.run(kListChains);
  if (!rows) return fail(rows);
  std::vector<ChainRow> out;
  for (std::size_t i = 0; i < rows->size(); ++i) out.push_back(read_chain(*rows, i));
  return out;
}

Result<std::optional<ChainRow>> find_chain(Tx& tx, ChainId chain) {
  auto rows = tx.run(kFindChain, Params().i64("chain", chain));
  if (!rows) return fail(rows);
  if (rows->empty()) return std::nullopt;
  return read_chain(*rows, 0);
}

Result<std::vector<LogEntry>> read_block_log(Tx& tx, ChainId chain, std::int64_t after_seq, std::int64_t limit) {
  auto rows = tx.run(kReadLog, Params().i64("chain", chain).i64("after", after_seq).i64("limit", limit));
  if (!rows) return fail(rows);
  std::vector<LogEntry> out;
  for (std::size_t i = 0; i < rows->size(); ++i) {
    out.push_back({rows->i64(i, 0), static_cast<int>(rows->i64(i, 1)), rows->fixed<32>(i, 2), static_cast<std::uint64_t>(rows->i64(i, 3)), rows->time(i, 4)});
  }
  return out;
}

Result<std::vector<Event>> read_block_events(Tx& tx, ChainId chain, const Hash32& block_hash, Time block_time, std::int64_t from, std::int64_t limit) {
  auto rows = tx.run(kBlockEvents, Params().i64("chain", chain).blob("hash", block_hash.view()).time("time", block_time).boolean("yes", true).i64("limit", limit).i64("from", from));
  if (!rows) return fail(rows);
  std::vector<Event> out;
  for (std::size_t i = 0; i < rows->size(); ++i) out.push_back(read_event(*rows, i));
  return out;
}

Result<EventPage> list_events(Tx& tx, const EventFilter& filter, std::int64_t limit, std::int64_t offset) {
  const auto params = [&] {
    return Params().boolean("yes", true).i64("chain", filter.chain_id).text("registry", filter.registry).text("event_type", filter.event_type).text("agent_id", filter.agent_id)
        .text("search", filter.search ? std::optional(like_pattern(*filter.search)) : std::nullopt);
  };
  auto count = tx.run(kCountEvents, params().i64("limit", kMaxTotal));
  if (!count) return fail(count);
  auto rows = tx.run(kListEvents, params().i64("limit", limit).i64("offset", offset));
  if (!rows) return fail(rows);
  EventPage out;
  out.total = count->i64(0, 0);
  for (std::size_t i = 0; i < rows->size(); ++i) out.rows.push_back(read_event(*rows, i));
  return out;
}

Result<ChainRow> attach_chain(Tx& tx, ChainId chain, std::string_view name, std::uint64_t start_block, std::uint64_t live_from, std::int64_t epoch, Time now) {
  auto row = tx.run(kAttach, Params().i64("chain", chain).text("name", std::string(name)).i64("start", static_cast<std::int64_t>(std::min(start_block, live_from)))
                                 .i64("live_from", static_cast<std::int64_t>(live_from)).i64("head", static_cast<std::int64_t>(live_from) - 1).i64("epoch", epoch).time("now", now));
  if (!row) return fail(row);
  if (row->affected() == 0) return fenced(chain);
  auto found = find_chain(tx, chain);
  if (!found) return fail(found);
  return **found;
}

Result<void> append_blocks(Tx& tx, ChainId chain, std::int64_t epoch, const std::vector<IngestedBlock>& blocks, const Coverage& coverage, std::optional<std::uint64_t> safe,
                           std::optional<std::uint64_t> finalized, Time now) {
  ENSURE(!blocks.empty(), "there is a block to append");
  const std::int64_t entries = with_events(blocks);
  const auto& last = blocks.back().block;
  auto seq = advance(tx, chain, epoch, {entries, last.num, last.hash, safe, finalized}, now);
  if (!seq) return fail(seq);
  if (auto put = put_blocks(tx, chain, blocks, true, now); !put) return put;
  if (auto logged = log_joined(tx, chain, blocks, *seq, entries); !logged) return logged;
  // Neighbours of the same level are covered together.
  for (std::size_t first = 0; first < blocks.size();) {
    std::size_t end = first + 1;
    while (end < blocks.size() && blocks[end].header_checked == blocks[first].header_checked) ++end;
    if (auto covered = cover(tx, chain, {coverage.contracts, blocks[first].header_checked}, blocks[first].block.num, blocks[end - 1].block.num); !covered) return covered;
    first = end;
  }
  return {};
}

Result<void> append_range(Tx& tx, ChainId chain, std::int64_t epoch, const std::vector<IngestedBlock>& blocks, const BlockRow& last, std::uint64_t from, const Coverage& coverage,
                          std::optional<std::uint64_t> safe, std::optional<std::uint64_t> finalized, Time now) {
  const std::int64_t entries = with_events(blocks);
  auto seq = advance(tx, chain, epoch, {entries, last.num, last.hash, safe, finalized}, now);
  if (!seq) return fail(seq);
  if (blocks.empty() || blocks.back().block.num != last.num) {
    if (auto put = tx.run(kPutBlock, block_params(chain, last, false)); !put) return fail(put);
  }
  if (auto put = put_blocks(tx, chain, blocks, true, now); !put) return put;
  if (auto logged = log_joined(tx, chain, blocks, *seq, entries); !logged) return logged;
  return cover(tx, chain, coverage, from, last.num);
}

Result<void> rewind_chain(Tx& tx, ChainId chain, std::int64_t epoch, std::uint64_t ancestor_num, const Hash32& ancestor_hash, Time now) {
  const auto num = static_cast<std::int64_t>(ancestor_num);
  auto above = tx.run(kAbove, Params().i64("chain", chain).i64("num", num).boolean("yes", true));
  if (!above) return fail(above);
  std::int64_t entries = 0;
  for (std::size_t i = 0; i < above->size(); ++i) entries += above->boolean(i, 2) ? 1 : 0;
  auto seq = advance(tx, chain, epoch, {entries, ancestor_num, ancestor_hash, std::nullopt, std::nullopt}, now);
  if (!seq) return fail(seq);
  std::int64_t next = *seq - entries;
  for (std::size_t i = 0; i < above->size(); ++i) {
    if (!above->boolean(i, 2)) continue;
    const Bytes hash = above->blob(i, 0);
    auto put = tx.run(kPutEntry, Params().i64("chain", chain).i64("seq", ++next).i64("op", -1).blob("hash", hash).i64("num", above->i64(i, 1)));
    if (!put) return fail(put);
    auto orphaned = tx.run(kOrphanEvents, Params().i64("chain", chain).blob("hash", hash).boolean("no", false));
    if (!orphaned) return fail(orphaned);
  }
  auto blocks = tx.run(kOrphanBlocks, Params().i64("chain", chain).i64("num", num).boolean("yes", true).boolean("no", false));
  if (!blocks) return fail(blocks);
  auto dropped = tx.run(kDropCoverage, Params().i64("chain", chain).i64("num", num));
  if (!dropped) return fail(dropped);
  auto cut = tx.run(kCutCoverage, Params().i64("chain", chain).i64("num", num));
  if (!cut) return fail(cut);
  return {};
}

Result<void> append_history(Tx& tx, ChainId chain, std::int64_t epoch, const std::vector<IngestedBlock>& blocks, std::uint64_t from, std::uint64_t to, const Coverage& coverage, Time now) {
  auto touched = tx.run(kTouch, Params().i64("chain", chain).i64("epoch", epoch).time("now", now));
  if (!touched) return fail(touched);
  if (touched->affected() == 0) return fenced(chain);
  if (auto put = put_blocks(tx, chain, blocks, false, now); !put) return put;
  return cover(tx, chain, coverage, from, to);
}

Result<std::int64_t> add_late_events(Tx& tx, ChainId chain, std::int64_t epoch, const std::vector<IngestedBlock>& blocks, Time now) {
  auto touched = tx.run(kTouch, Params().i64("chain", chain).i64("epoch", epoch).time("now", now));
  if (!touched) return fail(touched);
  if (touched->affected() == 0) return fenced(chain);
  std::int64_t added = 0;
  for (const auto& block : blocks) {
    if (auto put = tx.run(kPutBlock, block_params(chain, block.block, true)); !put) return fail(put);
    std::vector<Params> events;
    for (const auto& event : block.events) events.push_back(event_params(event, false, now));
    auto put = tx.run_many(kPutLateEvent, events);
    if (!put) return fail(put);
    added += *put;
  }
  return added;
}

Result<std::vector<BlockRow>> canonical_blocks(Tx& tx, ChainId chain, std::uint64_t from, std::uint64_t to) {
  auto rows = tx.run(kCanonical, Params().i64("chain", chain).i64("from", static_cast<std::int64_t>(from)).i64("to", static_cast<std::int64_t>(to)).boolean("yes", true));
  if (!rows) return fail(rows);
  std::vector<BlockRow> out;
  for (std::size_t i = 0; i < rows->size(); ++i) out.push_back({rows->fixed<32>(i, 0), static_cast<std::uint64_t>(rows->i64(i, 1)), rows->fixed<32>(i, 2), rows->time(i, 3), rows->time(i, 4)});
  return out;
}

Result<std::vector<CoverageRow>> read_coverage(Tx& tx, ChainId chain) {
  auto rows = tx.run(kCoverage, Params().i64("chain", chain));
  if (!rows) return fail(rows);
  std::vector<CoverageRow> out;
  for (std::size_t i = 0; i < rows->size(); ++i) {
    out.push_back({rows->fixed<20>(i, 0), static_cast<std::uint64_t>(rows->i64(i, 1)), static_cast<std::uint64_t>(rows->i64(i, 2)), rows->text(i, 3)});
  }
  return out;
}

Result<void> set_chain_state(Tx& tx, ChainId chain, std::int64_t epoch, std::string_view state, std::optional<std::string> reason, Time now) {
  auto row = tx.run(kSetState, Params().i64("chain", chain).i64("epoch", epoch).text("state", std::string(state)).text("reason", std::move(reason)).time("now", now));
  if (!row) return fail(row);
  if (row->affected() == 0) return fenced(chain);
  return {};
}

Result<std::int64_t> prune_blocks(Tx& tx, ChainId chain, std::uint64_t below) {
  auto row = tx.run(kPrune, Params().i64("chain", chain).i64("below", static_cast<std::int64_t>(below)).boolean("no", false));
  if (!row) return fail(row);
  return row->affected();
}

}  // namespace agentauri::store
