// The kernel, and files of nginx, logrotate and Prometheus.
#include <arpa/inet.h>
#include <fmt/format.h>
#include <fnmatch.h>
#include <sys/resource.h>
#include <sys/statvfs.h>
#include <sys/timex.h>

#include <algorithm>
#include <charconv>
#include <filesystem>
#include <fstream>
#include <set>
#include <sstream>

#include "app/doctor/checks.hpp"
#include "app/doctor/gather.hpp"
#include "net/certificate.hpp"

namespace agentauri::app::doctor {
namespace {

namespace fs = std::filesystem;

constexpr std::uintmax_t kLargestConfig = 1024 * 1024;
constexpr std::string_view kListening = "0A";   // TCP_LISTEN, as /proc writes it

std::string read_text(const fs::path& path) {
  std::error_code error;
  const auto size = fs::file_size(path, error);
  if (error || (size > kLargestConfig)) return {};
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

std::vector<fs::path> files_below(const std::string& folder) {
  std::vector<fs::path> out;
  std::error_code error;
  for (fs::recursive_directory_iterator it(folder, fs::directory_options::skip_permission_denied, error), end;
       !error && it != end; it.increment(error)) {
    std::error_code ignored;
    if (it->is_regular_file(ignored)) out.push_back(it->path());
  }
  std::sort(out.begin(), out.end());
  return out;
}

// Lines without their comments and margins.
std::vector<std::string> lines_of(const std::string& text) {
  std::vector<std::string> out;
  std::istringstream stream(text);
  for (std::string line; std::getline(stream, line);) {
    line = line.substr(0, line.find('#'));
    const auto first = line.find_first_not_of(" \t");
    if (first == std::string::npos) continue;
    out.push_back(line.substr(first, line.find_last_not_of(" \t\r") - first + 1));
  }
  return out;
}

// /proc/net/tcp: addresses are in the machine's byte order, in words of 32 bits.
std::optional<std::string> address_of(std::string_view hex) {
  std::array<std::uint32_t, 4> words{};
  if (hex.size() != 8 && hex.size() != 32) return std::nullopt;
  for (std::size_t i = 0; i < hex.size() / 8; ++i) {
    const auto word = hex.substr(i * 8, 8);
    if (std::from_chars(word.data(), word.data() + word.size(), words[i], 16).ec != std::errc{}) return std::nullopt;
  }
  char text[INET6_ADDRSTRLEN];
  return ::inet_ntop(hex.size() == 8 ? AF_INET : AF_INET6, words.data(), text, sizeof text);
}

void add_open_ports(const std::string& path, std::vector<OpenPort>& out) {
  std::ifstream file(path);
  std::string line;
  std::getline(file, line);
  while (std::getline(file, line)) {
    std::istringstream fields(line);
    std::string slot, local, remote, state;
    fields >> slot >> local >> remote >> state;
    const auto colon = local.find(':');
    if (state != kListening || colon == std::string::npos) continue;
    const auto address = address_of(std::string_view(local).substr(0, colon));
    unsigned port = 0;
    std::from_chars(local.data() + colon + 1, local.data() + local.size(), port, 16);
    if (!address || is_loopback(*address)) continue;
    out.push_back({static_cast<std::uint16_t>(port), *address});
  }
}

std::optional<NginxFacts> look_at_nginx(const std::string& folder) {
  std::error_code error;
  if (!fs::exists(folder + "/nginx.conf", error)) return std::nullopt;
  NginxFacts out;
  out.folder = folder;
  std::set<std::string> certificates;
  for (const auto& path : files_below(folder)) {
    for (const auto& line : lines_of(read_text(path))) {
      if (line.starts_with("limit_req_zone ")) {
        out.limits_auth = out.limits_auth || line.contains("zone=auth_limit:");
        out.limits_api = out.limits_api || line.contains("zone=api_limit:");
      }
      out.answers_429 = out.answers_429 || line == "limit_req_status 429;";
      constexpr std::string_view kCertificate = "ssl_certificate ";
      if (line.starts_with(kCertificate) && line.ends_with(';'))
        certificates.insert(line.substr(kCertificate.size(), line.size() - kCertificate.size() - 1));
    }
  }
  for (const auto& path : certificates) {
    const auto end = net::certificate_end(path);
    out.certificates.push_back({path, end ? std::optional(*end) : std::nullopt, end ? "" : end.error().text});
  }
  return out;
}

LogFacts look_at_logs(const std::string& folder, const std::string& rules) {
  LogFacts out;
  out.folder = folder;
  std::error_code error;
  const auto whole = fs::absolute(folder, error).lexically_normal();
  const std::string sample = whole / "agentauri.log";
  for (const auto& path : files_below(rules)) {
    for (const auto& line : lines_of(read_text(path))) {
      std::istringstream words(line.substr(0, line.find('{')));
      for (std::string pattern; words >> pattern;) {
        pattern.erase(std::remove(pattern.begin(), pattern.end(), '"'), pattern.end());
        if (pattern.starts_with('/') && ::fnmatch(pattern.c_str(), sample.c_str(), FNM_PATHNAME) == 0)
          out.is_rotated = true;
      }
    }
  }
  for (const auto& path : files_below(folder)) {
    const auto size = fs::file_size(path, error);
    if (!error) out.largest_bytes = std::max<std::uint64_t>(out.largest_bytes, size);
  }
  return out;
}

void add_disk(std::string what, const std::string& path, std::vector<Disk>& disks) {
  struct statvfs about{};
  if (path.empty() || ::statvfs(path.c_str(), &about) != 0) return;
  disks.push_back({std::move(what), path, std::uint64_t{about.f_bavail} * about.f_frsize,
                   std::uint64_t{about.f_blocks} * about.f_frsize});
}

}   // namespace

void gather_machine(const Settings& settings, const Places& places, Facts& facts) {
  add_open_ports(places.tcp, facts.open_ports);
  add_open_ports(places.tcp6, facts.open_ports);
  facts.nginx = look_at_nginx(places.nginx);
  if (!settings.log.directory.empty()) facts.logs = look_at_logs(settings.log.directory, places.logrotate);
  if (!settings.postgres) add_disk("data folder", settings.data_dir, facts.disks);
  add_disk("logs", settings.log.directory, facts.disks);
  add_disk("backups", facts.backup_folder, facts.disks);
  timex clock{};
  if (::adjtimex(&clock) >= 0) facts.clock_is_kept = (clock.status & STA_UNSYNC) == 0;
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) == 0) facts.open_files = files.rlim_max;
  std::error_code error;
  facts.has_prometheus = fs::exists(places.prometheus + "/prometheus.yml", error);
  if (facts.has_prometheus) {
    const auto port = fmt::format(":{}", settings.metrics_port);
    for (const auto& path : files_below(places.prometheus))
      facts.is_scraped = facts.is_scraped || read_text(path).contains(port);
  }
}

}   // namespace agentauri::app::doctor
