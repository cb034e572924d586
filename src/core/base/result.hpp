// Errors as values. What the world can cause is a Result; what only a bug can cause is an ENSURE.
#pragma once

#include <cstdint>
#include <expected>
#include <string>
#include <string_view>
#include <utility>

namespace agentauri {

// Callers compare codes; the HTTP edge has one table from code to status. Text is for people.
enum class Code : std::uint8_t {
  invalid,   // input breaks a rule; `field` names where
  not_found,
  conflict,   // a unique rule would be broken; `field` names the constraint when known
  forbidden,
  unauthorized,
  rate_limited,
  too_large,      // a bound was exceeded
  overflow,       // a number does not fit its type or column
  check_failed,   // a database CHECK refused the row
  busy,           // try again soon: queue full, lock not granted
  unavailable,    // a peer (database, RPC, name server) cannot be reached
  timed_out,
  cancelled,        // the caller or a stop asked for it: end quietly
  fenced,           // the lease behind this write has passed to somebody else
  commit_unknown,   // the connection was lost during COMMIT: ask before doing it again
  protocol,         // a peer answered something that its protocol does not allow
  corrupt,          // stored data is not what we wrote
  unsupported,
  internal,
};

std::string_view to_string(Code code);

struct Error {
  Code code = Code::internal;
  std::string field;   // configuration variable, JSON member, column; empty when there is none
  std::string text;    // one sentence, never a secret

  bool operator==(const Error&) const = default;
};

template <class T>
using Result = std::expected<T, Error>;

inline std::unexpected<Error> fail(Code code, std::string text) {
  return std::unexpected(Error{code, {}, std::move(text)});
}
inline std::unexpected<Error> fail(Code code, std::string field, std::string text) {
  return std::unexpected(Error{code, std::move(field), std::move(text)});
}
// Hands an error up: `if (!r) return fail(r);`
template <class T>
std::unexpected<Error> fail(Result<T>& result) {
  return std::unexpected(std::move(result.error()));
}
template <class T>
std::unexpected<Error> fail(Result<T>&& result) {
  return std::unexpected(std::move(result.error()));
}

[[noreturn]] void ensure_failed(const char* condition, const char* text, const char* file, int line);

}   // namespace agentauri

// A broken ENSURE is a bug in this program: it says where and aborts, in every build.
#define ENSURE(condition, text) \
  ((condition) ? static_cast<void>(0) : ::agentauri::ensure_failed(#condition, text, __FILE__, __LINE__))
