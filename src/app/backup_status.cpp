#include "app/backup_status.hpp"

#include <fmt/format.h>

#include <cerrno>
#include <cstring>
#include <fstream>
#include <limits>
#include <sstream>

#include "app/durable_file.hpp"
#include "core/json/json.hpp"

namespace agentauri::app {
namespace {

constexpr const char* kName = "status.json";

Result<std::optional<Time>> read_time(const json::Object& object, std::string_view key) {
  constexpr std::int64_t kYear9999 = 253'402'300'799;
  auto seconds = json::optional_int(object, key, 0, kYear9999);
  if (!seconds) return fail(seconds);
  return *seconds ? std::optional(from_unix_seconds(**seconds)) : std::nullopt;
}

Result<BackupStatus> parse(std::string_view text) {
  auto value = json::parse(text);
  if (!value) return fail(value);
  if (!value->is_object()) return fail(Code::invalid, "it is no JSON object");
  const json::Object& object = value->get_object();
  BackupStatus out;
  Result<void> good;
  const auto take = [&good](auto&& read, auto& into) {
    if (!good) return;
    if (!read)
      good = fail(read);
    else
      into = std::move(*read);
  };
  take(read_time(object, "last_success_at"), out.last_success_at);
  take(json::optional_string(object, "last_file"), out.last_file);
  take(json::optional_int(object, "last_size_bytes", 0, std::numeric_limits<std::int64_t>::max()), out.last_size_bytes);
  take(read_time(object, "last_verified_at"), out.last_verified_at);
  take(json::optional_string(object, "last_verified_file"), out.last_verified_file);
  take(read_time(object, "last_failure_at"), out.last_failure_at);
  take(json::optional_string(object, "last_failure"), out.last_failure);
  if (!good) return fail(good);
  return out;
}

}   // namespace

Result<BackupStatus> read_backup_status(const std::string& folder) {
  const std::string path = fmt::format("{}/{}", folder, kName);
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    if (errno == ENOENT || errno == ENOTDIR) return BackupStatus{};
    return fail(Code::unavailable, "BACKUP_DIR", fmt::format("{} cannot be read: {}", path, std::strerror(errno)));
  }
  std::ostringstream content;
  content << file.rdbuf();
  auto status = parse(content.view());
  if (!status)
    return fail(Code::corrupt, "BACKUP_DIR", fmt::format("{} cannot be understood: {}", path, status.error().text));
  return status;
}

Result<void> write_backup_status(const std::string& folder, const BackupStatus& status) {
  json::Object out;
  const auto time = [&out](const char* key, const std::optional<Time>& at) {
    if (at) out[key] = to_unix_seconds(*at);
  };
  const auto text = [&out](const char* key, const std::optional<std::string>& value) {
    if (value) out[key] = json::String(*value);
  };
  time("last_success_at", status.last_success_at);
  text("last_file", status.last_file);
  if (status.last_size_bytes) out["last_size_bytes"] = *status.last_size_bytes;
  time("last_verified_at", status.last_verified_at);
  text("last_verified_file", status.last_verified_file);
  time("last_failure_at", status.last_failure_at);
  text("last_failure", status.last_failure);
  return write_durably(folder, kName, json::dump(out) + "\n", 0644);
}

}   // namespace agentauri::app
