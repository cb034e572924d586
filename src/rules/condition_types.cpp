#include "rules/condition_types.hpp"

#include "rules/condition_compilers.hpp"

namespace agentauri::rules {

const std::vector<ConditionType>& condition_types() {
  static const std::vector<ConditionType> types{
      {"agent_id_equals", &compile_agent_id_equals, "the event is about this agent"},
      {"score_threshold", &compile_score_threshold, "the score of a feedback passes a bound"},
      {"value_threshold", &compile_value_threshold, "the exact value of a feedback passes a bound"},
      {"response_threshold", &compile_response_threshold, "the response of a validation passes a bound"},
      {"tag_equals", &compile_tag_equals, "tag1 or tag2 is this text"},
      {"event_type_equals", &compile_event_type_equals, "the event has this type"},
      {"event_filter", &compile_event_filter, "the event has this type, or one of these"},
      {"field_match", &compile_field_comparison, "a field of the event has this value"},
      {"field_comparison", &compile_field_comparison, "a field of the event compares so"},
      {"validator_whitelist", &compile_validator_whitelist, "the validator is one of these addresses"},
      {"file_uri_exists", &compile_file_uri_exists, "a feedback names a file"},
      {"ema_threshold", &compile_ema_threshold, "a moving average of scores passes a bound"},
      {"rate_limit", &compile_rate_limit, "so many events happened within a time"},
  };
  return types;
}

}   // namespace agentauri::rules
