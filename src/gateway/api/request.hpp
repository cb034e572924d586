// What a handler gets and gives. Handlers parse and render; rules live in the use-cases.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/async/task.hpp"
#include "core/json/json.hpp"
#include "core/telemetry/log.hpp"
#include "core/telemetry/metrics.hpp"
#include "gateway/auth/argon_lane.hpp"
#include "gateway/auth/authenticate.hpp"
#include "gateway/auth/key_cache.hpp"
#include "gateway/auth/key_trail.hpp"
#include "gateway/auth/session_cache.hpp"
#include "gateway/auth/session_uses.hpp"
#include "gateway/chain_reader.hpp"
#include "gateway/limits/rate_limiter.hpp"
#include "gateway/refusal.hpp"
#include "gateway/settings.hpp"
#include "gateway/use_cases/accounts.hpp"
#include "gateway/use_cases/organization_context.hpp"
#include "gateway/use_cases/triggers.hpp"
#include "net/http_server.hpp"
#include "store/cache/cache.hpp"
#include "store/database.hpp"

namespace agentauri::gateway {

class Cors;
class EventFeed;
class OpenStreams;
class Discovery;
struct FixedText;

// What the gateway is made of; lives as long as it does.
struct Services {
  store::Database& db;
  const Clock& clock;
  Metrics& metrics;
  const GatewaySettings& settings;
  ActionContext actions;
  const Cors& cors;
  ArgonLane& argon;
  SessionCache& sessions;
  RateLimiter& limiter;
  const SessionIssuer& issuer;
  KeyCache& api_keys;
  KeyTrail& trail;
  ChainReader& chains;
  SessionUses& session_uses;
  Authenticator& authenticator;
  EventFeed& feed;
  OpenStreams& streams;
  Discovery& discovery;
  const store::Cache& cache;
};

struct Reply {
  int status = 200;
  std::optional<json::Value> body;          // nullopt: `text`, or nothing at all
  std::string text;                         // already JSON
  std::shared_ptr<const FixedText> fixed;   // instead of both: the same for everybody
  std::optional<std::string> secret_of;     // id of what was made: this answer holds its secret, and is not kept
  std::vector<std::pair<std::string, std::string>> headers;
  std::vector<domain::SessionId> revoked;       // refused by this process from now on
  std::vector<domain::ApiKeyId> revoked_keys;   // likewise, or changed
  // Makes the body piece by piece (net::HttpResponse); then there is none here.
  std::function<Task<void>(net::BodyStream&)> stream;
};

struct Request {
  net::HttpRequest http;
  std::string request_id;
  std::string client_ip;
  std::vector<std::string> params;   // of the path, decoded, in order of the template
  domain::Principal principal;
  Allowance allowance;

  Caller caller(const Clock& clock) const;
  // Header bytes need not be UTF-8, and what is not must not reach a text column: here they are printable ASCII.
  std::optional<std::string> user_agent() const;
  store::RequestOrigin origin() const;
  ClientInfo client() const { return {user_agent(), client_ip}; }
};

// One transaction (or consistent read) that ends in a reply. `body` owns what it uses and may run more than once.
struct Unit {
  bool writes = false;
  std::string operation;   // "Failed to …", when the store fails
  std::move_only_function<Outcome<Reply>(store::Tx&)> body;
};
// Awaited at once: `request` is the caller's.
Task<Outcome<Reply>> run_unit(Services& services, const Request& request, Unit unit);

// Most handlers only say what happens in the transaction; those that need more are coroutines.
using UnitHandler = Outcome<Unit> (*)(const Services&, const Request&);
using AsyncHandler = Task<Outcome<Reply>> (*)(Services&, Request&);

}   // namespace agentauri::gateway
