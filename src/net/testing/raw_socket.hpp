// Blocking sockets for tests: a client that sends exactly the bytes it is told to, and a peer that misbehaves on
// purpose. Every wait ends after kPatience.
#pragma once

#include <atomic>
#include <chrono>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

namespace agentauri::net::testing {

inline constexpr std::chrono::milliseconds kPatience{10'000};

class RawSocket {
 public:
  RawSocket() = default;
  explicit RawSocket(int fd) : fd_(fd) {}
  ~RawSocket() { close(); }
  RawSocket(RawSocket&& other) noexcept : fd_(other.fd_), in_(std::move(other.in_)) { other.fd_ = -1; }
  RawSocket& operator=(RawSocket&& other) noexcept;

  static RawSocket connect(std::uint16_t port);

  int fd() const { return fd_; }
  // false when the peer is gone or takes nothing for kPatience.
  bool send(std::string_view bytes);
  // Up to and with `end`, from what came; what came so far when the stream ends or kPatience passes.
  std::string read_until(std::string_view end);
  std::string read_exactly(std::size_t bytes);
  // One answer, head and body by its Content-Length (none: head only). `head_only` for the answer to HEAD.
  std::string read_response(bool head_only = false);
  // One request, the same way.
  std::string read_request() { return read_response(); }
  // Everything until the peer closes. `reset` becomes true when it ended with a reset instead.
  std::string read_to_end(bool* reset = nullptr);
  // Whether the peer closes within `limit`, without more bytes.
  bool closes_within(std::chrono::milliseconds limit);
  void shutdown_write();
  // Ends with a reset instead of a proper close.
  void reset();
  void close();

 private:
  bool fill(std::chrono::milliseconds limit, bool* reset = nullptr);

  int fd_ = -1;
  std::string in_;
};

// Listens on a loopback port of the kernel's choice; each connection is given to `serve` on a thread of its own.
class RawPeer {
 public:
  explicit RawPeer(std::function<void(RawSocket)> serve, const char* address = "127.0.0.1", std::uint16_t port = 0);
  ~RawPeer();
  RawPeer(const RawPeer&) = delete;
  RawPeer& operator=(const RawPeer&) = delete;

  std::uint16_t port() const { return port_; }
  int connections() const { return connections_; }

 private:
  int fd_ = -1;
  std::uint16_t port_ = 0;
  std::atomic<int> connections_{0};
  std::thread acceptor_;
  std::vector<std::thread> servers_;
};

}   // namespace agentauri::net::testing
