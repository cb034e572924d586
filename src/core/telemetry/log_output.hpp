// Where log lines go: a bounded queue and one thread that writes it to standard output and to a file. Whoever reads
// standard output may stall; then lines are dropped and counted, and nobody who logs waits.
#pragma once

#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <mutex>
#include <string>
#include <string_view>

namespace agentauri {

class LogOutput {
 public:
  // Makes the line that says how many were lost.
  using LossLine = std::string (*)(std::uint64_t lost);

  // The one of this process. Never destroyed: threads may still log while the process ends. A forked child has one of
  // its own, with an empty queue.
  static LogOutput& instance(LossLine loss_line);

  // The file beside standard output; empty: none.
  void open(std::string path);
  void reopen();
  // `line` ends with a line feed and is written whole.
  void write(std::string_view line);
  // Until what was logged before is written; false when that takes longer than `limit`.
  bool flush(std::chrono::milliseconds limit);
  std::uint64_t lost() const;

 private:
  explicit LogOutput(LossLine loss_line) : loss_line_(loss_line) {}
  static LogOutput* make(LossLine loss_line);
  void start_locked();
  void run();
  void write_out(std::string_view lines);
  void open_file(const std::string& path);

  const LossLine loss_line_;
  mutable std::mutex mutex_;
  std::condition_variable wanted_, done_;
  std::string queue_;
  std::size_t writing_bytes_ = 0;                        // taken from the queue and not written yet
  std::uint64_t queued_total_ = 0, written_total_ = 0;   // bytes
  std::uint64_t lost_ = 0, reported_ = 0;
  std::string path_;
  bool reopen_ = false;
  bool started_ = false;

  // The writer's own.
  int file_ = -1;
  std::string file_path_;
  std::chrono::steady_clock::time_point checked_;
};

}   // namespace agentauri
