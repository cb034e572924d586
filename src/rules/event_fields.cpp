#include "rules/event_fields.hpp"

#include <algorithm>

namespace agentauri::rules {
namespace {

using domain::Event;

FieldValue text_of(const std::optional<std::string>& value) {
  return value ? FieldValue(std::string_view(*value)) : FieldValue();
}
template <class Number>
FieldValue number_of(Number value) {
  return Decimal{static_cast<int128>(value), 0};
}
template <class Number>
FieldValue number_of(const std::optional<Number>& value) {
  return value ? FieldValue(Decimal{static_cast<int128>(*value), 0}) : FieldValue();
}

// Readers of members, made from a pointer to one.
template <auto Member>
FieldValue read_text(const Event& event, std::string&) {
  return text_of(event.*Member);
}
template <auto Member>
FieldValue read_number(const Event& event, std::string&) {
  return number_of(event.*Member);
}
template <auto Member>
FieldValue read_bytes(const Event& event, std::string& scratch) {
  scratch = to_hex_0x(event.*Member);
  return std::string_view(scratch);
}

FieldValue read_event_id(const Event& event, std::string& scratch) {
  scratch = domain::event_id(event);
  return std::string_view(scratch);
}
FieldValue read_timestamp(const Event& event, std::string&) {
  return number_of(to_unix_seconds(event.block_time));
}
FieldValue read_registry(const Event& event, std::string&) {
  return domain::to_string(event.registry);
}
FieldValue read_event_type(const Event& event, std::string&) {
  return std::string_view(event.event_type);
}
FieldValue read_agent_id(const Event& event, std::string&) {
  return event.agent_id ? FieldValue(*event.agent_id) : FieldValue();
}
FieldValue read_value(const Event& event, std::string&) {
  return event.value && event.value_decimals ? FieldValue(Decimal{*event.value, *event.value_decimals}) : FieldValue();
}

constexpr std::string_view kEventTypes[] = {
    "Registered",  "MetadataSet",     "URIUpdated",       "Transfer",          "Approval",          "ApprovalForAll",
    "NewFeedback", "FeedbackRevoked", "ResponseAppended", "ValidationRequest", "ValidationResponse"};
constexpr std::string_view kHousekeeping[] = {
    "MetadataUpdate", "BatchMetadataUpdate", "Upgraded", "ContractOwnershipTransferred", "Initialized", "AdminChanged",
    "BeaconUpgraded", "EIP712DomainChanged", "Unknown"};

struct Alias {
  std::string_view spelling, name;
};
constexpr Alias kAliases[] = {{"AgentRegistered", "Registered"},
                              {"AgentCreated", "Registered"},
                              {"MetadataUpdated", "MetadataSet"},
                              {"UriUpdated", "URIUpdated"},
                              {"OwnershipTransferred", "Transfer"},
                              {"FeedbackSubmitted", "NewFeedback"},
                              {"ReputationUpdated", "NewFeedback"},
                              {"ScoreUpdated", "NewFeedback"},
                              {"ValidationRequested", "ValidationRequest"},
                              {"ValidationPerformed", "ValidationResponse"}};

}   // namespace

const std::vector<EventField>& event_fields() {
  using enum FieldKind;
  static const std::vector<EventField> fields{
      {"id", text, &read_event_id},
      {"event_id", text, &read_event_id},   // as templates call it
      {"chain_id", number, &read_number<&Event::chain_id>},
      {"block_number", number, &read_number<&Event::block_num>},
      {"block_hash", hex, &read_bytes<&Event::block_hash>},
      {"transaction_hash", hex, &read_bytes<&Event::txn_hash>},
      {"transaction_index", number, &read_number<&Event::txn_index>},
      {"txn_ordinal", number, &read_number<&Event::txn_ordinal>},
      {"log_index", number, &read_number<&Event::log_index>},
      {"timestamp", number, &read_timestamp},
      {"registry", text, &read_registry},
      {"event_type", text, &read_event_type},
      {"contract_address", hex, &read_bytes<&Event::contract>},
      {"agent_id", agent_id, &read_agent_id},
      {"owner", hex, &read_text<&Event::owner>},
      {"token_uri", text, &read_text<&Event::token_uri>},
      {"metadata_key", text, &read_text<&Event::metadata_key>},
      {"metadata_value", hex, &read_text<&Event::metadata_value>},
      {"client_address", hex, &read_text<&Event::client_address>},
      {"feedback_index", number, &read_number<&Event::feedback_index>},
      {"score", number, &read_number<&Event::score>},
      {"value", number, &read_value},
      {"value_decimals", number, &read_number<&Event::value_decimals>},
      {"tag1", text, &read_text<&Event::tag1>},
      {"tag2", text, &read_text<&Event::tag2>},
      {"tag1_hash", hex, &read_text<&Event::tag1_hash>},
      {"endpoint", text, &read_text<&Event::endpoint>},
      {"file_uri", text, &read_text<&Event::file_uri>},
      {"file_hash", hex, &read_text<&Event::file_hash>},
      {"validator_address", hex, &read_text<&Event::validator_address>},
      {"request_hash", hex, &read_text<&Event::request_hash>},
      {"request_uri", text, &read_text<&Event::request_uri>},
      {"response", number, &read_number<&Event::response>},
      {"response_uri", text, &read_text<&Event::response_uri>},
      {"response_hash", hex, &read_text<&Event::response_hash>},
      {"tag", text, &read_text<&Event::tag>},
      {"parse_error", text, &read_text<&Event::parse_error>},
  };
  return fields;
}

const EventField* find_event_field(std::string_view name) {
  const auto& fields = event_fields();
  const auto found = std::find_if(fields.begin(), fields.end(), [name](const EventField& f) { return f.name == name; });
  return found == fields.end() ? nullptr : &*found;
}

bool is_event_type(std::string_view name) {
  return std::find(std::begin(kEventTypes), std::end(kEventTypes), name) != std::end(kEventTypes) ||
         is_housekeeping_event(name);
}

bool is_housekeeping_event(std::string_view name) {
  return std::find(std::begin(kHousekeeping), std::end(kHousekeeping), name) != std::end(kHousekeeping);
}

std::string_view resolve_event_type(std::string_view name) {
  for (const auto& alias : kAliases) {
    if (alias.spelling == name) return alias.name;
  }
  return name;
}

}   // namespace agentauri::rules
