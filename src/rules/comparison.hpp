// Operators and values of conditions (pipeline.md 6.3): read once on save, compared exactly.
#pragma once

#include <compare>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/number.hpp"
#include "core/base/result.hpp"

namespace agentauri::rules {

enum class Operator : std::uint8_t { lt, gt, eq, le, ge, ne, in, contains, starts_with, ends_with };

inline constexpr std::string_view kNumericOperators = "< > = == <= >= != <> eq ne gt gte lt lte";

// Symbols and words: < > = == <= >= != <> eq ne gt gte lt lte equals in IN contains startsWith endsWith.
std::optional<Operator> parse_operator(std::string_view text);
bool is_numeric(Operator op);   // one that compares by order; = and != are among them
std::string_view symbol(Operator op);
// The operator in a sentence: `<` or `is not <`, `contains` or `does not contain`.
std::string_view phrase(Operator op, bool holds);
bool holds(Operator op, std::strong_ordering order);

// The operator of a numeric condition, or Code::invalid with field `operator`.
Result<Operator> numeric_operator(std::string_view text);
// A whole number in [min, max] without plus sign or spaces, or Code::invalid with field `value`.
Result<std::int64_t> integer_value(std::string_view text, std::int64_t min, std::int64_t max);
Result<Decimal> decimal_value(std::string_view text);
Result<Uint256> agent_id_value(std::string_view text);
// The strings of a JSON array text. Whole numbers are taken as they are written; fractions must be strings, since JSON
// readers do not keep them exact.
Result<std::vector<std::string>> list_value(std::string_view text);

// The same as compare() of number.hpp; cheap as long as the products fit 128 bits.
std::strong_ordering order(const Decimal& a, const Decimal& b);
// The number with `decimals` digits behind the point; nullopt when that loses digits or does not fit.
std::optional<int128> rescaled(const Decimal& number, std::uint8_t decimals);

// 0x + 40 hex digits, in either case.
bool is_address_text(std::string_view text);
std::string lower_case(std::string_view text);
// ASCII letters without case.
bool equal_ignoring_case(std::string_view a, std::string_view b);
bool contains_ignoring_case(std::string_view text, std::string_view part);

}   // namespace agentauri::rules
