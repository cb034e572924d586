#include "core/telemetry/log.hpp"

#include <fmt/format.h>

#include <sys/stat.h>

#include <atomic>
#include <cerrno>
#include <chrono>
#include <cstdio>
#include <memory>
#include <mutex>

#include "core/base/time.hpp"

namespace agentauri {
namespace {

constexpr std::size_t kMaxTextChars = 256;   // of one field
constexpr std::size_t kMaxMessageChars = 1024;
constexpr auto kFileCheck = std::chrono::seconds(1);

constexpr std::string_view kLevelNames[] = {"trace", "debug", "info", "warn", "error", "off"};

// Standard output and, when asked for, a file that is opened anew when it was moved or truncated. Lines are written
// with one call under one lock, so that they never mix.
class Output {
 public:
  void open(std::string directory, std::string_view service) {
    const std::lock_guard lock(mutex_);
    path_ = directory.empty() ? std::string() : fmt::format("{}/{}.log", directory, service);
    reopen_locked();
  }

  void reopen() {
    const std::lock_guard lock(mutex_);
    reopen_locked();
  }

  void write(std::string_view line) {
    const std::lock_guard lock(mutex_);
    std::fwrite(line.data(), 1, line.size(), stdout);
    std::fflush(stdout);
    if (path_.empty()) return;
    const auto now = std::chrono::steady_clock::now();
    if (now - checked_ >= kFileCheck) {
      checked_ = now;
      if (moved_locked()) reopen_locked();
    }
    if (!file_) return;
    std::fwrite(line.data(), 1, line.size(), file_.get());
    std::fflush(file_.get());
  }

 private:
  void reopen_locked() {
    file_.reset();
    if (path_.empty()) return;
    file_.reset(std::fopen(path_.c_str(), "ae"));
    if (!file_) std::fprintf(stderr, "the log file %s cannot be opened: error %d\n", path_.c_str(), errno);
  }

  bool moved_locked() const {
    struct stat named{};
    struct stat open{};
    if (!file_ || ::stat(path_.c_str(), &named) != 0 || ::fstat(fileno(file_.get()), &open) != 0) return true;
    return named.st_ino != open.st_ino || named.st_dev != open.st_dev;
  }

  struct Close {
    void operator()(std::FILE* f) const { std::fclose(f); }
  };
  std::mutex mutex_;
  std::string path_;
  std::unique_ptr<std::FILE, Close> file_;
  std::chrono::steady_clock::time_point checked_;
};

struct Config {
  bool json = true;
  std::string service = "agentauri", instance, version;
};

// Never destroyed: threads may still log while the process ends.
Output& output() {
  static auto* instance = new Output;
  return *instance;
}
Config& config() {
  static auto* instance = new Config;
  return *instance;
}
std::atomic<Level> current_level{Level::info};

// Cuts on a character boundary.
std::string_view bounded(std::string_view text, std::size_t limit) {
  if (text.size() <= limit) return text;
  while (limit > 0 && (static_cast<unsigned char>(text[limit]) & 0xc0) == 0x80) --limit;
  return text.substr(0, limit);
}

// JSON string contents. Bytes that are not ASCII pass through unchanged: every text here is UTF-8 or harmless to a
// reader.
void append_escaped(std::string& out, std::string_view text) {
  for (const char c : text) {
    const auto byte = static_cast<unsigned char>(c);
    switch (c) {
      case '"':
        out += "\\\"";
        break;
      case '\\':
        out += "\\\\";
        break;
      case '\n':
        out += "\\n";
        break;
      case '\r':
        out += "\\r";
        break;
      case '\t':
        out += "\\t";
        break;
      default:
        if (byte < 0x20 || byte == 0x7f) {
          fmt::format_to(std::back_inserter(out), "\\u{:04x}", byte);
        } else {
          out.push_back(c);
        }
    }
  }
}

void append_member(std::string& out, std::string_view key, std::string_view text, std::size_t limit = kMaxTextChars) {
  out += ",\"";
  append_escaped(out, key);
  out += "\":\"";
  append_escaped(out, bounded(text, limit));
  out += '"';
}

void append_field(std::string& out, const Field& field) {
  if (const auto* text = std::get_if<std::string>(&field.value)) return append_member(out, field.key, *text);
  out += ",\"";
  append_escaped(out, field.key);
  out += "\":";
  std::visit(
      [&out](const auto& value) {
        using T = std::decay_t<decltype(value)>;
        if constexpr (!std::is_same_v<T, std::string>) fmt::format_to(std::back_inserter(out), "{}", value);
      },
      field.value);
}

std::string json_line(std::string_view target, Level level, std::string_view message,
                      std::initializer_list<Field> fields) {
  const auto now = std::chrono::floor<std::chrono::milliseconds>(SystemClock().now());
  std::string out =
      fmt::format("{{\"timestamp\":\"{}\",\"level\":\"{}\"", to_rfc3339(now), kLevelNames[static_cast<int>(level)]);
  append_member(out, "service", config().service);
  if (!config().instance.empty()) append_member(out, "instance", config().instance);
  if (!config().version.empty()) append_member(out, "version", config().version);
  append_member(out, "target", target);
  append_member(out, "message", message, kMaxMessageChars);
  for (const Field& field : fields) append_field(out, field);
  out += "}\n";
  return out;
}

std::string text_line(std::string_view target, Level level, std::string_view message,
                      std::initializer_list<Field> fields) {
  const auto now = std::chrono::floor<std::chrono::milliseconds>(SystemClock().now());
  std::string out =
      fmt::format("{} {:<5} {:<9} ", to_rfc3339(now).substr(11), kLevelNames[static_cast<int>(level)], target);
  append_escaped(out, bounded(message, kMaxMessageChars));
  for (const Field& field : fields) {
    out += "  ";
    out += field.key;
    out += '=';
    std::visit(
        [&out](const auto& value) {
          using T = std::decay_t<decltype(value)>;
          if constexpr (std::is_same_v<T, std::string>) {
            append_escaped(out, bounded(value, kMaxTextChars));
          } else {
            fmt::format_to(std::back_inserter(out), "{}", value);
          }
        },
        field.value);
  }
  out += '\n';
  return out;
}

}   // namespace

void configure_log(const LogSettings& settings) {
  config() = Config{settings.json, settings.service, settings.instance, settings.version};
  current_level = settings.level;
  output().open(settings.directory, settings.service);
}

void reopen_log() {
  output().reopen();
}
void flush_log() {
  std::fflush(stdout);
}

bool Log::enabled(Level level) const {
  return level >= current_level.load(std::memory_order_relaxed);
}

void Log::write(Level level, std::string_view message, std::initializer_list<Field> fields) const {
  if (!enabled(level)) return;
  output().write(config().json ? json_line(target_, level, message, fields)
                               : text_line(target_, level, message, fields));
}

}   // namespace agentauri
