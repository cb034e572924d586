#include "app/durable_file.hpp"

#include <fmt/format.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace agentauri::app {
namespace {

std::unexpected<Error> not_written(const std::string& path) {
  return fail(Code::unavailable, fmt::format("{} cannot be written: {}", path, std::strerror(errno)));
}

bool write_all(int fd, std::string_view content) {
  while (!content.empty()) {
    const ssize_t n = ::write(fd, content.data(), content.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return false;
    content.remove_prefix(static_cast<std::size_t>(n));
  }
  return true;
}

}   // namespace

Result<void> sync_folder(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return not_written(path);
  const bool synced = ::fsync(fd) == 0;
  const int why = errno;
  ::close(fd);
  errno = why;
  return synced ? Result<void>() : not_written(path);
}

Result<void> write_durably(const std::string& folder, const std::string& name, std::string_view content, mode_t mode) {
  const std::string path = fmt::format("{}/{}", folder, name);
  const std::string draft = path + ".new";
  // The draft of a run that was cut short is not written into: it would keep its mode.
  if (::unlink(draft.c_str()) != 0 && errno != ENOENT) return not_written(draft);
  const int fd = ::open(draft.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, mode);
  if (fd < 0) return not_written(draft);
  // fchmod: the umask has no say in who may read it.
  const bool written = ::fchmod(fd, mode) == 0 && write_all(fd, content) && ::fsync(fd) == 0;
  const int why = errno;
  ::close(fd);
  errno = why;
  if (!written || ::rename(draft.c_str(), path.c_str()) != 0) return not_written(written ? path : draft);
  return sync_folder(folder);
}

}   // namespace agentauri::app
