#include "epoll_reference.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <string_view>
#include <unordered_map>

namespace agentauri::bench {
namespace {

constexpr std::size_t kReadBytes = 16 * 1024;
constexpr std::string_view kHeadEnd = "\r\n\r\n";

[[noreturn]] void give_up(const char* what) {
  std::perror(what);
  std::_Exit(1);
}

void watch(int epoll, int fd) {
  epoll_event event{};
  event.events = EPOLLIN;
  event.data.fd = fd;
  if (::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event) != 0) give_up("epoll_ctl");
}

// How many heads end in these bytes; `matched` is how much of an end stood before them.
std::size_t count_heads(std::string_view bytes, std::size_t& matched) {
  std::size_t heads = 0;
  while (matched > 0 && !bytes.empty()) {   // rare: an end that was cut
    matched = bytes[0] == kHeadEnd[matched] ? matched + 1 : bytes[0] == '\r' ? 1 : 0;
    bytes.remove_prefix(1);
    if (matched == kHeadEnd.size()) {
      ++heads;
      matched = 0;
    }
  }
  for (std::size_t at; (at = bytes.find(kHeadEnd)) != std::string_view::npos; ++heads)
    bytes.remove_prefix(at + kHeadEnd.size());
  for (std::size_t n = std::min<std::size_t>(3, bytes.size()); n > 0; --n) {
    if (!bytes.ends_with(kHeadEnd.substr(0, n))) continue;
    matched = n;
    break;
  }
  return heads;
}

}   // namespace

int listen_on_loopback(unsigned short& port) {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t size = sizeof address;
  if (fd < 0 || ::bind(fd, reinterpret_cast<sockaddr*>(&address), size) != 0 || ::listen(fd, SOMAXCONN) != 0 ||
      ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &size) != 0) {
    give_up("listen");
  }
  port = ntohs(address.sin_port);
  return fd;
}

void serve_with_epoll(int listener, const std::string& reply) {
  const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
  watch(epoll, listener);
  std::unordered_map<int, std::size_t> matched;
  std::string out;
  char buffer[kReadBytes];
  epoll_event events[256];
  for (;;) {
    const int ready = ::epoll_wait(epoll, events, 256, -1);
    for (int i = 0; i < ready; ++i) {
      const int fd = events[i].data.fd;
      if (fd == listener) {
        const int accepted = ::accept4(listener, nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC);
        if (accepted < 0) continue;
        const int on = 1;
        ::setsockopt(accepted, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
        watch(epoll, accepted);
        matched[accepted] = 0;
        continue;
      }
      const ssize_t got = ::read(fd, buffer, sizeof buffer);
      if (got <= 0) {
        ::close(fd);
        continue;
      }
      out.clear();
      for (std::size_t n = count_heads({buffer, static_cast<std::size_t>(got)}, matched[fd]); n > 0; --n) out += reply;
      if (!out.empty() && ::write(fd, out.data(), out.size()) != static_cast<ssize_t>(out.size())) ::close(fd);
    }
  }
}

}   // namespace agentauri::bench
