// The machine: space, clock, limits, logs, monitoring.
#include <fmt/format.h>

#include "app/doctor/checks.hpp"

namespace agentauri::app::doctor {
namespace {

constexpr std::uint64_t kMegabyte = 1024 * 1024;
constexpr std::uint64_t kLittle = 2048 * kMegabyte, kVeryLittle = 256 * kMegabyte;
constexpr std::uint64_t kLargeLog = 1024 * kMegabyte;
constexpr std::uint64_t kFewFiles = 4096;

Finding judge_disk(const Settings&, const Facts& facts) {
  if (facts.disks.empty()) return skipped("no folder of ours is on this machine");
  Finding worst = well("there is space on every disk that is written to");
  for (const auto& disk : facts.disks) {
    const auto text = fmt::format("{} ({}) has {} of {} left", disk.path, disk.what, size_text(disk.free_bytes),
                                  size_text(disk.total_bytes));
    const bool is_full = disk.free_bytes < kVeryLittle || disk.free_bytes * 50 < disk.total_bytes;
    const bool is_low = disk.free_bytes < kLittle || disk.free_bytes * 10 < disk.total_bytes;
    const auto verdict = is_full ? Verdict::critical : is_low ? Verdict::warning : Verdict::ok;
    if (verdict > worst.verdict)
      worst = {verdict, text,
               "make room or enlarge the disk; EVENT_RETENTION_DAYS and ATTEMPT_RETENTION_DAYS bound what is kept"};
  }
  return worst;
}

Finding judge_clock(const Settings&, const Facts& facts) {
  if (!facts.clock_is_kept) return skipped("the kernel does not say");
  if (*facts.clock_is_kept) return well("the clock is kept by NTP");
  return {Verdict::warning, "the kernel says that nothing keeps its clock right",
          "run an NTP client (systemd-timesyncd, chrony)"};
}

Finding judge_files(const Settings&, const Facts& facts) {
  const auto text = fmt::format("a process may have {} files open", facts.open_files);
  if (facts.open_files >= kFewFiles) return well(text);
  return {Verdict::warning, text + ", which bounds the connections", "raise it: LimitNOFILE in the unit, ulimit -Hn"};
}

Finding judge_logs(const Settings&, const Facts& facts) {
  if (!facts.logs) return well("logs go to standard output, which the journal bounds (SystemMaxUse in journald.conf)");
  if (!facts.logs->is_rotated)
    return {Verdict::critical, fmt::format("no rule of logrotate names {}", facts.logs->folder),
            "install deploy/systemd/logrotate.conf as /etc/logrotate.d/agentauri"};
  if (facts.logs->largest_bytes > kLargeLog)
    return {Verdict::warning,
            fmt::format("a log in {} has {}", facts.logs->folder, size_text(facts.logs->largest_bytes)),
            "is logrotate run? systemctl status logrotate.timer"};
  return well(fmt::format("logrotate looks after {}", facts.logs->folder));
}

Finding judge_monitoring(const Settings& settings, const Facts& facts) {
  if (facts.is_scraped) return well("the Prometheus of this machine scrapes it");
  if (facts.has_prometheus)
    return {Verdict::warning,
            fmt::format("the Prometheus of this machine does not name port {}", settings.metrics_port),
            "see deploy/prometheus"};
  return {Verdict::info,
          "there is no Prometheus on this machine; whether another one scrapes it cannot be seen from here",
          "see deploy/prometheus"};
}

constexpr Check kChecks[] = {
    {"machine.disk", 0, "there is space", judge_disk},
    {"machine.clock", 0, "the clock is kept right", judge_clock},
    {"machine.files", 0, "enough files may be open", judge_files},
    {"machine.logs", 56, "logs are rotated", judge_logs},
    {"machine.monitoring", 57, "metrics are scraped", judge_monitoring},
};

}   // namespace

std::span<const Check> machine_checks() {
  return kChecks;
}

}   // namespace agentauri::app::doctor
