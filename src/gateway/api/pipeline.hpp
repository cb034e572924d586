// The way of a request through the gateway, in the order of http-api.md 1.8 and 2: request id, metrics and access line,
// security headers, CORS, route, credentials, limits, handler.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/api/origin.hpp"
#include "gateway/api/request.hpp"
#include "gateway/api/routes.hpp"
#include "gateway/auth/auth_metrics.hpp"
#include "gateway/console/api_docs.hpp"
#include "gateway/console/console.hpp"

namespace agentauri::gateway {

// 1..128 characters of [A-Za-z0-9._:-] of the client, else a fresh UUIDv4.
std::string request_id_of(const net::Headers& headers);

class Pipeline {
 public:
  Pipeline(Services& services, Authenticator& authenticator, const AuthMetrics& auth_metrics);

  Task<net::HttpResponse> handle(net::HttpRequest http);
  net::HttpResponse render_error(int status, std::string_view text, const net::HttpRequest& http);

 private:
  // What the answer still needs to know of the way it took.
  struct Trace {
    std::string_view path_template = "{unmatched}";
    bool is_recorded = true;
    bool is_exempt = false;
    bool is_for_any_origin = false;
    bool is_kept = false;   // its reader may keep the answer (representation.hpp)
    net::Headers headers;   // of a preflight
    bool is_preflight = false;
    std::string allow;
    std::string error, cause;   // of a refusal: its code, and what only the log may say of it
  };
  Task<Outcome<Reply>> respond(Request& request, Trace& trace);
  Task<Outcome<void>> admit(const Route& route, Request& request, bool is_exempt);
  Task<Outcome<void>> check_credentials(const Route& route, Request& request, bool is_exempt);
  Task<Outcome<void>> count(const Route& route, Request& request);
  Task<Outcome<void>> count_trigger_change(Request& request);
  Task<Outcome<void>> take(const LimitClass& limit, std::string_view key, Request& request) {
    return services_.limiter.take(limit, key, request.allowance);
  }
  bool has_monitoring_token(const net::Headers& headers) const;

  static void note(const Outcome<Reply>& outcome, Trace& trace);
  net::HttpResponse finish(const Request& request, const Trace& trace, Outcome<Reply> outcome) const;
  net::HttpResponse refuse_with(const Refusal& refusal, const std::string& request_id) const;
  template <class Files>
  net::HttpResponse answer_file(const Request& request, Trace& trace, const Files& files);
  void add_security_headers(const Request& request, net::HttpResponse& response) const;
  void add_common_headers(const Request& request, const Trace& trace, net::HttpResponse& response) const;
  void record(const Request& request, const Trace& trace, const net::HttpResponse& response);
  void count_refusal(const Request& request, const Trace& trace);

  Services& services_;
  Authenticator& authenticator_;
  const AuthMetrics& auth_metrics_;
  std::vector<net::Cidr> trusted_;
  std::string hsts_;   // empty: off
  const Console console_;
  const ApiDocs api_docs_;
  Log log_{"http"};
  Gauge in_flight_;

  struct Series {
    Counter requests;
    Histogram duration;
  };
  Series& series(std::string_view method, std::string_view path, int status);
  std::mutex series_mutex_;
  std::map<std::tuple<std::string, std::string, int>, Series> series_;
  Counter& errors(std::string_view path, const std::string& code);
  std::map<std::pair<std::string, std::string>, Counter> errors_;   // also of series_mutex_
};

}   // namespace agentauri::gateway
