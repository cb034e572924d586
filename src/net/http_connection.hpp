// One connection of the server: its socket, parser and buffers, reading and writing with their deadlines. What is done
// with a request, and who looks at the deadlines, is http_lane.cpp's.
#pragma once

#include <boost/asio/ip/tcp.hpp>

#include <chrono>
#include <cstdint>
#include <memory>
#include <string>

#include "core/async/task.hpp"
#include "net/http_parser.hpp"
#include "net/http_server.hpp"

namespace agentauri::net {

// The parser uses up everything that was read before more is read, so one buffer of fixed size is enough.
struct HttpConnection {
  using SteadyClock = std::chrono::steady_clock;
  enum class Phase : std::uint8_t { none, idle, head, body };

  HttpConnection(boost::asio::ip::tcp::socket s, const HttpServerLimits& l);

  // Gives the parser what was read.
  void feed();
  // For the case that its handler fails: the handler takes the request away.
  void remember_request();
  void set_read_deadline();
  // Reads more, within the deadline that is set.
  Task<boost::system::error_code> read();
  // Nearly always the kernel takes everything at once. false: drain() must go on.
  bool try_flush();
  // Waits until the peer has taken the rest. false: it is gone, or takes nothing, or takes it too slowly.
  Task<bool> drain();
  // Writes everything that waits.
  Task<bool> flush();
  // What still comes is read and dropped: closing with unread bytes would reset the connection, and the peer would
  // lose the answer.
  Task<void> linger(std::size_t bytes, std::chrono::milliseconds time);

  static constexpr std::size_t kReadBytes = 16 * 1024;

  const HttpServerLimits& limits;
  boost::asio::ip::tcp::socket socket;
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
  bool expired = false;             // the deadline passed: what waited was cancelled
  std::size_t body_charged = 0;     // of the lane's budget
  TaskGroup* streaming = nullptr;   // while a streamed answer runs: its only child
};

}   // namespace agentauri::net
