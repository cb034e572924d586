#include "net/http_lane.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <sys/socket.h>

#include <algorithm>

namespace agentauri::net {
namespace asio = boost::asio;
using tcp = asio::ip::tcp;

namespace {

constexpr std::size_t kWriteBatch = 64 * 1024;   // pipelined answers are written together up to so many bytes
constexpr auto kMaxTick = std::chrono::milliseconds(500);
constexpr auto kAcceptPause = std::chrono::milliseconds(100);   // after one that failed (out of descriptors or memory)
constexpr auto kStopAgain = std::chrono::milliseconds(50);
constexpr auto kDrainTime = std::chrono::milliseconds(1000);   // after an answer that ends the connection

using reuse_port = asio::detail::socket_option::boolean<SOL_SOCKET, SO_REUSEPORT>;

}   // namespace

class HttpLane::ChunkedBody final : public BodyStream {
 public:
  ChunkedBody(HttpLane& lane, HttpConnection& connection, bool chunked)
      : lane_(lane), connection_(connection), chunked_(chunked) {}

  Task<bool> write(std::string_view piece) override {
    if (broken_ || lane_.stopping_) co_return false;
    if (piece.empty()) co_return true;   // an empty chunk would end the body
    if (chunked_)
      append_chunk(connection_.out, piece);
    else
      connection_.out += piece;
    const bool wrote = co_await connection_.flush();
    broken_ = !wrote;
    co_return wrote;
  }

 private:
  HttpLane& lane_;
  HttpConnection& connection_;
  bool chunked_;
  bool broken_ = false;
};

HttpLane::HttpLane(Executor executor, std::shared_ptr<const HttpService> service)
    : executor_(std::move(executor)),
      service_(std::move(service)),
      acceptor_(executor_),
      ticker_(executor_),
      loops_(executor_),
      serving_(executor_),
      log_(service_->settings.name) {}

// --- one connection --------------------------------------------------------------------------------------------------

Task<void> HttpLane::serve(ConnectionPtr connection) {
  HttpConnection& c = *connection;
  bool open = true;
  while (open) {
    c.feed();
    if (!charge_body(c)) {
      co_await refuse(c, 503, "Too many large requests are being read, try again");
      break;
    }
    if (c.parser.state() == HttpParser::State::error) {
      co_await refuse(c, c.parser.error_status(), c.parser.error_text());
      break;
    }
    if (c.parser.state() == HttpParser::State::complete) {
      c.remember_request();
      HttpResponse response;
      std::string fault;
      try {
        response = co_await service_->handler(std::move(c.parser.request()));
      } catch (const std::exception& e) {
        fault = std::string("exception: ") + e.what();
      } catch (...) {
        fault = "an exception of unknown type";
      }
      if (!fault.empty()) response = failed_response(c, fault);
      release_body(c);
      const bool client_keeps = c.parser.keep_alive();
      const RenderOptions options{.head_only = c.head_only,
                                  .keep_alive = client_keeps && !response.close && !stopping_,
                                  .http10 = c.parser.is_http10()};
      c.parser.reset();
      c.phase = HttpConnection::Phase::none;
      if (response.stream) {
        open = co_await stream(c, std::move(response), options);
        continue;
      }
      append_response(c.out, response, options);
      // Pipelined requests that are here already are answered first, within bounds.
      if (options.keep_alive && c.begin < c.end && ++c.batched < limits().pipelined && c.out.size() < kWriteBatch)
        continue;
      open = (c.try_flush() || co_await c.drain()) && options.keep_alive;
      // A client that counts on this connection may be sending its next request already.
      if (!c.broken && client_keeps && !options.keep_alive)
        co_await c.linger(limits().linger_bytes, std::min(kDrainTime, limits().linger_time));
      continue;
    }
    if (!c.try_flush() && !co_await c.drain()) break;
    c.set_read_deadline();
    if (stopping_ && c.phase == HttpConnection::Phase::idle) break;
    const auto error = co_await c.read();
    if (!error) continue;
    if (c.expired && c.phase != HttpConnection::Phase::idle)
      co_await refuse(c, 408, "The request did not arrive in time");
    break;
  }
  boost::system::error_code ignored;
  c.socket.close(ignored);
}

// Bodies are bounded one by one and, beyond the small ones that every request may bring, in their sum: memory is that
// of the lane, not that of one connection times their number. What was only announced costs nothing.
bool HttpLane::charge_body(HttpConnection& c) {
  const std::string& body = c.parser.request().body;
  const std::size_t cost = body.size() > limits().small_body_bytes ? body.capacity() : 0;
  if (cost > c.body_charged && bodies_ - c.body_charged + cost > limits().bodies_bytes) return false;
  bodies_ = bodies_ - c.body_charged + cost;
  c.body_charged = cost;
  return true;
}

void HttpLane::release_body(HttpConnection& c) {
  bodies_ -= std::exchange(c.body_charged, 0);
}

// Answers with an error and ends the connection so that the peer can read it.
Task<void> HttpLane::refuse(HttpConnection& c, int status, std::string text) {
  HttpRequest& request = c.parser.request();
  request.peer = c.peer;
  request.body = std::string();   // given back before the peer takes its time
  release_body(c);
  const HttpResponse response = service_->render_error(status, text, request);
  append_response(c.out, response, {.head_only = request.method == "HEAD", .keep_alive = false});
  const bool wrote = co_await c.flush();
  if (wrote) co_await c.linger(limits().linger_bytes, limits().linger_time);
}

HttpResponse HttpLane::failed_response(HttpConnection& c, const std::string& why) const {
  log_.error("a handler threw", {{"what", why}, {"path", c.target}, {"request_id", c.request_id}});
  HttpRequest outline;
  outline.method = c.head_only ? "HEAD" : "GET";
  outline.target = c.target;
  outline.path = c.target.substr(0, c.target.find('?'));
  outline.peer = c.peer;
  if (!c.request_id.empty()) outline.headers.add("X-Request-ID", c.request_id);
  return service_->render_error(500, "Failed to process request", outline);
}

Task<bool> HttpLane::stream(HttpConnection& c, HttpResponse response, RenderOptions options) {
  options.keep_alive = options.keep_alive && !options.http10;
  append_stream_head(c.out, response, options);
  if (options.head_only) co_return co_await c.flush() && options.keep_alive;
  if (!co_await c.flush()) co_return false;
  // A child of its own, so that a stop can end what it waits for and still write to the peer.
  std::string fault;
  TaskGroup group(executor_);
  group.spawn("stream", [this, &c, &options, &response, &fault]() -> Task<void> {
    ChunkedBody body(*this, c, !options.http10);
    try {
      co_await response.stream(body);
    } catch (const std::exception& e) {
      fault = std::string("exception: ") + e.what();
    } catch (...) {
      fault = "an exception of unknown type";
    }
  });
  c.streaming = &group;
  if (stopping_) group.cancel();
  co_await group.wait();
  c.streaming = nullptr;
  if (!fault.empty()) {
    log_.error("a streamed answer threw", {{"what", fault}, {"path", c.target}, {"request_id", c.request_id}});
    co_return false;   // without the last chunk the client knows that it is not whole
  }
  if (!options.http10) c.out += "0\r\n\r\n";
  co_return co_await c.flush() && options.keep_alive && !stopping_;
}

// --- the lane --------------------------------------------------------------------------------------------------------

// SO_REUSEPORT alone would let a second process of the same user share the port in silence. So the first lane binds
// without it and allows it afterwards: the lanes that follow may share, another server's first lane may not.
boost::system::error_code HttpLane::listen(tcp::endpoint& endpoint, bool first) {
  boost::system::error_code error;
  acceptor_.open(endpoint.protocol(), error);
  if (!error) acceptor_.set_option(tcp::acceptor::reuse_address(true), error);
  if (!error && !first) acceptor_.set_option(reuse_port(true), error);
  if (!error) acceptor_.bind(endpoint, error);
  if (!error && first) acceptor_.set_option(reuse_port(true), error);
  if (!error) acceptor_.listen(asio::socket_base::max_listen_connections, error);
  if (!error) endpoint = acceptor_.local_endpoint(error);
  return error;
}

void HttpLane::close_acceptor() {
  boost::system::error_code ignored;
  acceptor_.close(ignored);
}

void HttpLane::run() {
  if (stopping_) return;
  const auto self = shared_from_this();
  loops_.spawn("accept", [self]() -> Task<void> { co_await self->accept_loop(); });
  loops_.spawn("watch", [self]() -> Task<void> { co_await self->watch(); });
}

// Deadlines are looked at now and then instead of arming a timer for every read.
Task<void> HttpLane::watch() {
  const auto& l = limits();
  const auto shortest = std::min({l.head_time, l.idle_time, l.body_time, l.write_time, l.linger_time});
  const auto tick = std::clamp<std::chrono::milliseconds>(shortest / 8, std::chrono::milliseconds(1), kMaxTick);
  // A cancellation that meets a tick which is due already leaves no error behind: it must be asked for.
  while (!co_await cancelled()) {
    ticker_.expires_after(tick);
    boost::system::error_code error;
    co_await ticker_.async_wait(asio::redirect_error(asio::use_awaitable, error));
    if (error) co_return;
    if (stopping_) tell_streams();   // again: one may have begun a wait since
    const auto now = SteadyClock::now();
    for (const auto& connection : connections_) {
      if (connection->deadline > now) continue;
      connection->deadline = SteadyClock::time_point::max();
      connection->expired = true;
      boost::system::error_code ignored;
      connection->socket.cancel(ignored);
    }
  }
}

// Why the next connection could not be taken; empty when it was.
Task<std::string> HttpLane::accept_next() {
  boost::system::error_code error;
  tcp::socket socket = co_await acceptor_.async_accept(asio::redirect_error(asio::use_awaitable, error));
  if (error == asio::error::connection_aborted) co_return std::string();
  if (error) co_return error.message();
  if (!stopping_ && acceptor_.is_open()) admit(std::move(socket));
  co_return std::string();
}

// Goes on whatever happens to one connection: without it the thread would serve nobody any more.
Task<void> HttpLane::accept_loop() {
  while (acceptor_.is_open()) {
    std::string fault;
    try {
      fault = co_await accept_next();
    } catch (const std::exception& e) {   // out of memory
      fault = e.what();
    }
    if (stopping_ || !acceptor_.is_open()) co_return;
    if (fault.empty()) continue;
    log_.warn("a connection could not be accepted", {{"why", fault}});
    if (!co_await sleep_for(kAcceptPause)) co_return;
  }
}

void HttpLane::admit(tcp::socket socket) {
  if (connections_.size() >= limits().connections_per_thread) {
    if (!full_)
      log_.warn("too many connections, new ones are closed",
                {{"limit", static_cast<std::uint64_t>(limits().connections_per_thread)}});
    full_ = true;
    return;   // closed by the socket's destructor
  }
  full_ = false;
  boost::system::error_code ignored;
  socket.set_option(tcp::no_delay(true), ignored);
  socket.non_blocking(true, ignored);
  auto connection = std::make_shared<HttpConnection>(std::move(socket), limits());
  const auto link = connections_.insert(connections_.end(), connection);
  auto serve_it = [self = shared_from_this(), connection, link]() -> Task<void> {
    struct Unlink {   // also when a handler's fault gets this far
      HttpLane& lane;
      std::list<ConnectionPtr>::iterator link;
      ~Unlink() {
        lane.release_body(**link);
        lane.connections_.erase(link);
      }
    } unlink{*self, link};
    co_await self->serve(connection);
  };
  try {
    serving_.spawn("connection", std::move(serve_it));
  } catch (...) {
    connections_.erase(link);
    throw;
  }
}

void HttpLane::tell_streams() {
  for (const auto& connection : connections_) {
    if (connection->streaming != nullptr) connection->streaming->cancel();
  }
}

void HttpLane::begin_stop() {
  stopping_ = true;
  close_acceptor();
  tell_streams();
  boost::system::error_code ignored;
  for (const auto& connection : connections_) {
    const bool waits = connection->deadline != SteadyClock::time_point::max();
    if (waits && connection->phase == HttpConnection::Phase::idle) connection->socket.cancel(ignored);
  }
}

Task<void> HttpLane::finish_stop(SteadyClock::time_point deadline) {
  const auto left = std::chrono::duration_cast<std::chrono::microseconds>(deadline - SteadyClock::now());
  if (!co_await serving_.wait_for(left)) {
    // Closed, not only cancelled: a handler that goes on cannot start another wait on its socket.
    boost::system::error_code ignored;
    for (const auto& connection : connections_) connection->socket.close(ignored);
    do {
      tell_streams();
      serving_.cancel();
    } while (!co_await serving_.wait_for(kStopAgain));
  }
  co_await loops_.cancel_and_wait();
}

}   // namespace agentauri::net
