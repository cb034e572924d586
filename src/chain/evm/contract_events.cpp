#include "chain/evm/contract_events.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "core/crypto/crypto.hpp"

namespace agentauri::chain {
namespace {

using enum AbiType;
using domain::Registry;

constexpr EventParameter topic(std::string_view name, AbiType type) {
  return {name, type, true};
}
constexpr EventParameter kAgent = topic("agentId", uint256);
constexpr EventParameter kClient = topic("clientAddress", address);
constexpr EventParameter kValidator = topic("validatorAddress", address);
constexpr EventParameter kRequestHash = topic("requestHash", bytes32);
constexpr EventParameter kFeedbackIndex{"feedbackIndex", uint64};
constexpr EventParameter kScore{"score", uint8};
constexpr EventParameter kDecimals{"valueDecimals", uint8};
constexpr EventParameter kTag1{"tag1", string};
constexpr EventParameter kTag1Topic{"indexedTag1", string, true, "tag1"};
constexpr EventParameter kTag1Lost = topic("indexedTag1", string);   // v2 to v4: the tag itself is not in the log
constexpr EventParameter kTag2{"tag2", string};
constexpr EventParameter kEndpoint{"endpoint", string};
constexpr EventParameter kFeedbackUri{"feedbackURI", string};
constexpr EventParameter kFeedbackHash{"feedbackHash", bytes32};
constexpr EventParameter kResponseUri{"responseURI", string};
constexpr EventParameter kResponseHash{"responseHash", bytes32};
constexpr EventParameter kResponse{"response", uint8};
constexpr EventParameter kMetadataTopic{"indexedMetadataKey", string, true, "metadataKey"};
constexpr EventParameter kMetadataKey{"metadataKey", string};

std::vector<EventParameter> rating(EventParameter value) {   // v6 to v8 differ in the type of the value alone
  return {kAgent, kClient, kFeedbackIndex, value,        kDecimals,    kTag1Topic,
          kTag1,  kTag2,   kEndpoint,      kFeedbackUri, kFeedbackHash};
}

// clang-format off
std::vector<EventShape> shapes() {
  const std::vector<Registry> kIdentity{Registry::identity}, kReputation{Registry::reputation}, kValidation{Registry::validation};
  const std::vector<Registry> kAll{Registry::identity, Registry::reputation, Registry::validation};
  return {
      // Identity registry.
      {"Registered", "", kIdentity, {kAgent, {"agentURI", string}, topic("owner", address)}},
      {"MetadataSet", "", kIdentity, {kAgent, kMetadataTopic, kMetadataKey, {"metadataValue", bytes}}},
      {"URIUpdated", "", kIdentity, {kAgent, {"newURI", string}, topic("updatedBy", address)}},
      {"Transfer", "", kIdentity, {topic("from", address), topic("to", address), topic("tokenId", uint256)}},
      {"Approval", "", kIdentity, {topic("owner", address), topic("approved", address), topic("tokenId", uint256)}},
      {"ApprovalForAll", "", kIdentity, {topic("owner", address), topic("operator", address), {"approved", boolean}}},
      {"MetadataUpdate", "", kIdentity, {{"_tokenId", uint256}}},
      {"BatchMetadataUpdate", "", kIdentity, {{"_fromTokenId", uint256}, {"_toTokenId", uint256}}},
      // Reputation registry.
      {"NewFeedback", "", kReputation, rating({"value", int128})},
      {"FeedbackRevoked", "", kReputation, {kAgent, kClient, topic("feedbackIndex", uint64)}},
      {"ResponseAppended", "", kReputation, {kAgent, kClient, kFeedbackIndex, topic("responder", address), kResponseUri, kResponseHash}},
      // Validation registry.
      {"ValidationRequest", "", kValidation, {kValidator, kAgent, {"requestURI", string}, kRequestHash}},
      {"ValidationResponse", "", kValidation, {kValidator, kAgent, kRequestHash, kResponse, kResponseUri, kResponseHash, {"tag", string}}},
      // All three proxies.
      {"Initialized", "", kAll, {{"version", uint64}}},
      {"OwnershipTransferred", "", kAll, {topic("previousOwner", address), topic("newOwner", address)}},
      {"Upgraded", "", kAll, {topic("implementation", address)}},
      {"AdminChanged", "", kAll, {{"previousAdmin", address}, {"newAdmin", address}}},
      {"BeaconUpgraded", "", kAll, {topic("beacon", address)}},
      {"EIP712DomainChanged", "", kAll, {}},
      // Historical shapes.
      {"NewFeedback", "v1", kReputation, {kAgent, kClient, kScore, topic("tag1", bytes32), {"tag2", bytes32}, kFeedbackUri, kFeedbackHash}},
      {"NewFeedback", "v2", kReputation, {kAgent, kClient, kScore, kTag1Lost, kTag2, kFeedbackUri, kFeedbackHash}},
      {"NewFeedback", "v3", kReputation, {kAgent, kClient, kScore, kTag1Lost, kTag2, kEndpoint, kFeedbackUri, kFeedbackHash}},
      {"NewFeedback", "v4", kReputation, {kAgent, kClient, kFeedbackIndex, kScore, kTag1Lost, kTag2, kEndpoint, kFeedbackUri, kFeedbackHash}},
      {"NewFeedback", "v5", kReputation, {kAgent, kClient, kFeedbackIndex, kScore, kTag1Topic, kTag1, kTag2, kEndpoint, kFeedbackUri, kFeedbackHash}},
      {"NewFeedback", "v6", kReputation, rating({"value", uint256})},
      {"NewFeedback", "v7", kReputation, rating({"value", int256})},
      {"UriUpdated", "v1", kIdentity, {kAgent, {"newURI", string}, topic("updatedBy", address)}},
      {"MetadataSet", "v1", kIdentity, {kAgent, kMetadataTopic, kMetadataKey, {"metadataValue", string}}},
      {"ResponseAppended", "v1", kReputation, {kAgent, kClient, kFeedbackIndex, topic("responder", address), kResponseUri}},
      {"ValidationResponse", "v1", kValidation, {kValidator, kAgent, kRequestHash, kResponse, kResponseUri, {"tag", bytes32}}},
      {"ValidationResponse", "v2", kValidation, {kValidator, kAgent, kRequestHash, kResponse, kResponseUri, kResponseHash, {"tag", bytes32}}},
  };
}
// clang-format on

Result<void> check_hashes(const DecodedLog& log) {
  const auto& parameters = log.shape->parameters;
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    if (parameters[i].hash_of.empty()) continue;
    if (crypto::keccak256(log.find(parameters[i].hash_of)->bytes) == log.values[i].word) continue;
    return fail(Code::protocol, std::string(parameters[i].name),
                fmt::format("{}.{} is not the hash of {}", log.shape->name, parameters[i].name, parameters[i].hash_of));
  }
  return {};
}

}   // namespace

std::string EventShape::signature() const {
  std::string out(name);
  out += '(';
  for (std::size_t i = 0; i < parameters.size(); ++i) {
    if (i > 0) out += ',';
    out += to_string(parameters[i].type);
  }
  return out + ')';
}

bool EventShape::belongs_to(domain::Registry registry) const {
  return std::find(registries.begin(), registries.end(), registry) != registries.end();
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
  const auto indexed = static_cast<std::size_t>(
      std::count_if(parameters.begin(), parameters.end(), [](const auto& parameter) { return parameter.indexed; }));
  if (log.topics.size() != indexed + 1) {
    return fail(Code::protocol,
                fmt::format("{} has {} topics, not {}", event.shape.name, indexed + 1, log.topics.size()));
  }
  DecodedLog out;
  out.shape = &event.shape;
  out.values.reserve(parameters.size());
  std::size_t next_topic = 1;
  std::size_t place = 0;
  for (const auto& parameter : parameters) {
    auto value = parameter.indexed
                     ? read_word(is_dynamic(parameter.type) ? bytes32 : parameter.type, log.topics[next_topic++])
                     : read_value(parameter.type, log.data, place++);
    if (!value) {
      return fail(Code::protocol, std::string(parameter.name),
                  fmt::format("{}.{}: {}", event.shape.name, parameter.name, value.error().text));
    }
    out.values.push_back(*value);
  }
  if (auto agree = check_hashes(out); !agree) return fail(agree);
  return out;
}

}   // namespace agentauri::chain
