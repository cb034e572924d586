#include "app/child_process.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <spawn.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <utility>

namespace agentauri::app {
namespace {

constexpr std::size_t kMaxTalk = 600;   // bytes of its standard error that are shown: the last ones

std::vector<char*> pointers(const std::vector<std::string>& words) {
  std::vector<char*> out;
  for (const auto& word : words) out.push_back(const_cast<char*>(word.c_str()));
  out.push_back(nullptr);
  return out;
}

// posix_spawn's two settings, freed on every way out.
struct SpawnSettings {
  SpawnSettings() {
    posix_spawn_file_actions_init(&files);
    posix_spawnattr_init(&attributes);
    // We ignore SIGPIPE; it ends by it when we go away.
    sigset_t defaults;
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGPIPE);
    posix_spawnattr_setsigdefault(&attributes, &defaults);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
  }
  ~SpawnSettings() {
    posix_spawn_file_actions_destroy(&files);
    posix_spawnattr_destroy(&attributes);
  }
  SpawnSettings(const SpawnSettings&) = delete;
  SpawnSettings& operator=(const SpawnSettings&) = delete;

  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
};

}   // namespace

Result<ChildProcess> ChildProcess::start(const std::vector<std::string>& command,
                                         const std::vector<std::string>& environment, Pipe pipe) {
  const std::string name = std::filesystem::path(command.front()).filename();
  std::array<int, 2> ends{-1, -1};
  const int talk = ::memfd_create("talk", MFD_CLOEXEC);
  if (talk < 0 || ::pipe2(ends.data(), O_CLOEXEC) != 0) {
    const int why = errno;
    if (talk >= 0) ::close(talk);
    return fail(Code::unavailable, fmt::format("{} cannot be started: {}", name, std::strerror(why)));
  }
  const bool reads = pipe == Pipe::its_output;
  const int its_end = ends[reads ? 1 : 0], our_end = ends[reads ? 0 : 1];
  SpawnSettings settings;
  posix_spawn_file_actions_addopen(&settings.files, reads ? 0 : 1, "/dev/null", reads ? O_RDONLY : O_WRONLY, 0);
  posix_spawn_file_actions_adddup2(&settings.files, its_end, reads ? 1 : 0);
  posix_spawn_file_actions_adddup2(&settings.files, talk, 2);
  auto words = pointers(command);
  auto variables = pointers(environment);
  pid_t pid = -1;
  const int failed =
      ::posix_spawn(&pid, words[0], &settings.files, &settings.attributes, words.data(), variables.data());
  ::close(its_end);
  if (failed != 0) {
    ::close(our_end);
    ::close(talk);
    return fail(Code::unavailable, fmt::format("{} cannot be started: {}", command.front(), std::strerror(failed)));
  }
  return ChildProcess(name, pid, our_end, talk);
}

ChildProcess::ChildProcess(ChildProcess&& other) noexcept
    : name_(std::move(other.name_)),
      pid_(std::exchange(other.pid_, -1)),
      pipe_(std::exchange(other.pipe_, -1)),
      talk_(std::exchange(other.talk_, -1)) {}

ChildProcess::~ChildProcess() {
  close_pipe();
  if (pid_ > 0) {
    kill();
    while (::waitpid(pid_, nullptr, 0) < 0 && errno == EINTR) {
    }
  }
  if (talk_ >= 0) ::close(talk_);
}

void ChildProcess::kill() {
  if (pid_ > 0) ::kill(pid_, SIGKILL);
}

Result<std::size_t> ChildProcess::read(std::span<char> into) {
  for (;;) {
    const ssize_t n = ::read(pipe_, into.data(), into.size());
    if (n >= 0) return static_cast<std::size_t>(n);
    if (errno != EINTR)
      return fail(Code::unavailable, fmt::format("{} cannot be read from: {}", name_, std::strerror(errno)));
  }
}

Result<void> ChildProcess::write(std::string_view text) {
  while (!text.empty()) {
    const ssize_t n = ::write(pipe_, text.data(), text.size());
    if (n < 0 && errno == EINTR) continue;
    if (n < 0) return fail(Code::unavailable, fmt::format("{} has stopped reading", name_));
    text.remove_prefix(static_cast<std::size_t>(n));
  }
  return {};
}

void ChildProcess::close_pipe() {
  if (pipe_ >= 0) ::close(std::exchange(pipe_, -1));
}

std::string ChildProcess::last_words() const {
  const off_t size = std::max<off_t>(0, ::lseek(talk_, 0, SEEK_END));
  const off_t from = std::max<off_t>(0, size - static_cast<off_t>(kMaxTalk));
  std::string out(static_cast<std::size_t>(size - from), '\0');
  const ssize_t n = ::pread(talk_, out.data(), out.size(), from);
  out.resize(static_cast<std::size_t>(std::max<ssize_t>(0, n)));
  std::replace(out.begin(), out.end(), '\n', ' ');
  while (!out.empty() && out.back() == ' ') out.pop_back();
  return out;
}

Result<void> ChildProcess::wait() {
  int status = 0;
  while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
  }
  pid_ = -1;
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
  const std::string how = WIFSIGNALED(status) ? fmt::format("was ended by signal {}", WTERMSIG(status))
                                              : fmt::format("ended with {}", WEXITSTATUS(status));
  const std::string said = last_words();
  return fail(Code::unavailable, fmt::format("{} {}{}{}", name_, how, said.empty() ? "" : ": ", said));
}

}   // namespace agentauri::app
