// Reading bodies, queries and path parameters by the rules of http-api.md 1.2 and 1.4. The first fault is kept; reading
// goes on harmlessly after it.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "core/json/json.hpp"
#include "gateway/refusal.hpp"
#include "gateway/use_cases/triggers.hpp"
#include "net/http_server.hpp"

namespace agentauri::gateway {

// `application/json`, or any `…+json`; parameters are ignored.
bool is_json_content_type(std::string_view value);
// The object of a JSON body. 400 "Content type error" or "Json deserialize error: …".
Outcome<json::Object> read_body(const net::HttpRequest& request);

class BodyReader {
 public:
  explicit BodyReader(const json::Object& object, std::string path = {}) : object_(object), path_(std::move(path)) {}

  // Absent and null read alike. Text with U+0000 is refused: no store keeps it.
  std::optional<std::string> text(std::string_view key);
  std::string required_text(std::string_view key);
  std::optional<bool> flag(std::string_view key);
  std::optional<std::int64_t> integer(std::string_view key, std::int64_t min, std::int64_t max);
  const json::Object* object(std::string_view key);
  const json::Array* array(std::string_view key);
  const json::Value* any(std::string_view key) const;   // null reads as absent
  void require(std::string_view key, bool present);
  void fault(std::string detail);

  const std::optional<Refusal>& refusal() const { return refusal_; }

 private:
  template <class T>
  T take(Result<T> result);

  const json::Object& object_;
  std::string path_;   // in messages: `conditions[2].`
  std::optional<Refusal> refusal_;
};

class QueryReader {
 public:
  explicit QueryReader(std::string_view query);

  // The first of several spellings that is present. A repeated parameter is a fault.
  std::optional<std::string> text(std::initializer_list<std::string_view> names);
  std::optional<std::int64_t> integer(std::initializer_list<std::string_view> names);
  std::optional<bool> flag(std::string_view name);   // `true` or `false`
  PageBounds page();
  const std::optional<Refusal>& refusal() const { return refusal_; }

 private:
  void fault(std::string detail);

  std::vector<std::pair<std::string, std::string>> pairs_;
  std::optional<Refusal> refusal_;
};

// A whole number in decimal; nullopt on anything else or outside of [min, max].
std::optional<std::int64_t> parse_integer(std::string_view text, std::int64_t min, std::int64_t max);
// Of the path: 404 when it is not one.
Outcome<std::int64_t> path_integer(std::string_view text, std::int64_t min, std::int64_t max);

// `is_new`: of a POST, where members are required.
Outcome<TriggerDraft> read_trigger_draft(const json::Object& body, bool is_new);
Outcome<ConditionDraft> read_condition_draft(const json::Object& body, bool is_new, const std::string& path = {});
Outcome<ActionDraft> read_action_draft(const json::Object& body, bool is_new, const std::string& path = {});

}   // namespace agentauri::gateway
