// However a byte stream is cut, the parser gives the same requests and the same verdict; bounds hold.
#include <cstdlib>
#include <string>

#include "net/http_parser.hpp"

namespace {

using namespace agentauri::net;

HttpServerLimits small_limits() {
  HttpServerLimits limits;
  limits.head_bytes = 256;
  limits.header_fields = 8;
  limits.target_bytes = 64;
  limits.body_bytes = 128;
  return limits;
}

void require(bool holds) {
  if (!holds) std::abort();
}

void describe(HttpParser& parser, const HttpServerLimits& limits, std::string& out) {
  const HttpRequest& request = parser.request();
  require(request.body.size() <= limits.body_bytes && request.head_bytes <= limits.head_bytes &&
          request.target.size() <= limits.target_bytes + 1);
  require(request.headers.all().size() <= limits.header_fields && is_token(request.method));
  require(request.target == "*" || request.target.starts_with('/'));
  out +=
      request.method + "\n" + request.target + "\n" + request.path + "\n" + request.query + "\n" + request.body + "\n";
  for (const auto& [name, value] : request.headers.all()) {
    require(is_token(name) && value.find_first_of(std::string_view("\r\n\0", 3)) == std::string::npos);
    out += name + ":" + value + "\n";
  }
  out += std::to_string(parser.keep_alive()) + std::to_string(parser.wants_continue()) +
         std::to_string(request.head_bytes);
}

// `next_cut` says how many bytes come next.
template <class NextCut>
std::string outcome(std::string_view bytes, const HttpServerLimits& limits, NextCut next_cut) {
  using State = HttpParser::State;
  std::string out;
  HttpParser parser(limits);
  while (!bytes.empty() && parser.state() != State::error) {
    std::string_view piece = bytes.substr(0, next_cut());
    bytes.remove_prefix(piece.size());
    while (!piece.empty() && parser.state() != State::error) {
      const std::size_t used = parser.feed(piece);
      require(used <= piece.size() && (used > 0 || parser.state() == State::error));
      piece.remove_prefix(used);
      if (parser.state() != State::complete) continue;
      describe(parser, limits, out);
      parser.reset();
    }
  }
  return out + "|" + std::to_string(static_cast<int>(parser.state())) + std::to_string(parser.error_status()) +
         parser.error_text() + std::to_string(parser.started());
}

}   // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size < 4) return 0;
  static const HttpServerLimits limits = small_limits();
  // The first bytes choose the cuts.
  std::uint32_t seed = data[0] | data[1] << 8 | data[2] << 16 | 1U << 24;
  const std::string_view bytes(reinterpret_cast<const char*>(data) + 3, size - 3);
  const std::string whole = outcome(bytes, limits, [&bytes] { return bytes.size(); });
  require(outcome(bytes, limits, [] { return std::size_t{1}; }) == whole);
  const auto random = [&seed] {
    seed = seed * 1664525 + 1013904223;
    return std::size_t{1} + (seed >> 24) % 40;
  };
  require(outcome(bytes, limits, random) == whole);
  return 0;
}
