// A node whose chain grows at a steady pace: a block with so many feedbacks every so often, against the clock, so that
// the load does not drift by what it costs. The feedbacks are about ten agents in turn.
//
//   paced_node <microseconds between blocks> <events of a block>
//                              prints in one line the URL, then the addresses of the identity, reputation and
//                              validation registry; ends with its standard input
//   read from there: `events` and `none`, whether blocks hold events; at first they hold none
#include <fmt/format.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <iostream>
#include <string>
#include <thread>

#include "chain/fake/fake_chain.hpp"
#include "chain/fake/fake_node.hpp"
#include "core/async/task.hpp"

namespace agentauri::bench {
namespace {

constexpr domain::ChainId kChain = 31337;   // as webhookTrigger() of lib.mjs
constexpr std::uint64_t kAgents = 10;

int run(std::chrono::microseconds interval, std::uint64_t events) {
  IoThread thread("node");
  chain::FakeChain chain(kChain, 1, SystemClock().now(), std::chrono::seconds(1));
  chain::FakeNode node(thread.executor(), chain);
  if (const auto started = node.start(); !started) {
    fmt::print(stderr, "paced_node: {}\n", started.error().text);
    return 1;
  }
  const auto& contracts = chain.contracts();
  fmt::print("{} {} {} {}\n", node.url(), to_hex_0x(*contracts.identity), to_hex_0x(*contracts.reputation),
             to_hex_0x(*contracts.validation));
  std::fflush(stdout);
  std::atomic<bool> busy{false};
  std::thread([&chain, &busy, interval, events] {
    std::uint64_t agent = 0;
    for (auto next = std::chrono::steady_clock::now();; next += interval) {
      std::this_thread::sleep_until(next);
      for (std::uint64_t i = 0; i < events && busy; ++i)
        chain.give_feedback(agent++ % kAgents, 1, 50, 0, "starred", "");
      chain.mine(SystemClock().now());
    }
  }).detach();
  for (std::string line; std::getline(std::cin, line);) busy = line == "events";
  std::_Exit(0);   // whoever started it is gone, and nothing of this has to be kept
}

}   // namespace
}   // namespace agentauri::bench

int main(int argc, char** argv) {
  if (argc == 3)
    return agentauri::bench::run(std::chrono::microseconds(std::atoll(argv[1])), std::strtoul(argv[2], nullptr, 10));
  fmt::print(stderr, "usage: paced_node <microseconds between blocks> <events of a block>\n");
  return 2;
}
