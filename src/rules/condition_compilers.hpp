// What the table of condition types is made of: one compile function per type, in the files named here.
#pragma once

#include "rules/condition_types.hpp"

namespace agentauri::rules {

// threshold_conditions.cpp
Result<CompiledPtr> compile_score_threshold(const domain::Condition& condition, const CompileContext& context);
Result<CompiledPtr> compile_response_threshold(const domain::Condition& condition, const CompileContext& context);
Result<CompiledPtr> compile_value_threshold(const domain::Condition& condition, const CompileContext& context);

// event_conditions.cpp
Result<CompiledPtr> compile_agent_id_equals(const domain::Condition& condition, const CompileContext& context);
Result<CompiledPtr> compile_tag_equals(const domain::Condition& condition, const CompileContext& context);
Result<CompiledPtr> compile_event_type_equals(const domain::Condition& condition, const CompileContext& context);
Result<CompiledPtr> compile_file_uri_exists(const domain::Condition& condition, const CompileContext& context);
// The event is, or is not, one of these. Aliases are resolved, unknown names warned of.
CompiledPtr make_event_type_condition(std::vector<std::string> names, bool negated, const CompileContext& context);

// field_conditions.cpp
Result<CompiledPtr> compile_event_filter(const domain::Condition& condition, const CompileContext& context);
Result<CompiledPtr> compile_field_comparison(const domain::Condition& condition, const CompileContext& context);
Result<CompiledPtr> compile_validator_whitelist(const domain::Condition& condition, const CompileContext& context);

// ema_threshold.cpp, rate_limit.cpp
Result<CompiledPtr> compile_ema_threshold(const domain::Condition& condition, const CompileContext& context);
Result<CompiledPtr> compile_rate_limit(const domain::Condition& condition, const CompileContext& context);

}   // namespace agentauri::rules
