#include "app/host_watch.hpp"

#include <fmt/format.h>
#include <pthread.h>

#include <cerrno>
#include <cstring>
#include <fstream>

#include "app/backup_status.hpp"
#include "core/crypto/certificate.hpp"

namespace agentauri::app {
namespace {

constexpr std::size_t kMaxCertificateBytes = 1 << 20;

double seconds_of(const std::optional<Time>& at) {
  return at ? static_cast<double>(to_unix_seconds(*at)) : 0;
}

Result<std::string> read_file(const std::string& path) {
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  std::string text(kMaxCertificateBytes, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (file.bad() || (file.gcount() == 0 && errno != 0))
    return fail(Code::unavailable, fmt::format("it cannot be read: {}", std::strerror(errno)));
  text.resize(static_cast<std::size_t>(file.gcount()));
  return text;
}

}   // namespace

HostWatch::HostWatch(HostWatchSettings settings, Metrics& metrics)
    : settings_(std::move(settings)),
      metrics_(metrics),
      backed_up_(metrics.gauge("backup_last_success_timestamp_seconds", "Unix time of the last backup; 0: never")),
      size_(metrics.gauge("backup_last_size_bytes", "Size of the last backup")),
      verified_(metrics.gauge("backup_last_verified_timestamp_seconds",
                              "Unix time of the last backup that was restored for a test; 0: never")),
      failed_(metrics.gauge("backup_last_failure_timestamp_seconds",
                            "Unix time of the last backup or verification that failed; 0: never")) {}

void HostWatch::start() {
  thread_ = std::thread([this] { run(); });
}

void HostWatch::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    stop_asked_.notify_one();
  }
  if (thread_.joinable()) thread_.join();
}

void HostWatch::run() {
  pthread_setname_np(pthread_self(), "host-watch");
  std::unique_lock lock(mutex_);
  while (!stopping_) {
    lock.unlock();
    look();
    lock.lock();
    stop_asked_.wait_for(lock, settings_.every, [this] { return stopping_; });
  }
}

void HostWatch::look() {
  look_at_backups();
  for (const auto& file : settings_.certificate_files) look_at_certificate(file);
}

void HostWatch::look_at_backups() {
  auto status = read_backup_status(settings_.backup_dir);
  if (status) {
    backed_up_.set(seconds_of(status->last_success_at));
    size_.set(static_cast<double>(status->last_size_bytes.value_or(0)));
    verified_.set(seconds_of(status->last_verified_at));
    failed_.set(seconds_of(status->last_failure_at));
  }
  tell("BACKUP_DIR/status.json", status ? Result<void>() : Result<void>(fail(status)));
}

void HostWatch::look_at_certificate(const std::string& file) {
  auto text = read_file(file);
  auto facts = text ? crypto::read_certificate(*text) : Result<crypto::CertificateFacts>(fail(text));
  if (facts) {
    for (const auto& name : facts->names) {
      metrics_
          .gauge("tls_certificate_expiry_timestamp_seconds", "When a certificate ends to be valid", {{"domain", name}})
          .set(static_cast<double>(to_unix_seconds(facts->not_after)));
    }
  }
  tell(file, facts ? Result<void>() : Result<void>(fail(facts)));
}

void HostWatch::tell(const std::string& what, const Result<void>& outcome) {
  const auto known = readable_.try_emplace(what, true).first;
  if (!outcome && known->second)
    log_.warn("a file that metrics come from cannot be read", {{"file", what}, {"why", outcome.error().text}});
  if (outcome && !known->second) log_.info("a file that metrics come from can be read again", {{"file", what}});
  known->second = outcome.has_value();
}

}   // namespace agentauri::app
