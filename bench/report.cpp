#include "report.hpp"

#include <fmt/format.h>

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

}   // namespace agentauri::bench
