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
#include "net/http_parser.hpp"
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
  // Takes nothing new and closes what waits between two requests. On the executor.
  void begin_stop();
  // Waits for requests in hand until `deadline`, then cuts the rest. On the executor, after begin_stop().
  Task<void> finish_stop(SteadyClock::time_point deadline);

 private:
  struct Connection;
  class ChunkedBody;
  enum class Phase : std::uint8_t { none, idle, head, body };
  using ConnectionPtr = std::shared_ptr<Connection>;

  Task<void> accept_loop();
  Task<void> watch();
  Task<void> serve(ConnectionPtr connection);
  Task<bool> stream(Connection& c, HttpResponse response, RenderOptions options);
  Task<void> refuse(Connection& c, int status, std::string text);
  bool try_flush(Connection& c) const;
  Task<bool> drain(Connection& c);
  Task<bool> flush(Connection& c);
  Task<void> linger(Connection& c, std::size_t bytes, std::chrono::milliseconds time);
  void admit(boost::asio::ip::tcp::socket socket);
  void set_read_deadline(Connection& c) const;
  HttpResponse failed_response(Connection& c, const std::string& why) const;

  const HttpServerLimits& limits() const { return service_->settings.limits; }

  Executor executor_;
  std::shared_ptr<const HttpService> service_;
  boost::asio::ip::tcp::acceptor acceptor_;
  boost::asio::steady_timer ticker_;
  TaskGroup loops_;     // accept and watch
  TaskGroup serving_;   // one child per connection
  std::list<ConnectionPtr> connections_;
  bool stopping_ = false;
  bool full_ = false;
  Log log_;
};

}   // namespace agentauri::net
