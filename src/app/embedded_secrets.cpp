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

// Written beside its place, made durable, then put there: a crash leaves either no file or a whole one.
Result<void> write_private(const std::string& path, const std::string& content) {
  const std::string draft = path + ".new";
  const int fd = ::open(draft.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return fail(Code::unavailable, fmt::format("{} cannot be written: {}", draft, std::strerror(errno)));
  const bool written =
      ::write(fd, content.data(), content.size()) == static_cast<ssize_t>(content.size()) && ::fsync(fd) == 0;
  ::close(fd);
  if (!written || ::rename(draft.c_str(), path.c_str()) != 0) {
    return fail(Code::unavailable, fmt::format("{} cannot be written: {}", path, std::strerror(errno)));
  }
  return {};
}

}   // namespace

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
    return fail(
        Code::corrupt,
        fmt::format("{} holds no secret of at least 32 characters; restore it, or delete it to log everybody out",
                    path));
  }
  if (errno != ENOENT) return fail(Code::unavailable, fmt::format("{} cannot be read: {}", path, std::strerror(errno)));
  std::string secret = crypto::base64(crypto::random_bytes(32));
  if (auto written = write_private(path, secret + "\n"); !written) return fail(written);
  return crypto::Secret(std::move(secret));
}

}   // namespace agentauri::app
