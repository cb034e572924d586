// What is written down beside a backup (backup_folder.hpp).
#include <fmt/format.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <fstream>
#include <limits>
#include <sstream>

#include "app/backup_folder.hpp"
#include "core/json/json.hpp"

namespace agentauri::app {
namespace {

constexpr std::int64_t kFormat = 1;
constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();

Result<std::vector<store::TableDigest>> parse_tables(const json::Object& object) {
  auto list = json::optional_array(object, "tables");
  if (!list) return fail(list);
  if (!*list) return fail(Code::invalid, "it has no tables");
  std::vector<store::TableDigest> out;
  for (const auto& each : ***list) {
    if (!each.is_object()) return fail(Code::invalid, "a table is no object");
    auto name = json::required_string(each.get_object(), "table");
    auto rows = json::optional_int(each.get_object(), "rows", 0, kMax);
    auto digest = json::required_string(each.get_object(), "digest");
    if (!name || !digest || !rows || !*rows) return fail(Code::invalid, "a table lacks its name, rows or digest");
    out.push_back({std::move(*name), **rows, std::move(*digest)});
  }
  return out;
}

Result<BackupManifest> parse(std::string_view text) {
  auto value = json::parse(text);
  if (!value) return fail(value);
  if (!value->is_object()) return fail(Code::invalid, "it is no JSON object");
  const auto& object = value->get_object();
  auto format = json::optional_int(object, "format", 0, kMax);
  if (!format || *format != kFormat) return fail(Code::invalid, "it was written by a newer AgentAuri");
  BackupManifest out;
  auto engine = json::required_string(object, "engine");
  if (!engine) return fail(engine);
  out.kind = *engine == "postgres" ? BackupKind::postgres : BackupKind::sqlite;
  auto sha256 = json::required_string(object, "sha256");
  if (!sha256) return fail(sha256);
  out.sha256 = std::move(*sha256);
  auto created = json::required_string(object, "created_at");
  if (!created) return fail(created);
  out.created_at = parse_rfc3339(*created).value_or(Time{});
  auto size = json::optional_int(object, "size_bytes", 0, kMax);
  if (!size || !*size) return fail(Code::invalid, "it has no size_bytes");
  out.size_bytes = **size;
  out.schema_version = json::optional_int(object, "schema_version", 0, kMax).value_or(std::nullopt).value_or(0);
  out.program_version = json::optional_string(object, "program_version").value_or(std::nullopt).value_or("");
  out.database = json::optional_string(object, "database").value_or(std::nullopt).value_or("");
  auto tables = parse_tables(object);
  if (!tables) return fail(tables);
  out.tables = std::move(*tables);
  return out;
}

}   // namespace

std::string to_json(const BackupManifest& manifest, const std::string& file) {
  json::Object out;
  out["format"] = kFormat;
  out["file"] = file;
  out["engine"] = manifest.kind == BackupKind::postgres ? "postgres" : "sqlite";
  out["size_bytes"] = manifest.size_bytes;
  out["sha256"] = manifest.sha256;
  out["created_at"] = to_rfc3339(manifest.created_at);
  out["schema_version"] = manifest.schema_version;
  out["program_version"] = manifest.program_version;
  if (!manifest.database.empty()) out["database"] = manifest.database;
  json::Array tables;
  for (const auto& each : manifest.tables) {
    json::Object table;
    table["table"] = each.table;
    table["rows"] = each.rows;
    table["digest"] = each.digest;
    tables.emplace_back(std::move(table));
  }
  out["tables"] = std::move(tables);
  return json::dump(out);
}

Result<std::optional<BackupManifest>> read_manifest(const std::string& backup_path) {
  const std::string path = backup_path + ".json";
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  if (!file) {
    if (errno == ENOENT) return std::optional<BackupManifest>();
    return fail(Code::unavailable, fmt::format("{} cannot be read: {}", path, std::strerror(errno)));
  }
  std::ostringstream content;
  content << file.rdbuf();
  auto manifest = parse(content.view());
  if (!manifest) return fail(Code::corrupt, fmt::format("{} cannot be understood: {}", path, manifest.error().text));
  return std::optional(std::move(*manifest));
}

Result<void> check_file(const std::string& backup_path, const BackupManifest& manifest) {
  std::ifstream file(backup_path, std::ios::binary);
  if (!file) return fail(Code::unavailable, fmt::format("{} cannot be read: {}", backup_path, std::strerror(errno)));
  crypto::Sha256Stream hash;
  std::int64_t size = 0;
  std::array<char, 64 * 1024> part{};
  while (file) {
    file.read(part.data(), part.size());
    hash.add(as_bytes({part.data(), static_cast<std::size_t>(file.gcount())}));
    size += file.gcount();
  }
  if (size != manifest.size_bytes)
    return fail(Code::corrupt, fmt::format("{} has {} bytes instead of {}", backup_path, size, manifest.size_bytes));
  if (to_hex(hash.finish().view()) != manifest.sha256)
    return fail(Code::corrupt, fmt::format("{} is not what was backed up: its SHA-256 is another one", backup_path));
  return {};
}

}   // namespace agentauri::app
