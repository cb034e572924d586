#include "core/telemetry/metrics.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>

#include <sstream>

namespace agentauri {
namespace {

double value_of(const std::string& exposed, const std::string& name) {
  for (std::istringstream lines(exposed); !lines.eof();) {
    std::string line;
    std::getline(lines, line);
    if (line.starts_with(name + " ")) return std::stod(line.substr(name.size() + 1));
  }
  return -1;
}

// Without descriptors /proc cannot be read, which is when the number matters most: it must not fall to nothing.
TEST(Metrics, KeepsTheLastProcessFactsWhenTheyCannotBeRead) {
  Metrics metrics;
  const std::string before = metrics.expose();
  EXPECT_GE(value_of(before, "process_open_fds"), 3);
  EXPECT_GT(value_of(before, "process_resident_memory_bytes"), 0);
  rlimit limit{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &limit), 0);
  rlimit none = limit;
  none.rlim_cur = 0;
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &none), 0);
  const std::string without = metrics.expose();
  ASSERT_EQ(::setrlimit(RLIMIT_NOFILE, &limit), 0);
  EXPECT_EQ(value_of(without, "process_open_fds"), value_of(before, "process_open_fds"));
  EXPECT_EQ(value_of(without, "process_resident_memory_bytes"), value_of(before, "process_resident_memory_bytes"));
}

}   // namespace
}   // namespace agentauri
