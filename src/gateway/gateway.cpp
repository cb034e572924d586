#include "gateway/gateway.hpp"

#include "gateway/api/pipeline.hpp"
#include "gateway/housekeeping.hpp"

namespace agentauri::gateway {

// Members in the order in which they need each other.
struct Gateway::Impl {
  Impl(store::Database& db, const Clock& clock, Metrics& metrics, GatewaySettings s, crypto::DataKeys k,
       net::AddressGuard g, ChainReader& chains)
      : settings(std::move(s)),
        keys(std::move(k)),
        guard(std::move(g)),
        cors(settings),
        sessions(db),
        api_keys(db),
        trail(db, metrics),
        session_uses(db),
        revocations(db, {&sessions.revocable(), &api_keys.revocable()}),
        limiter(settings, clock, metrics),
        issuer(settings),
        authenticator(settings, clock, sessions, api_keys),
        services{db,       clock,   metrics, settings, {keys, guard}, cors,   argon,
                 sessions, limiter, issuer,  api_keys, trail,         chains, session_uses},
        pipeline(services, authenticator),
        housekeeping(db, clock, metrics, revocations, trail, session_uses) {}

  const GatewaySettings settings;
  const crypto::DataKeys keys;
  const net::AddressGuard guard;
  const Cors cors;
  ArgonLane argon;
  SessionCache sessions;
  KeyCache api_keys;
  KeyTrail trail;
  SessionUses session_uses;
  RevocationFeed revocations;
  RateLimiter limiter;
  const SessionIssuer issuer;
  Authenticator authenticator;
  Services services;
  Pipeline pipeline;
  Housekeeping housekeeping;
};

Gateway::Gateway(store::Database& db, const Clock& clock, Metrics& metrics, GatewaySettings settings,
                 crypto::DataKeys keys, net::AddressGuard guard, ChainReader& chains)
    : impl_(std::make_unique<Impl>(db, clock, metrics, std::move(settings), std::move(keys), std::move(guard),
                                   chains)) {}
Gateway::~Gateway() = default;

Task<net::HttpResponse> Gateway::handle(net::HttpRequest request) {
  return impl_->pipeline.handle(std::move(request));
}
net::HttpResponse Gateway::render_error(int status, std::string_view text, const net::HttpRequest& request) {
  return impl_->pipeline.render_error(status, text, request);
}
Task<void> Gateway::run() {
  return impl_->housekeeping.run();
}

}   // namespace agentauri::gateway
