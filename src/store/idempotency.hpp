// Answers of requests that carried an `Idempotency-Key` (http-api.md 1.2), kept in the transaction that did the work: a
// request is either done and remembered, or neither.
#pragma once

#include <optional>
#include <string>

#include "store/database.hpp"

namespace agentauri::store {

// How long an answer is repeated; after that the key is as if it had never been used.
inline constexpr std::chrono::hours kIdempotencyLife{24};

struct IdempotencyScope {
  std::string principal, route, key;
};
struct RememberedAnswer {
  std::string request_hash;
  std::int64_t status = 200;
  std::optional<std::string> body;        // JSON
  std::optional<std::string> secret_of;   // id of what was made: its answer held a secret, which is kept nowhere
};

// nullopt: the key is the caller's, who remembers an answer or lets go before the transaction ends. Waits while another
// transaction holds the same key.
Result<std::optional<RememberedAnswer>> take_idempotency_key(Tx& tx, const IdempotencyScope& scope,
                                                             const std::string& request_hash, Time now);
Result<void> remember_answer(Tx& tx, const IdempotencyScope& scope, const RememberedAnswer& answer);
Result<void> let_go_of_idempotency_key(Tx& tx, const IdempotencyScope& scope);
Result<std::int64_t> delete_old_idempotency_keys(Tx& tx, Time before, std::int64_t limit);

}   // namespace agentauri::store
