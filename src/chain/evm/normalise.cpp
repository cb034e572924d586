#include "chain/evm/normalise.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "chain/evm/contract_events.hpp"
#include "core/crypto/crypto.hpp"
#include "core/json/json.hpp"

namespace agentauri::chain {
namespace {

using domain::Event;

// Longer text is cut, and its length and hash are kept in its place (pipeline.md 3.5).
constexpr std::size_t kMaxInlineBytes = 64 * 1024;
constexpr std::string_view kReplacement = "\xef\xbf\xbd";   // U+FFFD

constexpr std::string_view kNoRatings[] = {"reachable", "ownerVerified", "responseTime", "blocktimeFreshness", "revenues", "tradingYield"};
constexpr std::string_view kKnownTags[] = {"", "agentWallet", "starred", "reachable", "ownerVerified", "uptime", "successRate", "responseTime", "blocktimeFreshness", "revenues", "tradingYield", "refund"};

std::size_t utf8_length(ByteView bytes) {
  const std::uint8_t lead = bytes[0];
  const auto tail = [&bytes](std::size_t i) { return i < bytes.size() && (bytes[i] & 0xc0) == 0x80; };
  if (lead < 0x80) return lead == 0 ? 0 : 1;
  if (lead >= 0xc2 && lead <= 0xdf) return tail(1) ? 2 : 0;
  if (lead >= 0xe0 && lead <= 0xef) {
    if (!tail(1) || !tail(2) || (lead == 0xe0 && bytes[1] < 0xa0) || (lead == 0xed && bytes[1] > 0x9f)) return 0;
    return 3;
  }
  if (lead >= 0xf0 && lead <= 0xf4) {
    if (!tail(1) || !tail(2) || !tail(3) || (lead == 0xf0 && bytes[1] < 0x90) || (lead == 0xf4 && bytes[1] > 0x8f)) return 0;
    return 4;
  }
  return 0;
}

// Fills an event; what had to be changed on the way is noted, once per field.
class Filler {
 public:
  explicit Filler(Event& event) : event_(event) {}

  // Valid UTF-8 without NUL, bounded.
  std::string clean(ByteView bytes, std::string_view field) {
    std::string out;
    bool replaced = false;
    ByteView rest = bytes.first(std::min(bytes.size(), kMaxInlineBytes));
    while (!rest.empty()) {
      const std::size_t length = utf8_length(rest);
      if (length == 0) {
        out += kReplacement;
        replaced = true;
        rest = rest.subspan(1);
      } else {
        out += as_text(rest.first(length));
        rest = rest.subspan(length);
      }
    }
    if (replaced) note(fmt::format("{} is not UTF-8 without NUL: bytes replaced", field));
    if (bytes.size() > kMaxInlineBytes) {
      note(fmt::format("{} has {} bytes: cut, keccak {}", field, bytes.size(), to_hex_0x(crypto::keccak256(bytes))));
    }
    return out;
  }
  std::optional<std::string> text(const AbiValue* value, std::string_view field) {
    if (value == nullptr || value->bytes.empty()) return std::nullopt;
    return clean(value->bytes, field);
  }
  void note(std::string text) {
    if (!event_.parse_error) event_.parse_error = std::move(text);
    else *event_.parse_error += "; " + text;
  }

 private:
  Event& event_;
};

std::string address_text(const AbiValue& value) { return to_hex_0x(value.as_address()); }
std::string hash_text(const AbiValue& value) { return to_hex_0x(value.word); }

// bytes32 tags of the oldest shapes: trailing zeros are padding.
std::optional<std::string> tag_of_word(const AbiValue& value, Filler& filler, std::string_view field) {
  ByteView bytes = value.word.view();
  while (!bytes.empty() && bytes.back() == 0) bytes = bytes.first(bytes.size() - 1);
  if (bytes.empty()) return std::nullopt;
  for (ByteView rest = bytes; !rest.empty();) {
    const std::size_t length = utf8_length(rest);
    if (length == 0) return hash_text(value);
    rest = rest.subspan(length);
  }
  return filler.clean(bytes, field);
}

std::string bounded_hex(ByteView bytes, Filler& filler, std::string_view field) {
  if (bytes.size() <= kMaxInlineBytes) return to_hex_0x(bytes);
  filler.note(fmt::format("{} has {} bytes: cut, keccak {}", field, bytes.size(), to_hex_0x(crypto::keccak256(bytes))));
  return to_hex_0x(bytes.first(kMaxInlineBytes));
}

void fill_feedback(Event& event, const DecodedLog& log, Filler& filler) {
  event.client_address = address_text(*log.find("clientAddress"));
  if (const auto* index = log.find("feedbackIndex")) event.feedback_index = index->as_u64();
  const auto* tag1 = log.find("tag1");
  const auto* hash = log.find("indexedTag1");
  if (tag1 != nullptr && tag1->type == AbiType::string) event.tag1 = filler.text(tag1, "tag1");
  else if (tag1 != nullptr) event.tag1 = tag_of_word(*tag1, filler, "tag1");
  if (hash != nullptr) {
    if (tag1 == nullptr) {   // v2 to v4: only the hash reached the log
      event.tag1 = tag_of_hash(hash->word);
      if (event.tag1 && event.tag1->empty()) event.tag1.reset();
      else if (!event.tag1) event.tag1_hash = hash_text(*hash);
    } else if (crypto::keccak256(tag1->bytes) != hash->word) {
      filler.note("indexedTag1 is not the hash of tag1");
    }
  }
  const auto* tag2 = log.find("tag2");
  event.tag2 = tag2->type == AbiType::bytes32 ? tag_of_word(*tag2, filler, "tag2") : filler.text(tag2, "tag2");
  if (const auto* endpoint = log.find("endpoint")) event.endpoint = filler.clean(endpoint->bytes, "endpoint");
  event.file_uri = filler.text(log.find("feedbackURI"), "feedbackURI");
  event.file_hash = hash_text(*log.find("feedbackHash"));
  if (const auto* score = log.find("score")) {
    event.value = static_cast<int128>(score->as_u64());
    event.value_decimals = 0;
    event.score = static_cast<std::int32_t>(score->as_u64());
    return;
  }
  const auto decimals = log.find("valueDecimals")->as_u64();
  event.value = log.find("value")->as_int128();
  if (!event.value) return filler.note(fmt::format("value {} does not fit 128 bits", log.find("value")->decimal()));
  if (decimals > kMaxDecimals) return filler.note(fmt::format("valueDecimals {} is above {}", decimals, kMaxDecimals));
  event.value_decimals = static_cast<std::uint8_t>(decimals);
  event.score = derive_score({*event.value, *event.value_decimals}, event.tag1);
}

// pipeline.md 3.3.
void fill(Event& event, const DecodedLog& log) {
  Filler filler(event);
  const std::string_view name = log.shape->name;
  event.event_type = std::string(name);
  if (const auto* agent = log.find("agentId")) event.agent_id = agent->as_uint256();
  if (name == "Registered") {
    event.owner = address_text(*log.find("owner"));
    event.token_uri = filler.text(log.find("agentURI"), "agentURI");
  } else if (name == "MetadataSet") {
    const auto* value = log.find("metadataValue");
    event.metadata_key = filler.clean(log.find("metadataKey")->bytes, "metadataKey");
    event.metadata_value = bounded_hex(value->bytes, filler, "metadataValue");
    if (crypto::keccak256(log.find("metadataKey")->bytes) != log.find("indexedMetadataKey")->word) filler.note("indexedMetadataKey is not the hash of metadataKey");
  } else if (name == "URIUpdated" || name == "UriUpdated") {
    event.event_type = "URIUpdated";
    event.token_uri = filler.text(log.find("newURI"), "newURI");
    event.owner = address_text(*log.find("updatedBy"));
  } else if (name == "Transfer") {
    event.agent_id = log.find("tokenId")->as_uint256();
    event.owner = address_text(*log.find("to"));
    event.client_address = address_text(*log.find("from"));
  } else if (name == "Approval") {
    event.agent_id = log.find("tokenId")->as_uint256();
    event.owner = address_text(*log.find("owner"));
    event.client_address = address_text(*log.find("approved"));
  } else if (name == "ApprovalForAll") {
    event.owner = address_text(*log.find("owner"));
    event.client_address = address_text(*log.find("operator"));
    event.tag1 = log.find("approved")->as_bool() ? "approved" : "revoked";
  } else if (name == "MetadataUpdate") {
    event.agent_id = log.find("_tokenId")->as_uint256();
  } else if (name == "NewFeedback") {
    fill_feedback(event, log, filler);
  } else if (name == "FeedbackRevoked") {
    event.client_address = address_text(*log.find("clientAddress"));
    event.feedback_index = log.find("feedbackIndex")->as_u64();
  } else if (name == "ResponseAppended") {
    event.client_address = address_text(*log.find("clientAddress"));
    event.feedback_index = log.find("feedbackIndex")->as_u64();
    event.validator_address = address_text(*log.find("responder"));
    event.response_uri = filler.text(log.find("responseURI"), "responseURI");
    if (const auto* hash = log.find("responseHash")) event.response_hash = hash_text(*hash);
  } else if (name == "ValidationRequest") {
    event.validator_address = address_text(*log.find("validatorAddress"));
    event.request_hash = hash_text(*log.find("requestHash"));
    event.request_uri = filler.text(log.find("requestURI"), "requestURI");
  } else if (name == "ValidationResponse") {
    event.validator_address = address_text(*log.find("validatorAddress"));
    event.request_hash = hash_text(*log.find("requestHash"));
    event.response = static_cast<std::int32_t>(log.find("response")->as_u64());
    event.response_uri = filler.text(log.find("responseURI"), "responseURI");
    if (const auto* hash = log.find("responseHash")) event.response_hash = hash_text(*hash);
    const auto* tag = log.find("tag");
    event.tag = tag->type == AbiType::bytes32 ? tag_of_word(*tag, filler, "tag") : filler.text(tag, "tag");
  } else if (name == "Upgraded") {
    event.owner = address_text(*log.find("implementation"));
  } else if (name == "OwnershipTransferred") {
    event.event_type = "ContractOwnershipTransferred";   // the plain name means an agent's transfer in older queries
    event.owner = address_text(*log.find("newOwner"));
    event.client_address = address_text(*log.find("previousOwner"));
  }
}

std::string raw_json(const RawLog& log) {
  json::Array topics;
  for (const auto& topic : log.topics) topics.emplace_back(to_hex_0x(topic));
  const ByteView data = ByteView(log.data).first(std::min(log.data.size(), kMaxInlineBytes));
  json::Object out;
  out["topics"] = std::move(topics);
  out["data"] = to_hex_0x(data);
  if (data.size() < log.data.size()) out["data_bytes"] = log.data.size();
  return json::dump(out);
}

Hash32 content_hash(const RawLog& log) {
  Bytes content;
  content.reserve(log.topics.size() * 32 + log.data.size());
  for (const auto& topic : log.topics) content.insert(content.end(), topic.data.begin(), topic.data.end());
  content.insert(content.end(), log.data.begin(), log.data.end());
  return crypto::keccak256(content);
}

}  // namespace

std::vector<Address> Contracts::all() const {
  std::vector<Address> out;
  for (const auto& address : {identity, reputation, validation}) {
    if (address && !address->is_zero()) out.push_back(*address);
  }
  return out;
}

std::optional<domain::Registry> Contracts::registry_of(const Address& address) const {
  if (address == identity) return domain::Registry::identity;
  if (address == reputation) return domain::Registry::reputation;
  if (address == validation) return domain::Registry::validation;
  return std::nullopt;
}

std::optional<std::int32_t> derive_score(const Decimal& value, const std::optional<std::string>& tag1) {
  if (tag1 && std::find(std::begin(kNoRatings), std::end(kNoRatings), *tag1) != std::end(kNoRatings)) return std::nullopt;
  if (compare(value, {0, 0}) < 0 || compare(value, {100, 0}) > 0) return std::nullopt;
  return static_cast<std::int32_t>(round_half_away(value));
}

std::optional<std::string> tag_of_hash(const Hash32& hash) {
  static const auto dictionary = [] {
    std::map<Hash32, std::string> out;
    for (const auto tag : kKnownTags) out.emplace(crypto::keccak256(as_bytes(tag)), tag);
    return out;
  }();
  const auto found = dictionary.find(hash);
  if (found == dictionary.end()) return std::nullopt;
  return found->second;
}

NormalisedLogs normalise_block(domain::ChainId chain, const Contracts& contracts, Time block_time, std::vector<RawLog> logs) {
  std::sort(logs.begin(), logs.end(), [](const RawLog& a, const RawLog& b) { return std::pair(a.txn_index, a.log_index) < std::pair(b.txn_index, b.log_index); });
  NormalisedLogs out;
  // Ordinals count every log of a contract in a transaction, also those that are skipped.
  std::map<std::pair<std::uint32_t, Address>, std::uint32_t> ordinals;
  for (const RawLog& log : logs) {
    const auto registry = contracts.registry_of(log.address);
    if (!registry) continue;
    const std::uint32_t ordinal = ordinals[{log.txn_index, log.address}]++;
    const KnownEvent* known = log.topics.empty() ? nullptr : find_event(log.topics[0]);
    if (known == nullptr && !log.topics.empty()) {
      ++out.unknown_topics;
      continue;
    }
    Event event;
    event.chain_id = chain;
    event.block_num = log.block_num;
    event.block_hash = log.block_hash;
    event.block_time = block_time;
    event.txn_hash = log.txn_hash;
    event.txn_index = log.txn_index;
    event.log_index = log.log_index;
    event.txn_ordinal = ordinal;
    event.contract = log.address;
    event.content_hash = content_hash(log);
    event.registry = *registry;
    Result<DecodedLog> decoded = fail(Code::protocol, "the log has no topics");
    if (known != nullptr) decoded = decode_log(*known, log);
    if (decoded) {
      fill(event, *decoded);
    } else {
      event.event_type = "Unknown";
      event.parse_error = decoded.error().text;
    }
    if (event.parse_error) {
      ++out.malformed;
      event.raw = raw_json(log);
    }
    out.events.push_back(std::move(event));
  }
  return out;
}

}  // namespace agentauri::chain
