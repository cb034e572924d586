#include "gateway/gateway.hpp"

#include "gateway/api/discovery.hpp"
#include "gateway/api/pipeline.hpp"
#include "gateway/event_feed.hpp"
#include "gateway/housekeeping.hpp"
#include "gateway/limits/open_streams.hpp"
#include "gateway/link_watch.hpp"

namespace agentauri::gateway {

// Members in the order in which they need each other.
struct Gateway::Impl {
  Impl(store::Database& db, const Clock& clock, Metrics& metrics, GatewaySettings s, crypto::DataKeys k,
       net::AddressGuard g, ChainReader& chains, store::Cache& cache)
      : settings(std::move(s)),
        keys(std::move(k)),
        guard(std::move(g)),
        cors(settings),
        sessions(db),
        api_keys(db),
        trail(db, metrics),
        session_uses(db),
        revocations(db, {&sessions.revocable(), &api_keys.revocable()}),
        limiter(settings, clock, metrics, cache),
        issuer(settings),
        discovery(settings, clock),
        auth_metrics(metrics),
        authenticator(settings, clock, sessions, api_keys),
        feed(db),
        streams(metrics),
        services{db,       clock, metrics, settings,     {keys, guard}, cors, argon,   sessions,  limiter, issuer,
                 api_keys, trail, chains,  session_uses, authenticator, feed, streams, discovery, cache},
        pipeline(services, authenticator, auth_metrics),
        housekeeping(db, clock, metrics, revocations, trail, session_uses),
        link_watch(db, clock, chains) {}

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
  Discovery discovery;
  const AuthMetrics auth_metrics;
  Authenticator authenticator;
  EventFeed feed;
  OpenStreams streams;
  Services services;
  Pipeline pipeline;
  Housekeeping housekeeping;
  LinkWatch link_watch;
};

Gateway::Gateway(store::Database& db, const Clock& clock, Metrics& metrics, GatewaySettings settings,
                 crypto::DataKeys keys, net::AddressGuard guard, ChainReader& chains, store::Cache& cache)
    : impl_(std::make_unique<Impl>(db, clock, metrics, std::move(settings), std::move(keys), std::move(guard), chains,
                                   cache)) {}
Gateway::~Gateway() = default;

Task<net::HttpResponse> Gateway::handle(net::HttpRequest request) {
  return impl_->pipeline.handle(std::move(request));
}
net::HttpResponse Gateway::render_error(int status, std::string_view text, const net::HttpRequest& request) {
  return impl_->pipeline.render_error(status, text, request);
}
Task<void> Gateway::run() {
  // Side by side: a chain that does not answer must not keep revocations waiting.
  TaskGroup tasks(co_await this_executor());
  tasks.spawn("housekeeping", [impl = impl_.get()]() -> Task<void> { co_await impl->housekeeping.run(); });
  tasks.spawn("event feed", [impl = impl_.get()]() -> Task<void> { co_await impl->feed.run(); });
  tasks.spawn("link watch", [impl = impl_.get()]() -> Task<void> { co_await impl->link_watch.run(); });
  while (co_await sleep_for(std::chrono::hours(1))) {
  }
  co_await tasks.cancel_and_wait();
}

}   // namespace agentauri::gateway
