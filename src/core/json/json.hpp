// JSON documents: Boost.JSON under names of ours, with bounds and with errors that name the member.
#pragma once

#include <boost/json/array.hpp>
#include <boost/json/object.hpp>
#include <boost/json/value.hpp>

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/result.hpp"

namespace agentauri::json {

using Value = boost::json::value;
using Object = boost::json::object;
using Array = boost::json::array;
using String = boost::json::string;

inline constexpr std::size_t kMaxDepth = 32;

// RFC 8259, valid UTF-8, nothing behind the document, at most kMaxDepth levels. The error text says what and where
// (byte offset), and never quotes the input.
Result<Value> parse(std::string_view text, std::size_t max_depth = kMaxDepth);
// Compact, members in the order in which they were added.
std::string dump(const Value& value);

// Members of `object`: absent and null read alike (http-api.md 1.2). A wrong type is Code::invalid with field = `key`.
Result<std::optional<std::string>> optional_string(const Object& object, std::string_view key);
Result<std::optional<bool>> optional_bool(const Object& object, std::string_view key);
// An integer without fraction or exponent that fits [min, max].
Result<std::optional<std::int64_t>> optional_int(const Object& object, std::string_view key, std::int64_t min,
                                                 std::int64_t max);
Result<std::optional<const Object*>> optional_object(const Object& object, std::string_view key);
Result<std::optional<const Array*>> optional_array(const Object& object, std::string_view key);
// The same, required: absent or null is Code::invalid "missing field `key`".
Result<std::string> required_string(const Object& object, std::string_view key);

// nullptr when absent. JSON null is a value here.
const Value* find(const Object& object, std::string_view key);

inline std::string_view view(const String& s) {
  return {s.data(), s.size()};
}

}   // namespace agentauri::json
