#include "gateway/api/idempotency.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "store/idempotency.hpp"

namespace agentauri::gateway {
namespace {

constexpr std::string_view kHeader = "Idempotency-Key";

bool is_good_key(std::string_view key) {
  return !key.empty() && key.size() <= kMaxIdempotencyKey &&
         std::all_of(key.begin(), key.end(), [](char c) { return c >= 0x20 && c < 0x7F; });
}

// Lengths before each part, so that no two requests look alike.
std::string hash_of(const Request& request) {
  const auto* organization = request.http.headers.find("X-Organization-ID");
  std::string text;
  for (const std::string& part : {request.http.path, request.http.query,
                                  organization != nullptr ? *organization : std::string(), request.http.body}) {
    text += fmt::format("{}:", part.size());
    text += part;
  }
  return to_hex(crypto::sha256(as_bytes(text)).view());
}

std::string principal_of(const domain::Principal& principal) {
  return principal.key ? "key:" + to_string(*principal.key) : "user:" + to_string(principal.account);
}

Outcome<Reply> repeat(const store::RememberedAnswer& answer, const std::string& request_hash) {
  if (answer.request_hash != request_hash)
    return refuse(422, "idempotency_key_reused", "This Idempotency-Key was used with another request");
  if (answer.secret_of) {
    auto out = refuse(409, "already_created",
                      fmt::format("This request was done before: {} exists. Its answer held a secret, which is shown "
                                  "once",
                                  *answer.secret_of));
    out.error().details.push_back({"id", "already_created", *answer.secret_of});
    return out;
  }
  Reply reply;
  reply.status = static_cast<int>(answer.status);
  reply.text = answer.body.value_or("");
  reply.headers = {{"Idempotency-Replayed", "true"}};
  return reply;
}

store::RememberedAnswer remembered(const Reply& reply, const std::string& request_hash) {
  store::RememberedAnswer out{request_hash, reply.status, std::nullopt, reply.secret_of};
  if (reply.secret_of) return out;
  if (reply.body)
    out.body = json::dump(*reply.body);
  else if (!reply.text.empty())
    out.body = reply.text;
  return out;
}

}   // namespace

Outcome<Unit> with_idempotency(const Route& route, const Request& request, const Clock& clock, Unit unit) {
  const auto* key = request.http.headers.find(kHeader);
  if (key == nullptr || !unit.writes || request.http.method != "POST" || route.counts == Counts::auth ||
      request.principal.kind == domain::Principal::Kind::anonymous)
    return unit;
  if (!is_good_key(*key)) {
    Validation validation;
    validation.add(kHeader, "idempotency_key",
                   fmt::format("{} must be 1 to {} printable ASCII characters", kHeader, kMaxIdempotencyKey));
    return std::unexpected(validation.refusal());
  }
  store::IdempotencyScope scope{principal_of(request.principal), fmt::format("{} {}", route.method, route.path), *key};
  unit.body = [scope = std::move(scope), hash = hash_of(request), now = clock.now(),
               inner = std::move(unit.body)](store::Tx& tx) mutable -> Outcome<Reply> {
    auto before = store::take_idempotency_key(tx, scope, hash, now);
    if (!before) return broken(before);
    if (*before) return repeat(**before, hash);
    auto reply = inner(tx);
    if (!reply) {
      if (reply.error().cause) return reply;   // rolled back, the key with it
      if (auto gone = store::let_go_of_idempotency_key(tx, scope); !gone) return broken(gone);
      return reply;
    }
    if (auto kept = store::remember_answer(tx, scope, remembered(*reply, hash)); !kept) return broken(kept);
    return reply;
  };
  return unit;
}

}   // namespace agentauri::gateway
