// Operators and values of conditions (pipeline.md 6.3): read once on save, compared exactly.
#pragma once

#include <compare>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/number.hpp"
#include "core/base/result.hpp"

namespace agentauri::rules {

enum class Operator : std::uint8_t { lt, gt, eq, le, ge, ne, in, contains, starts_with, ends_with };

// Symbols and words: < > = == <= >= != <> eq ne gt gte lt lte equals in contains startsWith endsWith IS NOT NULL is apart.
std::optional<Operator> parse_operator(std::string_view text);
bool is_numeric(Operator op);                // one that orders
std::string_view symbol(Operator op);
bool holds(Operator op, std::strong_ordering order);

// The operator of a numeric condition, or Code::invalid with field `operator`.
Result<Operator> numeric_operator(std::string_view text);
// An integer in [min, max] without sign tolerance or spaces, or Code::invalid with field `value`.
Result<std::int64_t> integer_value(std::string_view text, std::int64_t min, std::int64_t max);
Result<Decimal> decimal_value(std::string_view text);
// The strings of a JSON array text.
Result<std::vector<std::string>> list_value(std::string_view text);

// 0x + 40 hex digits: compared without case.
bool is_address_text(std::string_view text);
std::string lower_case(std::string_view text);

}  // namespace agentauri::rules
