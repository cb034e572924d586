#include "net/http_lane.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <sys/socket.h>
#include <time.h>

#include <algorithm>

namespace agentauri::net {
namespace asio = boost::asio;
using tcp = asio::ip::tcp;

namespace {

constexpr std::size_t kReadBytes = 16 * 1024;
constexpr std::size_t kWriteBatch = 64 * 1024;      // pipelined answers are written together up to so many bytes
constexpr std::size_t kKeepCapacity = 256 * 1024;   // a connection gives larger output buffers back
constexpr auto kMaxTick = std::chrono::milliseconds(500);
constexpr auto kAcceptPause = std::chrono::milliseconds(100);   // after an accept that failed (out of descriptors)
constexpr auto kDrainTime = std::chrono::milliseconds(1000);    // after an answer that ends the connection

// Deadlines need no better than the few milliseconds of the kernel's tick, and this clock costs no read of the counter.
std::chrono::steady_clock::time_point coarse_now() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return std::chrono::steady_clock::time_point(std::chrono::seconds(now.tv_sec) +
                                               std::chrono::nanoseconds(now.tv_nsec));
}

using reuse_port = asio::detail::socket_option::boolean<SOL_SOCKET, SO_REUSEPORT>;

std::string peer_text(const tcp::socket& socket) {
  boost::system::error_code error;
  const auto endpoint = socket.remote_endpoint(error);
  if (error) return {};
  const auto address = endpoint.address();
  if (address.is_v6() && address.to_v6().is_v4_mapped()) {
    return asio::ip::make_address_v4(asio::ip::v4_mapped, address.to_v6()).to_string();
  }
  return address.to_string();
}

}   // namespace

// The parser uses up everything that was read before more is read, so one buffer of fixed size is enough.
struct HttpLane::Connection {
  Connection(tcp::socket s, const HttpServerLimits& limits)
      : socket(std::move(s)), parser(limits), buffer(std::make_unique_for_overwrite<char[]>(kReadBytes)) {}

  void feed() {
    using State = HttpParser::State;
    while (begin < end && (parser.state() == State::head || parser.state() == State::body)) {
      const bool in_head = parser.state() == State::head;
      begin += parser.feed({buffer.get() + begin, end - begin});
      // Not when the body is here already.
      if (in_head && parser.state() == State::body && parser.wants_continue() && begin == end)
        out += "HTTP/1.1 100 Continue\r\n\r\n";
    }
  }

  // For the case that its handler fails: the handler takes the request away.
  void remember_request() {
    HttpRequest& request = parser.request();
    request.peer = peer;
    head_only = request.method == "HEAD";
    target = request.target;
    request_id.clear();
    if (const auto* id = request.headers.find("X-Request-ID")) request_id = *id;
  }

  tcp::socket socket;
  HttpParser parser;
  std::unique_ptr<char[]> buffer;
  std::size_t begin = 0, end = 0;   // of `buffer`: read and not parsed
  std::string out;
  std::size_t sent = 0;      // of `out`
  std::size_t batched = 0;   // answers in `out`
  bool broken = false;       // the last write failed
  std::string peer;
  std::string target, request_id;   // of the request in hand
  bool head_only = false;
  SteadyClock::time_point deadline = SteadyClock::time_point::max();   // of the operation that waits
  SteadyClock::time_point phase_end{};                                 // however slowly its bytes come
  Phase phase = Phase::none;
  bool expired = false;   // the deadline passed: what waited was cancelled
};

class HttpLane::ChunkedBody final : public BodyStream {
 public:
  ChunkedBody(HttpLane& lane, Connection& connection, bool chunked)
      : lane_(lane), connection_(connection), chunked_(chunked) {}

  Task<bool> write(std::string_view piece) override {
    if (broken_ || lane_.stopping_) co_return false;
    if (piece.empty()) co_return true;   // an empty chunk would end the body
    if (chunked_)
      append_chunk(connection_.out, piece);
    else
      connection_.out += piece;
    const bool wrote = co_await lane_.flush(connection_);
    broken_ = !wrote;
    co_return wrote;
  }

 private:
  HttpLane& lane_;
  Connection& connection_;
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

// --- reading and writing ---------------------------------------------------------------------------------------------

// Idle time starts anew with each wait; a head and a body have one limit each, from their first byte on.
void HttpLane::set_read_deadline(Connection& c) const {
  const Phase phase = c.parser.state() == HttpParser::State::body ? Phase::body
                      : c.parser.started()                        ? Phase::head
                                                                  : Phase::idle;
  if (phase != c.phase || phase == Phase::idle) {
    const auto limit = phase == Phase::body   ? limits().body_time
                       : phase == Phase::head ? limits().head_time
                                              : limits().idle_time;
    c.phase = phase;
    c.phase_end = coarse_now() + limit;
  }
  c.deadline = c.phase_end;
}

// Nearly always the kernel takes everything at once. false: drain() must go on.
bool HttpLane::try_flush(Connection& c) const {
  c.batched = 0;
  c.sent = 0;
  if (c.out.empty()) return true;
  boost::system::error_code error;
  c.sent = c.socket.write_some(asio::buffer(c.out), error);
  c.broken = error && error != asio::error::would_block && error != asio::error::try_again;
  if (c.broken || c.sent < c.out.size()) return false;
  if (c.out.capacity() > kKeepCapacity) c.out = {};
  c.out.clear();
  return true;
}

// Waits until the peer has taken the rest. false: it is gone or takes nothing.
Task<bool> HttpLane::drain(Connection& c) {
  boost::system::error_code error;
  while (!c.broken && c.sent < c.out.size()) {
    c.deadline = SteadyClock::now() + limits().write_time;   // for each step: a reader that takes nothing is cut
    c.sent += co_await c.socket.async_write_some(asio::buffer(c.out.data() + c.sent, c.out.size() - c.sent),
                                                 asio::redirect_error(asio::use_awaitable, error));
    c.deadline = SteadyClock::time_point::max();
    c.broken = static_cast<bool>(error);
  }
  c.out = {};
  co_return !c.broken;
}

// Writes everything that waits.
Task<bool> HttpLane::flush(Connection& c) {
  if (try_flush(c)) co_return true;
  co_return co_await drain(c);
}

// What still comes is read and dropped: closing with unread bytes would reset the connection, and the peer would lose
// the answer.
Task<void> HttpLane::linger(Connection& c, std::size_t bytes, std::chrono::milliseconds time) {
  boost::system::error_code error;
  c.socket.shutdown(tcp::socket::shutdown_send, error);
  const auto end = SteadyClock::now() + time;
  std::size_t total = c.end - c.begin;
  while (!error && total < bytes) {
    c.deadline = end;
    total += co_await c.socket.async_read_some(asio::buffer(c.buffer.get(), kReadBytes),
                                               asio::redirect_error(asio::use_awaitable, error));
    c.deadline = SteadyClock::time_point::max();
    if (SteadyClock::now() >= end) break;
  }
}

// --- one connection --------------------------------------------------------------------------------------------------

Task<void> HttpLane::serve(ConnectionPtr connection) {
  Connection& c = *connection;
  bool open = true;
  while (open) {
    c.feed();
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
      const bool client_keeps = c.parser.keep_alive();
      const RenderOptions options{.head_only = c.head_only,
                                  .keep_alive = client_keeps && !response.close && !stopping_,
                                  .http10 = c.parser.is_http10()};
      c.parser.reset();
      c.phase = Phase::none;
      if (response.stream) {
        open = co_await stream(c, std::move(response), options);
        continue;
      }
      append_response(c.out, response, options);
      // Pipelined requests that are here already are answered first, within bounds.
      if (options.keep_alive && c.begin < c.end && ++c.batched < limits().pipelined && c.out.size() < kWriteBatch)
        continue;
      open = (try_flush(c) || co_await drain(c)) && options.keep_alive;
      // A client that counts on this connection may be sending its next request already.
      if (!c.broken && client_keeps && !options.keep_alive)
        co_await linger(c, limits().linger_bytes, std::min(kDrainTime, limits().linger_time));
      continue;
    }
    if (!try_flush(c) && !co_await drain(c)) break;
    c.begin = c.end = 0;
    set_read_deadline(c);
    if (stopping_ && c.phase == Phase::idle) break;
    c.expired = false;
    boost::system::error_code error;
    c.end = co_await c.socket.async_read_some(asio::buffer(c.buffer.get(), kReadBytes),
                                              asio::redirect_error(asio::use_awaitable, error));
    c.deadline = SteadyClock::time_point::max();
    if (!error) continue;
    if (c.expired && c.phase != Phase::idle) co_await refuse(c, 408, "The request did not arrive in time");
    break;
  }
  boost::system::error_code ignored;
  c.socket.close(ignored);
}

// Answers with an error and ends the connection so that the peer can read it.
Task<void> HttpLane::refuse(Connection& c, int status, std::string text) {
  HttpRequest& request = c.parser.request();
  request.peer = c.peer;
  const HttpResponse response = service_->render_error(status, text, request);
  append_response(c.out, response, {.head_only = request.method == "HEAD", .keep_alive = false});
  const bool wrote = co_await flush(c);
  if (wrote) co_await linger(c, limits().linger_bytes, limits().linger_time);
}

HttpResponse HttpLane::failed_response(Connection& c, const std::string& why) const {
  log_.error("a handler threw", {{"what", why}, {"path", c.target}, {"request_id", c.request_id}});
  HttpRequest outline;
  outline.method = c.head_only ? "HEAD" : "GET";
  outline.target = c.target;
  outline.path = c.target.substr(0, c.target.find('?'));
  outline.peer = c.peer;
  if (!c.request_id.empty()) outline.headers.add("X-Request-ID", c.request_id);
  return service_->render_error(500, "Failed to process request", outline);
}

Task<bool> HttpLane::stream(Connection& c, HttpResponse response, RenderOptions options) {
  options.keep_alive = options.keep_alive && !options.http10;
  append_stream_head(c.out, response, options);
  if (options.head_only) co_return co_await flush(c) && options.keep_alive;
  if (!co_await flush(c)) co_return false;
  ChunkedBody body(*this, c, !options.http10);
  std::string fault;
  try {
    co_await response.stream(body);
  } catch (const std::exception& e) {
    fault = e.what();
  } catch (...) {
    fault = "an exception of unknown type";
  }
  if (!fault.empty()) {
    log_.error("a streamed answer threw", {{"what", fault}, {"path", c.target}, {"request_id", c.request_id}});
    co_return false;   // without the last chunk the client knows that it is not whole
  }
  if (!options.http10) c.out += "0\r\n\r\n";
  co_return co_await flush(c) && options.keep_alive && !stopping_;
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

Task<void> HttpLane::accept_loop() {
  while (acceptor_.is_open()) {
    boost::system::error_code error;
    tcp::socket socket = co_await acceptor_.async_accept(asio::redirect_error(asio::use_awaitable, error));
    if (stopping_ || !acceptor_.is_open()) co_return;
    if (!error) {
      admit(std::move(socket));
    } else if (error != asio::error::connection_aborted) {
      log_.warn("a connection could not be accepted", {{"why", error.message()}});
      if (!co_await sleep_for(kAcceptPause)) co_return;
    }
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
  auto connection = std::make_shared<Connection>(std::move(socket), limits());
  connection->peer = peer_text(connection->socket);
  const auto link = connections_.insert(connections_.end(), connection);
  serving_.spawn("connection", [self = shared_from_this(), connection, link]() -> Task<void> {
    struct Unlink {   // also when a handler's fault gets this far
      HttpLane& lane;
      std::list<ConnectionPtr>::iterator link;
      ~Unlink() { lane.connections_.erase(link); }
    } unlink{*self, link};
    co_await self->serve(connection);
  });
}

void HttpLane::begin_stop() {
  stopping_ = true;
  close_acceptor();
  boost::system::error_code ignored;
  for (const auto& connection : connections_) {
    const bool waits = connection->deadline != SteadyClock::time_point::max();
    if (waits && connection->phase == Phase::idle) connection->socket.cancel(ignored);
  }
}

Task<void> HttpLane::finish_stop(SteadyClock::time_point deadline) {
  const auto left = std::chrono::duration_cast<std::chrono::microseconds>(deadline - SteadyClock::now());
  if (!co_await serving_.wait_for(left)) {
    // Closed, not only cancelled: a handler that goes on cannot start another wait on its socket.
    boost::system::error_code ignored;
    for (const auto& connection : connections_) connection->socket.close(ignored);
    serving_.cancel();
    co_await serving_.wait();
  }
  loops_.cancel();
  co_await loops_.wait();
}

}   // namespace agentauri::net
