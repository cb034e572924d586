#include "net/http_connection.hpp"

#include <boost/asio/redirect_error.hpp>
#include <boost/asio/use_awaitable.hpp>

#include <time.h>

#include <algorithm>

namespace agentauri::net {
namespace asio = boost::asio;
using tcp = asio::ip::tcp;

namespace {

constexpr std::size_t kKeepCapacity = 256 * 1024;   // a connection gives larger output buffers back

// Deadlines need no better than the few milliseconds of the kernel's tick, and this clock costs no read of the counter.
std::chrono::steady_clock::time_point coarse_now() {
  timespec now{};
  ::clock_gettime(CLOCK_MONOTONIC_COARSE, &now);
  return std::chrono::steady_clock::time_point(std::chrono::seconds(now.tv_sec) +
                                               std::chrono::nanoseconds(now.tv_nsec));
}

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

HttpConnection::HttpConnection(tcp::socket s, const HttpServerLimits& l)
    : limits(l),
      socket(std::move(s)),
      parser(l),
      buffer(std::make_unique_for_overwrite<char[]>(kReadBytes)),
      peer(peer_text(socket)) {}

void HttpConnection::feed() {
  using State = HttpParser::State;
  while (begin < end && (parser.state() == State::head || parser.state() == State::body)) {
    const bool in_head = parser.state() == State::head;
    begin += parser.feed({buffer.get() + begin, end - begin});
    // Not when the body is here already.
    if (in_head && parser.state() == State::body && parser.wants_continue() && begin == end)
      out += "HTTP/1.1 100 Continue\r\n\r\n";
  }
}

void HttpConnection::remember_request() {
  HttpRequest& request = parser.request();
  request.peer = peer;
  head_only = request.method == "HEAD";
  target = request.target;
  request_id.clear();
  if (const auto* id = request.headers.find("X-Request-ID")) request_id = *id;
}

// Idle time starts anew with each wait; a head and a body have one limit each, from their first byte on.
void HttpConnection::set_read_deadline() {
  const Phase now = parser.state() == HttpParser::State::body ? Phase::body
                    : parser.started()                        ? Phase::head
                                                              : Phase::idle;
  if (now != phase || now == Phase::idle) {
    const auto limit = now == Phase::body ? limits.body_time : now == Phase::head ? limits.head_time : limits.idle_time;
    phase = now;
    phase_end = coarse_now() + limit;
  }
  deadline = phase_end;
}

Task<boost::system::error_code> HttpConnection::read() {
  begin = end = 0;
  expired = false;
  boost::system::error_code error;
  end = co_await socket.async_read_some(asio::buffer(buffer.get(), kReadBytes),
                                        asio::redirect_error(asio::use_awaitable, error));
  deadline = SteadyClock::time_point::max();
  co_return error;
}

bool HttpConnection::try_flush() {
  batched = 0;
  sent = 0;
  if (out.empty()) return true;
  boost::system::error_code error;
  sent = socket.write_some(asio::buffer(out), error);
  broken = error && error != asio::error::would_block && error != asio::error::try_again;
  if (broken || sent < out.size()) return false;
  if (out.capacity() > kKeepCapacity) out = {};
  out.clear();
  return true;
}

Task<bool> HttpConnection::drain() {
  boost::system::error_code error;
  const std::chrono::milliseconds at_least((out.size() - sent) * 1000 / limits.write_bytes_per_second);
  const auto last = SteadyClock::now() + limits.write_time + at_least;
  while (!broken && sent < out.size()) {
    // For each step, so that a reader that takes nothing is cut soon, and for the whole, so that one that takes a byte
    // now and then is cut as well.
    deadline = std::min(SteadyClock::now() + limits.write_time, last);
    sent += co_await socket.async_write_some(asio::buffer(out.data() + sent, out.size() - sent),
                                             asio::redirect_error(asio::use_awaitable, error));
    deadline = SteadyClock::time_point::max();
    broken = error || (sent < out.size() && SteadyClock::now() >= last);
  }
  out = {};
  co_return !broken;
}

Task<bool> HttpConnection::flush() {
  if (try_flush()) co_return true;
  co_return co_await drain();
}

Task<void> HttpConnection::linger(std::size_t bytes, std::chrono::milliseconds time) {
  boost::system::error_code error;
  socket.shutdown(tcp::socket::shutdown_send, error);
  const auto last = SteadyClock::now() + time;
  std::size_t total = end - begin;
  while (!error && total < bytes) {
    deadline = last;
    total += co_await socket.async_read_some(asio::buffer(buffer.get(), kReadBytes),
                                             asio::redirect_error(asio::use_awaitable, error));
    deadline = SteadyClock::time_point::max();
    if (SteadyClock::now() >= last) break;
  }
}

}   // namespace agentauri::net
