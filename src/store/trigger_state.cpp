#include "store/trigger_state.hpp"

namespace agentauri::store {
namespace {

#define STATE_KEY \
  "trigger_id = :trigger AND condition_id = :condition AND condition_rev = :rev AND chain_id = :chain AND key = :key"
const Query kRead{"state_read", "SELECT state, block_num FROM trigger_state WHERE " STATE_KEY};
const Query kWrite{"state_write",
                   "INSERT INTO trigger_state (trigger_id, condition_id, condition_rev, chain_id, key, state, "
                   "block_num) VALUES (:trigger, :condition, :rev, :chain, :key, :state, :num) "
                   "ON CONFLICT (trigger_id, condition_id, condition_rev, chain_id, key) DO UPDATE SET state = :state, "
                   "block_num = :num"};
const Query kErase{"state_erase", "DELETE FROM trigger_state WHERE " STATE_KEY};
const Query kForget{"state_forget", "DELETE FROM trigger_state WHERE trigger_id = :trigger"};
const Query kForgetCondition{
    "state_forget_condition",
    "DELETE FROM trigger_state WHERE trigger_id = :trigger AND condition_id = :condition AND condition_rev = :rev"};
const Query kDump{"state_dump",
                  "SELECT trigger_id, condition_id, condition_rev, chain_id, key, state, block_num FROM trigger_state "
                  "WHERE chain_id = :chain ORDER BY trigger_id, condition_id, condition_rev, key"};
const Query kTroubled{"state_troubled", "SELECT trigger_id, chain_id, state FROM trigger_state WHERE condition_id = 0"};
const Query kPutImage{"state_image_put",
                      "INSERT INTO state_images (chain_id, block_num, trigger_id, condition_id, condition_rev, key, "
                      "before, before_block) "
                      "VALUES (:chain, :num, :trigger, :condition, :rev, :key, :before, :before_block) ON CONFLICT "
                      "(chain_id, block_num, trigger_id, condition_id, condition_rev, key) DO NOTHING"};
const Query kReadImages{"state_image_read",
                        "SELECT trigger_id, condition_id, condition_rev, key, before, before_block FROM state_images "
                        "WHERE chain_id = :chain AND block_num = :num"};
const Query kDropImages{"state_image_drop", "DELETE FROM state_images WHERE chain_id = :chain AND block_num = :num"};
const Query kPruneImages{
    "state_image_prune",
    "DELETE FROM state_images WHERE (chain_id, block_num, trigger_id, condition_id, condition_rev, key) IN "
    "(SELECT chain_id, block_num, trigger_id, condition_id, condition_rev, key FROM state_images "
    "WHERE chain_id = :chain AND block_num < :below AND block_num < COALESCE((SELECT min(l.block_num) FROM block_log l "
    "WHERE l.chain_id = :chain AND l.seq > :after AND l.op = -1), :below) ORDER BY block_num LIMIT :limit)"};
const Query kReadCursor{
    "cursor_read",
    "SELECT seq, position, revision, epoch FROM engine_cursor WHERE shard = :shard AND chain_id = :chain"};
const Query kWriteCursor{"cursor_write",
                         "INSERT INTO engine_cursor (shard, chain_id, seq, position, revision, epoch) VALUES (:shard, "
                         ":chain, :seq, :position, :revision, :epoch) "
                         "ON CONFLICT (shard, chain_id) DO UPDATE SET seq = :seq, position = :position, revision = "
                         ":revision, epoch = :epoch WHERE engine_cursor.epoch <= :epoch"};
const Query kStall{"chain_stall",
                   "UPDATE chains SET state = 'down', reason = :reason WHERE chain_id = :chain "
                   "AND (state = 'ok' OR (state = 'down' AND reason LIKE 'engine: %'))"};
const Query kUnstall{"chain_unstall",
                     "UPDATE chains SET state = 'ok', reason = NULL WHERE chain_id = :chain AND state = 'down' AND "
                     "reason LIKE 'engine: %'"};
const Query kAdopted{"cursor_adopted", "SELECT max(revision) FROM engine_cursor WHERE shard = :shard"};
const Query kSetError{"trigger_set_error", "UPDATE triggers SET last_error = :error WHERE id = :trigger"};
const Query kErrors{"trigger_errors", "SELECT id, last_error FROM triggers WHERE last_error IS NOT NULL"};
#undef STATE_KEY

Params key_params(const StateRow& row) {
  return Params()
      .id("trigger", row.trigger)
      .i64("condition", row.condition)
      .i64("rev", row.condition_rev)
      .i64("chain", row.chain)
      .text("key", row.key);
}

}   // namespace

Result<std::optional<StateValue>> read_state(Tx& tx, const StateRow& row) {
  auto rows = tx.run(kRead, key_params(row));
  if (!rows) return fail(rows);
  if (rows->empty()) return std::nullopt;
  return StateValue{rows->text(0, 0), static_cast<std::uint64_t>(rows->i64(0, 1))};
}

Result<void> write_states(Tx& tx, const std::vector<std::pair<StateRow, std::optional<StateValue>>>& rows) {
  std::vector<Params> writes, erases;
  for (const auto& [row, value] : rows) {
    if (value)
      writes.push_back(
          key_params(row).text("state", value->state).i64("num", static_cast<std::int64_t>(value->block_num)));
    else
      erases.push_back(key_params(row));
  }
  if (auto written = tx.run_many(kWrite, writes); !written) return fail(written);
  if (auto erased = tx.run_many(kErase, erases); !erased) return fail(erased);
  return {};
}

Result<void> write_images(Tx& tx, std::uint64_t block_num, const std::vector<StateImage>& images) {
  std::vector<Params> rows;
  for (const auto& image : images) {
    rows.push_back(key_params(image.row)
                       .i64("num", static_cast<std::int64_t>(block_num))
                       .text("before", image.before ? std::optional(image.before->state) : std::nullopt)
                       .i64("before_block", image.before ? static_cast<std::int64_t>(image.before->block_num) : 0));
  }
  if (auto put = tx.run_many(kPutImage, rows); !put) return fail(put);
  return {};
}

Result<std::vector<StateImage>> read_images(Tx& tx, domain::ChainId chain, std::uint64_t block_num) {
  auto rows = tx.run(kReadImages, Params().i64("chain", chain).i64("num", static_cast<std::int64_t>(block_num)));
  if (!rows) return fail(rows);
  std::vector<StateImage> out;
  for (std::size_t i = 0; i < rows->size(); ++i) {
    StateImage image;
    image.row = {rows->id<domain::TriggerId>(i, 0), rows->i64(i, 1), rows->i64(i, 2), chain, rows->text(i, 3)};
    if (const auto before = rows->text_or_null(i, 4))
      image.before = StateValue{*before, static_cast<std::uint64_t>(rows->i64(i, 5))};
    out.push_back(std::move(image));
  }
  return out;
}

Result<void> drop_images(Tx& tx, domain::ChainId chain, std::uint64_t block_num) {
  auto rows = tx.run(kDropImages, Params().i64("chain", chain).i64("num", static_cast<std::int64_t>(block_num)));
  if (!rows) return fail(rows);
  return {};
}

Result<std::int64_t> prune_images(Tx& tx, domain::ChainId chain, std::uint64_t below, std::int64_t after_seq,
                                  std::int64_t limit) {
  auto rows = tx.run(kPruneImages, Params()
                                       .i64("chain", chain)
                                       .i64("below", static_cast<std::int64_t>(below))
                                       .i64("after", after_seq)
                                       .i64("limit", limit));
  if (!rows) return fail(rows);
  return rows->affected();
}

Result<void> forget_state(Tx& tx, domain::TriggerId trigger) {
  if (auto gone = tx.run(kForget, Params().id("trigger", trigger)); !gone) return fail(gone);
  return {};
}

Result<void> forget_conditions(Tx& tx, const std::vector<ConditionVersion>& conditions) {
  std::vector<Params> rows;
  for (const auto& version : conditions) {
    rows.push_back(
        Params().id("trigger", version.trigger).i64("condition", version.condition).i64("rev", version.revision));
  }
  if (auto gone = tx.run_many(kForgetCondition, rows); !gone) return fail(gone);
  return {};
}

Result<std::vector<TroubledTrigger>> read_troubled_triggers(Tx& tx) {
  auto rows = tx.run(kTroubled);
  if (!rows) return fail(rows);
  std::vector<TroubledTrigger> out;
  for (std::size_t i = 0; i < rows->size(); ++i)
    out.push_back({rows->id<domain::TriggerId>(i, 0), rows->i64(i, 1), rows->text(i, 2)});
  return out;
}

Result<std::vector<std::pair<StateRow, StateValue>>> dump_state(Tx& tx, domain::ChainId chain) {
  auto rows = tx.run(kDump, Params().i64("chain", chain));
  if (!rows) return fail(rows);
  std::vector<std::pair<StateRow, StateValue>> out;
  for (std::size_t i = 0; i < rows->size(); ++i) {
    out.emplace_back(StateRow{rows->id<domain::TriggerId>(i, 0), rows->i64(i, 1), rows->i64(i, 2), rows->i64(i, 3),
                              rows->text(i, 4)},
                     StateValue{rows->text(i, 5), static_cast<std::uint64_t>(rows->i64(i, 6))});
  }
  return out;
}

Result<std::optional<EngineCursor>> read_cursor(Tx& tx, int shard, domain::ChainId chain) {
  auto rows = tx.run(kReadCursor, Params().i64("shard", shard).i64("chain", chain));
  if (!rows) return fail(rows);
  if (rows->empty()) return std::nullopt;
  return EngineCursor{rows->i64(0, 0), rows->i64(0, 1), rows->i64(0, 2), rows->i64(0, 3)};
}

Result<void> write_cursor(Tx& tx, int shard, domain::ChainId chain, const EngineCursor& cursor) {
  auto row = tx.run(kWriteCursor, Params()
                                      .i64("shard", shard)
                                      .i64("chain", chain)
                                      .i64("seq", cursor.seq)
                                      .i64("position", cursor.position)
                                      .i64("revision", cursor.revision)
                                      .i64("epoch", cursor.epoch));
  if (!row) return fail(row);
  if (row->affected() == 0) return fail(Code::fenced, "the engine's shard has passed to another process");
  return {};
}

Result<void> set_engine_stall(Tx& tx, domain::ChainId chain, std::string_view why) {
  const auto params = Params().i64("chain", chain).text("reason", "engine: " + std::string(why));
  if (auto set = tx.run(kStall, params); !set) return fail(set);
  return {};
}

Result<void> clear_engine_stall(Tx& tx, domain::ChainId chain) {
  if (auto cleared = tx.run(kUnstall, Params().i64("chain", chain)); !cleared) return fail(cleared);
  return {};
}

Result<std::optional<std::int64_t>> adopted_revision(Tx& tx, int shard) {
  auto rows = tx.run(kAdopted, Params().i64("shard", shard));
  if (!rows) return fail(rows);
  return rows->i64_or_null(0, 0);
}

Result<void> set_trigger_error(Tx& tx, domain::TriggerId trigger, const std::optional<std::string>& error) {
  auto row = tx.run(kSetError, Params().id("trigger", trigger).text("error", error));
  if (!row) return fail(row);
  return {};
}

Result<std::vector<std::pair<domain::TriggerId, std::string>>> read_trigger_errors(Tx& tx) {
  auto rows = tx.run(kErrors);
  if (!rows) return fail(rows);
  std::vector<std::pair<domain::TriggerId, std::string>> out;
  for (std::size_t i = 0; i < rows->size(); ++i) out.emplace_back(rows->id<domain::TriggerId>(i, 0), rows->text(i, 1));
  return out;
}

}   // namespace agentauri::store
