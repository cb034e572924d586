// The two conditions that remember (pipeline.md 6.5): moving average and rate window. Their state is short JSON; equal
// states have equal bytes. Time is block time.
#pragma once

#include "rules/condition_types.hpp"

namespace agentauri::rules {

Result<CompiledPtr> compile_ema_threshold(const domain::Condition& condition, const CompileContext& context);
Result<CompiledPtr> compile_rate_limit(const domain::Condition& condition, const CompileContext& context);

// The next moving average at 10^-18, rounded half away from zero: ema + (score - ema) * 2 / (window + 1).
int128 next_ema(int128 ema, std::int32_t score, std::int64_t window);
inline constexpr std::uint8_t kEmaDecimals = 18;

}  // namespace agentauri::rules
