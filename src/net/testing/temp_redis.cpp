#include "net/testing/temp_redis.hpp"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <csignal>
#include <cstdio>
#include <filesystem>
#include <thread>

#include "core/base/result.hpp"
#include "net/testing/raw_socket.hpp"

namespace agentauri::net::testing {
namespace {

constexpr int kStarts = 3;   // somebody else may take the port between the look and the start
constexpr auto kStartTime = std::chrono::seconds(20);

std::uint16_t free_port() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  ENSURE(::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0, "a loopback port is free");
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length);
  ::close(fd);
  return ntohs(address.sin_port);
}

// Ends with this program, however that ends.
pid_t spawn(const std::vector<std::string>& command) {
  std::vector<char*> arguments;
  for (const auto& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child != 0) return child;
  ::prctl(PR_SET_PDEATHSIG, SIGKILL);
  if (::getppid() != parent) ::_exit(1);
  if (std::freopen("/dev/null", "w", stdout) == nullptr || std::freopen("/dev/null", "w", stderr) == nullptr)
    ::_exit(1);
  // The program of redis-tools is that of redis-server: what it is called decides. So no package is needed that would
  // start a service of its own.
  ::execvp("redis-check-rdb", arguments.data());
  ::_exit(127);
}

}   // namespace

TempRedis::TempRedis(std::vector<std::string> options) : options_(std::move(options)) {
  std::string folder = (std::filesystem::temp_directory_path() / "agentauri-redis-XXXXXX").string();
  ENSURE(::mkdtemp(folder.data()) != nullptr, "a temporary folder can be made");
  folder_ = folder;
  for (int i = 0; i < kStarts && child_ < 0; ++i) {
    port_ = free_port();
    start();
  }
  ENSURE(child_ > 0, "redis-server starts: is redis-tools installed?");
}

TempRedis::~TempRedis() {
  stop();
  std::filesystem::remove_all(folder_);
}

bool TempRedis::answers() const {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  address.sin_port = htons(port_);
  RawSocket socket(fd);
  if (::connect(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) != 0) return false;
  return socket.send("PING\r\n") && !socket.read_until("\r\n").empty();
}

void TempRedis::start() {
  std::vector<std::string> command{"redis-server", "--port", std::to_string(port_), "--bind", "127.0.0.1",
                                   "--save",       "",       "--appendonly",        "no",     "--dir",
                                   folder_};
  command.insert(command.end(), options_.begin(), options_.end());
  child_ = spawn(command);
  const auto end = std::chrono::steady_clock::now() + kStartTime;
  while (!answers()) {
    int status = 0;
    const bool has_ended = ::waitpid(child_, &status, WNOHANG) == child_;
    if (has_ended || std::chrono::steady_clock::now() > end) {
      if (!has_ended) stop();
      child_ = -1;
      return;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

void TempRedis::stop() {
  if (child_ <= 0) return;
  ::kill(child_, SIGKILL);
  ::waitpid(child_, nullptr, 0);
  child_ = -1;
}

void TempRedis::freeze() {
  ::kill(child_, SIGSTOP);
}
void TempRedis::thaw() {
  ::kill(child_, SIGCONT);
}

}   // namespace agentauri::net::testing
