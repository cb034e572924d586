#include "rules/comparison.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>

#include "core/base/bytes.hpp"
#include "core/json/json.hpp"
#include "rules/condition_parts.hpp"

namespace agentauri::rules {
namespace {

struct Spelling {
  std::string_view text;
  Operator op;
};
constexpr Spelling kSpellings[] = {
    {"<", Operator::lt},
    {">", Operator::gt},
    {"=", Operator::eq},
    {"==", Operator::eq},
    {"<=", Operator::le},
    {">=", Operator::ge},
    {"!=", Operator::ne},
    {"<>", Operator::ne},
    {"lt", Operator::lt},
    {"gt", Operator::gt},
    {"eq", Operator::eq},
    {"lte", Operator::le},
    {"gte", Operator::ge},
    {"ne", Operator::ne},
    {"equals", Operator::eq},
    {"in", Operator::in},
    {"IN", Operator::in},
    {"contains", Operator::contains},
    {"startsWith", Operator::starts_with},
    {"endsWith", Operator::ends_with},
};

constexpr std::size_t kMaxListItems = 1000;

constexpr auto kPowersOfTen = [] {
  std::array<int128, kMaxDecimals + 1> powers{};
  int128 power = 1;
  for (auto& entry : powers) {
    entry = power;
    if (&entry != &powers.back()) power *= 10;
  }
  return powers;
}();

constexpr char fold(char c) {
  return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c;
}
constexpr bool same_letter(char a, char b) {
  return fold(a) == fold(b);
}

std::unexpected<Error> wrong_list() {
  return fail(Code::invalid, "value",
              fmt::format(R"(must be a JSON array of 1 to {} strings, such as ["a", "b"])", kMaxListItems));
}

}   // namespace

std::optional<Operator> parse_operator(std::string_view text) {
  for (const auto& spelling : kSpellings) {
    if (spelling.text == text) return spelling.op;
  }
  return std::nullopt;
}

bool is_numeric(Operator op) {
  return op <= Operator::ne;
}

std::string_view symbol(Operator op) {
  switch (op) {
    case Operator::lt:
      return "<";
    case Operator::gt:
      return ">";
    case Operator::eq:
      return "=";
    case Operator::le:
      return "<=";
    case Operator::ge:
      return ">=";
    case Operator::ne:
      return "!=";
    case Operator::in:
      return "in";
    case Operator::contains:
      return "contains";
    case Operator::starts_with:
      return "startsWith";
    case Operator::ends_with:
      return "endsWith";
  }
  return "?";
}

std::string_view phrase(Operator op, bool holds) {
  switch (op) {
    case Operator::lt:
      return holds ? "<" : "is not <";
    case Operator::gt:
      return holds ? ">" : "is not >";
    case Operator::eq:
      return holds ? "=" : "is not";
    case Operator::le:
      return holds ? "<=" : "is not <=";
    case Operator::ge:
      return holds ? ">=" : "is not >=";
    case Operator::ne:
      return holds ? "!=" : "is";
    case Operator::in:
      return holds ? "is in" : "is not in";
    case Operator::contains:
      return holds ? "contains" : "does not contain";
    case Operator::starts_with:
      return holds ? "starts with" : "does not start with";
    case Operator::ends_with:
      return holds ? "ends with" : "does not end with";
  }
  return "?";
}

bool holds(Operator op, std::strong_ordering order) {
  switch (op) {
    case Operator::lt:
      return order < 0;
    case Operator::gt:
      return order > 0;
    case Operator::eq:
      return order == 0;
    case Operator::le:
      return order <= 0;
    case Operator::ge:
      return order >= 0;
    case Operator::ne:
      return order != 0;
    default:
      return false;
  }
}

Result<Operator> numeric_operator(std::string_view text) {
  const auto op = parse_operator(text);
  if (op && is_numeric(*op)) return *op;
  return fail(Code::invalid, "operator", fmt::format("{} is not one of {}", shown(text), kNumericOperators));
}

Result<std::int64_t> integer_value(std::string_view text, std::int64_t min, std::int64_t max) {
  std::int64_t number = 0;
  const char* const last = text.data() + text.size();
  const auto [end, error] = std::from_chars(text.data(), last, number);
  if (text.empty() || error != std::errc{} || end != last || number < min || number > max) {
    return fail(Code::invalid, "value", fmt::format("must be a whole number from {} to {}", min, max));
  }
  return number;
}

Result<Decimal> decimal_value(std::string_view text) {
  const auto number = parse_decimal(text);
  if (number) return *number;
  return fail(Code::invalid, "value",
              "must be a decimal number such as -3.2, with at most 38 digits and no exponent, sign + or space");
}

Result<Uint256> agent_id_value(std::string_view text) {
  const auto agent = parse_uint256(text);
  if (agent) return *agent;
  return fail(Code::invalid, "value", "must be an agent id: a whole number from 0 to 2^256 - 1");
}

Result<std::vector<std::string>> list_value(std::string_view text) {
  const auto parsed = json::parse(text);
  if (!parsed || !parsed->is_array()) return wrong_list();
  const auto& items = parsed->get_array();
  if (items.empty() || items.size() > kMaxListItems) return wrong_list();
  std::vector<std::string> out;
  out.reserve(items.size());
  for (const auto& item : items) {
    if (item.is_string())
      out.emplace_back(json::view(item.get_string()));
    else if (item.is_int64())
      out.push_back(std::to_string(item.get_int64()));
    else if (item.is_uint64())
      out.push_back(std::to_string(item.get_uint64()));
    else
      return wrong_list();
  }
  return out;
}

std::strong_ordering order(const Decimal& a, const Decimal& b) {
  if (a.decimals == b.decimals) return a.value <=> b.value;
  const std::uint8_t shared = std::max(a.decimals, b.decimals);
  const auto left = rescaled(a, shared);
  const auto right = rescaled(b, shared);
  return left && right ? *left <=> *right : compare(a, b);
}

std::optional<int128> rescaled(const Decimal& number, std::uint8_t decimals) {
  if (number.decimals > decimals || decimals - number.decimals > kMaxDecimals) return std::nullopt;
  int128 out = 0;
  if (__builtin_mul_overflow(number.value, kPowersOfTen[decimals - number.decimals], &out)) return std::nullopt;
  return out;
}

bool is_address_text(std::string_view text) {
  return parse_address(text).has_value();
}

std::string lower_case(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), fold);
  return out;
}

bool equal_ignoring_case(std::string_view a, std::string_view b) {
  return a.size() == b.size() && std::equal(a.begin(), a.end(), b.begin(), same_letter);
}

bool contains_ignoring_case(std::string_view text, std::string_view part) {
  return std::search(text.begin(), text.end(), part.begin(), part.end(), same_letter) != text.end() || part.empty();
}

}   // namespace agentauri::rules
