#include "rules/stateful_conditions.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace agentauri::rules {

Result<void> need_stateful(const domain::Condition& condition, const CompileContext& context) {
  if (context.is_stateful) return {};
  return fail(Code::invalid, "condition_type",
              fmt::format("{} needs a trigger with is_stateful = true", condition.condition_type));
}

double nearest_double(std::string_view decimal_text) {
  double number = 0;
  (void)std::from_chars(decimal_text.data(), decimal_text.data() + decimal_text.size(), number);
  return number;
}

Result<bool> parse_partition(const json::Object& config) {
  auto by = json::optional_string(config, "partition_by");
  if (by && (!*by || **by == "agent_id")) return by->has_value();
  return fail(Code::invalid, "config.partition_by", "must be \"agent_id\" or absent");
}

std::int64_t state_second(const domain::Event& event) {
  return std::clamp<std::int64_t>(to_unix_seconds(event.block_time), 0, kLastStateSecond);
}

std::string partition_key(const domain::Event& event, bool by_agent) {
  return by_agent && event.agent_id ? to_string(*event.agent_id) : std::string();
}

}   // namespace agentauri::rules
