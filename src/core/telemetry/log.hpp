// One JSON line per thing that happened (operations.md 9). Thread-safe; a line is written whole, by a thread of its
// own: whoever logs never waits for the reader of the log.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>
#include <variant>

namespace agentauri {

enum class Level : std::uint8_t { trace, debug, info, warn, error, off };

// A typed field of a log line. Text is cut after 256 bytes, between characters; control characters are escaped. What is
// not a finite number becomes null.
struct Field {
  std::string_view key;
  std::variant<std::int64_t, std::uint64_t, double, bool, std::string> value;

  Field(std::string_view k, std::int64_t v) : key(k), value(v) {}
  Field(std::string_view k, int v) : key(k), value(std::int64_t{v}) {}
  Field(std::string_view k, std::uint64_t v) : key(k), value(v) {}
  Field(std::string_view k, unsigned v) : key(k), value(std::uint64_t{v}) {}
  Field(std::string_view k, double v) : key(k), value(v) {}
  Field(std::string_view k, bool v) : key(k), value(v) {}
  Field(std::string_view k, std::string v) : key(k), value(std::move(v)) {}
  Field(std::string_view k, std::string_view v) : key(k), value(std::string(v)) {}
  Field(std::string_view k, const char* v) : key(k), value(std::string(v)) {}
};

struct LogSettings {
  Level level = Level::info;
  bool json = true;        // false: one readable line for terminals
  std::string directory;   // also write <directory>/<service>.log; empty: standard output only
  std::string service = "agentauri";
  std::string instance;
  std::string version;
};

// Once, before the first line; lines before it go to standard output as JSON at info.
void configure_log(const LogSettings& settings);
// SIGHUP: the file is opened anew. A file that was moved or removed is noticed without it, within a second of the next
// line; into a truncated one writing goes on at its new end.
void reopen_log();
// Waits until what was logged before is written, for five seconds at most. The end of the process and a broken ENSURE
// do so by themselves.
void flush_log();
// Lines that found the queue full since the process began.
std::uint64_t lost_log_lines();

// A logger names where a line comes from (`target`: indexer, engine, http, …). Cheap to copy.
class Log {
 public:
  explicit Log(std::string_view target) : target_(target) {}

  bool enabled(Level level) const;
  void write(Level level, std::string_view message, std::initializer_list<Field> fields = {}) const;
  void debug(std::string_view m, std::initializer_list<Field> f = {}) const { write(Level::debug, m, f); }
  void info(std::string_view m, std::initializer_list<Field> f = {}) const { write(Level::info, m, f); }
  void warn(std::string_view m, std::initializer_list<Field> f = {}) const { write(Level::warn, m, f); }
  void error(std::string_view m, std::initializer_list<Field> f = {}) const { write(Level::error, m, f); }

 private:
  std::string target_;
};

}   // namespace agentauri
