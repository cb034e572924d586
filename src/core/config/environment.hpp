// Where settings come from: flags > environment > NAME_FILE > .env. What is empty counts as not given, and the next
// place is asked. Collects every fault before anything starts.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.hpp"

namespace agentauri {

// The raw names and values that a process was given. Reading a name marks it as known.
class Environment {
 public:
  using Map = std::map<std::string, std::string, std::less<>>;

  // `flags` win over `process`; NAME_FILE names a file whose content (less one trailing newline) is the value, unless
  // it is empty; `dotenv` is the text of a .env file (KEY=value lines, # comments, optional quotes, optional `export`).
  Environment(Map flags, Map process, std::string_view dotenv);
  // Of this process, with ./.env when it exists.
  static Environment of_process(Map flags);

  // nullopt when unset or empty.
  std::optional<std::string> text(std::string_view name);
  // The first of several spellings that is set.
  std::optional<std::string> text_any(std::initializer_list<std::string_view> names);
  // On a fault: noted, and the fallback is returned, so that reading goes on and every fault is reported at once.
  std::int64_t integer(std::string_view name, std::int64_t fallback, std::int64_t min, std::int64_t max);
  double number(std::string_view name, double fallback, double min, double max);
  bool boolean(std::string_view name, bool fallback);   // true/false, 1/0, yes/no, on/off in any case
  std::string one_of(std::string_view name, std::string_view fallback, const std::vector<std::string_view>& allowed);

  // `what` says what is wrong and what would be right; the value of a secret never appears.
  void fault(std::string_view name, std::string what);
  void warning(std::string_view name, std::string what);
  const std::vector<Error>& faults() const { return faults_; }
  const std::vector<Error>& warnings() const { return warnings_; }

  // Set names with one of `prefixes` that nobody has read. One that is nearly a known name is a typo: a fault that
  // names it. Others are warnings, because orchestrators set names of their own (Kubernetes: DB_PORT_5432_TCP for a
  // service that is called db).
  void report_unknown(const std::vector<std::string>& prefixes);
  // What was asked for so far, by name: how a document of the settings is held against the program.
  struct Reading {
    std::string accepts;    // "0 to 65535", "true or false", "default, strict"; empty: any text
    std::string fallback;   // empty: none, or what is read as text
  };
  const std::map<std::string, Reading, std::less<>>& readings() const { return readings_; }
  // Every set name, for families such as CHAIN_<id>_RPC_URL.
  std::vector<std::string> names_with_prefix(std::string_view prefix) const;

 private:
  std::optional<std::string> raw(std::string_view name);

  Map flags_, process_, dotenv_;
  std::set<std::string, std::less<>> known_;   // readings_, and each with _FILE
  std::map<std::string, Reading, std::less<>> readings_;
  std::vector<Error> faults_, warnings_;
};

}   // namespace agentauri
