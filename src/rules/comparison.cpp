#include "rules/comparison.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "core/json/json.hpp"

namespace agentauri::rules {
namespace {

struct Spelling {
  std::string_view text;
  Operator op;
};
constexpr Spelling kSpellings[] = {
    {"<", Operator::lt}, {">", Operator::gt}, {"=", Operator::eq}, {"==", Operator::eq}, {"<=", Operator::le}, {">=", Operator::ge}, {"!=", Operator::ne}, {"<>", Operator::ne},
    {"lt", Operator::lt}, {"gt", Operator::gt}, {"eq", Operator::eq}, {"lte", Operator::le}, {"gte", Operator::ge}, {"ne", Operator::ne}, {"equals", Operator::eq},
    {"in", Operator::in}, {"IN", Operator::in}, {"contains", Operator::contains}, {"startsWith", Operator::starts_with}, {"endsWith", Operator::ends_with}};

constexpr std::size_t kMaxListItems = 1000;

}  // namespace

std::optional<Operator> parse_operator(std::string_view text) {
  for (const auto& spelling : kSpellings) {
    if (spelling.text == text) return spelling.op;
  }
  return std::nullopt;
}

bool is_numeric(Operator op) { return op <= Operator::ne; }

std::string_view symbol(Operator op) {
  switch (op) {
    case Operator::lt: return "<";
    case Operator::gt: return ">";
    case Operator::eq: return "=";
    case Operator::le: return "<=";
    case Operator::ge: return ">=";
    case Operator::ne: return "!=";
    case Operator::in: return "in";
    case Operator::contains: return "contains";
    case Operator::starts_with: return "startsWith";
    case Operator::ends_with: return "endsWith";
  }
  return "?";
}

bool holds(Operator op, std::strong_ordering order) {
  switch (op) {
    case Operator::lt: return order < 0;
    case Operator::gt: return order > 0;
    case Operator::eq: return order == 0;
    case Operator::le: return order <= 0;
    case Operator::ge: return order >= 0;
    case Operator::ne: return order != 0;
    default: return false;
  }
}

Result<Operator> numeric_operator(std::string_view text) {
  const auto op = parse_operator(text);
  if (op && is_numeric(*op)) return *op;
  return fail(Code::invalid, "operator", fmt::format("\"{}\" is not one of < > = == <= >= != <> eq ne gt gte lt lte", text.substr(0, 50)));
}

Result<std::int64_t> integer_value(std::string_view text, std::int64_t min, std::int64_t max) {
  std::int64_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  if (text.empty() || error != std::errc{} || end != text.data() + text.size() || number < min || number > max) {
    return fail(Code::invalid, "value", fmt::format("must be a whole number from {} to {}", min, max));
  }
  return number;
}

Result<Decimal> decimal_value(std::string_view text) {
  const auto number = parse_decimal(text);
  if (!number) return fail(Code::invalid, "value", "must be a decimal number such as -3.2, with at most 38 digits and no exponent");
  return *number;
}

Result<std::vector<std::string>> list_value(std::string_view text) {
  const auto parsed = json::parse(text);
  if (!parsed || !parsed->is_array() || parsed->get_array().empty() || parsed->get_array().size() > kMaxListItems) {
    return fail(Code::invalid, "value", fmt::format("must be a JSON array of 1 to {} strings, such as [\"a\", \"b\"]", kMaxListItems));
  }
  std::vector<std::string> out;
  for (const auto& item : parsed->get_array()) {
    if (item.is_string()) out.emplace_back(json::view(item.get_string()));
    else if (item.is_int64()) out.push_back(std::to_string(item.get_int64()));
    else return fail(Code::invalid, "value", "must be a JSON array of strings");
  }
  return out;
}

bool is_address_text(std::string_view text) { return parse_address(text).has_value(); }

std::string lower_case(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(), [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; });
  return out;
}

}  // namespace agentauri::rules
