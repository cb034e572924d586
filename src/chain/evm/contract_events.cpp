#include "chain/evm/contract_events.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "core/crypto/crypto.hpp"

namespace agentauri::chain {
namespace {

using enum AbiType;
constexpr bool kIndexed = true;

std::vector<EventShape> shapes() {
  return {
      // Identity registry.
      {"Registered", "", {{"agentId", uint256, kIndexed}, {"agentURI", string}, {"owner", address, kIndexed}}},
      {"MetadataSet", "", {{"agentId", uint256, kIndexed}, {"indexedMetadataKey", string, kIndexed}, {"metadataKey", string}, {"metadataValue", bytes}}},
      {"URIUpdated", "", {{"agentId", uint256, kIndexed}, {"newURI", string}, {"updatedBy", address, kIndexed}}},
      {"Transfer", "", {{"from", address, kIndexed}, {"to", address, kIndexed}, {"tokenId", uint256, kIndexed}}},
      {"Approval", "", {{"owner", address, kIndexed}, {"approved", address, kIndexed}, {"tokenId", uint256, kIndexed}}},
      {"ApprovalForAll", "", {{"owner", address, kIndexed}, {"operator", address, kIndexed}, {"approved", boolean}}},
      {"MetadataUpdate", "", {{"_tokenId", uint256}}},
      {"BatchMetadataUpdate", "", {{"_fromTokenId", uint256}, {"_toTokenId", uint256}}},
      {"EIP712DomainChanged", "", {}},
      // Reputation registry.
      {"NewFeedback", "", {{"agentId", uint256, kIndexed}, {"clientAddress", address, kIndexed}, {"feedbackIndex", uint64}, {"value", int128}, {"valueDecimals", uint8},
                           {"indexedTag1", string, kIndexed}, {"tag1", string}, {"tag2", string}, {"endpoint", string}, {"feedbackURI", string}, {"feedbackHash", bytes32}}},
      {"FeedbackRevoked", "", {{"agentId", uint256, kIndexed}, {"clientAddress", address, kIndexed}, {"feedbackIndex", uint64, kIndexed}}},
      {"ResponseAppended", "", {{"agentId", uint256, kIndexed}, {"clientAddress", address, kIndexed}, {"feedbackIndex", uint64}, {"responder", address, kIndexed}, {"responseURI", string}, {"responseHash", bytes32}}},
      // Validation registry.
      {"ValidationRequest", "", {{"validatorAddress", address, kIndexed}, {"agentId", uint256, kIndexed}, {"requestURI", string}, {"requestHash", bytes32, kIndexed}}},
      {"ValidationResponse", "", {{"validatorAddress", address, kIndexed}, {"agentId", uint256, kIndexed}, {"requestHash", bytes32, kIndexed}, {"response", uint8}, {"responseURI", string}, {"responseHash", bytes32}, {"tag", string}}},
      // All three proxies.
      {"Initialized", "", {{"version", uint64}}},
      {"OwnershipTransferred", "", {{"previousOwner", address, kIndexed}, {"newOwner", address, kIndexed}}},
      {"Upgraded", "", {{"implementation", address, kIndexed}}},
      {"AdminChanged", "", {{"previousAdmin", address}, {"newAdmin", address}}},
      {"BeaconUpgraded", "", {{"beacon", address, kIndexed}}},
      // Historical shapes.
      {"NewFeedback", "v1", {{"agentId", uint256, kIndexed}, {"clientAddress", address, kIndexed}, {"score", uint8}, {"tag1", bytes32, kIndexed}, {"tag2", bytes32}, {"feedbackURI", string}, {"feedbackHash", bytes32}}},
      {"NewFeedback", "v2", {{"agentId", uint256, kIndexed}, {"clientAddress", address, kIndexed}, {"score", uint8}, {"indexedTag1", string, kIndexed}, {"tag2", string}, {"feedbackURI", string}, {"feedbackHash", bytes32}}},
      {"NewFeedback", "v3", {{"agentId", uint256, kIndexed}, {"clientAddress", address, kIndexed}, {"score", uint8}, {"indexedTag1", string, kIndexed}, {"tag2", string}, {"endpoint", string}, {"feedbackURI", string}, {"feedbackHash", bytes32}}},
      {"NewFeedback", "v4", {{"agentId", uint256, kIndexed}, {"clientAddress", address, kIndexed}, {"feedbackIndex", uint64}, {"score", uint8}, {"indexedTag1", string, kIndexed}, {"tag2", string}, {"endpoint", string}, {"feedbackURI", string}, {"feedbackHash", bytes32}}},
      {"NewFeedback", "v5", {{"agentId", uint256, kIndexed}, {"clientAddress", address, kIndexed}, {"feedbackIndex", uint64}, {"score", uint8}, {"indexedTag1", string, kIndexed}, {"tag1", string}, {"tag2", string}, {"endpoint", string}, {"feedbackURI", string}, {"feedbackHash", bytes32}}},
      {"NewFeedback", "v6", {{"agentId", uint256, kIndexed}, {"clientAddress", address, kIndexed}, {"feedbackIndex", uint64}, {"value", uint256}, {"valueDecimals", uint8}, {"indexedTag1", string, kIndexed}, {"tag1", string}, {"tag2", string}, {"endpoint", string}, {"feedbackURI", string}, {"feedbackHash", bytes32}}},
      {"NewFeedback", "v7", {{"agentId", uint256, kIndexed}, {"clientAddress", address, kIndexed}, {"feedbackIndex", uint64}, {"value", int256}, {"valueDecimals", uint8}, {"indexedTag1", string, kIndexed}, {"tag1", string}, {"tag2", string}, {"endpoint", string}, {"feedbackURI", string}, {"feedbackHash", bytes32}}},
      {"UriUpdated", "v1", {{"agentId", uint256, kIndexed}, {"newURI", string}, {"updatedBy", address, kIndexed}}},
      {"MetadataSet", "v1", {{"agentId", uint256, kIndexed}, {"indexedMetadataKey", string, kIndexed}, {"metadataKey", string}, {"metadataValue", string}}},
      {"ResponseAppended", "v1", {{"agentId", uint256, kIndexed}, {"clientAddress", address, kIndexed}, {"feedbackIndex", uint64}, {"responder", address, kIndexed}, {"responseURI", string}}},
      {"ValidationResponse", "v1", {{"validatorAddress", address, kIndexed}, {"agentId", uint256, kIndexed}, {"requestHash", bytes32, kIndexed}, {"response", uint8}, {"responseURI", string}, {"tag", bytes32}}},
      {"ValidationResponse", "v2", {{"validatorAddress", address, kIndexed}, {"agentId", uint256, kIndexed}, {"requestHash", bytes32, kIndexed}, {"response", uint8}, {"responseURI", string}, {"responseHash", bytes32}, {"tag", bytes32}}},
  };
}

}  // namespace

std::string EventShape::signature() const {
  std::string out(name);
  out += '(';
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    if (i > 0) out += ',';
    out += to_string(parameters[i].type);
  }
  return out + ')';
}

const std::vector<KnownEvent>& known_events() {
  static const auto events = [] {
    std::vector<KnownEvent> out;
    for (auto& shape : shapes()) {
      const Hash32 topic0 = crypto::keccak256(as_bytes(shape.signature()));
      out.push_back({std::move(shape), topic0});
    }
    return out;
  }();
  return events;
}

const KnownEvent* find_event(const Hash32& topic0) {
  static const auto index = [] {
    std::unordered_map<Hash32, const KnownEvent*> out;
    for (const auto& event : known_events()) out.emplace(event.topic0, &event);
    return out;
  }();
  const auto found = index.find(topic0);
  return found == index.end() ? nullptr : found->second;
}

const AbiValue* DecodedLog::find(std::string_view name) const {
  for (std::size_t i = 0; i < shape->parameters.size(); ++i) {
    if (shape->parameters[i].name == name) return &values[i];
  }
  return nullptr;
}

Result<DecodedLog> decode_log(const KnownEvent& event, const RawLog& log) {
  const auto& parameters = event.shape.parameters;
  const auto indexed = static_cast<std::size_t>(std::count_if(parameters.begin(), parameters.end(), [](const auto& p) { return p.indexed; }));
  if (log.topics.size() != indexed + 1) {
    return fail(Code::protocol, fmt::format("{} has {} topics, not {}", event.shape.name, indexed + 1, log.topics.size()));
  }
  DecodedLog out;
  out.shape = &event.shape;
  out.values.reserve(parameters.size());
  std::size_t topic = 1;
  std::size_t place = 0;
  for (const auto& parameter : parameters) {
    auto value = parameter.indexed ? read_word(is_dynamic(parameter.type) ? bytes32 : parameter.type, log.topics[topic++])
                                   : read_value(parameter.type, log.data, place++);
    if (!value) return fail(Code::protocol, std::string(parameter.name), fmt::format("{}.{}: {}", event.shape.name, parameter.name, value.error().text));
    out.values.push_back(std::move(*value));
  }
  return out;
}

}  // namespace agentauri::chain
