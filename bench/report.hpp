// How a bench says what it found: one line for each goal, the same in every program, so that script/bench reads like a
// table. A miss is a word in the line and never the exit code: machines differ and are shared.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <vector>

namespace agentauri::bench {

enum class Goal { at_least, at_most };

// `met     durable group commit / autocommit      36.1 x   (goal: at least 15)`
void report(std::string_view what, double figure, std::string_view unit, Goal goal, double bound);
// A figure that explains another one and has no goal of its own.
void note(std::string_view what, double figure, std::string_view unit);

// How much of a core a thread gets that wants all of it, over a fifth of a second: what time by the clock is worth
// here.
double core_share();

inline double median(std::vector<double> values) {
  std::sort(values.begin(), values.end());
  return values.empty() ? 0 : values[values.size() / 2];
}

}   // namespace agentauri::bench
