#include "store/event_dead_letters.hpp"

namespace agentauri::store {
namespace {

const Query kPut{
    "event_dead_letter_put",
    "INSERT INTO event_dead_letters (chain_id, block_hash, position, event_id, error, attempts, first_seen, last_seen) "
    "VALUES (:chain, :hash, :position, :event_id, :error, :attempts, :first_seen, :last_seen) "
    "ON CONFLICT (chain_id, block_hash, position) DO UPDATE SET event_id = :event_id, error = :error, "
    "attempts = event_dead_letters.attempts + :attempts, last_seen = :last_seen"};
const Query kList{
    "event_dead_letter_list",
    "SELECT block_hash, position, event_id, error, attempts, first_seen, last_seen FROM event_dead_letters "
    "WHERE chain_id = :chain ORDER BY last_seen DESC, block_hash, position LIMIT :limit"};

}   // namespace

Result<void> put_event_dead_letter(Tx& tx, const EventDeadLetter& letter) {
  auto put = tx.run(kPut, Params()
                              .i64("chain", letter.chain)
                              .blob("hash", letter.block_hash.view())
                              .i64("position", letter.position)
                              .text("event_id", letter.event_id)
                              .text("error", letter.error)
                              .i64("attempts", letter.attempts)
                              .time("first_seen", letter.first_seen)
                              .time("last_seen", letter.last_seen));
  if (!put) return fail(put);
  return {};
}

Result<std::vector<EventDeadLetter>> list_event_dead_letters(Tx& tx, domain::ChainId chain, std::int64_t limit) {
  auto rows = tx.run(kList, Params().i64("chain", chain).i64("limit", limit));
  if (!rows) return fail(rows);
  std::vector<EventDeadLetter> out;
  for (std::size_t i = 0; i < rows->size(); ++i) {
    EventDeadLetter letter;
    letter.chain = chain;
    letter.block_hash = rows->fixed<32>(i, 0);
    letter.position = rows->i64(i, 1);
    letter.event_id = rows->text_or_null(i, 2);
    letter.error = rows->text(i, 3);
    letter.attempts = static_cast<std::int32_t>(rows->i64(i, 4));
    letter.first_seen = rows->time(i, 5);
    letter.last_seen = rows->time(i, 6);
    out.push_back(std::move(letter));
  }
  return out;
}

}   // namespace agentauri::store
