// Who uses the data folder: one process at a time.
#pragma once

#include <memory>
#include <string>

#include "core/base/result.hpp"

namespace agentauri::store::sqlite {

// Held for the life of the process that owns the folder; the kernel lets go of it whatever way the process ends.
class FolderLock {
 public:
  // Code::busy when another process holds it, with a sentence that names the folder.
  static Result<std::unique_ptr<FolderLock>> take(const std::string& folder);
  ~FolderLock();
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

 private:
  explicit FolderLock(int fd) : fd_(fd) {}
  int fd_;
};

}   // namespace agentauri::store::sqlite
