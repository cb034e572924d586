#include "core/json/json.hpp"

#include <boost/json/parser.hpp>
#include <boost/json/serialize.hpp>

#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace agentauri::json {
namespace {

std::unexpected<Error> wrong_type(std::string_view key, std::string_view wanted) {
  return fail(Code::invalid, std::string(key), fmt::format("field `{}` must be {}", key, wanted));
}

// The member unless it is absent or null.
const Value* present(const Object& object, std::string_view key) {
  const Value* value = find(object, key);
  return value == nullptr || value->is_null() ? nullptr : value;
}

// The library reads 1e999 as infinity and 0e999 as not a number, which no JSON text can say.
bool has_non_finite(const Value& value) {
  if (value.is_double()) return !std::isfinite(value.get_double());
  if (value.is_array()) return std::any_of(value.get_array().begin(), value.get_array().end(), has_non_finite);
  if (value.is_object()) {
    return std::any_of(value.get_object().begin(), value.get_object().end(),
                       [](const auto& member) { return has_non_finite(member.value()); });
  }
  return false;
}

// Whether a number in it may be beyond the largest double: most texts need no second look.
bool may_overflow(std::string_view text) {
  return text.size() > std::numeric_limits<double>::max_exponent10 ||
         text.find_first_of("eE") != std::string_view::npos;
}

}   // namespace

Result<Value> parse(std::string_view text, std::size_t max_depth) {
  boost::json::parse_options options;
  options.max_depth = max_depth;
  boost::json::parser parser({}, options);
  boost::system::error_code error;
  const std::size_t consumed = parser.write_some(text.data(), text.size(), error);
  if (error) return fail(Code::invalid, fmt::format("{} at byte {}", error.message(), consumed));
  if (consumed != text.size())
    return fail(Code::invalid, fmt::format("text behind the document, at byte {}", consumed));
  Value value = parser.release();
  if (may_overflow(text) && has_non_finite(value))
    return fail(Code::invalid, "a number is beyond what a double can hold");
  return value;
}

std::string dump(const Value& value) {
  return boost::json::serialize(value);
}

const Value* find(const Object& object, std::string_view key) {
  return object.if_contains(boost::json::string_view(key.data(), key.size()));
}

Result<std::optional<std::string>> optional_string(const Object& object, std::string_view key) {
  const Value* value = present(object, key);
  if (value == nullptr) return std::nullopt;
  if (!value->is_string()) return wrong_type(key, "a string");
  return std::string(view(value->get_string()));
}

Result<std::optional<bool>> optional_bool(const Object& object, std::string_view key) {
  const Value* value = present(object, key);
  if (value == nullptr) return std::nullopt;
  if (!value->is_bool()) return wrong_type(key, "true or false");
  return value->get_bool();
}

Result<std::optional<std::int64_t>> optional_int(const Object& object, std::string_view key, std::int64_t min,
                                                 std::int64_t max) {
  const Value* value = present(object, key);
  if (value == nullptr) return std::nullopt;
  if (value->is_int64() && value->get_int64() >= min && value->get_int64() <= max) return value->get_int64();
  return wrong_type(key, fmt::format("an integer from {} to {}", min, max));
}

Result<std::optional<const Object*>> optional_object(const Object& object, std::string_view key) {
  const Value* value = present(object, key);
  if (value == nullptr) return std::nullopt;
  if (!value->is_object()) return wrong_type(key, "an object");
  return &value->get_object();
}

Result<std::optional<const Array*>> optional_array(const Object& object, std::string_view key) {
  const Value* value = present(object, key);
  if (value == nullptr) return std::nullopt;
  if (!value->is_array()) return wrong_type(key, "an array");
  return &value->get_array();
}

Result<std::string> required_string(const Object& object, std::string_view key) {
  auto value = optional_string(object, key);
  if (!value) return fail(value);
  if (!*value) return fail(Code::invalid, std::string(key), fmt::format("missing field `{}`", key));
  return std::move(**value);
}

}   // namespace agentauri::json
