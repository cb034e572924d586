#include "gateway/api/body.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "store/value_check.hpp"

namespace agentauri::gateway {
namespace {

Refusal body_refusal(std::string_view detail) {
  return Refusal::make(400, "bad_request", fmt::format("Json deserialize error: {}", detail));
}

}   // namespace

bool is_json_content_type(std::string_view value) {
  value = value.substr(0, value.find(';'));
  while (!value.empty() && (value.back() == ' ' || value.back() == '\t')) value.remove_suffix(1);
  const std::size_t slash = value.find('/');
  if (slash == std::string_view::npos || slash == 0) return false;
  const std::string_view subtype = value.substr(slash + 1);
  if (net::equal_ignoring_case(subtype, "json")) return true;
  return subtype.size() > 5 && net::equal_ignoring_case(subtype.substr(subtype.size() - 5), "+json");
}

Outcome<json::Object> read_body(const net::HttpRequest& request) {
  const auto* type = request.headers.find("Content-Type");
  if (type == nullptr || !is_json_content_type(*type)) return bad_request("Content type error");
  auto value = json::parse(request.body);
  if (!value) return std::unexpected(body_refusal(value.error().text));
  if (!value->is_object()) return std::unexpected(body_refusal("the body must be an object"));
  return std::move(value->get_object());
}

void BodyReader::fault(std::string detail) {
  if (!refusal_) refusal_ = body_refusal(path_ + detail);
}

template <class T>
T BodyReader::take(Result<T> result) {
  if (result) return std::move(*result);
  fault(result.error().text);
  return T{};
}

std::optional<std::string> BodyReader::text(std::string_view key) {
  auto value = take(json::optional_string(object_, key));
  if (value && value->contains('\0')) fault(fmt::format("field `{}` must not hold U+0000", key));
  return value;
}

std::string BodyReader::required_text(std::string_view key) {
  auto value = text(key);
  if (!value) fault(fmt::format("missing field `{}`", key));
  return value.value_or("");
}

std::optional<bool> BodyReader::flag(std::string_view key) {
  return take(json::optional_bool(object_, key));
}
std::optional<std::int64_t> BodyReader::integer(std::string_view key, std::int64_t min, std::int64_t max) {
  return take(json::optional_int(object_, key, min, max));
}
const json::Object* BodyReader::object(std::string_view key) {
  return take(json::optional_object(object_, key)).value_or(nullptr);
}
const json::Array* BodyReader::array(std::string_view key) {
  return take(json::optional_array(object_, key)).value_or(nullptr);
}

const json::Value* BodyReader::any(std::string_view key) const {
  const auto* value = json::find(object_, key);
  return value == nullptr || value->is_null() ? nullptr : value;
}

void BodyReader::require(std::string_view key, bool present) {
  if (!present) fault(fmt::format("missing field `{}`", key));
}

QueryReader::QueryReader(std::string_view query) {
  if (!net::parse_query(query, pairs_)) fault("a percent escape is malformed");
}

void QueryReader::fault(std::string detail) {
  if (!refusal_) refusal_ = Refusal::make(400, "bad_request", "Query deserialize error: " + std::move(detail));
}

std::optional<std::string> QueryReader::text(std::initializer_list<std::string_view> names) {
  std::optional<std::string> out;
  for (const auto name : names) {
    const auto count =
        std::count_if(pairs_.begin(), pairs_.end(), [name](const auto& pair) { return pair.first == name; });
    if (count > 1) fault(fmt::format("duplicate field `{}`", name));
    if (count == 0 || out) continue;
    out = std::find_if(pairs_.begin(), pairs_.end(), [name](const auto& pair) { return pair.first == name; })->second;
  }
  if (out && out->contains('\0'))
    fault(fmt::format("field `{}` must not hold U+0000", *names.begin()));
  else if (out && !store::is_storable_text(*out))
    fault(fmt::format("field `{}` must be UTF-8", *names.begin()));
  return out;
}

std::optional<std::int64_t> QueryReader::integer(std::initializer_list<std::string_view> names) {
  const auto value = text(names);
  if (!value) return std::nullopt;
  const auto number = parse_integer(*value, INT64_MIN, INT64_MAX);
  if (!number) fault(fmt::format("field `{}` must be a whole number", *names.begin()));
  return number;
}

std::optional<bool> QueryReader::flag(std::string_view name) {
  const auto value = text({name});
  if (value && *value != "true" && *value != "false") fault(fmt::format("field `{}` must be true or false", name));
  if (!value) return std::nullopt;
  return *value == "true";
}

PageBounds QueryReader::page() {
  PageBounds out;
  out.limit = integer({"limit"}).value_or(out.limit);
  out.offset = integer({"offset"}).value_or(out.offset);
  return out;
}

std::optional<std::int64_t> parse_integer(std::string_view text, std::int64_t min, std::int64_t max) {
  std::int64_t value = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size() || value < min || value > max) return std::nullopt;
  return value;
}

Outcome<std::int64_t> path_integer(std::string_view text, std::int64_t min, std::int64_t max) {
  const auto value = parse_integer(text, min, max);
  if (!value) return not_found("the id in the path is not a whole number of its range");
  return *value;
}

Outcome<ConditionDraft> read_condition_draft(const json::Object& body, bool is_new, const std::string& path) {
  BodyReader reader(body, path);
  ConditionDraft out;
  out.condition_type = reader.text("condition_type");
  out.field = reader.text("field");
  out.op = reader.text("operator");
  out.value = reader.text("value");
  if (const auto* config = reader.any("config")) out.config = json::dump(*config);
  if (const auto position = reader.integer("position", INT32_MIN, INT32_MAX))
    out.position = static_cast<std::int32_t>(*position);
  if (is_new) {
    reader.require("condition_type", out.condition_type.has_value());
    reader.require("field", out.field.has_value());
    reader.require("operator", out.op.has_value());
    reader.require("value", out.value.has_value());
  }
  if (reader.refusal()) return std::unexpected(*reader.refusal());
  return out;
}

Outcome<ActionDraft> read_action_draft(const json::Object& body, bool is_new, const std::string& path) {
  BodyReader reader(body, path);
  ActionDraft out;
  out.action_type = reader.text("action_type");
  if (const auto priority = reader.integer("priority", INT32_MIN, INT32_MAX))
    out.priority = static_cast<std::int32_t>(*priority);
  if (const auto* config = reader.object("config")) {
    out.config = *config;
    out.config_bytes = json::dump(*config).size();
  }
  if (is_new) {
    reader.require("action_type", out.action_type.has_value());
    reader.require("config", out.config.has_value());
  }
  if (reader.refusal()) return std::unexpected(*reader.refusal());
  return out;
}

namespace {

// The `id` of a stored part inside PUT of a trigger: what the API had answered, so a string for conditions, a number
// for actions.
template <class IdType>
std::optional<IdType> read_part_id(BodyReader& reader, std::int64_t max) {
  const auto* value = reader.any("id");
  if (value == nullptr) return std::nullopt;
  std::optional<std::int64_t> id;
  if (value->is_int64()) id = value->get_int64();
  if (value->is_string()) id = parse_integer(json::view(value->get_string()), 1, max);
  if (!id || *id < 1 || *id > max) {
    reader.fault("field `id` must be an id of this API");
    return std::nullopt;
  }
  return static_cast<IdType>(*id);
}

template <class Draft, class IdType>
Outcome<std::vector<Draft>> read_parts(const json::Array& items, std::string_view name, bool is_new,
                                       std::int64_t max_id,
                                       Outcome<Draft> (*read)(const json::Object&, bool, const std::string&)) {
  std::vector<Draft> out;
  for (std::size_t i = 0; i < items.size(); ++i) {
    const std::string path = fmt::format("{}[{}].", name, i);
    if (!items[i].is_object()) return std::unexpected(body_refusal(fmt::format("{}[{}] must be an object", name, i)));
    BodyReader reader(items[i].get_object(), path);
    const auto id = is_new ? std::nullopt : read_part_id<IdType>(reader, max_id);
    if (reader.refusal()) return std::unexpected(*reader.refusal());
    auto draft = read(items[i].get_object(), !id, path);
    if (!draft) return pass(draft);
    draft->id = id;
    out.push_back(std::move(*draft));
  }
  return out;
}

}   // namespace

Outcome<TriggerDraft> read_trigger_draft(const json::Object& body, bool is_new) {
  BodyReader reader(body);
  TriggerDraft out;
  out.name = reader.text("name");
  out.description = reader.text("description");
  out.chain_id = reader.integer("chain_id", 1, INT64_MAX);   // EIP-155 has no chain 0
  out.registry = reader.text("registry");
  out.enabled = reader.flag("enabled");
  out.is_stateful = reader.flag("is_stateful");
  if (const auto n = reader.integer("min_confirmations", INT32_MIN, INT32_MAX))
    out.min_confirmations = static_cast<std::int32_t>(*n);
  const auto* conditions = reader.array("conditions");
  const auto* actions = reader.array("actions");
  if (is_new) {
    reader.require("name", out.name.has_value());
    reader.require("registry", out.registry.has_value());
  }
  if (reader.refusal()) return std::unexpected(*reader.refusal());
  if (conditions != nullptr) {
    auto parts = read_parts<ConditionDraft, domain::ConditionId>(*conditions, "conditions", is_new, INT64_MAX,
                                                                 &read_condition_draft);
    if (!parts) return pass(parts);
    out.conditions = std::move(*parts);
  }
  if (actions != nullptr) {
    auto parts = read_parts<ActionDraft, domain::ActionId>(*actions, "actions", is_new, INT32_MAX, &read_action_draft);
    if (!parts) return pass(parts);
    out.actions = std::move(*parts);
  }
  return out;
}

}   // namespace agentauri::gateway
