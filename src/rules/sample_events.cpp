#include "rules/sample_events.hpp"

#include <algorithm>
#include <array>

#include "rules/event_fields.hpp"

namespace agentauri::rules {
namespace {

using domain::Event;
using domain::Registry;

constexpr std::string_view kOwner = "0x1111111111111111111111111111111111111111";
constexpr std::string_view kClient = "0x2222222222222222222222222222222222222222";
constexpr std::string_view kValidator = "0x3333333333333333333333333333333333333333";
constexpr std::string_view kDigest = "0x4444444444444444444444444444444444444444444444444444444444444444";

struct Sample {
  std::string_view type;
  Registry registry;
  void (*fill)(Event&);
};

void fill_uri(Event& e) {
  e.owner = kOwner;
  e.token_uri = "https://example.org/agents/42.json";
}
void fill_metadata(Event& e) {
  e.metadata_key = "agentWallet";
  e.metadata_value = kOwner;
}
void fill_transfer(Event& e) {
  e.owner = kOwner;
  e.client_address = kClient;
}
void fill_approval_for_all(Event& e) {
  fill_transfer(e);
  e.agent_id.reset();
  e.tag1 = "approved";
}
void fill_feedback(Event& e) {
  e.client_address = kClient;
  e.feedback_index = 1;
  e.value = 45;
  e.value_decimals = std::uint8_t{0};
  e.score = 45;
  e.tag1 = "starred";
  e.tag2 = "sample";
  e.endpoint = "https://agent.example.org/a2a";
  e.file_uri = "https://example.org/feedback/1.json";
  e.file_hash = kDigest;
}
void fill_revocation(Event& e) {
  e.client_address = kClient;
  e.feedback_index = 1;
}
void fill_appended(Event& e) {
  fill_revocation(e);
  e.validator_address = kValidator;
  e.response_uri = "https://example.org/responses/1.json";
  e.response_hash = kDigest;
}
void fill_request(Event& e) {
  e.validator_address = kValidator;
  e.request_hash = kDigest;
  e.request_uri = "https://example.org/requests/1.json";
}
void fill_response(Event& e) {
  e.validator_address = kValidator;
  e.request_hash = kDigest;
  e.response = 90;
  e.response_uri = "https://example.org/responses/1.json";
  e.response_hash = kDigest;
  e.tag = "sample";
}

constexpr std::array<Sample, 11> kSamples{{
    {"Registered", Registry::identity, &fill_uri},
    {"MetadataSet", Registry::identity, &fill_metadata},
    {"URIUpdated", Registry::identity, &fill_uri},
    {"Transfer", Registry::identity, &fill_transfer},
    {"Approval", Registry::identity, &fill_transfer},
    {"ApprovalForAll", Registry::identity, &fill_approval_for_all},
    {"NewFeedback", Registry::reputation, &fill_feedback},
    {"FeedbackRevoked", Registry::reputation, &fill_revocation},
    {"ResponseAppended", Registry::reputation, &fill_appended},
    {"ValidationResponse", Registry::validation, &fill_response},
    {"ValidationRequest", Registry::validation, &fill_request},
}};

const Sample* find(std::string_view type) {
  const auto name = resolve_event_type(type);
  const auto found = std::find_if(kSamples.begin(), kSamples.end(), [name](const Sample& s) { return s.type == name; });
  return found == kSamples.end() ? nullptr : &*found;
}

}   // namespace

std::vector<std::string_view> sample_event_types() {
  std::vector<std::string_view> out;
  for (const auto& sample : kSamples) out.push_back(sample.type);
  return out;
}

std::string_view usual_event_type(Registry registry) {
  const auto found =
      std::find_if(kSamples.begin(), kSamples.end(), [registry](const Sample& s) { return s.registry == registry; });
  return found->type;
}

std::optional<Registry> registry_of_event_type(std::string_view type) {
  const auto* sample = find(type);
  return sample != nullptr ? std::optional(sample->registry) : std::nullopt;
}

std::optional<Event> sample_event(std::string_view type, domain::ChainId chain, Time at) {
  const auto* sample = find(type);
  if (sample == nullptr) return std::nullopt;
  Event out;
  out.chain_id = chain;
  out.block_time = from_unix_seconds(to_unix_seconds(at));
  out.registry = sample->registry;
  out.event_type = sample->type;
  out.agent_id = Uint256(42);
  sample->fill(out);
  return out;
}

}   // namespace agentauri::rules
