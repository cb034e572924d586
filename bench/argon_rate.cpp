// How many passwords this machine checks when nothing is around it: what a login is measured against.
//
//   argon_rate [threads] [seconds]      prints verifications per second, alone on its line
#include <fmt/format.h>

#include <atomic>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <thread>
#include <vector>

#include "core/crypto/crypto.hpp"

int main(int argc, char** argv) {
  using namespace agentauri;
  const int threads = argc > 1 ? std::atoi(argv[1]) : 1;
  const auto span = std::chrono::duration<double>(argc > 2 ? std::atof(argv[2]) : 3);
  const auto phc = crypto::hash_password("a quiet river 77");
  if (!phc) return 1;
  std::atomic<int> checked = 0;
  const auto started = std::chrono::steady_clock::now();
  {
    std::vector<std::jthread> lanes;
    for (int i = 0; i < threads; ++i) {
      lanes.emplace_back([&] {
        while (std::chrono::steady_clock::now() - started < span) {
          const auto right = crypto::verify_password(*phc, "a quiet river 77");
          if (right && *right) ++checked;
        }
      });
    }
  }
  const std::chrono::duration<double> took = std::chrono::steady_clock::now() - started;
  fmt::print("{:.3f}\n", checked / took.count());
  return 0;
}
