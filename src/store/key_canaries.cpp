#include "store/key_canaries.hpp"

#include <fmt/format.h>

namespace agentauri::store {
namespace {

// SQLite has one writer; there this is a statement like any other.
const Query kLock{"key_canary_lock", "SELECT 1", "LOCK TABLE key_canaries IN SHARE ROW EXCLUSIVE MODE"};
const Query kRead{"key_canary_read", "SELECT kid, sealed FROM key_canaries ORDER BY used_at DESC, kid"};
const Query kPut{"key_canary_put",
                 "INSERT INTO key_canaries (kid, sealed, used_at) VALUES (:kid, :sealed, :now) "
                 "ON CONFLICT (kid) DO UPDATE SET used_at = :now"};
#define ROWS_WITH(FUNCTION)                                                                         \
  "SELECT (SELECT count(*) FROM trigger_actions WHERE " FUNCTION "(config, :mark) > 0 OR " FUNCTION \
  "(COALESCE(signing_secret, ''), :mark) > 0 OR " FUNCTION                                          \
  "(COALESCE(previous_signing_secret, ''), :mark) > "                                               \
  "0) + (SELECT count(*) FROM jobs WHERE state IN ('held', 'pending', 'leased') AND " FUNCTION      \
  "(COALESCE(body, ''), :mark) > 0)"
const Query kCount{"key_use_count", ROWS_WITH("instr"), ROWS_WITH("strpos")};
#undef ROWS_WITH

}   // namespace

Result<std::vector<KeyCanary>> read_key_canaries(Tx& tx) {
  if (auto locked = tx.run(kLock); !locked) return fail(locked);
  auto rows = tx.run(kRead);
  if (!rows) return fail(rows);
  std::vector<KeyCanary> out;
  for (std::size_t i = 0; i < rows->size(); ++i) out.push_back({rows->text(i, 0), rows->text(i, 1)});
  return out;
}

Result<void> put_key_canary(Tx& tx, const KeyCanary& canary) {
  auto now = tx.now();
  if (!now) return fail(now);
  auto row = tx.run(kPut, Params().text("kid", canary.kid).text("sealed", canary.sealed).time("now", *now));
  if (!row) return fail(row);
  return {};
}

Result<std::int64_t> count_rows_under_key(Tx& tx, std::string_view kid) {
  auto rows = tx.run(kCount, Params().text("mark", fmt::format("enc:v1:{}:", kid)));
  if (!rows) return fail(rows);
  return rows->i64(0, 0);
}

}   // namespace agentauri::store
