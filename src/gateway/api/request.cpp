#include "gateway/api/request.hpp"

namespace agentauri::gateway {
namespace {

constexpr std::size_t kMaxUserAgentBytes = 512, kMaxEndpointBytes = 512;

std::string printable(std::string_view text, std::size_t max_bytes) {
  std::string out;
  for (const char c : text.substr(0, max_bytes)) out.push_back(c >= 0x20 && c < 0x7F ? c : '?');
  return out;
}

}   // namespace

std::optional<std::string> Request::user_agent() const {
  const auto* value = http.headers.find("User-Agent");
  if (value == nullptr) return std::nullopt;
  return printable(*value, kMaxUserAgentBytes);
}

store::RequestOrigin Request::origin() const {
  return {client_ip, user_agent(), printable(http.path, kMaxEndpointBytes), request_id};
}

Caller Request::caller(const Clock& clock) const {
  Caller out;
  out.principal = principal;
  if (const auto* header = http.headers.find("X-Organization-ID")) out.organization_header = *header;
  out.now = clock.now();
  out.origin = origin();
  return out;
}

Task<Outcome<Reply>> run_unit(Services& services, const Request& request, Unit unit) {
  // The last run's refusal, for one that rolls back and still has words of its own.
  const auto refused = std::make_shared<std::optional<Refusal>>();
  auto body = [refused, reads = !unit.writes,
               inner = std::move(unit.body)](store::Tx& tx) mutable -> Result<Outcome<Reply>> {
    refused->reset();
    Outcome<Reply> out = inner(tx);
    // A page is written here, where it was made, and not on the connection's thread; the one writer is spared.
    if (reads && out && out->body) {
      out->text = json::dump(*out->body);
      out->body.reset();
    }
    if (!out && out.error().cause) {
      *refused = out.error();
      return std::unexpected(*out.error().cause);
    }
    return Result<Outcome<Reply>>(std::in_place, std::move(out));
  };
  Result<Outcome<Reply>> done =
      unit.writes ? co_await services.db.transact<Outcome<Reply>>(store::Priority::interactive, std::move(body))
                  : co_await services.db.snapshot<Outcome<Reply>>(std::move(body), store::Priority::bulk);
  if (!done) {
    if (*refused && !(*refused)->message.empty()) co_return std::unexpected(std::move(**refused));
    static const Log log("gateway");
    log.error("a request failed in the store", {{"request_id", request.request_id},
                                                {"operation", unit.operation},
                                                {"code", to_string(done.error().code)},
                                                {"field", done.error().field},
                                                {"text", done.error().text}});
    co_return std::unexpected(store_refusal(done.error(), unit.operation));
  }
  if (*done) {
    for (const auto session : (*done)->revoked) services.sessions.revoke(session);
    for (const auto key : (*done)->revoked_keys) services.api_keys.revoke(key);
  }
  co_return std::move(*done);
}

}   // namespace agentauri::gateway
