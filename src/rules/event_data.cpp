#include "rules/event_data.hpp"

#include <fmt/format.h>

#include "rules/stateful_conditions.hpp"

namespace agentauri::rules {
namespace {

constexpr std::uint64_t kMaxExact = 9'007'199'254'740'991;   // 2^53 - 1: what every JSON reader keeps exact

std::size_t json_bytes(char c) {
  if (static_cast<unsigned char>(c) < 0x20) return 6;
  return c == '"' || c == '\\' ? 2 : 1;
}

std::string clipped(const std::string& value) {
  std::size_t kept = 0;
  for (std::size_t bytes = 0; kept < value.size(); ++kept) {
    bytes += json_bytes(value[kept]);
    if (bytes > kMaxChainTextBytes) break;
  }
  if (kept == value.size()) return value;
  while (kept > 0 && (static_cast<unsigned char>(value[kept]) & 0xC0) == 0x80) --kept;
  return fmt::format("{}… [clipped: {} bytes in full]", std::string_view(value).substr(0, kept), value.size());
}

json::Value text(const std::optional<std::string>& value) {
  return value ? json::Value(json::String(clipped(*value))) : json::Value();
}
json::Value number(std::uint64_t n) {
  return n <= kMaxExact ? json::Value(n) : json::Value(json::String(std::to_string(n)));
}
template <class Number>
json::Value number_or_null(const std::optional<Number>& value) {
  return value ? json::Value(static_cast<std::int64_t>(*value)) : json::Value();
}

}   // namespace

json::Object event_data(const domain::Event& event, const domain::Trigger& trigger, const Evaluation& evaluation,
                        std::string_view chain_name, std::int64_t seq) {
  json::Object out;
  out["event_id"] = domain::event_id(event);
  out["event_type"] = event.event_type;
  out["chain_id"] = event.chain_id;
  out["chain_name"] = json::String(chain_name);
  out["seq"] = seq;
  out["block_number"] = number(event.block_num);
  out["block_hash"] = to_hex_0x(event.block_hash);
  out["transaction_hash"] = to_hex_0x(event.txn_hash);
  out["log_index"] = event.log_index;
  out["timestamp"] = to_unix_seconds(event.block_time);
  out["registry"] = json::String(domain::to_string(event.registry));
  out["contract_address"] = to_hex_0x(event.contract);
  out["trigger_id"] = to_string(trigger.id);
  out["trigger_name"] = trigger.name;
  if (!event.agent_id) {
    out["agent_id"] = nullptr;
  } else if (const auto small = event.agent_id->to_u64(); small && *small <= kMaxExact) {
    out["agent_id"] = *small;
  } else {
    out["agent_id"] = to_string(*event.agent_id);
  }
  out["owner"] = text(event.owner);
  out["token_uri"] = text(event.token_uri);
  out["metadata_key"] = text(event.metadata_key);
  out["metadata_value"] = text(event.metadata_value);
  out["client_address"] = text(event.client_address);
  out["feedback_index"] = event.feedback_index ? number(*event.feedback_index) : json::Value();
  out["score"] = number_or_null(event.score);
  out["value"] = event.value && event.value_decimals
                     ? json::Value(json::String(agentauri::to_string(Decimal{*event.value, *event.value_decimals})))
                     : json::Value();
  out["value_raw"] = event.value ? json::Value(json::String(agentauri::to_string(*event.value))) : json::Value();
  out["value_decimals"] = number_or_null(event.value_decimals);
  out["tag1"] = text(event.tag1);
  out["tag2"] = text(event.tag2);
  json::Array tags;
  for (const auto& tag : {event.tag1, event.tag2}) {
    if (tag) tags.push_back(text(*tag));
  }
  out["tags"] = std::move(tags);
  out["endpoint"] = text(event.endpoint);
  out["file_uri"] = text(event.file_uri);
  out["file_hash"] = text(event.file_hash);
  out["validator_address"] = text(event.validator_address);
  out["responder"] = event.event_type == "ResponseAppended" ? text(event.validator_address) : json::Value();
  out["request_hash"] = text(event.request_hash);
  out["request_uri"] = text(event.request_uri);
  out["response"] = number_or_null(event.response);
  out["response_uri"] = text(event.response_uri);
  out["response_hash"] = text(event.response_hash);
  out["tag"] = text(event.tag);
  out["validation_tag"] = text(event.tag);
  // The nearest double, as the API shows the state.
  out["ema"] = evaluation.ema ? json::Value(nearest_double(*evaluation.ema)) : json::Value();
  out["event_count"] = evaluation.event_count ? number(*evaluation.event_count) : json::Value();
  return out;
}

}   // namespace agentauri::rules
