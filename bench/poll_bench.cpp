// How late the adaptive polling of the head sees blocks, computed: blocks come each 250 ms exactly, an answer takes 0.8
// ms, and one early answer is late, as happens at a start. No clock and no node: the same figures on every machine.
//
//   poll_bench
#include <fmt/format.h>

#include "chain/indexer/poll_timer.hpp"
#include "report.hpp"

namespace agentauri::bench {
namespace {

using chain::PollTimer;
using std::chrono::microseconds;
using std::chrono::milliseconds;

constexpr PollTimer::Duration kBlock = milliseconds(250);
constexpr auto kAnswer = microseconds(800);   // of the node
constexpr auto kHandling = milliseconds(2);   // of a new block
constexpr long kFrom = 20, kUntil = 1200;     // blocks after the start that are looked at

struct Seen {
  double mean_ms = 0, calls_per_block = 0;
};

// `late`: by so much the answer that shows the block `which` (counted from 1) comes late.
Seen follow(milliseconds late, int which) {
  PollTimer timer({});
  const PollTimer::Time genesis{};
  PollTimer::Time now = genesis + std::chrono::seconds(1);
  const auto head_at = [&](PollTimer::Time time) { return static_cast<long>((time - genesis) / kBlock); };
  const long first = head_at(now);
  long known = first;
  int hits = 0;
  double sum_ms = 0, blocks_seen = 0, calls = 0;
  while (known - first < kUntil) {
    const long head = head_at(now);
    const long blocks = head - known;
    auto answered = now + kAnswer;
    if (blocks > 0 && ++hits == which) answered += late;
    if (known - first >= kFrom) ++calls;
    if (blocks > 0 && head - first > kFrom) {
      sum_ms += std::chrono::duration<double, std::milli>(answered - (genesis + kBlock * head)).count();
      ++blocks_seen;
    }
    known = head;
    const auto done = answered + (blocks > 0 ? kHandling : milliseconds(0));
    now = done + timer.next(answered, static_cast<unsigned>(blocks), done);
  }
  return {sum_ms / blocks_seen, calls / (kUntil - kFrom)};
}

void run() {
  for (const int late : {0, 20, 60, 100}) {
    const Seen seen = follow(milliseconds(late), 2);
    note(fmt::format("computed: blocks {} to {} seen late by, second block {} ms late", kFrom, kUntil, late),
         seen.mean_ms, fmt::format("ms ({:.2f} looks a block)", seen.calls_per_block));
  }
}

}   // namespace
}   // namespace agentauri::bench

int main() {
  agentauri::bench::run();
  return 0;
}
