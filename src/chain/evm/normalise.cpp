#include "chain/evm/normalise.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "chain/evm/contract_events.hpp"
#include "chain/evm/event_text.hpp"
#include "core/crypto/crypto.hpp"
#include "core/json/json.hpp"

namespace agentauri::chain {
namespace {

using domain::Event;

constexpr std::uint64_t kMaxRatingDecimals = 18;   // what the contracts allow

constexpr std::string_view kNoRatings[] = {"reachable",          "ownerVerified", "responseTime",
                                           "blocktimeFreshness", "revenues",      "tradingYield"};
// pipeline.md 1.7, and the tag of its worked example 11.
constexpr std::string_view kKnownTags[] = {"",
                                           "agentWallet",
                                           "starred",
                                           "reachable",
                                           "ownerVerified",
                                           "uptime",
                                           "successRate",
                                           "responseTime",
                                           "blocktimeFreshness",
                                           "revenues",
                                           "tradingYield",
                                           "refund"};

// A log on its way into an event. What had to be changed is noted in the event's parse_error.
struct Filling {
  Event& event;
  const DecodedLog& log;

  const AbiValue& at(std::string_view name) const { return *log.find(name); }
  std::string address(std::string_view name) const { return to_hex_0x(at(name).as_address()); }
  std::string hash(std::string_view name) const { return to_hex_0x(at(name).word); }
  std::optional<std::string> hash_if_there(std::string_view name) const {
    return log.find(name) == nullptr ? std::nullopt : std::optional(hash(name));
  }
  std::string text(std::string_view name) const {
    auto stored = stored_text(at(name).bytes);
    if (stored.replaced) note(fmt::format("{} is not UTF-8 without NUL: bytes replaced", name));
    return std::move(stored.text);
  }
  // Empty tags and URIs are null.
  std::optional<std::string> text_or_null(std::string_view name) const {
    return at(name).bytes.empty() ? std::nullopt : std::optional(text(name));
  }
  std::optional<std::string> tag(std::string_view name) const {
    return at(name).type == AbiType::bytes32 ? text_of_word(at(name).word) : text_or_null(name);
  }
  void note(std::string text) const {
    if (!event.parse_error)
      event.parse_error = std::move(text);
    else
      *event.parse_error += "; " + text;
  }
};

void fill_registered(const Filling& f) {
  f.event.owner = f.address("owner");
  f.event.token_uri = f.text_or_null("agentURI");
}

void fill_metadata(const Filling& f) {
  f.event.metadata_key = f.text("metadataKey");
  f.event.metadata_value = stored_hex(f.at("metadataValue").bytes);
}

void fill_uri(const Filling& f) {
  f.event.token_uri = f.text_or_null("newURI");
  f.event.owner = f.address("updatedBy");   // not necessarily the owner (pipeline.md 3.3)
}

void fill_transfer(const Filling& f) {
  f.event.agent_id = f.at("tokenId").as_uint256();
  f.event.owner = f.address("to");
  f.event.client_address = f.address("from");
}

void fill_approval(const Filling& f) {
  f.event.agent_id = f.at("tokenId").as_uint256();
  f.event.owner = f.address("owner");
  f.event.client_address = f.address("approved");
}

void fill_approval_for_all(const Filling& f) {
  f.event.owner = f.address("owner");
  f.event.client_address = f.address("operator");
  f.event.tag1 = f.at("approved").as_bool() ? "approved" : "revoked";
}

void fill_metadata_update(const Filling& f) {
  f.event.agent_id = f.at("_tokenId").as_uint256();
}

void fill_rating(const Filling& f) {
  if (const auto* score = f.log.find("score")) {   // up to v5; copied as it is
    f.event.value = static_cast<int128>(score->as_u64());
    f.event.value_decimals = 0;
    f.event.score = static_cast<std::int32_t>(score->as_u64());
    return;
  }
  const auto decimals = f.at("valueDecimals").as_u64();
  const auto value = f.at("value").as_int128();
  if (!value) return f.note(fmt::format("value {} does not fit 128 bits", f.at("value").decimal()));
  if (decimals > kMaxRatingDecimals) {
    return f.note(fmt::format("valueDecimals {} is above {}", decimals, kMaxRatingDecimals));
  }
  f.event.value = value;
  f.event.value_decimals = static_cast<std::uint8_t>(decimals);
  f.event.score = derive_score({*value, *f.event.value_decimals}, f.event.tag1);
}

void fill_feedback(const Filling& f) {
  f.event.client_address = f.address("clientAddress");
  if (const auto* index = f.log.find("feedbackIndex")) f.event.feedback_index = index->as_u64();
  if (f.log.find("tag1") != nullptr) {
    f.event.tag1 = f.tag("tag1");
  } else {   // v2 to v4: only the hash reached the log
    f.event.tag1 = tag_of_hash(f.at("indexedTag1").word);
    if (!f.event.tag1)
      f.event.tag1_hash = f.hash("indexedTag1");
    else if (f.event.tag1->empty())
      f.event.tag1.reset();
  }
  f.event.tag2 = f.tag("tag2");
  if (f.log.find("endpoint") != nullptr) f.event.endpoint = f.text("endpoint");   // empty stays empty
  f.event.file_uri = f.text_or_null("feedbackURI");
  f.event.file_hash = f.hash("feedbackHash");
  fill_rating(f);
}

void fill_revoked(const Filling& f) {
  f.event.client_address = f.address("clientAddress");
  f.event.feedback_index = f.at("feedbackIndex").as_u64();
}

void fill_response(const Filling& f) {
  fill_revoked(f);
  f.event.validator_address = f.address("responder");
  f.event.response_uri = f.text_or_null("responseURI");
  f.event.response_hash = f.hash_if_there("responseHash");
}

void fill_validation_request(const Filling& f) {
  f.event.validator_address = f.address("validatorAddress");
  f.event.request_hash = f.hash("requestHash");
  f.event.request_uri = f.text_or_null("requestURI");
}

void fill_validation_response(const Filling& f) {
  f.event.validator_address = f.address("validatorAddress");
  f.event.request_hash = f.hash("requestHash");
  f.event.response = static_cast<std::int32_t>(f.at("response").as_u64());
  f.event.response_uri = f.text_or_null("responseURI");
  f.event.response_hash = f.hash_if_there("responseHash");
  f.event.tag = f.tag("tag");
}

void fill_upgraded(const Filling& f) {
  f.event.owner = f.address("implementation");
}

void fill_ownership(const Filling& f) {
  f.event.owner = f.address("newOwner");
  f.event.client_address = f.address("previousOwner");
}

// pipeline.md 3.3. An event without a row keeps its contract's name and has an agent id at most.
struct EventType {
  std::string_view contract_name, event_type;
  void (*fill)(const Filling&);
};
constexpr EventType kEventTypes[] = {
    {"Registered", "Registered", fill_registered},
    {"MetadataSet", "MetadataSet", fill_metadata},
    {"URIUpdated", "URIUpdated", fill_uri},
    {"UriUpdated", "URIUpdated", fill_uri},
    {"Transfer", "Transfer", fill_transfer},
    {"Approval", "Approval", fill_approval},
    {"ApprovalForAll", "ApprovalForAll", fill_approval_for_all},
    {"MetadataUpdate", "MetadataUpdate", fill_metadata_update},
    {"NewFeedback", "NewFeedback", fill_feedback},
    {"FeedbackRevoked", "FeedbackRevoked", fill_revoked},
    {"ResponseAppended", "ResponseAppended", fill_response},
    {"ValidationRequest", "ValidationRequest", fill_validation_request},
    {"ValidationResponse", "ValidationResponse", fill_validation_response},
    {"Upgraded", "Upgraded", fill_upgraded},
    // The plain name means an agent's transfer in older queries.
    {"OwnershipTransferred", "ContractOwnershipTransferred", fill_ownership},
};

const EventType* find_event_type(const EventShape& shape) {
  const auto found = std::find_if(std::begin(kEventTypes), std::end(kEventTypes),
                                  [&shape](const EventType& type) { return type.contract_name == shape.name; });
  return found == std::end(kEventTypes) ? nullptr : &*found;
}

void fill(Event& event, const DecodedLog& log) {
  const Filling filling{event, log};
  const auto* type = find_event_type(*log.shape);
  event.event_type = std::string(type != nullptr ? type->event_type : log.shape->name);
  if (const auto* agent = log.find("agentId")) event.agent_id = agent->as_uint256();
  if (type != nullptr) type->fill(filling);
}

std::string raw_json(const RawLog& log) {
  json::Array topics;
  for (const auto& topic : log.topics) topics.emplace_back(to_hex_0x(topic));
  json::Object out;
  out["topics"] = std::move(topics);
  out["data"] = stored_hex(log.data);
  return json::dump(out);
}

Hash32 content_hash(const RawLog& log) {
  Bytes content;
  content.reserve(log.topics.size() * sizeof(Hash32) + log.data.size());
  for (const auto& topic : log.topics) content.insert(content.end(), topic.data.begin(), topic.data.end());
  content.insert(content.end(), log.data.begin(), log.data.end());
  return crypto::keccak256(content);
}

// Among what one address stands for, the registry that emits the event; the first when none does.
std::optional<domain::Registry> choose_registry(const Contracts& contracts, const Address& address,
                                                const KnownEvent* known) {
  const auto first = contracts.registry_of(address);
  if (!first || known == nullptr || known->shape.belongs_to(*first)) return first;
  for (const auto registry : {domain::Registry::reputation, domain::Registry::validation}) {
    if (contracts.address_of(registry) == address && known->shape.belongs_to(registry)) return registry;
  }
  return first;
}

Result<DecodedLog> decode(const KnownEvent* known, domain::Registry registry, const RawLog& log) {
  if (known == nullptr) return fail(Code::protocol, "the log has no topics");
  if (!known->shape.belongs_to(registry)) {
    return fail(Code::protocol,
                fmt::format("{} is not an event of the {} registry", known->shape.name, domain::to_string(registry)));
  }
  return decode_log(*known, log);
}

Event place_of(domain::ChainId chain, Time block_time, const RawLog& log) {
  Event event;
  event.chain_id = chain;
  event.block_num = log.block_num;
  event.block_hash = log.block_hash;
  event.block_time = block_time;
  event.txn_hash = log.txn_hash;
  event.txn_index = log.txn_index;
  event.log_index = log.log_index;
  event.contract = log.address;
  event.content_hash = content_hash(log);
  return event;
}

// Position of each log among its contract's logs in its transaction; logs come in log order.
class Ordinals {
 public:
  std::uint32_t next(const RawLog& log) {
    if (log.txn_index != txn_index_) counts_.clear();
    txn_index_ = log.txn_index;
    auto found = std::find_if(counts_.begin(), counts_.end(), [&log](const auto& c) { return c.first == log.address; });
    if (found == counts_.end()) found = counts_.insert(found, {log.address, 0});
    return found->second++;
  }

 private:
  std::optional<std::uint32_t> txn_index_;
  std::vector<std::pair<Address, std::uint32_t>> counts_;
};

bool in_log_order(const RawLog& a, const RawLog& b) {
  return a.txn_index != b.txn_index ? a.txn_index < b.txn_index : a.log_index < b.log_index;
}

}   // namespace

std::vector<Address> Contracts::all() const {
  std::vector<Address> out;
  for (const auto& address : {identity, reputation, validation}) {
    if (!address || address->is_zero() || std::find(out.begin(), out.end(), *address) != out.end()) continue;
    out.push_back(*address);
  }
  return out;
}

const std::optional<Address>& Contracts::address_of(domain::Registry registry) const {
  if (registry == domain::Registry::identity) return identity;
  return registry == domain::Registry::reputation ? reputation : validation;
}

std::optional<domain::Registry> Contracts::registry_of(const Address& address) const {
  if (address.is_zero()) return std::nullopt;
  for (const auto registry : {domain::Registry::identity, domain::Registry::reputation, domain::Registry::validation}) {
    if (address_of(registry) == address) return registry;
  }
  return std::nullopt;
}

std::optional<std::int32_t> derive_score(const Decimal& value, const std::optional<std::string>& tag1) {
  if (tag1 && std::find(std::begin(kNoRatings), std::end(kNoRatings), *tag1) != std::end(kNoRatings)) {
    return std::nullopt;
  }
  if (compare(value, {0, 0}) < 0 || compare(value, {100, 0}) > 0) return std::nullopt;
  return static_cast<std::int32_t>(round_half_away(value));
}

std::optional<std::string> tag_of_hash(const Hash32& hash) {
  static const auto dictionary = [] {
    std::unordered_map<Hash32, std::string> out;
    for (const auto tag : kKnownTags) out.emplace(crypto::keccak256(as_bytes(tag)), tag);
    return out;
  }();
  const auto found = dictionary.find(hash);
  if (found == dictionary.end()) return std::nullopt;
  return found->second;
}

NormalisedLogs normalise_block(domain::ChainId chain, const Contracts& contracts, Time block_time,
                               std::vector<RawLog> logs) {
  if (!std::is_sorted(logs.begin(), logs.end(), in_log_order)) std::sort(logs.begin(), logs.end(), in_log_order);
  NormalisedLogs out;
  out.events.reserve(logs.size());
  Ordinals ordinals;
  for (const RawLog& log : logs) {
    if (!contracts.registry_of(log.address)) continue;
    const std::uint32_t ordinal = ordinals.next(log);
    const KnownEvent* known = log.topics.empty() ? nullptr : find_event(log.topics[0]);
    if (known == nullptr && !log.topics.empty()) {
      ++out.unknown_topics;
      continue;
    }
    Event& event = out.events.emplace_back(place_of(chain, block_time, log));
    event.txn_ordinal = ordinal;
    event.registry = *choose_registry(contracts, log.address, known);
    if (const auto decoded = decode(known, event.registry, log)) {
      fill(event, *decoded);
    } else {
      event.event_type = "Unknown";
      event.parse_error = decoded.error().text;
    }
    if (!event.parse_error) continue;
    ++out.malformed;
    event.raw = raw_json(log);
  }
  return out;
}

}   // namespace agentauri::chain
