#include "core/telemetry/log_output.hpp"

#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <system_error>
#include <thread>
#include <utility>

namespace agentauri {
namespace {

constexpr std::size_t kMaxQueuedBytes = 4 * 1024 * 1024;   // some ten thousand lines
constexpr auto kFileCheck = std::chrono::seconds(1);
constexpr auto kExitPatience = std::chrono::milliseconds(1000);   // a reader that stalls must not hold up the end

LogOutput* the_output = nullptr;

// Past stdio: its lock would be held while a write waits, and exit() would wait for it.
void write_all(int fd, std::string_view bytes) {
  while (!bytes.empty()) {
    const ssize_t wrote = ::write(fd, bytes.data(), bytes.size());
    if (wrote >= 0) {
      bytes.remove_prefix(static_cast<std::size_t>(wrote));
    } else if (errno == EAGAIN) {
      pollfd entry{fd, POLLOUT, 0};
      ::poll(&entry, 1, -1);
    } else if (errno != EINTR) {
      return;   // nobody reads, or no space: there is no place to say so
    }
  }
}

}   // namespace

LogOutput* LogOutput::make(LossLine loss_line) {
  the_output = new LogOutput(loss_line);
  std::atexit([] { the_output->flush(kExitPatience); });
  // A child of fork() has no writer, and its copy of the lock may be held for ever.
  ::pthread_atfork([] { the_output->mutex_.lock(); }, [] { the_output->mutex_.unlock(); },
                   [] {
                     auto* own = new LogOutput(the_output->loss_line_);
                     own->path_ = the_output->path_;
                     own->reopen_ = !own->path_.empty();
                     the_output = own;
                   });
  return the_output;
}

LogOutput& LogOutput::instance(LossLine loss_line) {
  static LogOutput* const made = make(loss_line);
  (void)made;
  return *the_output;
}

void LogOutput::start_locked() {
  if (started_) return;
  started_ = true;
  // Signals are for the threads that expect them.
  sigset_t all, before;
  sigfillset(&all);
  ::pthread_sigmask(SIG_SETMASK, &all, &before);
  try {
    std::thread([this] { run(); }).detach();
  } catch (const std::system_error&) {
    started_ = false;   // out of threads: the next line tries again
  }
  ::pthread_sigmask(SIG_SETMASK, &before, nullptr);
}

void LogOutput::open(std::string path) {
  const std::lock_guard lock(mutex_);
  path_ = std::move(path);
  reopen_ = true;
  start_locked();
  wanted_.notify_one();
}

void LogOutput::reopen() {
  const std::lock_guard lock(mutex_);
  reopen_ = true;
  wanted_.notify_one();
}

void LogOutput::write(std::string_view line) {
  const std::lock_guard lock(mutex_);
  start_locked();
  if (queue_.size() + writing_bytes_ + line.size() > kMaxQueuedBytes) {
    ++lost_;
    return;
  }
  if (queue_.empty()) wanted_.notify_one();
  queue_ += line;
  queued_total_ += line.size();
}

bool LogOutput::flush(std::chrono::milliseconds limit) {
  std::unique_lock lock(mutex_);
  if (!started_) return true;
  const auto wanted = queued_total_;
  return done_.wait_for(lock, limit, [this, wanted] { return written_total_ >= wanted && !reopen_; });
}

std::uint64_t LogOutput::lost() const {
  const std::lock_guard lock(mutex_);
  return lost_;
}

void LogOutput::run() {
  ::pthread_setname_np(::pthread_self(), "log");
  std::string lines;
  std::unique_lock lock(mutex_);
  for (;;) {
    wanted_.wait(lock, [this] { return !queue_.empty() || reopen_; });
    lines.clear();
    lines.swap(queue_);
    const std::size_t taken = writing_bytes_ = lines.size();
    const std::uint64_t lost = lost_ - std::exchange(reported_, lost_);
    const bool anew = std::exchange(reopen_, false);
    const std::string path = anew ? path_ : std::string();
    lock.unlock();
    if (anew) open_file(path);
    if (lost > 0) lines += loss_line_(lost);
    write_out(lines);
    lock.lock();
    writing_bytes_ = 0;
    written_total_ += taken;
    done_.notify_all();
  }
}

void LogOutput::write_out(std::string_view lines) {
  write_all(STDOUT_FILENO, lines);
  if (file_path_.empty()) return;
  const auto now = std::chrono::steady_clock::now();
  if (now - checked_ >= kFileCheck) {
    checked_ = now;
    struct stat named{};
    struct stat open{};
    const bool moved = file_ < 0 || ::stat(file_path_.c_str(), &named) != 0 || ::fstat(file_, &open) != 0 ||
                       named.st_ino != open.st_ino || named.st_dev != open.st_dev;
    if (moved) open_file(file_path_);
  }
  if (file_ >= 0) write_all(file_, lines);
}

void LogOutput::open_file(const std::string& path) {
  if (file_ >= 0) ::close(file_);
  file_ = -1;
  file_path_ = path;
  if (path.empty()) return;
  file_ = ::open(path.c_str(), O_WRONLY | O_APPEND | O_CREAT | O_CLOEXEC, 0666);
  if (file_ < 0) std::fprintf(stderr, "the log file %s cannot be opened: error %d\n", path.c_str(), errno);
}

}   // namespace agentauri
