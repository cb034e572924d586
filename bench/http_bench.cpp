// What a static reply costs: requests per CPU second of the server's process, for our HTTP server, for a raw epoll loop
// and, when it is installed, for nginx (`return 200`). One thread each; the same load, in turn, in the same run.
//
//   http_bench [seconds] [connections]
#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <map>
#include <string>
#include <string_view>
#include <thread>
#include <vector>

#include "core/async/task.hpp"
#include "epoll_reference.hpp"
#include "net/http_server.hpp"
#include "report.hpp"

namespace agentauri::bench {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr int kRounds = 5;      // of each, in turn, so that a busy moment hits all alike; medians are shown
constexpr double kGoal = 0.7;   // of the raw loop's requests per CPU second
constexpr std::string_view kBody = R"({"status":"ok"})";

[[noreturn]] void give_up(std::string_view what) {
  fmt::print(stderr, "error: {}\n", what);
  std::exit(1);
}

// --- the servers, each in a process of its own -----------------------------------------------------------------------

struct Server {
  pid_t pid = 0;
  unsigned short port = 0;
};

Server start_reference() {
  Server out;
  const int listener = listen_on_loopback(out.port);
  out.pid = ::fork();
  if (out.pid == 0) {
    serve_with_epoll(
        listener,
        fmt::format("HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n"
                    "Content-Length: {}\r\n\r\n{}",
                    kBody.size(), kBody));
  }
  ::close(listener);
  return out;
}

Server start_ours() {
  int pipe[2];
  if (::pipe(pipe) != 0) give_up("pipe");
  Server out;
  out.pid = ::fork();
  if (out.pid == 0) {
    IoThread thread("http");
    const auto handler = [](net::HttpRequest) -> Task<net::HttpResponse> {
      net::HttpResponse response;
      response.headers.add("Content-Type", "application/json");
      response.body = kBody;
      co_return response;
    };
    net::HttpServer server({thread.executor()}, {}, handler, {});
    if (!server.start()) std::_Exit(1);
    const unsigned short port = server.port();
    if (::write(pipe[1], &port, sizeof port) != sizeof port) std::_Exit(1);
    for (;;) ::pause();   // until it is ended
  }
  if (::read(pipe[0], &out.port, sizeof out.port) != sizeof out.port) give_up("our server did not start");
  ::close(pipe[0]);
  ::close(pipe[1]);
  return out;
}

std::string find_nginx() {
  for (const char* path : {"/usr/sbin/nginx", "/usr/local/sbin/nginx", "/usr/bin/nginx"}) {
    if (::access(path, X_OK) == 0) return path;
  }
  return {};
}

Server start_nginx(const std::string& program, const std::string& folder) {
  Server out;
  ::close(listen_on_loopback(out.port));
  std::ofstream(folder + "/nginx.conf") << fmt::format(
      "daemon off; master_process off; pid {0}/pid; error_log /dev/null; worker_rlimit_nofile 4096;\n"
      "events {{ worker_connections 2048; }}\n"
      "http {{ access_log off; server_tokens off; keepalive_requests 1000000000; client_body_temp_path {0}/b; "
      "proxy_temp_path {0}/p;\n"
      "fastcgi_temp_path {0}/f; uwsgi_temp_path {0}/u; scgi_temp_path {0}/s; default_type application/json;\n"
      "server {{ listen 127.0.0.1:{1}; location / {{ return 200 '{2}'; }} }} }}\n",
      folder, out.port, kBody);
  out.pid = ::fork();
  if (out.pid == 0) {
    ::execl(program.c_str(), program.c_str(), "-p", folder.c_str(), "-c", (folder + "/nginx.conf").c_str(), nullptr);
    std::_Exit(1);
  }
  return out;
}

void end(const Server& server) {
  ::kill(server.pid, SIGKILL);
  ::waitpid(server.pid, nullptr, 0);
}

double cpu_seconds(pid_t pid) {
  clockid_t clock{};
  timespec spent{};
  if (::clock_getcpuclockid(pid, &clock) != 0 || ::clock_gettime(clock, &spent) != 0)
    give_up("the server's CPU clock cannot be read");
  return static_cast<double>(spent.tv_sec) + static_cast<double>(spent.tv_nsec) * 1e-9;
}

// --- the load --------------------------------------------------------------------------------------------------------

int connect_to(unsigned short port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  for (int tries = 0; tries < 500; ++tries) {
    const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0) {
      const int on = 1;
      ::setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
      return fd;
    }
    ::close(fd);
    std::this_thread::sleep_for(std::chrono::milliseconds(10));
  }
  give_up("a server does not accept connections");
}

// Every reply of a server has the same size; the first one tells.
std::size_t reply_size(unsigned short port, const std::string& request) {
  const int fd = connect_to(port);
  std::string got(4096, '\0');
  if (::write(fd, request.data(), request.size()) < 0) give_up("a server takes no request");
  std::size_t size = 0;
  while (std::string_view(got).substr(0, size).find(kBody) == std::string_view::npos) {
    const ssize_t some = ::read(fd, got.data() + size, got.size() - size);
    if (some <= 0) give_up("a server gives no answer");
    size += static_cast<std::size_t>(some);
  }
  ::close(fd);
  return size;
}

struct Load {
  std::string name;
  std::string request;
  int depth = 1;   // requests that are sent together
};

// Requests per CPU second of the server.
double measure(const Server& server, const Load& load, int connections, double seconds) {
  const std::size_t size = reply_size(server.port, load.request);
  std::string batch;
  for (int i = 0; i < load.depth; ++i) batch += load.request;
  const std::size_t batch_bytes = size * static_cast<std::size_t>(load.depth);

  const int epoll = ::epoll_create1(EPOLL_CLOEXEC);
  std::map<int, std::size_t> missing;   // bytes of the batch in flight
  for (int i = 0; i < connections; ++i) {
    const int fd = connect_to(server.port);
    epoll_event event{};
    event.events = EPOLLIN;
    event.data.fd = fd;
    ::epoll_ctl(epoll, EPOLL_CTL_ADD, fd, &event);
    missing[fd] = batch_bytes;
  }
  const double cpu_before = cpu_seconds(server.pid);
  const auto finish = SteadyClock::now() + std::chrono::duration<double>(seconds);
  for (const auto& [fd, bytes] : missing) {
    if (::write(fd, batch.data(), batch.size()) < 0) give_up("a server takes no request");
  }
  std::size_t batches = 0;
  std::vector<char> buffer(256 * 1024);
  epoll_event events[256];
  while (SteadyClock::now() < finish) {
    const int ready = ::epoll_wait(epoll, events, 256, 100);
    for (int i = 0; i < ready; ++i) {
      const int fd = events[i].data.fd;
      const ssize_t got = ::read(fd, buffer.data(), buffer.size());
      if (got <= 0) give_up("a server closed a connection");
      std::size_t& left = missing[fd];
      left -= std::min(left, static_cast<std::size_t>(got));
      if (left > 0) continue;
      ++batches;
      left = batch_bytes;
      if (::write(fd, batch.data(), batch.size()) < 0) give_up("a server takes no request");
    }
  }
  const double cpu = cpu_seconds(server.pid) - cpu_before;
  for (const auto& [fd, bytes] : missing) ::close(fd);
  ::close(epoll);
  return static_cast<double>(batches) * load.depth / cpu;
}

void run(const Load& load, int connections, double seconds, const std::string& nginx, const std::string& folder) {
  const std::vector<std::pair<std::string, std::function<Server()>>> servers{
      {"raw epoll loop", start_reference}, {"agentauri", start_ours}, {"nginx", [&] {
                                                                         return start_nginx(nginx, folder);
                                                                       }}};
  std::map<std::string, std::vector<double>> rates;
  for (int round = 0; round < kRounds; ++round) {
    for (const auto& [name, start] : servers) {
      if (name == "nginx" && nginx.empty()) continue;
      const Server server = start();
      rates[name].push_back(measure(server, load, connections, seconds));
      end(server);
    }
  }
  const double reference = median(rates["raw epoll loop"]);
  fmt::print("{}, {} connections\n", load.name, connections);
  for (const auto& [name, start] : servers) {
    if (!rates.contains(name)) continue;
    const double rate = median(rates[name]);
    fmt::print("  {:<16}{:>10.0f} requests per CPU second{:>8.2f} us each\n", name, rate, 1e6 / rate);
  }
  const double ours = median(rates["agentauri"]);
  report(load.name + ": agentauri / raw epoll loop", ours / reference, "x", Goal::at_least, kGoal);
  if (nginx.empty()) {
    fmt::print("skipped {}: agentauri / nginx: no nginx\n", load.name);
  } else {
    note(load.name + ": agentauri / nginx `return 200`", ours / median(rates["nginx"]), "x");
  }
}

}   // namespace
}   // namespace agentauri::bench

int main(int argc, char** argv) {
  using namespace agentauri::bench;
  const double seconds = argc > 1 ? std::atof(argv[1]) : 2.0;
  const int connections = argc > 2 ? std::atoi(argv[2]) : 64;
  if (seconds <= 0 || connections <= 0) give_up("usage: http_bench [seconds] [connections]");
  ::signal(SIGPIPE, SIG_IGN);
  std::string folder = std::filesystem::temp_directory_path() / "http-bench-XXXXXX";
  if (::mkdtemp(folder.data()) == nullptr) give_up("no temporary folder");
  const std::string nginx = find_nginx();
  const std::string bare = "GET /health HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";
  const std::string typical =
      "GET /api/v1/health HTTP/1.1\r\nHost: api.example.org\r\nUser-Agent: Mozilla/5.0 (X11; Linux x86_64)\r\nAccept: "
      "application/json\r\n"
      "Accept-Language: en\r\nAccept-Encoding: gzip, br\r\nX-Request-ID: 0190163d-8694-739b-aea5-966c26f8ad91\r\n\r\n";
  run({"static reply", bare, 1}, connections, seconds, nginx, folder);
  run({"static reply, six fields", typical, 1}, connections, seconds, nginx, folder);
  run({"static reply, 16 at a time", bare, 16}, connections, seconds, nginx, folder);
  std::filesystem::remove_all(folder);
  return 0;
}
