// Why a request is refused: what use-cases and middleware hand to the edge, which renders it as the one error object.
#pragma once

#include <expected>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.hpp"

namespace agentauri::gateway {

// One broken rule (http-api.md 1.4).
struct Detail {
  std::string field;   // empty: of the whole request
  std::string code;
  std::string message;
};

struct Refusal {
  int status = 500;
  std::string code = "internal_error";
  std::string message;
  std::vector<Detail> details;
  std::optional<std::int64_t> retry_after_s;
  // Of the store: the transaction must end with it (and may then run again). Without it a refusal is an answer like any
  // other, and what was written before it (a counter, a lock) stays.
  std::optional<Error> cause;
  std::string why;   // for the access line, never for the client: what exactly was wrong

  static Refusal make(int status, std::string_view code, std::string message) {
    return {status, std::string(code), std::move(message), {}, std::nullopt, std::nullopt, {}};
  }
};

// The answer of a use-case.
template <class T>
using Outcome = std::expected<T, Refusal>;

inline std::unexpected<Refusal> refuse(int status, std::string_view code, std::string message) {
  return std::unexpected(Refusal::make(status, code, std::move(message)));
}
// 401. Clients are told little of why; the access line says it all.
inline std::unexpected<Refusal> unauthenticated(std::string_view code, std::string message, std::string_view why) {
  Refusal out = Refusal::make(401, code, std::move(message));
  out.why = why;
  return std::unexpected(std::move(out));
}
inline std::unexpected<Refusal> bad_request(std::string message) {
  return refuse(400, "bad_request", std::move(message));
}
inline std::unexpected<Refusal> forbidden(std::string message) {
  return refuse(403, "forbidden", std::move(message));
}
inline std::unexpected<Refusal> not_found(std::string message) {
  return refuse(404, "not_found", std::move(message));
}

// Inside a transaction: hands the store's error up.
template <class T>
std::unexpected<Refusal> broken(Result<T>& result) {
  Refusal out;
  out.cause = std::move(result.error());
  return std::unexpected(std::move(out));
}
template <class T>
std::unexpected<Refusal> broken(Result<T>&& result) {
  return broken(result);
}
// Hands a refusal up: `if (!x) return pass(x);`
template <class T>
std::unexpected<Refusal> pass(Outcome<T>& outcome) {
  return std::unexpected(std::move(outcome.error()));
}
template <class T>
std::unexpected<Refusal> pass(Outcome<T>&& outcome) {
  return std::unexpected(std::move(outcome.error()));
}

// A failure of the store: 503 when it cannot be asked now, else 500. `operation` is "Failed to …"; the store's own
// words never reach the client.
Refusal store_refusal(const Error& error, std::string_view operation);

// Collects every broken rule of a request, so that all of them are told at once.
class Validation {
 public:
  void add(std::string_view field, std::string_view code, std::string message);
  // `Validation error: length [{min, max}]` unless the count of Unicode scalar values lies in [min, max].
  void length(std::string_view field, std::string_view text, std::size_t min, std::size_t max);
  void range(std::string_view field, std::int64_t value, std::int64_t min, std::int64_t max);
  void add(Validation&& other);
  bool ok() const { return details_.empty(); }
  Refusal refusal() const;

 private:
  std::vector<Detail> details_;
};

// Unicode scalar values of valid UTF-8.
std::size_t count_characters(std::string_view utf8);

}   // namespace agentauri::gateway
