#include "core/config/environment.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>
#include <charconv>
#include <fstream>
#include <sstream>

#include "core/base/edit_distance.hpp"
#include "core/base/text.hpp"

extern char** environ;   // NOLINT(readability-redundant-declaration): POSIX

namespace agentauri {
namespace {

constexpr std::string_view kBlanks = " \t\r";

// A slip of the fingers changes two letters of a short name, a few more of a long one.
std::size_t typo_distance(std::string_view name) {
  return std::max<std::size_t>(2, name.size() / 6);
}

Environment::Map parse_dotenv(std::string_view text) {
  Environment::Map out;
  while (!text.empty()) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    line = trim(line, kBlanks);
    if (line.starts_with("export ")) line = trim(line.substr(7), kBlanks);
    const std::size_t equals = line.find('=');
    if (line.starts_with('#') || equals == std::string_view::npos) continue;
    std::string_view value = trim(line.substr(equals + 1), kBlanks);
    if (value.size() >= 2 && (value.front() == '"' || value.front() == '\'') && value.back() == value.front()) {
      value = value.substr(1, value.size() - 2);
    }
    out.emplace(trim(line.substr(0, equals), kBlanks), value);
  }
  return out;
}

}   // namespace

Environment::Environment(Map flags, Map process, std::string_view dotenv)
    : flags_(std::move(flags)), process_(std::move(process)), dotenv_(parse_dotenv(dotenv)) {}

Environment Environment::of_process(Map flags) {
  Map process;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string_view text(*entry);
    const std::size_t equals = text.find('=');
    if (equals != std::string_view::npos) process.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  std::ifstream file(".env");
  std::stringstream dotenv;
  if (file) dotenv << file.rdbuf();
  return {std::move(flags), std::move(process), dotenv.str()};
}

std::optional<std::string> Environment::raw(std::string_view name) {
  const auto value_in = [](const Map& map, std::string_view key) -> const std::string* {
    const auto found = map.find(key);
    return found == map.end() || found->second.empty() ? nullptr : &found->second;
  };
  known_.emplace(name);
  readings_.try_emplace(std::string(name));
  const std::string file_name = fmt::format("{}_FILE", name);
  known_.insert(file_name);
  if (const auto* value = value_in(flags_, name)) return *value;
  if (const auto* value = value_in(process_, name)) return *value;
  const auto* path = value_in(process_, file_name);
  if (path == nullptr) path = value_in(dotenv_, file_name);
  if (path != nullptr) {
    std::ifstream file(*path);
    std::stringstream content;
    if (!file || !(content << file.rdbuf())) {
      fault(file_name, fmt::format("names the file {}, which cannot be read", *path));
      return std::nullopt;
    }
    std::string value = content.str();
    if (value.ends_with('\n')) value.pop_back();
    if (value.ends_with('\r')) value.pop_back();
    if (!value.empty()) return value;
  }
  if (const auto* value = value_in(dotenv_, name)) return *value;
  return std::nullopt;
}

std::optional<std::string> Environment::text(std::string_view name) {
  return raw(name);
}

std::optional<std::string> Environment::text_any(std::initializer_list<std::string_view> names) {
  std::optional<std::string> found;
  for (const auto name : names) {
    auto value = raw(name);   // also of the later ones, so that they count as known
    if (value && !found) found = std::move(value);
  }
  return found;
}

std::int64_t Environment::integer(std::string_view name, std::int64_t fallback, std::int64_t min, std::int64_t max) {
  const auto value = raw(name);
  readings_[std::string(name)] = {max == INT64_MAX ? fmt::format("{} or more", min) : fmt::format("{} to {}", min, max),
                                  fmt::format("{}", fallback)};
  if (!value) return fallback;
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(value->data(), value->data() + value->size(), number);
  if (error == std::errc{} && end == value->data() + value->size() && number >= min && number <= max) return number;
  fault(name, fmt::format("must be a whole number from {} to {}, not \"{}\"", min, max, value->substr(0, 40)));
  return fallback;
}

double Environment::number(std::string_view name, double fallback, double min, double max) {
  const auto value = raw(name);
  readings_[std::string(name)] = {fmt::format("{} to {}", min, max), fmt::format("{}", fallback)};
  if (!value) return fallback;
  double parsed = 0;
  const auto [end, error] = std::from_chars(value->data(), value->data() + value->size(), parsed);
  if (error == std::errc{} && end == value->data() + value->size() && parsed >= min && parsed <= max) return parsed;
  fault(name, fmt::format("must be a number from {} to {}, not \"{}\"", min, max, value->substr(0, 40)));
  return fallback;
}

bool Environment::boolean(std::string_view name, bool fallback) {
  const auto value = raw(name);
  readings_[std::string(name)] = {"true or false", fallback ? "true" : "false"};
  if (!value) return fallback;
  const std::string word = to_lower(*value);
  if (word == "true" || word == "1" || word == "yes" || word == "on") return true;
  if (word == "false" || word == "0" || word == "no" || word == "off") return false;
  fault(name, fmt::format("must be true or false, not \"{}\"", value->substr(0, 40)));
  return fallback;
}

std::string Environment::one_of(std::string_view name, std::string_view fallback,
                                const std::vector<std::string_view>& allowed) {
  const auto value = raw(name);
  readings_[std::string(name)] = {fmt::format("{}", fmt::join(allowed, ", ")), std::string(fallback)};
  if (!value) return std::string(fallback);
  std::string word = to_lower(*value);
  if (std::find(allowed.begin(), allowed.end(), word) != allowed.end()) return word;
  fault(name, fmt::format("must be one of {}, not \"{}\"", fmt::join(allowed, ", "), value->substr(0, 40)));
  return std::string(fallback);
}

void Environment::fault(std::string_view name, std::string what) {
  faults_.push_back(Error{Code::invalid, std::string(name), std::move(what)});
}

void Environment::warning(std::string_view name, std::string what) {
  warnings_.push_back(Error{Code::invalid, std::string(name), std::move(what)});
}

void Environment::report_unknown(const std::vector<std::string>& prefixes) {
  std::set<std::string, std::less<>> unknown;
  for (const Map* map : {&flags_, &process_, &dotenv_}) {
    for (const auto& [name, value] : *map) {
      const auto starts = [&name](const std::string& prefix) { return name.starts_with(prefix); };
      if (!known_.contains(name) && std::any_of(prefixes.begin(), prefixes.end(), starts)) unknown.insert(name);
    }
  }
  for (const auto& name : unknown) {
    const auto nearer = [&name](const auto& a, const auto& b) {
      return edit_distance(name, a) < edit_distance(name, b);
    };
    const auto nearest = std::min_element(known_.begin(), known_.end(), nearer);
    if (nearest != known_.end() && edit_distance(name, *nearest) <= typo_distance(name))
      fault(name, fmt::format("is not a setting; did you mean {}?", *nearest));
    else
      warning(name, "is not a setting of this program");
  }
}

std::vector<std::string> Environment::names_with_prefix(std::string_view prefix) const {
  std::set<std::string, std::less<>> names;
  for (const Map* map : {&flags_, &process_, &dotenv_}) {
    for (const auto& [name, value] : *map) {
      if (name.starts_with(prefix)) names.insert(name);
    }
  }
  return {names.begin(), names.end()};
}

}   // namespace agentauri
