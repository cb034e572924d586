#include "app/postgres_tools.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>

#include "app/child_process.hpp"
#include "core/compress/gzip_stream.hpp"

namespace agentauri::app {
namespace {

constexpr std::size_t kStep = 64 * 1024;
constexpr std::size_t kKeptTail = 512;   // of a dump, which holds its last line and what may follow it
constexpr const char* kDebianFolder = "/usr/lib/postgresql";

std::string variable(const char* name, const char* fallback = "") {
  const char* value = std::getenv(name);
  return value == nullptr ? fallback : value;
}

std::vector<std::string> base_environment() {
  std::vector<std::string> out{"LC_ALL=C.UTF-8", fmt::format("PATH={}", variable("PATH", "/usr/bin:/bin"))};
  for (const char* name : {"HOME", "PGPASSFILE", "PGSSLCERT", "PGSSLKEY", "PGSYSCONFDIR"}) {
    if (const std::string value = variable(name); !value.empty()) out.push_back(fmt::format("{}={}", name, value));
  }
  return out;
}

Result<std::string> output_of(const std::vector<std::string>& command, const std::vector<std::string>& environment) {
  auto child = ChildProcess::start(command, environment, ChildProcess::Pipe::its_output);
  if (!child) return fail(child);
  std::string out;
  std::array<char, kStep> part{};
  for (;;) {
    auto n = child->read(part);
    if (!n) return fail(n);
    if (*n == 0) break;
    out.append(part.data(), *n);
  }
  if (auto ended = child->wait(); !ended) return fail(ended);
  return out;
}

// 15 of "pg_dump (PostgreSQL) 15.13 (Debian 15.13-0+deb12u1)".
std::optional<int> version_of(const std::string& tool) {
  const auto said = output_of({tool, "--version"}, base_environment());
  if (!said) return std::nullopt;
  constexpr std::string_view kMark = "(PostgreSQL) ";
  const std::size_t at = said->find(kMark);
  if (at == std::string::npos) return std::nullopt;
  int major = 0;
  const char* first = said->data() + at + kMark.size();
  if (std::from_chars(first, said->data() + said->size(), major).ec != std::errc()) return std::nullopt;
  return major;
}

std::vector<std::string> candidates(const std::string& name) {
  std::vector<std::string> out;
  std::string folders = variable("PATH", "/usr/bin:/bin");
  for (std::size_t begin = 0; begin <= folders.size();) {
    const std::size_t end = std::min(folders.find(':', begin), folders.size());
    if (end > begin) out.push_back(folders.substr(begin, end - begin) + "/" + name);
    begin = end + 1;
  }
  std::error_code ignored;
  std::vector<std::string> versions;
  for (const auto& entry : std::filesystem::directory_iterator(kDebianFolder, ignored))
    versions.push_back((entry.path() / "bin" / name).string());
  std::sort(versions.begin(), versions.end());
  out.insert(out.end(), versions.begin(), versions.end());
  return out;
}

const store::Query kServerVersion{store::Query::Unlisted{}, "server_version",
                                  "SELECT CAST(current_setting('server_version_num') AS bigint)"};

}   // namespace

Result<std::string> find_postgres_tool(const std::string& name, int major) {
  std::string older;
  for (const auto& path : candidates(name)) {
    std::error_code ignored;
    if (!std::filesystem::exists(path, ignored)) continue;
    const auto version = version_of(path);
    if (version && *version >= major) return path;
    if (version) older = fmt::format("{} is of version {}, ", path, *version);
  }
  if (older.empty())
    return fail(Code::unsupported, fmt::format("{} is not installed: install postgresql-client-{}", name, major));
  return fail(Code::unsupported,
              fmt::format("{}the server of version {}: install postgresql-client-{}", older, major, major));
}

Result<int> server_major(store::Tx& tx) {
  auto rows = tx.run(kServerVersion);
  if (!rows) return fail(rows);
  return static_cast<int>(rows->i64(0, 0) / 10'000);
}

std::vector<std::string> tool_environment(const PostgresLogin& login) {
  auto out = base_environment();
  const auto add = [&out](const char* name, const std::string& value) {
    if (!value.empty()) out.push_back(fmt::format("{}={}", name, value));
  };
  add("PGHOST", login.host);
  add("PGPORT", std::to_string(login.port));
  add("PGDATABASE", login.database);
  add("PGUSER", login.user);
  add("PGPASSWORD", login.password.empty() ? variable("PGPASSWORD") : login.password.reveal());
  add("PGSSLMODE", login.ssl_mode);
  add("PGSSLROOTCERT", login.ssl_root_cert);
  add("PGAPPNAME", "agentauri-backup");
  add("PGCONNECT_TIMEOUT", "10");
  return out;
}

Result<std::string> run_psql(const std::string& psql, const PostgresLogin& login,
                             const std::vector<std::string>& statements) {
  std::vector<std::string> command{psql, "-X", "-w", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1"};
  for (const auto& statement : statements) {
    command.emplace_back("-c");
    command.push_back(statement);
  }
  return output_of(command, tool_environment(login));
}

Result<void> load_dump(const std::string& psql, const PostgresLogin& login, const std::string& first,
                       const std::string& packed_file) {
  std::ifstream file(packed_file, std::ios::binary);
  if (!file) return fail(Code::unavailable, fmt::format("{} cannot be read", packed_file));
  auto child = ChildProcess::start({psql, "-X", "-w", "-q", "-v", "ON_ERROR_STOP=1", "-f", "-"},
                                   tool_environment(login), ChildProcess::Pipe::its_input);
  if (!child) return fail(child);
  // Not --single-transaction: at the end of its input psql would commit, and our death is an end of input.
  auto fed = child->write(fmt::format("BEGIN;\n{}", first));
  std::string tail;
  GzipReader reader([&](std::string_view part) -> Result<void> {
    tail.append(part);
    if (tail.size() > kStep) tail.erase(0, tail.size() - kKeptTail);
    return child->write(part);
  });
  std::array<char, kStep> part{};
  while (fed && file) {
    file.read(part.data(), part.size());
    fed = reader.write({part.data(), static_cast<std::size_t>(file.gcount())});
  }
  if (fed && file.bad()) fed = fail(Code::unavailable, fmt::format("{} cannot be read to its end", packed_file));
  if (fed) fed = reader.finish();
  if (fed && tail.find(kDumpEnd) == std::string::npos)
    fed = fail(Code::corrupt, fmt::format("{} ends before the last line of a dump", packed_file));
  if (fed) fed = child->write("\nCOMMIT;\n");
  child->close_pipe();
  // What psql says comes before what we noticed of its end.
  const auto ended = child->wait();
  if (!ended) return ended;
  return fed;
}

}   // namespace agentauri::app
