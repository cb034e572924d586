// `Idempotency-Key` on POST (http-api.md 1.2): a client that lost an answer may ask again without doing it twice.
#pragma once

#include "gateway/api/request.hpp"
#include "gateway/api/routes.hpp"

namespace agentauri::gateway {

inline constexpr std::size_t kMaxIdempotencyKey = 255;

// `unit` as it is, unless the request has the header, changes something and names a principal. Then the key, the work
// and the answer are one transaction, and of parallel requests with one key the second waits for the first:
//   - done before: the same status and body, with `Idempotency-Replayed: true`; 409 `already_created` with the id when
//     that answer held a secret, which is kept nowhere;
//   - done before with another path, query, organization or body: 422 `idempotency_key_reused`;
//   - refused before: nothing was done, so nothing is remembered, and it is tried anew.
// 400 for a key that is empty, longer than 255 or not printable ASCII. /auth/* has no keys: its answers are secrets.
Outcome<Unit> with_idempotency(const Route& route, const Request& request, const Clock& clock, Unit unit);

}   // namespace agentauri::gateway
