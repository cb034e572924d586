#include "rules/event_fields.hpp"

#include <algorithm>

namespace agentauri::rules {
namespace {

using domain::Event;

FieldValue text(const std::optional<std::string>& value) { return value ? FieldValue(*value) : FieldValue(); }
template <class Number>
FieldValue number(const std::optional<Number>& value) {
  return value ? FieldValue(Decimal{static_cast<int128>(*value), 0}) : FieldValue();
}

constexpr std::string_view kEventTypes[] = {"Registered", "MetadataSet", "URIUpdated", "Transfer", "Approval", "ApprovalForAll", "NewFeedback", "FeedbackRevoked", "ResponseAppended",
                                            "ValidationRequest", "ValidationResponse", "MetadataUpdate", "BatchMetadataUpdate", "Upgraded", "ContractOwnershipTransferred", "Initialized",
                                            "AdminChanged", "BeaconUpgraded", "EIP712DomainChanged", "Unknown"};
struct Alias {
  std::string_view spelling, name;
};
constexpr Alias kAliases[] = {{"AgentRegistered", "Registered"}, {"AgentCreated", "Registered"}, {"MetadataUpdated", "MetadataSet"}, {"UriUpdated", "URIUpdated"}, {"OwnershipTransferred", "Transfer"},
                              {"FeedbackSubmitted", "NewFeedback"}, {"ReputationUpdated", "NewFeedback"}, {"ScoreUpdated", "NewFeedback"}, {"ValidationRequested", "ValidationRequest"}, {"ValidationPerformed", "ValidationResponse"}};

}  // namespace

const std::vector<EventField>& event_fields() {
  using enum FieldKind;
  static const std::vector<EventField> fields{
      {"event_id", FieldKind::text, [](const Event& e) -> FieldValue { return domain::event_id(e); }},
      {"chain_id", FieldKind::number, [](const Event& e) -> FieldValue { return Decimal{e.chain_id, 0}; }},
      {"block_number", FieldKind::number, [](const Event& e) -> FieldValue { return Decimal{static_cast<int128>(e.block_num), 0}; }},
      {"block_hash", FieldKind::text, [](const Event& e) -> FieldValue { return to_hex_0x(e.block_hash); }},
      {"transaction_hash", FieldKind::text, [](const Event& e) -> FieldValue { return to_hex_0x(e.txn_hash); }},
      {"log_index", FieldKind::number, [](const Event& e) -> FieldValue { return Decimal{e.log_index, 0}; }},
      {"timestamp", FieldKind::number, [](const Event& e) -> FieldValue { return Decimal{to_unix_seconds(e.block_time), 0}; }},
      {"registry", FieldKind::text, [](const Event& e) -> FieldValue { return std::string(domain::to_string(e.registry)); }},
      {"event_type", FieldKind::text, [](const Event& e) -> FieldValue { return e.event_type; }},
      {"contract_address", FieldKind::text, [](const Event& e) -> FieldValue { return to_hex_0x(e.contract); }},
      {"agent_id", FieldKind::agent_id, [](const Event& e) { return e.agent_id ? FieldValue(*e.agent_id) : FieldValue(); }},
      {"owner", FieldKind::text, [](const Event& e) { return rules::text(e.owner); }},
      {"token_uri", FieldKind::text, [](const Event& e) { return rules::text(e.token_uri); }},
      {"metadata_key", FieldKind::text, [](const Event& e) { return rules::text(e.metadata_key); }},
      {"metadata_value", FieldKind::text, [](const Event& e) { return rules::text(e.metadata_value); }},
      {"client_address", FieldKind::text, [](const Event& e) { return rules::text(e.client_address); }},
      {"feedback_index", FieldKind::number, [](const Event& e) { return rules::number(e.feedback_index); }},
      {"score", FieldKind::number, [](const Event& e) { return rules::number(e.score); }},
      {"value", FieldKind::number, [](const Event& e) { return e.value && e.value_decimals ? FieldValue(Decimal{*e.value, *e.value_decimals}) : FieldValue(); }},
      {"value_decimals", FieldKind::number, [](const Event& e) { return rules::number(e.value_decimals); }},
      {"tag1", FieldKind::text, [](const Event& e) { return rules::text(e.tag1); }},
      {"tag2", FieldKind::text, [](const Event& e) { return rules::text(e.tag2); }},
      {"endpoint", FieldKind::text, [](const Event& e) { return rules::text(e.endpoint); }},
      {"file_uri", FieldKind::text, [](const Event& e) { return rules::text(e.file_uri); }},
      {"file_hash", FieldKind::text, [](const Event& e) { return rules::text(e.file_hash); }},
      {"validator_address", FieldKind::text, [](const Event& e) { return rules::text(e.validator_address); }},
      {"request_hash", FieldKind::text, [](const Event& e) { return rules::text(e.request_hash); }},
      {"request_uri", FieldKind::text, [](const Event& e) { return rules::text(e.request_uri); }},
      {"response", FieldKind::number, [](const Event& e) { return rules::number(e.response); }},
      {"response_uri", FieldKind::text, [](const Event& e) { return rules::text(e.response_uri); }},
      {"response_hash", FieldKind::text, [](const Event& e) { return rules::text(e.response_hash); }},
      {"tag", FieldKind::text, [](const Event& e) { return rules::text(e.tag); }},
  };
  return fields;
}

const EventField* find_event_field(std::string_view name) {
  const auto& fields = event_fields();
  const auto found = std::find_if(fields.begin(), fields.end(), [name](const EventField& f) { return f.name == name; });
  return found == fields.end() ? nullptr : &*found;
}

bool is_event_type(std::string_view name) { return std::find(std::begin(kEventTypes), std::end(kEventTypes), name) != std::end(kEventTypes); }

std::string_view resolve_event_type(std::string_view name) {
  for (const auto& alias : kAliases) {
    if (alias.spelling == name) return alias.name;
  }
  return name;
}

}  // namespace agentauri::rules
