// One I/O thread's share of an HttpServer: its acceptor, its connections, their deadlines. Touched on its executor
// only; nothing mutable is shared between lanes.
#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>

#include <chrono>
#include <cstdint>
#include <list>
#include <memory>
#include <string>

#include "core/telemetry/log.hpp"
#include "net/http_connection.hpp"
#include "net/http_render.hpp"
#include "net/http_server.hpp"

namespace agentauri::net {

// What all lanes of a server read.
struct HttpService {
  HttpServer::Settings settings;
  HttpHandler handler;
  ErrorRenderer render_error;
};

class HttpLane : public std::enable_shared_from_this<HttpLane> {
 public:
  using SteadyClock = std::chrono::steady_clock;

  HttpLane(Executor executor, std::shared_ptr<const HttpService> service);

  const Executor& executor() const { return executor_; }
  // `first` of its server: refuses a port that is in use, and gives port 0 its number in `endpoint`.
  boost::system::error_code listen(boost::asio::ip::tcp::endpoint& endpoint, bool first);
  void close_acceptor();
  // Starts to accept. On the executor.
  void run();
  // Takes nothing new and closes what waits between two requests; tells streams to end. On the executor.
  void begin_stop();
  // Waits for requests in hand until `deadline`, then cuts the rest. On the executor, after begin_stop().
  Task<void> finish_stop(SteadyClock::time_point deadline);

 private:
  class ChunkedBody;
  using ConnectionPtr = std::shared_ptr<HttpConnection>;

  Task<void> accept_loop();
  Task<std::string> accept_next();
  Task<void> watch();
  Task<void> serve(ConnectionPtr connection);
  Task<bool> stream(HttpConnection& c, HttpResponse response, RenderOptions options);
  Task<void> refuse(HttpConnection& c, int status, std::string text);
  bool charge_body(HttpConnection& c);
  void release_body(HttpConnection& c);
  void admit(boost::asio::ip::tcp::socket socket);
  void tell_streams();
  HttpResponse failed_response(HttpConnection& c, const std::string& why) const;

  const HttpServerLimits& limits() const { return service_->settings.limits; }

  Executor executor_;
  std::shared_ptr<const HttpService> service_;
  boost::asio::ip::tcp::acceptor acceptor_;
  boost::asio::steady_timer ticker_;
  TaskGroup loops_;     // accept and watch
  TaskGroup serving_;   // one child per connection
  std::list<ConnectionPtr> connections_;
  std::size_t bodies_ = 0;   // bytes of requests in progress beyond the small ones
  bool stopping_ = false;
  bool full_ = false;
  Log log_;
};

}   // namespace agentauri::net
