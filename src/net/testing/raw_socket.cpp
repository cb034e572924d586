#include "net/testing/raw_socket.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <utility>

#include "net/http_message.hpp"

namespace agentauri::net::testing {
namespace {

sockaddr_in loopback(const char* address, std::uint16_t port) {
  sockaddr_in out{};
  out.sin_family = AF_INET;
  out.sin_port = htons(port);
  ::inet_pton(AF_INET, address, &out.sin_addr);
  return out;
}

bool wait_for(int fd, short events, std::chrono::milliseconds limit) {
  pollfd entry{fd, events, 0};
  return ::poll(&entry, 1, static_cast<int>(limit.count())) > 0;
}

// The value of Content-Length in a head; 0 without one.
std::size_t length_in(std::string_view head) {
  while (!head.empty()) {
    const std::string_view line = head.substr(0, head.find("\r\n"));
    head.remove_prefix(std::min(head.size(), line.size() + 2));
    const std::size_t colon = line.find(':');
    if (colon == std::string_view::npos || !equal_ignoring_case(line.substr(0, colon), "content-length")) continue;
    return std::stoul(std::string(line.substr(colon + 1)));
  }
  return 0;
}

}   // namespace

RawSocket& RawSocket::operator=(RawSocket&& other) noexcept {
  close();
  std::swap(fd_, other.fd_);
  in_ = std::move(other.in_);
  return *this;
}

RawSocket RawSocket::connect(std::uint16_t port) {
  RawSocket out(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0));
  const auto address = loopback("127.0.0.1", port);
  if (::connect(out.fd_, reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    throw std::runtime_error(std::string("connect: ") + std::strerror(errno));
  }
  const int on = 1;
  ::setsockopt(out.fd_, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
  return out;
}

bool RawSocket::send(std::string_view bytes) {
  while (!bytes.empty()) {
    if (!wait_for(fd_, POLLOUT, kPatience)) return false;
    const ssize_t sent = ::send(fd_, bytes.data(), bytes.size(), MSG_NOSIGNAL | MSG_DONTWAIT);
    if (sent < 0 && errno == EAGAIN) continue;
    if (sent < 0) return false;
    bytes.remove_prefix(static_cast<std::size_t>(sent));
  }
  return true;
}

bool RawSocket::fill(std::chrono::milliseconds limit, bool* reset) {
  if (!wait_for(fd_, POLLIN, limit)) return false;
  char buffer[16 * 1024];
  const ssize_t got = ::recv(fd_, buffer, sizeof buffer, 0);
  if (got < 0 && reset != nullptr) *reset = true;
  if (got <= 0) return false;
  in_.append(buffer, static_cast<std::size_t>(got));
  return true;
}

std::string RawSocket::read_until(std::string_view end) {
  std::size_t at;
  while ((at = in_.find(end)) == std::string::npos) {
    if (!fill(kPatience)) return std::exchange(in_, {});
  }
  std::string out = in_.substr(0, at + end.size());
  in_.erase(0, out.size());
  return out;
}

std::string RawSocket::read_exactly(std::size_t bytes) {
  while (in_.size() < bytes && fill(kPatience)) {
  }
  std::string out = in_.substr(0, bytes);
  in_.erase(0, out.size());
  return out;
}

std::string RawSocket::read_response(bool head_only) {
  std::string out = read_until("\r\n\r\n");
  if (!head_only) out += read_exactly(length_in(out));
  return out;
}

std::string RawSocket::read_to_end(bool* reset) {
  while (fill(kPatience, reset)) {
  }
  return std::exchange(in_, {});
}

bool RawSocket::closes_within(std::chrono::milliseconds limit) {
  if (!in_.empty() || !wait_for(fd_, POLLIN, limit)) return false;
  char byte = 0;
  return ::recv(fd_, &byte, 1, MSG_PEEK) <= 0;
}

void RawSocket::shutdown_write() {
  ::shutdown(fd_, SHUT_WR);
}

void RawSocket::reset() {
  const linger hard{1, 0};
  ::setsockopt(fd_, SOL_SOCKET, SO_LINGER, &hard, sizeof hard);
  close();
}

void RawSocket::close() {
  if (fd_ >= 0) ::close(fd_);
  fd_ = -1;
}

RawPeer::RawPeer(std::function<void(RawSocket)> serve, const char* address, std::uint16_t port) {
  fd_ = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  const int on = 1;
  ::setsockopt(fd_, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
  auto where = loopback(address, port);
  socklen_t size = sizeof where;
  if (::bind(fd_, reinterpret_cast<sockaddr*>(&where), sizeof where) != 0 || ::listen(fd_, 128) != 0 ||
      ::getsockname(fd_, reinterpret_cast<sockaddr*>(&where), &size) != 0) {
    throw std::runtime_error(std::string("listen: ") + std::strerror(errno));
  }
  port_ = ntohs(where.sin_port);
  acceptor_ = std::thread([this, serve = std::move(serve)] {
    for (;;) {
      const int accepted = ::accept4(fd_, nullptr, nullptr, SOCK_CLOEXEC);
      if (accepted < 0) return;
      ++connections_;
      servers_.emplace_back([serve, accepted] { serve(RawSocket(accepted)); });
    }
  });
}

RawPeer::~RawPeer() {
  ::shutdown(fd_, SHUT_RDWR);   // ends accept()
  acceptor_.join();
  ::close(fd_);
  for (auto& server : servers_) server.join();
}

}   // namespace agentauri::net::testing
