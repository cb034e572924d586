// The HTTP/1.1 server: one acceptor per I/O thread, pipelining, chunked bodies, 100-continue, bounded everything.
//
// Life: made by src/app, start() binds (an error names address, port and "in use"), stop() takes nothing new, lets
// requests in hand finish for at most `grace`, then closes. The handler runs on the I/O thread of its connection.
#pragma once

#include <chrono>
#include <functional>
#include <memory>
#include <string>
#include <string_view>

#include "core/async/task.hpp"
#include "core/base/result.hpp"
#include "net/http_message.hpp"

namespace agentauri::net {

struct HttpRequest {
  std::string method;
  std::string target;   // as received, origin form: path and query
  std::string path;     // before the `?`, not decoded
  std::string query;    // after the `?`, not decoded
  Headers headers;
  std::string body;
  std::string peer;   // address of the TCP peer, without port; IPv4 as such also on a dual-stack socket
  std::size_t head_bytes = 0;
  std::chrono::steady_clock::time_point received;   // when the head was complete
};

// Where a streamed body goes (server-sent events, long exports). Lives as long as the `stream` function runs.
class BodyStream {
 public:
  virtual ~BodyStream() = default;
  // Sends at once. false: the peer is gone or too slow, or the server is stopping: end then.
  virtual Task<bool> write(std::string_view piece) = 0;
};

struct HttpResponse {
  int status = 200;
  Headers headers;   // Content-Length, Transfer-Encoding, Date and Connection are the server's
  std::string body;
  bool close = false;   // close the connection after this answer
  // Set: runs after the head was written and makes the body (`body` is not sent). Not run for HEAD. It may wait between
  // pieces with what TaskGroup::cancel() ends, and is cancelled when the server begins to stop; an exception cuts the
  // connection.
  std::function<Task<void>(BodyStream&)> stream;
};

struct HttpServerLimits {
  std::size_t head_bytes = 32 * 1024;             // 431
  std::size_t header_fields = 96;                 // 431
  std::size_t target_bytes = 8 * 1024;            // 414
  std::size_t body_bytes = 1'048'576;             // 413, lingering close
  std::size_t bodies_bytes = 128 * 1024 * 1024;   // of all requests of a thread that are read or handled: 503, close
  std::size_t small_body_bytes = 64 * 1024;       // a body up to this size passes all the same
  std::size_t linger_bytes = 8 * 1024 * 1024;     // read and dropped after a 413 so that it can be read
  std::chrono::milliseconds linger_time{5000};
  std::chrono::milliseconds head_time{5000};     // 408 from the first byte of a head
  std::chrono::milliseconds body_time{30000};    // 408 from the end of the head
  std::chrono::milliseconds idle_time{5000};     // keep-alive: closed without an answer
  std::chrono::milliseconds write_time{30000};   // a reader that takes nothing for so long is cut
  std::size_t write_bytes_per_second = 1024;     // and one that is slower than this, write_time aside
  std::size_t connections_per_thread = 10'000;   // beyond it: accepted and closed
  std::size_t pipelined = 64;                    // answers made ahead of a write; always in order
};

// Answers made by the server itself (400, 408, 413, 414, 417, 431, 501, 503, 505) pass through `render_error`, so that
// they have the product's error shape and headers too. `request` may be incomplete (method and target empty).
using ErrorRenderer = std::function<HttpResponse(int status, std::string_view text, const HttpRequest& request)>;
// Must not throw; an exception becomes 500 through the renderer, and an ERROR line.
using HttpHandler = std::function<Task<HttpResponse>(HttpRequest request)>;

class HttpServer {
 public:
  struct Settings {
    std::string host = "127.0.0.1";
    std::uint16_t port = 0;   // 0: chosen by the kernel
    HttpServerLimits limits;
    std::string name = "http";   // in log lines
  };

  // `executors`: one per I/O thread, each a single-threaded event loop; connections stay on theirs.
  HttpServer(std::vector<Executor> executors, Settings settings, HttpHandler handler, ErrorRenderer render_error);
  ~HttpServer();
  HttpServer(const HttpServer&) = delete;
  HttpServer& operator=(const HttpServer&) = delete;

  Result<void> start();
  // The port in use, after start().
  std::uint16_t port() const;
  // From any executor, once. Returns when every connection has ended.
  Task<void> stop(std::chrono::milliseconds grace);

 private:
  struct Impl;
  std::shared_ptr<Impl> impl_;
};

}   // namespace agentauri::net
