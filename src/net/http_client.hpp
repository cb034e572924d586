// The HTTP/1.1 client: keep-alive pool keyed by the checked address, bounded head and body, one deadline for the whole
// exchange, no redirects, no proxies from the environment. Knows whether request bytes left.
//
// Made in two forms: guarded (addresses that users give: every resolved address passes AddressGuard, the connection
// goes to a checked one, and it is checked again at socket open) and unguarded (addresses that the operator gives).
#pragma once

#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "core/async/task.hpp"
#include "core/base/result.hpp"
#include "net/address_guard.hpp"
#include "net/http_message.hpp"
#include "net/url.hpp"

namespace agentauri::net {

struct ClientRequest {
  std::string method = "GET";
  Url url;
  Headers headers;   // Host, Content-Length and Connection are the client's
  std::string body;
  std::chrono::milliseconds timeout{30'000};   // the whole exchange, resolving included
  std::chrono::milliseconds connect_timeout{5'000};
  std::size_t max_body_bytes = 64 * 1024;   // of the answer
  bool truncate_body = true;                // true: stop reading there and keep the status; false: too_large
};

struct ClientResponse {
  int status = 0;
  Headers headers;
  std::string body;
  bool truncated = false;
};

// Why an exchange has no answer. `sent` decides between the outcomes `network` (safe to say that the receiver saw
// nothing) and `unknown` (bytes left). A pooled connection that dies before the first reply byte counts as sent.
struct ClientError {
  enum class Kind : std::uint8_t {
    refused,        // by the address guard: nothing was sent, retrying will not help until the name changes
    resolve,        // name server failure, try again
    no_such_host,   // the name does not exist
    connect,
    tls,
    timed_out,
    reset,
    protocol,
    too_large,
    cancelled,
  };
  Kind kind = Kind::connect;
  bool sent = false;
  std::string text;
};
std::string_view to_string(ClientError::Kind kind);

class Resolver;

class HttpClient {
 public:
  struct Settings {
    std::optional<AddressGuard> guard;    // set: guarded
    std::size_t idle_per_endpoint = 16;   // as many as delivery has in flight to one
    std::size_t idle_total = 512;
    std::chrono::milliseconds idle_time{30'000};
    std::size_t max_head_bytes = 32 * 1024;
    std::string ca_file;                  // extra roots for tests and private CAs; empty: the system's
    std::shared_ptr<Resolver> resolver;   // empty: one of the process's own, guarded and unguarded each another
  };

  // Used and destroyed on `executor` only (or after its thread ended). Resolver threads are shared by the process and
  // bounded.
  HttpClient(Executor executor, Settings settings);
  ~HttpClient();
  HttpClient(const HttpClient&) = delete;
  HttpClient& operator=(const HttpClient&) = delete;

  // Redirects and 4xx are answers like any other. A call that is cancelled closes its connection; a cancellation that
  // comes just as a step has completed is seen before the next step, except within a TLS handshake and within one read
  // of Beast's: TaskGroup::cancel_and_wait() reaches those too. A field that is the
  // client's own is not taken from the request; a malformed method or field name is a `protocol` error, nothing sent.
  Task<std::expected<ClientResponse, ClientError>> send(ClientRequest request);
  // Closes idle connections; requests in hand end by themselves or by cancellation.
  void close_idle();

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}   // namespace agentauri::net
