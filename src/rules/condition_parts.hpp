// What several condition types share: verdicts with their texts, their configuration, narrowing of selectors.
#pragma once

#include <fmt/format.h>

#include <string>
#include <string_view>

#include "core/json/json.hpp"
#include "rules/comparison.hpp"
#include "rules/condition_types.hpp"

namespace agentauri::rules {

// `describe` makes the text; it runs only when somebody wants it.
template <class Describe>
Verdict verdict(bool passed, bool explain, Describe describe) {
  return {passed ? Verdict::Result::passed : Verdict::Result::failed, explain ? describe() : std::string()};
}
inline Verdict absent(std::string_view field, bool explain) {
  return verdict(false, explain, [field] { return fmt::format("{} is absent", field); });
}

// Text of a chain or a user in quotes, cut between characters where an explanation would become unreadable.
std::string shown(std::string_view text);

// The `config` member as an object; {} when there is none.
Result<json::Object> parse_config(const domain::Condition& condition);

// Types that ignore the operator say so when it reads like another one.
void warn_of_operator(const domain::Condition& condition, std::string_view meant, const CompileContext& context);

// Demands `score op bound`. Scores are 32-bit integers, so bounds beyond them are brought near.
void narrow_score(Selector& selector, Operator op, const Decimal& bound);

}   // namespace agentauri::rules
