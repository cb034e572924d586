#include "core/telemetry/log.hpp"

#include <fmt/format.h>

#include <atomic>
#include <chrono>
#include <cmath>

#include "core/base/time.hpp"
#include "core/base/utf8.hpp"
#include "core/telemetry/log_output.hpp"

namespace agentauri {
namespace {

constexpr std::size_t kMaxTextBytes = 256;   // of one field
constexpr std::size_t kMaxMessageBytes = 1024;
constexpr auto kFlushPatience = std::chrono::milliseconds(5000);

constexpr std::string_view kLevelNames[] = {"trace", "debug", "info", "warn", "error", "off"};

struct Config {
  bool json = true;
  std::string service = "agentauri", instance, version;
};

// Never destroyed: threads may still log while the process ends.
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

// What a terminal obeys, what ends a line for some readers, and what makes a line read otherwise than it is.
bool is_misleading(char32_t c) {
  return (c >= 0x80 && c < 0xA0) || c == 0x2028 || c == 0x2029 || (c >= 0x202A && c <= 0x202E) ||
         (c >= 0x2066 && c <= 0x2069);
}

// The character at the front that is no ASCII; what is no UTF-8 becomes U+FFFD, a byte at a time.
std::size_t append_beyond_ascii(std::string& out, std::string_view text) {
  const std::size_t length = utf8_length(text);
  if (length == 0) {
    out += "\\ufffd";
    return 1;
  }
  const auto sequence = text.substr(0, length);
  const char32_t c = utf8_character(sequence);
  if (is_misleading(c))
    fmt::format_to(std::back_inserter(out), "\\u{:04x}", static_cast<std::uint32_t>(c));
  else
    out += sequence;
  return length;
}

// JSON string contents: ASCII, and characters that mean nothing to a terminal.
void append_escaped(std::string& out, std::string_view text) {
  for (std::size_t i = 0; i < text.size(); ++i) {
    const char c = text[i];
    if (static_cast<unsigned char>(c) >= 0x80) {
      i += append_beyond_ascii(out, text.substr(i)) - 1;
      continue;
    }
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

void append_member(std::string& out, std::string_view key, std::string_view text, std::size_t limit = kMaxTextBytes) {
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
        if constexpr (std::is_same_v<T, double>) {
          if (!std::isfinite(value)) {   // JSON has no word for it
            out += "null";
            return;
          }
        }
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
  append_member(out, "message", message, kMaxMessageBytes);
  for (const Field& field : fields) append_field(out, field);
  out += "}\n";
  return out;
}

std::string text_line(std::string_view target, Level level, std::string_view message,
                      std::initializer_list<Field> fields) {
  const auto now = std::chrono::floor<std::chrono::milliseconds>(SystemClock().now());
  std::string out =
      fmt::format("{} {:<5} {:<9} ", to_rfc3339(now).substr(11), kLevelNames[static_cast<int>(level)], target);
  append_escaped(out, bounded(message, kMaxMessageBytes));
  for (const Field& field : fields) {
    out += "  ";
    out += field.key;
    out += '=';
    std::visit(
        [&out](const auto& value) {
          using T = std::decay_t<decltype(value)>;
          if constexpr (std::is_same_v<T, std::string>) {
            append_escaped(out, bounded(value, kMaxTextBytes));
          } else {
            fmt::format_to(std::back_inserter(out), "{}", value);
          }
        },
        field.value);
  }
  out += '\n';
  return out;
}

std::string line_of(std::string_view target, Level level, std::string_view message,
                    std::initializer_list<Field> fields) {
  return config().json ? json_line(target, level, message, fields) : text_line(target, level, message, fields);
}

std::string loss_line(std::uint64_t lost) {
  return line_of("log", Level::warn, "log lines were lost, their reader is too slow", {{"lines", lost}});
}

LogOutput& output() {
  return LogOutput::instance(loss_line);
}

}   // namespace

void configure_log(const LogSettings& settings) {
  config() = Config{settings.json, settings.service, settings.instance, settings.version};
  current_level = settings.level;
  output().open(settings.directory.empty() ? std::string()
                                           : fmt::format("{}/{}.log", settings.directory, settings.service));
}

void reopen_log() {
  output().reopen();
}

void flush_log() {
  output().flush(kFlushPatience);
}

std::uint64_t lost_log_lines() {
  return output().lost();
}

bool Log::enabled(Level level) const {
  return level >= current_level.load(std::memory_order_relaxed);
}

void Log::write(Level level, std::string_view message, std::initializer_list<Field> fields) const {
  if (enabled(level)) output().write(line_of(target_, level, message, fields));
}

}   // namespace agentauri
