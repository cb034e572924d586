// Which data keys the values of this store were encrypted with: one known text for each of them, so that a process with
// the wrong keys is told at its start.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "store/database.hpp"

namespace agentauri::store {

struct KeyCanary {
  std::string kid;
  std::string sealed;   // enc:v1
};

// The key that was encrypted with last comes first. Nobody else reads or writes canaries until this transaction ends:
// two processes that meet an empty store do not both make theirs the first.
Result<std::vector<KeyCanary>> read_key_canaries(Tx& tx);
// A new one, or the same as before: its key is now the one that is encrypted with.
Result<void> put_key_canary(Tx& tx, const KeyCanary& canary);
// Actions and jobs on their way that hold a value under this key. Reads all of them: for a start that fails.
Result<std::int64_t> count_rows_under_key(Tx& tx, std::string_view kid);

}   // namespace agentauri::store
