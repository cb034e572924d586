// A program of the host that does a part of our work: pg_dump, psql. Used by one thread at a time, but for kill().
#pragma once

#include <sys/types.h>

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.hpp"

namespace agentauri::app {

class ChildProcess {
 public:
  // Which end of it is ours: what it writes to its standard output, or what it reads from its standard input. The other
  // one is /dev/null. What it says on standard error is kept for wait().
  enum class Pipe : std::uint8_t { its_output, its_input };

  // `command[0]` is a path. `environment` holds NAME=value and is all that it gets: our own holds secrets that are none
  // of its business. Arguments are seen by every user of the host: no secret goes there.
  static Result<ChildProcess> start(const std::vector<std::string>& command,
                                    const std::vector<std::string>& environment, Pipe pipe);
  // One that was not waited for is killed.
  ~ChildProcess();
  ChildProcess(ChildProcess&& other) noexcept;
  ChildProcess& operator=(ChildProcess&&) = delete;

  // 0: the end.
  Result<std::size_t> read(std::span<char> into);
  // Code::unavailable when it does not listen any more: wait() says why.
  Result<void> write(std::string_view text);
  void close_pipe();
  // Until it has ended. Code::unavailable unless by 0: the sentence holds its name, how it ended and what it said last.
  Result<void> wait();
  void kill();

 private:
  ChildProcess(std::string name, pid_t pid, int pipe, int talk)
      : name_(std::move(name)), pid_(pid), pipe_(pipe), talk_(talk) {}
  std::string last_words() const;

  std::string name_;
  pid_t pid_ = -1;
  int pipe_ = -1, talk_ = -1;
};

}   // namespace agentauri::app
