#include "store/sqlite/folder_lock.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>

namespace agentauri::store::sqlite {

Result<std::unique_ptr<FolderLock>> FolderLock::take(const std::string& folder) {
  const std::string path = folder + "/lock";
  const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) {
    return fail(Code::unavailable, "AGENTAURI_DATA_DIR",
                fmt::format("{} cannot be opened: {}", path, std::strerror(errno)));
  }
  std::unique_ptr<FolderLock> lock(new FolderLock(fd));
  if (::flock(fd, LOCK_EX | LOCK_NB) == 0) return lock;
  if (errno == EWOULDBLOCK) {
    return fail(
        Code::busy, "AGENTAURI_DATA_DIR",
        fmt::format("another process uses the data folder {}; stop it, or set AGENTAURI_DATA_DIR to another folder",
                    folder));
  }
  return fail(Code::unavailable, "AGENTAURI_DATA_DIR",
              fmt::format("{} cannot be locked: {}", path, std::strerror(errno)));
}

FolderLock::~FolderLock() {
  ::close(fd_);
}

}   // namespace agentauri::store::sqlite
