#include "rules/condition_parts.hpp"

namespace agentauri::rules {
namespace {

constexpr std::size_t kShownBytes = 60;
constexpr int128 kScoreLimit = int128{1} << 31;   // a score is below it, and not below its negative

void narrow_below(Selector& selector, const Decimal& bound, bool inclusive) {
  if (selector.score_below) {
    const auto known = order(*selector.score_below, bound);
    if (known < 0) return;
    if (known == 0) inclusive = inclusive && selector.below_inclusive;
  }
  selector.score_below = bound;
  selector.below_inclusive = inclusive;
}

void narrow_above(Selector& selector, const Decimal& bound, bool inclusive) {
  if (selector.score_above) {
    const auto known = order(*selector.score_above, bound);
    if (known > 0) return;
    if (known == 0) inclusive = inclusive && selector.above_inclusive;
  }
  selector.score_above = bound;
  selector.above_inclusive = inclusive;
}

}   // namespace

std::string shown(std::string_view text) {
  if (text.size() <= kShownBytes) return fmt::format("\"{}\"", text);
  std::size_t end = kShownBytes;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  return fmt::format("\"{}…\"", text.substr(0, end));
}

Result<json::Object> parse_config(const domain::Condition& condition) {
  if (!condition.config) return json::Object();
  auto parsed = json::parse(*condition.config);
  if (parsed && parsed->is_null()) return json::Object();
  if (!parsed || !parsed->is_object()) return fail(Code::invalid, "config", "must be a JSON object");
  return std::move(parsed->get_object());
}

void warn_of_operator(const domain::Condition& condition, std::string_view meant, const CompileContext& context) {
  if (context.warnings == nullptr) return;
  context.warnings->push_back(
      {"operator", "operator_ignored",
       fmt::format("{} takes no operator: {} is read as {}", condition.condition_type, shown(condition.op), meant)});
}

void narrow_score(Selector& selector, Operator op, const Decimal& bound) {
  const Decimal highest{kScoreLimit, 0};
  const Decimal lowest{-kScoreLimit - 1, 0};
  const bool is_high = order(bound, highest) > 0;
  const bool is_low = order(bound, lowest) < 0;
  const Decimal near = is_high ? highest : is_low ? lowest : bound;
  const bool moved = is_high || is_low;
  switch (op) {
    case Operator::lt:
      return narrow_below(selector, near, moved);
    case Operator::le:
      return narrow_below(selector, near, true);
    case Operator::gt:
      return narrow_above(selector, near, moved);
    case Operator::ge:
      return narrow_above(selector, near, true);
    case Operator::eq:
      narrow_below(selector, near, true);
      narrow_above(selector, near, true);
      return;
    default:
      return;
  }
}

}   // namespace agentauri::rules
