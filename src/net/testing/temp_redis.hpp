// A real Redis for tests: on a loopback port of its own, in a temporary folder, gone with the object.
#pragma once

#include <sys/types.h>

#include <cstdint>
#include <string>
#include <vector>

namespace agentauri::net::testing {

class TempRedis {
 public:
  // `options`: more of its command line, such as {"--requirepass", "x"}. ENSUREs that redis-tools is installed
  // (script/test does that) and the server answers.
  explicit TempRedis(std::vector<std::string> options = {});
  ~TempRedis();
  TempRedis(const TempRedis&) = delete;
  TempRedis& operator=(const TempRedis&) = delete;

  std::uint16_t port() const { return port_; }
  // Again on the same port, empty.
  void start();
  void stop();
  // SIGSTOP: connections are taken by the kernel and nothing is answered.
  void freeze();
  void thaw();

 private:
  bool answers() const;

  std::vector<std::string> options_;
  std::string folder_;
  std::uint16_t port_ = 0;
  pid_t child_ = -1;
};

}   // namespace agentauri::net::testing
