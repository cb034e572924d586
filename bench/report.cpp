#include "report.hpp"

#include <fmt/format.h>
#include <time.h>

#include <chrono>
#include <cstdio>

namespace agentauri::bench {
namespace {

// Three digits that mean something, whatever the size.
std::string digits(double figure) {
  const double size = figure < 0 ? -figure : figure;
  return size >= 100  ? fmt::format("{:.0f}", figure)
         : size >= 10 ? fmt::format("{:.1f}", figure)
                      : fmt::format("{:.2f}", figure);
}

}   // namespace

void report(std::string_view what, double figure, std::string_view unit, Goal goal, double bound) {
  const bool least = goal == Goal::at_least;
  fmt::print("{:<8}{:<64}{:>9} {:<12}(goal: at {} {:g})\n",
             (least ? figure >= bound : figure <= bound) ? "met" : "MISSED", what, digits(figure), unit,
             least ? "least" : "most", bound);
  std::fflush(stdout);   // another process prints the next line
}

void note(std::string_view what, double figure, std::string_view unit) {
  fmt::print("{:<8}{:<64}{:>9} {}\n", "", what, digits(figure), unit);
  std::fflush(stdout);
}

double core_share() {
  const auto spent = [] {
    timespec time{};
    ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &time);
    return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
  };
  const double before = spent();
  const auto started = std::chrono::steady_clock::now();
  std::chrono::duration<double> took{};
  while (took.count() < 0.2) took = std::chrono::steady_clock::now() - started;
  return (spent() - before) / took.count();
}

}   // namespace agentauri::bench
