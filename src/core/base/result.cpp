#include "core/base/result.hpp"

#include <cstdio>
#include <cstdlib>

#include "core/telemetry/log.hpp"

namespace agentauri {

std::string_view to_string(Code code) {
  switch (code) {
    case Code::invalid:
      return "invalid";
    case Code::not_found:
      return "not_found";
    case Code::conflict:
      return "conflict";
    case Code::forbidden:
      return "forbidden";
    case Code::unauthorized:
      return "unauthorized";
    case Code::rate_limited:
      return "rate_limited";
    case Code::too_large:
      return "too_large";
    case Code::overflow:
      return "overflow";
    case Code::check_failed:
      return "check_failed";
    case Code::busy:
      return "busy";
    case Code::unavailable:
      return "unavailable";
    case Code::timed_out:
      return "timed_out";
    case Code::cancelled:
      return "cancelled";
    case Code::fenced:
      return "fenced";
    case Code::commit_unknown:
      return "commit_unknown";
    case Code::protocol:
      return "protocol";
    case Code::corrupt:
      return "corrupt";
    case Code::unsupported:
      return "unsupported";
    case Code::internal:
      return "internal";
  }
  return "internal";
}

void ensure_failed(const char* condition, const char* text, const char* file, int line) {
  flush_log();   // what led here
  std::fprintf(stderr, "%s:%d: broken invariant: %s (%s)\n", file, line, text, condition);
  std::abort();
}

}   // namespace agentauri
