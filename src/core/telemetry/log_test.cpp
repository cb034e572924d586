#include "core/telemetry/log.hpp"

#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <chrono>
#include <filesystem>
#include <fstream>
#include <limits>
#include <sstream>
#include <thread>

#include "core/json/json.hpp"
#include "core/telemetry/metrics.hpp"

namespace agentauri {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

template <class Body>
std::string logged(Body body) {
  flush_log();
  ::testing::internal::CaptureStdout();
  body(Log("test"));
  flush_log();
  return ::testing::internal::GetCapturedStdout();
}

std::string content(const std::string& path) {
  std::ostringstream out;
  out << std::ifstream(path).rdbuf();
  return out.str();
}

TEST(Log, WritesEveryKindOfFieldAsJson) {
  const std::string line = logged([](const Log& log) {
    log.info("a \"message\"", {{"text", "line\nfeed"},
                               {"whole", -1},
                               {"flag", true},
                               {"half", 0.5},
                               {"nan", std::numeric_limits<double>::quiet_NaN()},
                               {"inf", std::numeric_limits<double>::infinity()}});
  });
  const auto parsed = json::parse(line);
  ASSERT_TRUE(parsed.has_value()) << line;
  EXPECT_THAT(line, HasSubstr(R"("half":0.5,"nan":null,"inf":null)"));
  EXPECT_THAT(line, HasSubstr(R"("text":"line\nfeed","whole":-1,"flag":true)"));
}

TEST(Log, ATerminalObeysNothingInALine) {
  const std::string line = logged([](const Log& log) {
    log.info("m\x1b[2J", {{"c0", "\x01\x07\x7f\r"},
                          {"c1", "a\u0080\u009b2J\u009f\u00a0"},
                          {"lines", "\u2028\u2029"},
                          {"order", "\u202a\u202e\u2066\u2069\u200f"},
                          {"bytes", "\xff\xc3(\xed\xa0\x80\xe2\x82"},
                          {"text", "\u00e9\u20ac\U0001f600"}});
  });
  ASSERT_TRUE(json::parse(line)) << line;
  EXPECT_THAT(line, HasSubstr(R"("message":"m\u001b[2J")"));
  EXPECT_THAT(line, HasSubstr(R"("c0":"\u0001\u0007\u007f\r")"));
  EXPECT_THAT(line, HasSubstr("\"c1\":\"a\\u0080\\u009b2J\\u009f\u00a0\""));
  EXPECT_THAT(line, HasSubstr(R"("lines":"\u2028\u2029")"));
  EXPECT_THAT(line, HasSubstr("\"order\":\"\\u202a\\u202e\\u2066\\u2069\u200f\""));
  EXPECT_THAT(line, HasSubstr(R"("bytes":"\ufffd\ufffd(\ufffd\ufffd\ufffd\ufffd\ufffd")"));
  EXPECT_THAT(line, HasSubstr("\"text\":\"\u00e9\u20ac\U0001f600\""));
}

TEST(Log, FollowsAFileThatWasMovedWhenItIsAsked) {
  const std::string directory = ::testing::TempDir() + "log_test";
  std::filesystem::remove_all(directory);
  std::filesystem::create_directories(directory);
  const std::string path = directory + "/agentauri.log";
  const std::string out = logged([&](const Log& log) {
    configure_log({.directory = directory});
    log.info("first");
    flush_log();
    std::filesystem::rename(path, path + ".1");
    reopen_log();
    log.info("second");
    flush_log();
    configure_log({});
  });
  EXPECT_THAT(content(path + ".1"), HasSubstr("first"));
  EXPECT_THAT(content(path), HasSubstr("second"));
  EXPECT_THAT(content(path), Not(HasSubstr("first")));
  EXPECT_THAT(out, HasSubstr("first"));
  EXPECT_THAT(out, HasSubstr("second"));
  std::filesystem::remove_all(directory);
}

// Standard output is a pipe that nobody reads: who logs goes on, and what was lost is said once there is room again.
TEST(Log, ReaderThatStallsCostsLinesAndNoTime) {
  flush_log();
  int pipe_ends[2];
  ASSERT_EQ(::pipe2(pipe_ends, O_CLOEXEC), 0);
  const int kept = ::fcntl(STDOUT_FILENO, F_DUPFD_CLOEXEC, 0);
  ASSERT_GE(::dup2(pipe_ends[1], STDOUT_FILENO), 0);
  ::close(pipe_ends[1]);
  const Log log("test");
  const std::string text(200, 'x');
  const auto before = std::chrono::steady_clock::now();
  for (int i = 0; i < 20'000; ++i) log.info("a line among many", {{"text", text}, {"n", i}});
  EXPECT_LT(std::chrono::steady_clock::now() - before, std::chrono::seconds(10));
  std::string read;
  std::jthread reader([&read, fd = pipe_ends[0]] {
    char buffer[64 * 1024];
    for (ssize_t got; (got = ::read(fd, buffer, sizeof buffer)) > 0;)
      read.append(buffer, static_cast<std::size_t>(got));
  });
  flush_log();
  log.info("after");
  flush_log();
  ::dup2(kept, STDOUT_FILENO);   // the pipe's last writing end
  ::close(kept);
  reader.join();
  ::close(pipe_ends[0]);
  EXPECT_THAT(read, HasSubstr("\"n\":0}"));
  EXPECT_THAT(read, Not(HasSubstr("\"n\":19999}")));
  EXPECT_THAT(read, HasSubstr("log lines were lost"));
  EXPECT_THAT(read, HasSubstr("\"message\":\"after\""));
  for (std::istringstream lines(read); !lines.eof();) {
    std::string line;
    std::getline(lines, line);
    if (!line.empty()) ASSERT_TRUE(json::parse(line).has_value()) << line;   // whole, every one
  }
  Metrics metrics;
  EXPECT_THAT(metrics.expose(), HasSubstr("log_lines_lost_total"));
  EXPECT_THAT(metrics.expose(), Not(HasSubstr("log_lines_lost_total 0")));
}

TEST(Log, AForkedChildLogsToo) {
  const std::string out = logged([](const Log& log) {
    const pid_t child = ::fork();
    if (child == 0) {
      log.info("from the child");
      flush_log();
      ::_exit(0);
    }
    int status = -1;
    ::waitpid(child, &status, 0);
    EXPECT_EQ(status, 0);
    log.info("from the parent");
  });
  EXPECT_THAT(out, HasSubstr("from the child"));
  EXPECT_THAT(out, HasSubstr("from the parent"));
}

using LogDeathTest = ::testing::Test;
TEST_F(LogDeathTest, ABrokenInvariantLosesNoLine) {
  EXPECT_DEATH(
      {
        ::dup2(STDERR_FILENO, STDOUT_FILENO);
        Log("test").info("the last line");
        ENSURE(1 == 2, "expected by this test");
      },
      "the last line");
}

}   // namespace
}   // namespace agentauri
