#include "net/http_server.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/this_coro.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/asio/write.hpp>

#include <fmt/chrono.h>
#include <fmt/compile.h>
#include <fmt/format.h>

#include <list>

#include "core/telemetry/log.hpp"
#include "net/http_parser.hpp"

namespace agentauri::net {
namespace asio = boost::asio;
using tcp = asio::ip::tcp;
using SteadyClock = std::chrono::steady_clock;

namespace {

constexpr std::size_t kReadBytes = 16 * 1024;
constexpr std::size_t kWriteBatch = 64 * 1024;     // pipelined answers are written together up to so many bytes
constexpr auto kMaxTick = std::chrono::milliseconds(250);
constexpr auto kAcceptPause = std::chrono::milliseconds(100);   // after an accept that failed (out of descriptors)

// RFC 9110, 5.6.7; made once a second for each thread.
const std::string& http_date() {
  thread_local std::time_t made_for = 0;
  thread_local std::string text;
  const std::time_t now = std::time(nullptr);
  if (now != made_for) {
    made_for = now;
    std::tm parts{};
    ::gmtime_r(&now, &parts);
    text = fmt::format("{:%a, %d %b %Y %H:%M:%S} GMT", parts);
  }
  return text;
}

// A handler's values must not end a line.
void append_value(std::string& out, std::string_view value) {
  for (const char c : value) out.push_back(c == '\r' || c == '\n' || c == '\0' ? ' ' : c);
}

void append_number(std::string& out, std::size_t n) {
  char digits[24];
  const auto end = fmt::format_to(digits, FMT_COMPILE("{}"), n);
  out.append(digits, end);
}

}  // namespace

// One per executor, touched on it only.
struct Lane : std::enable_shared_from_this<Lane> {
  Lane(Executor ex, const HttpServer::Settings& s, const HttpHandler& h, const ErrorRenderer& r)
      : executor(std::move(ex)), acceptor(executor), ticker(executor), group(executor), settings(s), handler(h), render_error(r), log(s.name) {}

  struct Connection {
    explicit Connection(tcp::socket s) : socket(std::move(s)) {}
    tcp::socket socket;
    SteadyClock::time_point deadline = SteadyClock::time_point::max();
    bool expired = false;    // the deadline passed: what waited was cancelled
    bool idle = false;       // between requests: a stop closes it at once
  };
  using Link = std::list<std::shared_ptr<Connection>>::iterator;

  Task<void> accept_loop();
  Task<void> watch();
  Task<void> serve(std::shared_ptr<Connection> connection);
  Task<bool> read_more(Connection& connection, std::string& buffer, std::chrono::milliseconds limit);
  Task<bool> write(Connection& connection, std::string& out);
  Task<void> linger(Connection& connection, std::size_t already);
  Task<HttpResponse> answer(HttpRequest request);
  void render(std::string& out, HttpResponse& response, bool head_only, bool keep_alive) const;
  HttpResponse parse_error(HttpParser& parser, const std::string& peer) const;

  Executor executor;
  tcp::acceptor acceptor;
  asio::steady_timer ticker;
  TaskGroup group;
  std::list<std::shared_ptr<Connection>> connections;
  bool stopping = false;
  const HttpServer::Settings& settings;
  const HttpHandler& handler;
  const ErrorRenderer& render_error;
  Log log;
};

struct HttpServer::Impl : std::enable_shared_from_this<HttpServer::Impl> {
  Settings settings;
  HttpHandler handler;
  ErrorRenderer render_error;
  std::vector<std::shared_ptr<Lane>> lanes;
  std::uint16_t port = 0;
};

// --- reading and writing ---------------------------------------------------------------------------------------------

// false: the connection is at its end (closed, broken, expired or stopped).
Task<bool> Lane::read_more(Connection& connection, std::string& buffer, std::chrono::milliseconds limit) {
  connection.deadline = SteadyClock::now() + limit;
  const std::size_t before = buffer.size();
  buffer.resize(before + kReadBytes);
  boost::system::error_code error;
  // Data that is already here needs no suspension.
  std::size_t got = connection.socket.read_some(asio::buffer(buffer.data() + before, kReadBytes), error);
  if (error == asio::error::would_block || error == asio::error::try_again) {
    got = co_await connection.socket.async_read_some(asio::buffer(buffer.data() + before, kReadBytes),
                                                     asio::redirect_error(asio::use_awaitable, error));
  }
  buffer.resize(before + got);
  connection.deadline = SteadyClock::time_point::max();
  co_return !error;
}

Task<bool> Lane::write(Connection& connection, std::string& out) {
  if (out.empty()) co_return true;
  connection.deadline = SteadyClock::now() + settings.limits.write_time;
  boost::system::error_code error;
  const std::size_t sent = connection.socket.write_some(asio::buffer(out), error);
  if (error == asio::error::would_block || error == asio::error::try_again) error = {};
  if (!error && sent < out.size()) {
    co_await asio::async_write(connection.socket, asio::buffer(out.data() + sent, out.size() - sent), asio::redirect_error(asio::use_awaitable, error));
  }
  connection.deadline = SteadyClock::time_point::max();
  out.clear();
  co_return !error;
}

void Lane::render(std::string& out, HttpResponse& response, bool head_only, bool keep_alive) const {
  out += "HTTP/1.1 ";
  append_number(out, static_cast<std::size_t>(response.status));
  out += ' ';
  out += reason_phrase(response.status);
  out += "\r\n";
  for (const auto& [name, value] : response.headers.all()) {
    out += name;
    out += ": ";
    append_value(out, value);
    out += "\r\n";
  }
  out += "Date: ";
  out += http_date();
  const bool has_body = response.status != 204 && response.status != 304 && response.status >= 200;
  if (has_body) {
    out += "\r\nContent-Length: ";
    append_number(out, response.body.size());
  }
  if (!keep_alive) out += "\r\nConnection: close";
  out += "\r\n\r\n";
  if (has_body && !head_only) out += response.body;
}

HttpResponse Lane::parse_error(HttpParser& parser, const std::string& peer) const {
  std::string text(parser.error_text());
  if (text == "declared") {
    const auto* length = parser.request().headers.find("Content-Length");
    text = fmt::format("JSON payload ({} bytes) is larger than allowed (limit: {} bytes).", length != nullptr ? *length : "?", settings.limits.body_bytes);
  } else if (text == "streamed") {
    text = fmt::format("JSON payload has exceeded limit ({} bytes).", settings.limits.body_bytes);
  }
  parser.request().peer = peer;
  HttpResponse response = render_error(parser.error_status(), text, parser.request());
  response.close = true;
  return response;
}

Task<HttpResponse> Lane::answer(HttpRequest request) {
  // Kept for the renderer: the handler takes the request away.
  HttpRequest outline;
  outline.method = request.method;
  outline.target = request.target;
  outline.path = request.path;
  outline.peer = request.peer;
  if (const auto* id = request.headers.find("X-Request-ID")) outline.headers.add("X-Request-ID", *id);
  std::string what;
  try {
    co_return co_await handler(std::move(request));
  } catch (const std::exception& e) {
    what = e.what();
  }
  log.error("a handler threw", {{"what", what}, {"path", outline.path}});
  co_return render_error(500, "Failed to process request", outline);
}

// The rest of a refused body is read and dropped, so that the client can read the answer before the connection goes.
Task<void> Lane::linger(Connection& connection, std::size_t already) {
  boost::system::error_code error;
  connection.socket.shutdown(tcp::socket::shutdown_send, error);
  const auto end = SteadyClock::now() + settings.limits.linger_time;
  std::string dropped;
  std::size_t total = already;
  while (total < settings.limits.linger_bytes && SteadyClock::now() < end) {
    dropped.clear();
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(end - SteadyClock::now());
    if (!co_await read_more(connection, dropped, left)) co_return;
    total += dropped.size();
  }
}

// --- one connection --------------------------------------------------------------------------------------------------

Task<void> Lane::serve(std::shared_ptr<Connection> connection) {
  boost::system::error_code ignored;
  connection->socket.set_option(tcp::no_delay(true), ignored);
  connection->socket.non_blocking(true, ignored);
  const auto endpoint = connection->socket.remote_endpoint(ignored);
  const std::string peer = ignored ? std::string() : endpoint.address().to_string();
  const HttpServerLimits& limits = settings.limits;

  HttpParser parser(limits);
  std::string in, out;
  std::size_t used = 0;      // of `in`
  bool open = true;
  SteadyClock::time_point head_deadline{};
  while (open) {
    // Take what is there.
    while (used < in.size() && (parser.state() == HttpParser::State::head || parser.state() == HttpParser::State::body)) {
      const auto before = parser.state();
      used += parser.feed(std::string_view(in).substr(used));
      if (before == HttpParser::State::head && parser.state() == HttpParser::State::body && parser.wants_continue() && used == in.size()) {
        out += "HTTP/1.1 100 Continue\r\n\r\n";
      }
    }
    if (parser.state() == HttpParser::State::error) {
      HttpResponse response = parse_error(parser, peer);
      render(out, response, parser.request().method == "HEAD", false);
      const bool wrote = co_await write(*connection, out);
      if (wrote) co_await linger(*connection, in.size() - used);
      break;
    }
    if (parser.state() == HttpParser::State::complete) {
      HttpRequest request = std::move(parser.request());
      request.peer = peer;
      const bool head_only = request.method == "HEAD";
      const bool client_keeps = parser.keep_alive();
      HttpResponse response = co_await answer(std::move(request));
      const bool keep = client_keeps && !response.close && !stopping;
      render(out, response, head_only, keep);
      parser.reset();
      open = keep;
      // Pipelined requests that are already here are answered first, within bounds.
      if (keep && used < in.size() && out.size() < kWriteBatch) continue;
      open = co_await write(*connection, out) && open;
      continue;
    }
    // More is needed.
    if (used == in.size()) {
      in.clear();
      used = 0;
    } else if (used > kReadBytes) {
      in.erase(0, used);
      used = 0;
    }
    if (!co_await write(*connection, out)) break;
    std::chrono::milliseconds limit = limits.body_time;
    if (parser.state() == HttpParser::State::head) {
      if (!parser.started()) {
        if (stopping) break;
        connection->idle = true;
        limit = limits.idle_time;
        head_deadline = {};
      } else {
        // The whole head has one limit, however slowly its bytes come.
        if (head_deadline == SteadyClock::time_point{}) head_deadline = SteadyClock::now() + limits.head_time;
        limit = std::max(std::chrono::milliseconds(1), std::chrono::ceil<std::chrono::milliseconds>(head_deadline - SteadyClock::now()));
      }
    }
    const bool more = co_await read_more(*connection, in, limit);
    connection->idle = false;
    if (more) continue;
    if (connection->expired && parser.started()) {
      connection->expired = false;
      HttpRequest outline = std::move(parser.request());
      outline.peer = peer;
      HttpResponse response = render_error(408, "The request did not arrive in time", outline);
      render(out, response, false, false);
      co_await write(*connection, out);
    }
    break;
  }
  connection->socket.close(ignored);
}

// --- the lane --------------------------------------------------------------------------------------------------------

// Deadlines are looked at a few times a second instead of arming a timer for every read.
Task<void> Lane::watch() {
  const auto shortest = std::min({settings.limits.head_time, settings.limits.idle_time, settings.limits.body_time, settings.limits.write_time, settings.limits.linger_time});
  const auto tick = std::clamp<std::chrono::milliseconds>(shortest / 4, std::chrono::milliseconds(1), kMaxTick);
  for (;;) {
    ticker.expires_after(tick);
    boost::system::error_code error;
    co_await ticker.async_wait(asio::redirect_error(asio::use_awaitable, error));
    if (error) co_return;
    const auto now = SteadyClock::now();
    for (const auto& connection : connections) {
      if (connection->deadline > now) continue;
      connection->deadline = SteadyClock::time_point::max();
      connection->expired = true;
      boost::system::error_code ignored;
      connection->socket.cancel(ignored);
    }
  }
}

Task<void> Lane::accept_loop() {
  while (acceptor.is_open()) {
    boost::system::error_code error;
    tcp::socket socket = co_await acceptor.async_accept(asio::redirect_error(asio::use_awaitable, error));
    if (error == asio::error::operation_aborted || !acceptor.is_open()) co_return;
    if (error) {
      log.warn("a connection could not be accepted", {{"why", error.message()}});
      if (!co_await sleep_for(kAcceptPause)) co_return;
      continue;
    }
    if (connections.size() >= settings.limits.connections_per_thread) continue;   // closed by its destructor
    auto connection = std::make_shared<Connection>(std::move(socket));
    const Link link = connections.insert(connections.end(), connection);
    auto self = shared_from_this();
    group.spawn("connection", [self, connection, link]() -> Task<void> {
      co_await self->serve(connection);
      self->connections.erase(link);
    });
  }
}

HttpServer::HttpServer(std::vector<Executor> executors, Settings settings, HttpHandler handler, ErrorRenderer render_error)
    : impl_(std::make_shared<Impl>()) {
  impl_->settings = std::move(settings);
  impl_->handler = std::move(handler);
  impl_->render_error = std::move(render_error);
  for (auto& executor : executors) {
    impl_->lanes.push_back(std::make_shared<Lane>(executor, impl_->settings, impl_->handler, impl_->render_error));
  }
}

HttpServer::~HttpServer() = default;

std::uint16_t HttpServer::port() const { return impl_->port; }

Result<void> HttpServer::start() {
  const auto& settings = impl_->settings;
  boost::system::error_code error;
  const auto address = asio::ip::make_address(settings.host, error);
  if (error) return fail(Code::invalid, "SERVER_HOST", fmt::format("{} is not an address", settings.host));
  tcp::endpoint endpoint(address, settings.port);
  const auto in_words = [&endpoint](const boost::system::error_code& why) {
    if (why == asio::error::address_in_use) return fmt::format("{}:{} is in use by another process", endpoint.address().to_string(), endpoint.port());
    return fmt::format("{}:{} cannot be listened on: {}", endpoint.address().to_string(), endpoint.port(), why.message());
  };
  {
    // SO_REUSEPORT would let a second process of the same user share the port in silence: ask without it first.
    tcp::acceptor probe(impl_->lanes.front()->executor);
    probe.open(endpoint.protocol(), error);
    if (!error) probe.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error) probe.bind(endpoint, error);
    if (!error) probe.listen(1, error);
    if (error) return fail(Code::unavailable, "SERVER_PORT", in_words(error));
    endpoint = probe.local_endpoint(error);
  }
  using reuse_port = asio::detail::socket_option::boolean<SOL_SOCKET, SO_REUSEPORT>;
  for (auto& lane : impl_->lanes) {
    lane->acceptor.open(endpoint.protocol(), error);
    if (!error) lane->acceptor.set_option(tcp::acceptor::reuse_address(true), error);
    if (!error) lane->acceptor.set_option(reuse_port(true), error);
    if (!error) lane->acceptor.bind(endpoint, error);
    if (!error) lane->acceptor.listen(asio::socket_base::max_listen_connections, error);
    if (error) return fail(Code::unavailable, "SERVER_PORT", in_words(error));
  }
  impl_->port = endpoint.port();
  for (auto& lane : impl_->lanes) {
    asio::post(lane->executor, [lane, impl = impl_] {
      lane->group.spawn("accept", [lane]() -> Task<void> { co_await lane->accept_loop(); });
      lane->group.spawn("watch", [lane]() -> Task<void> { co_await lane->watch(); });
    });
  }
  return {};
}

Task<void> HttpServer::stop(std::chrono::milliseconds grace) {
  auto impl = impl_;
  const auto deadline = SteadyClock::now() + grace;
  for (auto& lane : impl->lanes) {
    co_await run_on(lane->executor, [lane]() -> Task<void> {
      boost::system::error_code ignored;
      lane->stopping = true;
      lane->acceptor.close(ignored);
      for (const auto& connection : lane->connections) {
        if (connection->idle) connection->socket.cancel(ignored);
      }
      co_return;
    });
  }
  for (auto& lane : impl->lanes) {
    co_await run_on(lane->executor, [lane, deadline]() -> Task<void> {
      // The watch is the last child until it is told to end.
      while (lane->connections.size() > 0 && SteadyClock::now() < deadline) {
        if (!co_await sleep_for(std::chrono::milliseconds(5))) break;
      }
      lane->group.cancel();
      boost::system::error_code ignored;
      for (const auto& connection : lane->connections) connection->socket.close(ignored);
      lane->ticker.cancel();
      co_await lane->group.wait();
    });
  }
}

}  // namespace agentauri::net
