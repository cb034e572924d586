#include "app/backup_folder.hpp"

#include <fcntl.h>
#include <fmt/chrono.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <utility>

#include "app/durable_file.hpp"

namespace agentauri::app {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kStampPattern = "dddddddd_dddddd";
constexpr std::string_view kPartial = ".partial";

std::string_view ending_of(BackupKind kind) {
  return kind == BackupKind::postgres ? ".sql.gz" : ".db.gz";
}

// What is in front of the stamp. A database may be called anything; a file may not.
std::string prefix_of(BackupKind kind, const std::string& database) {
  if (kind == BackupKind::sqlite) return "agentauri_";
  std::string out = database;
  for (char& c : out) {
    if (std::isalnum(static_cast<unsigned char>(c)) == 0 && c != '-') c = '_';
  }
  return out + "_";
}

bool is_stamp(std::string_view text) {
  if (text.size() != kStampPattern.size()) return false;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool digit = text[i] >= '0' && text[i] <= '9';
    if (kStampPattern[i] == 'd' ? !digit : text[i] != kStampPattern[i]) return false;
  }
  return true;
}

// <prefix><stamp><ending>
bool is_ours(std::string_view name, std::string_view prefix, std::string_view ending) {
  if (name.size() != prefix.size() + kStampPattern.size() + ending.size()) return false;
  return name.starts_with(prefix) && name.ends_with(ending) &&
         is_stamp(name.substr(prefix.size(), kStampPattern.size()));
}

std::unexpected<Error> cannot(const char* what, const std::string& path) {
  return fail(Code::unavailable, "BACKUP_DIR", fmt::format("{} cannot be {}: {}", path, what, std::strerror(errno)));
}

}   // namespace

std::string backup_name(BackupKind kind, const std::string& database, Time at) {
  const auto seconds = std::chrono::floor<std::chrono::seconds>(at);
  return fmt::format("{}{:%Y%m%d_%H%M%S}{}", prefix_of(kind, database),
                     fmt::gmtime(std::chrono::system_clock::to_time_t(seconds)), ending_of(kind));
}

std::optional<BackupKind> kind_of_backup(const std::string& name) {
  for (const auto kind : {BackupKind::postgres, BackupKind::sqlite}) {
    const auto ending = ending_of(kind);
    if (name.size() < 1 + kStampPattern.size() + ending.size() || !name.ends_with(ending)) continue;
    const std::string_view front = std::string_view(name).substr(0, name.size() - ending.size());
    const auto stamp = front.substr(front.size() - kStampPattern.size());
    if (is_stamp(stamp) && front[front.size() - stamp.size() - 1] == '_') return kind;
  }
  return std::nullopt;
}

Result<BackupFolder> BackupFolder::open(std::string path) {
  std::error_code error;
  if (!fs::is_directory(path, error)) {
    fs::create_directories(path, error);
    if (error)
      return fail(Code::unavailable, "BACKUP_DIR", fmt::format("{} cannot be made: {}", path, error.message()));
    // Password hashes are in a backup.
    fs::permissions(path, fs::perms::owner_all | fs::perms::group_read | fs::perms::group_exec, error);
  }
  const std::string file = path + "/.lock";
  const int fd = ::open(file.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (fd < 0) return cannot("opened", file);
  BackupFolder folder(std::move(path), fd);
  if (::flock(fd, LOCK_EX | LOCK_NB) == 0) return folder;
  if (errno == EWOULDBLOCK)
    return fail(Code::busy, "BACKUP_DIR",
                fmt::format("another backup or verification is under way in {}", folder.path()));
  return cannot("locked", file);
}

BackupFolder::BackupFolder(BackupFolder&& other) noexcept
    : path_(std::move(other.path_)), lock_(std::exchange(other.lock_, -1)) {}

BackupFolder::~BackupFolder() {
  if (lock_ >= 0) ::close(lock_);
}

std::vector<std::string> BackupFolder::list(BackupKind kind, const std::string& database) const {
  std::vector<std::string> out;
  std::error_code ignored;
  for (const auto& entry : fs::directory_iterator(path_, ignored)) {
    const std::string name = entry.path().filename();
    if (is_ours(name, prefix_of(kind, database), ending_of(kind)) && entry.is_regular_file(ignored))
      out.push_back(name);
  }
  std::sort(out.begin(), out.end());   // the stamp behind a common prefix: by time
  return out;
}

std::string BackupFolder::free_name(BackupKind kind, const std::string& database, Time now) const {
  for (;; now += std::chrono::seconds(1)) {
    std::string name = backup_name(kind, database, now);
    std::error_code ignored;
    if (!fs::exists(path_of(name), ignored)) return name;
  }
}

void BackupFolder::forget_partial(BackupKind kind, const std::string& database) const {
  const std::string prefix = prefix_of(kind, database);
  std::error_code ignored;
  std::vector<fs::path> gone;
  for (const auto& entry : fs::directory_iterator(path_, ignored)) {
    const std::string name = entry.path().filename();
    const std::size_t size = prefix.size() + kStampPattern.size() + ending_of(kind).size();
    if (name.size() < size || !is_ours(std::string_view(name).substr(0, size), prefix, ending_of(kind))) continue;
    const auto rest = std::string_view(name).substr(size);
    // A manifest without its backup comes from a run that ended between the two.
    const bool orphan = rest == ".json" && !fs::exists(path_of(name.substr(0, size)), ignored);
    if (rest.starts_with(kPartial) || orphan) gone.push_back(entry.path());
  }
  for (const auto& path : gone) fs::remove(path, ignored);
}

Result<std::vector<std::string>> forget_old_backups(const BackupFolder& folder, BackupKind kind,
                                                    const std::string& database, const Retention& retention, Time now,
                                                    const std::string& verified) {
  auto all = folder.list(kind, database);
  const auto kept = static_cast<std::size_t>(std::max(1, retention.keep_min));
  all.resize(all.size() - std::min(all.size(), kept));
  std::vector<std::string> gone;
  for (const auto& name : all) {
    struct stat about{};
    const std::string path = folder.path_of(name);
    if (name == verified || ::stat(path.c_str(), &about) != 0) continue;
    const auto age = std::chrono::floor<std::chrono::days>(now - from_unix_seconds(about.st_mtim.tv_sec));
    if (age.count() <= retention.keep_days) continue;
    if (::unlink(path.c_str()) != 0) return cannot("deleted", path);
    const std::string manifest = path + ".json";
    if (::unlink(manifest.c_str()) != 0 && errno != ENOENT) return cannot("deleted", manifest);
    gone.push_back(name);
  }
  return gone;
}

// --- the file --------------------------------------------------------------------------------------------------------

Result<PartialFile> PartialFile::create(const BackupFolder& folder, const std::string& name) {
  const std::string path = folder.path_of(name) + std::string(kPartial);
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0640);
  if (fd < 0) return cannot("written", path);
  return PartialFile(folder.path(), name, fd);
}

PartialFile::PartialFile(PartialFile&& other) noexcept
    : folder_(std::move(other.folder_)),
      name_(std::move(other.name_)),
      fd_(std::exchange(other.fd_, -1)),
      size_(other.size_),
      published_(std::exchange(other.published_, true)),
      hash_(std::move(other.hash_)) {}

PartialFile::~PartialFile() {
  if (fd_ >= 0) ::close(fd_);
  if (!published_) ::unlink(partial().c_str());
}

Result<void> PartialFile::write(std::string_view bytes) {
  hash_.add(as_bytes(bytes));
  size_ += static_cast<std::int64_t>(bytes.size());
  while (!bytes.empty()) {
    const ssize_t n = ::write(fd_, bytes.data(), bytes.size());
    if (n < 0 && errno == EINTR) continue;
    if (n <= 0) return cannot("written", partial());
    bytes.remove_prefix(static_cast<std::size_t>(n));
  }
  return {};
}

Result<std::string> PartialFile::close() {
  const bool synced = ::fsync(fd_) == 0;
  const int why = errno;
  ::close(std::exchange(fd_, -1));
  errno = why;
  if (!synced) return cannot("written", partial());
  return to_hex(hash_.finish().view());
}

Result<void> PartialFile::publish(const BackupManifest& manifest) {
  if (auto written = write_durably(folder_, name_ + ".json", to_json(manifest, name_) + "\n", 0640); !written)
    return written;
  const std::string path = folder_ + "/" + name_;
  if (::rename(partial().c_str(), path.c_str()) != 0) return cannot("written", path);
  published_ = true;
  return sync_folder(folder_);
}

}   // namespace agentauri::app
