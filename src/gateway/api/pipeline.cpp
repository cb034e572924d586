#include "gateway/api/pipeline.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "gateway/api/idempotency.hpp"
#include "gateway/api/representation.hpp"

namespace agentauri::gateway {
namespace {

constexpr std::size_t kMaxRequestIdBytes = 128;
constexpr std::array<std::pair<std::string_view, std::string_view>, 9> kSecurityHeaders{{
    {"X-Content-Type-Options", "nosniff"},
    {"X-Frame-Options", "DENY"},
    {"X-XSS-Protection", "1; mode=block"},
    {"Referrer-Policy", "strict-origin-when-cross-origin"},
    {"Permissions-Policy",
     "accelerometer=(), camera=(), geolocation=(), gyroscope=(), magnetometer=(), microphone=(), payment=(), usb=()"},
    {"Cross-Origin-Embedder-Policy", "require-corp"},
    {"Cross-Origin-Opener-Policy", "same-origin"},
    {"Cross-Origin-Resource-Policy", "same-origin"},
    {"Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"},
}};

bool is_unsafe(std::string_view method) {
  return method == "POST" || method == "PUT" || method == "PATCH" || method == "DELETE";
}

// What a key must be allowed for a request.
domain::Permission needed_permission(const Route& route, std::string_view method) {
  if (route.access == Access::admin) return domain::Permission::admin;
  if (method == "DELETE") return domain::Permission::remove;
  return is_unsafe(method) ? domain::Permission::write : domain::Permission::read;
}

// What needs no look at the store: a key acts in its own organization, whatever else the request names, and as it is
// permitted.
Outcome<void> check_key(const Route& route, const Request& request) {
  const auto& key = request.principal;
  const auto* header = request.http.headers.find("X-Organization-ID");
  if (header != nullptr && domain::OrganizationId::parse(*header) != key.organization)
    return forbidden("Not a member of the specified organization");
  if (!key.permissions.allows(needed_permission(route, request.http.method)))
    return forbidden("Insufficient permissions");
  return {};
}

// Labels are bounded: a method that nothing serves is one value.
std::string_view method_label(std::string_view method) {
  constexpr std::array<std::string_view, 7> kKnown{"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"};
  return std::find(kKnown.begin(), kKnown.end(), method) != kKnown.end() ? method : "OTHER";
}

std::string_view code_of_status(int status) {
  switch (status) {
    case 400:
      return "bad_request";
    case 408:
      return "request_timeout";
    case 413:
      return "payload_too_large";
    case 414:
      return "uri_too_long";
    case 417:
      return "expectation_failed";
    case 431:
      return "header_fields_too_large";
    case 501:
      return "not_implemented";
    case 503:
      return "service_unavailable";
    case 505:
      return "http_version_not_supported";
    default:
      return "internal_error";
  }
}

// Counts a request while it is being handled, whatever happens to it.
class InFlight {
 public:
  explicit InFlight(const Gauge& gauge) : gauge_(gauge) { gauge_.add(1); }
  ~InFlight() { gauge_.add(-1); }
  InFlight(const InFlight&) = delete;
  InFlight& operator=(const InFlight&) = delete;

 private:
  const Gauge& gauge_;
};

}   // namespace

std::string request_id_of(const net::Headers& headers) {
  const auto is_allowed = [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
           c == ':' || c == '-';
  };
  const auto* given = headers.find("X-Request-ID");
  if (given != nullptr && !given->empty() && given->size() <= kMaxRequestIdBytes &&
      std::all_of(given->begin(), given->end(), is_allowed))
    return *given;
  return to_string(make_uuid_v4());
}

Pipeline::Pipeline(Services& services, Authenticator& authenticator, const AuthMetrics& auth_metrics)
    : services_(services),
      authenticator_(authenticator),
      auth_metrics_(auth_metrics),
      trusted_(trusted_ranges(services.settings.trusted_proxies)),
      console_(services.settings.console_dir),
      in_flight_(services.metrics.gauge("http_requests_in_flight", "Requests being handled")) {
  if (services.settings.hsts) hsts_ = fmt::format("max-age={}; includeSubDomains", services.settings.hsts_max_age);
}

Task<net::HttpResponse> Pipeline::handle(net::HttpRequest http) {
  const InFlight counted(in_flight_);
  Request request;
  request.request_id = request_id_of(http.headers);
  request.client_ip = client_address(http, trusted_);
  request.http = std::move(http);
  Trace trace;
  Outcome<Reply> outcome = refuse(500, "internal_error", "Failed to process request");
  if (Console::owns(request.http.path)) {
    trace.path_template = "/console";
    co_return answer_file(request, trace, console_);
  }
  if (ApiDocs::owns(request.http.path)) {
    trace.path_template = "/api-docs";
    co_return answer_file(request, trace, api_docs_);
  }
  try {
    outcome = co_await respond(request, trace);
  } catch (const std::exception& e) {
    log_.error("a handler threw",
               {{"what", std::string(e.what())}, {"request_id", request.request_id}, {"route", trace.path_template}});
  }
  note(outcome, trace);
  // No class counted it: what the address has left.
  if (request.allowance.empty() && !trace.is_exempt)
    co_await services_.limiter.peek(kAnonymousRead, limit_key_of_address(request.client_ip), request.allowance);
  auto response = finish(request, trace, std::move(outcome));
  record(request, trace, response);
  co_return response;
}

Task<Outcome<Reply>> Pipeline::respond(Request& request, Trace& trace) {
  auto& http = request.http;
  auto match = match_route(http.method, http.path);
  if (!match.path_template.empty()) trace.path_template = match.path_template;
  if (match.route != nullptr) trace.is_recorded = match.route->is_recorded;
  trace.is_exempt =
      (match.route != nullptr && match.route->counts == Counts::exempt) || has_monitoring_token(http.headers);

  if (http.headers.find("Content-Encoding") != nullptr)
    co_return refuse(415, "unsupported_media_type", "A request body must not be encoded");
  trace.is_for_any_origin = match.route != nullptr ? match.route->any_origin : is_for_any_origin(trace.path_template);
  if (Cors::is_preflight(http)) {
    trace.is_preflight = true;
    auto allowed = trace.is_for_any_origin ? Cors::answer_open_preflight(http, trace.headers)
                                           : services_.cors.answer_preflight(http, trace.headers);
    if (!allowed) co_return pass(allowed);
    co_return Reply();
  }
  if (match.route == nullptr && match.allow.empty()) co_return not_found("There is nothing at this path");
  if (match.route == nullptr) {
    trace.allow = std::move(match.allow);
    co_return refuse(405, "method_not_allowed", "This path does not serve that method");
  }
  const Route& route = *match.route;
  trace.is_kept = route.method == "GET" && route.counts == Counts::read;
  request.params = std::move(match.params);
  auto admitted = co_await admit(route, request, trace.is_exempt);
  if (!admitted) co_return pass(admitted);
  if (route.async != nullptr) co_return co_await route.async(services_, request);
  auto unit = route.unit(services_, request);
  if (!unit) co_return pass(unit);
  auto once = with_idempotency(route, request, services_.clock, std::move(*unit));
  if (!once) co_return pass(once);
  co_return co_await run_unit(services_, request, std::move(*once));
}

// Files that everybody may have: no credential is looked at, no limit counted, no other origin helped.
template <class Files>
net::HttpResponse Pipeline::answer_file(const Request& request, Trace& trace, const Files& files) {
  trace.is_exempt = true;
  const bool is_read = request.http.method == "GET" || request.http.method == "HEAD";
  auto served =
      is_read ? files.answer(request.http)
              : Outcome<net::HttpResponse>(refuse(405, "method_not_allowed", "This path does not serve that method"));
  if (!is_read) trace.allow = "GET, HEAD";
  net::HttpResponse response;
  if (served) {
    response = std::move(*served);
    add_security_headers(request, response);
  } else {
    Outcome<Reply> outcome = pass(served);
    note(outcome, trace);
    response = finish(request, trace, std::move(outcome));
  }
  record(request, trace, response);
  return response;
}

bool Pipeline::has_monitoring_token(const net::Headers& headers) const {
  const auto& token = services_.settings.monitoring_token;
  const auto* given = headers.find("X-Monitoring-Token");
  if (token.empty() || given == nullptr) return false;
  // Digests, so that the comparison tells nothing of the length either.
  return crypto::equal_constant_time(crypto::sha256(as_bytes(*given)).view(),
                                     crypto::sha256(as_bytes(token.reveal())).view());
}

Task<Outcome<void>> Pipeline::check_credentials(const Route& route, Request& request, bool is_exempt) {
  if (route.access == Access::open) co_return Outcome<void>();
  const auto credential = find_credential(request.http.headers);
  std::optional<KeyVerdict> refused_key;
  const auto begun = std::chrono::steady_clock::now();
  auto principal = co_await authenticator_.authenticate(credential, refused_key);
  if (credential.kind == Credential::Kind::bearer_token)
    auth_metrics_.token_checked(std::chrono::duration<double>(std::chrono::steady_clock::now() - begun).count());
  if (principal && principal->key) auth_metrics_.key_checked(KeyVerdict::Fault::none);
  if (refused_key) auth_metrics_.key_checked(refused_key->fault);
  if (!principal && route.access == Access::optional) co_return Outcome<void>();
  if (principal && principal->kind == domain::Principal::Kind::anonymous && route.access != Access::optional) {
    principal = unauthenticated("unauthorized",
                                route.access == Access::session ? "Authentication required" : "Missing authentication",
                                "the request holds no credential");
  }
  if (principal && principal->key && route.access == Access::session)
    principal = unauthenticated("unauthorized", "Authentication required", "an API key is not enough here");
  if (!principal) {
    // Guessing credentials is limited like anonymous reading.
    if (principal.error().status == 401 && !is_exempt && route.counts != Counts::auth) {
      auto taken = co_await take(kAnonymousRead, limit_key_of_address(request.client_ip), request);
      if (!taken) co_return taken;
    }
    // After the limit, which therefore bounds the trail too.
    if (refused_key) services_.trail.failed(*refused_key, credential.text, request.origin(), services_.clock.now());
    co_return pass(principal);
  }
  if (principal->by_cookie && is_unsafe(request.http.method) && !services_.cors.allows_cookie(request.http.headers)) {
    co_return forbidden("A cookie on this method needs an allowed Origin");
  }
  request.principal = std::move(*principal);
  co_return Outcome<void>();
}

Task<Outcome<void>> Pipeline::admit(const Route& route, Request& request, bool is_exempt) {
  const std::string address = limit_key_of_address(request.client_ip);
  // These count the address, so they need not wait for who it is.
  if (!is_exempt && (route.counts == Counts::auth || route.counts == Counts::registration)) {
    if (auto taken = co_await take(kAuth, address, request); !taken) co_return taken;
  }
  if (!is_exempt && route.counts == Counts::registration) {
    if (auto taken = co_await take(kRegister, address, request); !taken) co_return taken;
  }
  auto checked = co_await check_credentials(route, request, is_exempt);
  if (!checked) co_return checked;
  if (!is_exempt) {
    if (auto counted = co_await count(route, request); !counted) co_return counted;
  }
  const auto& principal = request.principal;
  // Where no credential is needed, none is too weak.
  if (principal.key && route.access != Access::optional) {
    services_.trail.used(principal, request.origin(), services_.clock.now());
    if (auto may = check_key(route, request); !may) co_return may;
  }
  if (principal.session) services_.session_uses.used(*principal.session, request.client(), services_.clock.now());
  if (is_exempt || route.counts != Counts::trigger_change) co_return Outcome<void>();
  co_return co_await count_trigger_change(request);
}

Task<Outcome<void>> Pipeline::count(const Route& route, Request& request) {
  using enum Counts;
  if (route.counts != read && route.counts != write && route.counts != trigger_change) co_return Outcome<void>();
  const auto& principal = request.principal;
  if (principal.kind == domain::Principal::Kind::anonymous)   // where a credential is optional
    co_return co_await take(kAnonymousRead, limit_key_of_address(request.client_ip), request);
  if (principal.key) co_return co_await take(plan_limit(principal), plan_limit_key(principal), request);
  co_return co_await take(route.counts == read ? kSessionRead : kSessionWrite, to_string(principal.account), request);
}

Task<Outcome<void>> Pipeline::count_trigger_change(Request& request) {
  auto organization = request.principal.organization;
  if (const auto* header = request.http.headers.find("X-Organization-ID")) {
    const auto named = domain::OrganizationId::parse(*header);
    // Nobody may use up the limit of an organization that is not theirs.
    if (named != organization) {
      Caller caller = request.caller(services_.clock);
      auto resolved = co_await services_.db.snapshot<Outcome<OrganizationContext>>(
          [caller = std::move(caller)](store::Tx& tx) -> Result<Outcome<OrganizationContext>> {
            auto out = resolve_organization(tx, caller);
            if (!out && out.error().cause) return std::unexpected(*out.error().cause);
            return Result<Outcome<OrganizationContext>>(std::in_place, std::move(out));
          });
      if (!resolved) co_return std::unexpected(store_refusal(resolved.error(), "Failed to verify organization access"));
      if (!*resolved) co_return pass(*resolved);
      // Nor of one where they may only look: the use-case tells them so, at the price of their own limit.
      if ((*resolved)->role < domain::Role::member) co_return Outcome<void>();
      organization = (*resolved)->id;
    }
  }
  if (!organization) co_return Outcome<void>();   // the use-case says what is missing
  co_return co_await take(kTriggerChange, to_string(*organization), request);
}

void Pipeline::note(const Outcome<Reply>& outcome, Trace& trace) {
  if (outcome) return;
  trace.error = outcome.error().code;
  trace.cause = outcome.error().why;
}

net::HttpResponse Pipeline::refuse_with(const Refusal& refusal, const std::string& request_id) const {
  json::Object body;
  body["error"] = json::String(refusal.code);
  body["message"] = json::String(refusal.message);
  body["request_id"] = json::String(request_id);
  if (!refusal.details.empty()) {
    json::Array details;
    for (const auto& detail : refusal.details) {
      json::Object row;
      if (!detail.field.empty()) row["field"] = json::String(detail.field);
      row["code"] = json::String(detail.code);
      row["message"] = json::String(detail.message);
      details.push_back(std::move(row));
    }
    body["details"] = std::move(details);
  }
  net::HttpResponse response;
  response.status = refusal.status;
  response.headers.add("Content-Type", "application/json");
  if (refusal.retry_after_s) response.headers.add("Retry-After", std::to_string(*refusal.retry_after_s));
  response.body = json::dump(body);
  return response;
}

net::HttpResponse Pipeline::finish(const Request& request, const Trace& trace, Outcome<Reply> outcome) const {
  net::HttpResponse response;
  const bool is_kept = outcome && outcome->status == 200 && !outcome->secret_of && !outcome->stream && trace.is_kept;
  const auto fixed = outcome ? outcome->fixed : nullptr;
  if (!outcome) {
    response = refuse_with(outcome.error(), request.request_id);
    if (!trace.allow.empty()) response.headers.add("Allow", trace.allow);
  } else {
    response.status = outcome->status;
    response.body = outcome->body ? json::dump(*outcome->body) : std::move(outcome->text);
    if (!response.body.empty()) response.headers.add("Content-Type", "application/json");
    for (auto& [name, value] : outcome->headers) response.headers.add(std::move(name), std::move(value));
    response.stream = std::move(outcome->stream);
  }
  add_common_headers(request, trace, response);
  if (fixed)
    represent_fixed(request.http.headers, *fixed, response);
  else if (is_kept)
    represent_own(request.http.headers, response);
  else
    forbid_keeping(response);
  return response;
}

void Pipeline::add_security_headers(const Request& request, net::HttpResponse& response) const {
  response.headers.add("X-Request-ID", request.request_id);
  for (const auto& [name, value] : kSecurityHeaders) {
    if (response.headers.find(name) == nullptr) response.headers.add(std::string(name), std::string(value));
  }
  if (!hsts_.empty()) response.headers.add("Strict-Transport-Security", hsts_);
}

void Pipeline::add_common_headers(const Request& request, const Trace& trace, net::HttpResponse& response) const {
  add_security_headers(request, response);
  if (trace.is_preflight) {
    for (const auto& [name, value] : trace.headers.all()) response.headers.add(name, value);
  } else if (trace.is_for_any_origin) {
    Cors::decorate_open(response.headers);
  } else {
    services_.cors.decorate(request.http, response.headers);
  }
  if (trace.is_exempt) return;
  request.allowance.write(response.headers);
}

net::HttpResponse Pipeline::render_error(int status, std::string_view text, const net::HttpRequest& http) {
  Request request;
  request.request_id = request_id_of(http.headers);
  request.client_ip = client_address(http, trusted_);
  request.http.method = http.method;
  request.http.path = http.path;
  request.http.headers = http.headers;
  request.http.received = http.received;
  Trace trace;
  const auto match = match_route(http.method, http.path);
  if (!match.path_template.empty()) trace.path_template = match.path_template;
  Outcome<Reply> outcome = refuse(status, code_of_status(status), std::string(text));
  note(outcome, trace);
  auto response = finish(request, trace, std::move(outcome));
  record(request, trace, response);
  return response;
}

Pipeline::Series& Pipeline::series(std::string_view method, std::string_view path, int status) {
  const std::lock_guard lock(series_mutex_);
  const auto key = std::tuple(std::string(method_label(method)), std::string(path), status);
  const auto found = series_.find(key);
  if (found != series_.end()) return found->second;
  const Labels labels{{"method", std::get<0>(key)}, {"path", std::get<1>(key)}, {"status", std::to_string(status)}};
  return series_
      .emplace(key, Series{services_.metrics.counter("http_requests_total", "Requests finished", labels),
                           services_.metrics.histogram("http_request_duration_seconds", "Duration of requests",
                                                       kHttpBuckets, labels)})
      .first->second;
}

Counter& Pipeline::errors(std::string_view path, const std::string& code) {
  const std::lock_guard lock(series_mutex_);
  const auto key = std::pair(std::string(path), code);
  const auto found = errors_.find(key);
  if (found != errors_.end()) return found->second;
  return errors_
      .emplace(key, services_.metrics.counter("http_errors_total", "Requests answered with an error, by its code",
                                              {{"endpoint", key.first}, {"error_type", key.second}}))
      .first->second;
}

// What the counters say of a refusal beside its status.
void Pipeline::count_refusal(const Request& request, const Trace& trace) {
  errors(trace.path_template, trace.error).add();
  auth_metrics_.refused(trace.error, request.client_ip);
}

void Pipeline::record(const Request& request, const Trace& trace, const net::HttpResponse& response) {
  if (!trace.is_recorded) return;
  const bool has_start = request.http.received.time_since_epoch().count() != 0;
  const auto taken = has_start ? std::chrono::steady_clock::now() - request.http.received
                               : std::chrono::steady_clock::duration::zero();
  const double seconds = std::chrono::duration<double>(taken).count();
  const auto& counted = series(request.http.method, trace.path_template, response.status);
  counted.requests.add();
  counted.duration.observe(seconds);
  if (!trace.error.empty()) count_refusal(request, trace);
  const bool is_known = request.principal.kind != domain::Principal::Kind::anonymous;
  const std::string user = is_known ? to_string(request.principal.account) : std::string();
  log_.write(response.status >= 500 ? Level::warn : Level::info, "request",
             {{"request_id", request.request_id},
              {"method", method_label(request.http.method)},
              {"route", trace.path_template},
              {"status", response.status},
              {"duration_ms", seconds * 1000},
              {"user_id", user},
              {"client_ip", request.client_ip},
              {"ip_prefix", AuthMetrics::is_failure(trace.error) ? ip_group(request.client_ip) : std::string()},
              {"error", trace.error},
              {"cause", trace.cause},
              {"bytes", static_cast<std::uint64_t>(response.body.size())}});
}

}   // namespace agentauri::gateway
