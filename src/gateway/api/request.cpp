#include "gateway/api/request.hpp"

namespace agentauri::gateway {

Caller Request::caller(const Clock& clock) const {
  Caller out;
  out.principal = principal;
  if (const auto* header = http.headers.find("X-Organization-ID")) out.organization_header = *header;
  out.now = clock.now();
  return out;
}

Task<Outcome<Reply>> run_unit(Services& services, const Request& request, Unit unit) {
  // The last run's refusal, for one that rolls back and still has words of its own.
  const auto refused = std::make_shared<std::optional<Refusal>>();
  auto body = [refused, inner = std::move(unit.body)](store::Tx& tx) mutable -> Result<Outcome<Reply>> {
    refused->reset();
    Outcome<Reply> out = inner(tx);
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
  }
  co_return std::move(*done);
}

}   // namespace agentauri::gateway
