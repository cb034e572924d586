#include "app/embedded_secrets.hpp"

#include <fmt/format.h>

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>

namespace agentauri::app {
namespace {

std::unexpected<Error> not_written(const std::string& path) {
  return fail(Code::unavailable, fmt::format("{} cannot be written: {}", path, std::strerror(errno)));
}

// A rename is durable when its folder is.
bool sync_folder(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (fd < 0) return false;
  const bool synced = ::fsync(fd) == 0;
  ::close(fd);
  return synced;
}

// Written beside its place, made durable, then put there: a crash leaves either no file or a whole one. The draft of a
// run that was cut short is not written into: it would keep its mode.
Result<void> write_private(const std::string& folder, const std::string& name, const std::string& content) {
  const std::string path = fmt::format("{}/{}", folder, name);
  const std::string draft = path + ".new";
  if (::unlink(draft.c_str()) != 0 && errno != ENOENT) return not_written(draft);
  const int fd = ::open(draft.c_str(), O_WRONLY | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
  if (fd < 0) return not_written(draft);
  const bool written =
      ::write(fd, content.data(), content.size()) == static_cast<ssize_t>(content.size()) && ::fsync(fd) == 0;
  ::close(fd);
  if (!written) return not_written(draft);
  if (::rename(draft.c_str(), path.c_str()) != 0 || !sync_folder(folder)) return not_written(path);
  return {};
}

}   // namespace

std::string store_path(const std::string& data_dir) {
  return data_dir + "/agentauri.db";
}

Result<void> make_data_dir(const std::string& path) {
  std::error_code error;
  if (std::filesystem::is_directory(path, error)) return {};
  std::filesystem::create_directories(path, error);
  if (error)
    return fail(Code::unavailable, "AGENTAURI_DATA_DIR",
                fmt::format("the data folder {} cannot be made: {}", path, error.message()));
  std::filesystem::permissions(path, std::filesystem::perms::owner_all, error);
  return {};
}

Result<crypto::Secret<std::string>> load_or_make_jwt_secret(const std::string& data_dir) {
  const std::string path = data_dir + "/jwt_secret";
  if (std::ifstream file(path); file) {
    std::string secret;
    std::getline(file, secret);
    if (secret.size() >= 32) return crypto::Secret(std::move(secret));
    return fail(Code::corrupt, "JWT_SECRET",
                fmt::format("{} holds no secret of at least 32 characters. It also encrypts the secrets in the store: "
                            "restore it from a backup, or set JWT_SECRET to what it held",
                            path));
  }
  if (errno != ENOENT) return fail(Code::unavailable, fmt::format("{} cannot be read: {}", path, std::strerror(errno)));
  // A new one beside an old store would leave every stored secret unreadable, and alerts undeliverable with it.
  std::error_code ignored;
  if (std::filesystem::exists(store_path(data_dir), ignored)) {
    return fail(
        Code::invalid, "JWT_SECRET",
        fmt::format("{} is missing, and there is a store beside it whose secrets are encrypted with it: restore "
                    "the file from a backup, or set JWT_SECRET to what it held",
                    path));
  }
  std::string secret = crypto::base64(crypto::random_bytes(32));
  if (auto written = write_private(data_dir, "jwt_secret", secret + "\n"); !written) return fail(written);
  return crypto::Secret(std::move(secret));
}

}   // namespace agentauri::app
