#include "chain/evm/contract_events.hpp"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "chain/evm/normalise.hpp"
#include "chain/evm/rpc_json.hpp"
#include "core/crypto/crypto.hpp"

namespace agentauri::chain {
namespace {

std::string read_file(const std::string& path) {
  std::ifstream file(path);
  EXPECT_TRUE(file) << path << " (tests run from the source folder)";
  std::stringstream out;
  out << file.rdbuf();
  return out.str();
}

// Logs made by the official contracts.
class Fixture : public ::testing::Test {
 protected:
  static std::vector<RawLog> logs() {
    auto answer = json::parse(read_file("tests/fixtures/erc8004/eth_getLogs.json"));
    auto addresses = json::parse(read_file("tests/fixtures/erc8004/addresses.json"));
    const auto at = [&](std::string_view key) { return *parse_address(json::view(addresses->get_object()[key].get_string())); };
    contracts_ = {at("identity"), at("reputation"), at("validation")};
    auto parsed = parse_logs(answer->get_object()["result"], contracts_.all());
    EXPECT_TRUE(parsed) << parsed.error().text;
    return *parsed;
  }
  static inline Contracts contracts_;
};

json::Value to_json(const EventParameter& parameter, const AbiValue& value) {
  switch (value.type) {
    case AbiType::uint256:
    case AbiType::uint64:
    case AbiType::int128:
    case AbiType::int256: return json::String(value.decimal());
    case AbiType::uint8: return value.as_u64();
    case AbiType::address: return json::String(crypto::checksum_address(value.as_address()));
    case AbiType::boolean: return value.as_bool();
    case AbiType::bytes32: return json::String(to_hex_0x(value.word));
    case AbiType::string: return json::String(as_text(value.bytes));
    case AbiType::bytes: return json::String(to_hex_0x(value.bytes));
  }
  ADD_FAILURE() << parameter.name;
  return nullptr;
}

TEST_F(Fixture, DecodesExactlyAsTheContractsMeantIt) {
  std::istringstream expected(read_file("tests/fixtures/erc8004/decoded.jsonl"));
  std::string line;
  std::size_t count = 0;
  for (const RawLog& log : logs()) {
    ASSERT_TRUE(std::getline(expected, line));
    const auto* known = find_event(log.topics.at(0));
    ASSERT_NE(known, nullptr);
    auto decoded = decode_log(*known, log);
    ASSERT_TRUE(decoded) << decoded.error().text;
    json::Object args;
    for (std::size_t i = 0; i < decoded->values.size(); ++i) {
      args[known->shape.parameters[i].name] = to_json(known->shape.parameters[i], decoded->values[i]);
    }
    json::Object got;
    got["blockNumber"] = static_cast<std::int64_t>(log.block_num);
    got["logIndex"] = static_cast<std::int64_t>(log.log_index);
    got["registry"] = json::String(domain::to_string(*contracts_.registry_of(log.address)));
    got["event"] = json::String(known->shape.name);
    got["args"] = std::move(args);
    const json::Value wanted = *json::parse(line);
    ASSERT_EQ(json::Value(got), wanted) << json::dump(got) << "\n" << line;
    ++count;
  }
  EXPECT_FALSE(std::getline(expected, line));
  EXPECT_EQ(count, 758U);
}

TEST_F(Fixture, NormalisesWithoutLoss) {
  std::map<std::uint64_t, std::vector<RawLog>> blocks;
  for (auto& log : logs()) blocks[log.block_num].push_back(log);
  std::size_t events = 0;
  std::size_t scores = 0;
  for (auto& [num, block] : blocks) {
    const auto normalised = normalise_block(31337, contracts_, from_unix_seconds(1'700'000'000), block);
    EXPECT_EQ(normalised.unknown_topics, 0U);
    for (const auto& event : normalised.events) {
      ++events;
      EXPECT_NE(event.event_type, "Unknown");
      EXPECT_NE(event.event_type, "OwnershipTransferred");
      if (event.event_type == "NewFeedback") {
        ASSERT_TRUE(event.value && event.value_decimals);
        EXPECT_EQ(event.score, derive_score({*event.value, *event.value_decimals}, event.tag1));
        if (event.score) ++scores;
      }
    }
  }
  EXPECT_EQ(events, 758U);
  EXPECT_GT(scores, 0U);
}

// Topic 0 of pipeline.md 1.1-1.4 and 1.9, as computed by others.
TEST(ContractEvents, TopicsAreThePublishedOnes) {
  const std::pair<const char*, const char*> published[] = {
      {"Registered(uint256,string,address)", "0xca52e62c367d81bb2e328eb795f7c7ba24afb478408a26c0e201d155c449bc4a"},
      {"MetadataSet(uint256,string,string,bytes)", "0x2c149ed548c6d2993cd73efe187df6eccabe4538091b33adbd25fafdb8a1468b"},
      {"URIUpdated(uint256,string,address)", "0x3a2c7fffc2cba7582c690e3b82c453ea02a308326a98a3ad7576c606336409fb"},
      {"NewFeedback(uint256,address,uint64,int128,uint8,string,string,string,string,string,bytes32)", "0x6a4a61743519c9d648a14e6493f47dbe3ff1aa29e7785c96c8326a205e58febc"},
      {"NewFeedback(uint256,address,uint8,bytes32,bytes32,string,bytes32)", "0x54b3254e4cc01969e70376d20390cc2f6af90539d9adaa78a53ebcda17f78154"},
      {"NewFeedback(uint256,address,uint8,string,string,string,bytes32)", "0x744ec89483257dd170f417f1c3aef90840a2d763449395ba4f09e37f78a0c98b"},
      {"NewFeedback(uint256,address,uint8,string,string,string,string,bytes32)", "0x425311b4692766f8739eaeea31a86b5756c7c315d17abc22bc9e67628405d6a7"},
      {"NewFeedback(uint256,address,uint64,uint8,string,string,string,string,bytes32)", "0x801d7d4264128f6f43835850f1fabb91902c3543c3738f1f62fbf7e9fd80531d"},
      {"NewFeedback(uint256,address,uint64,uint8,string,string,string,string,string,bytes32)", "0x31f01d2aa5cdbe0619011211e9ffc39d678bc82e46d60c35953396ae61e896d8"},
      {"NewFeedback(uint256,address,uint64,uint256,uint8,string,string,string,string,string,bytes32)", "0xa96589249279e205e9aa2d2299594d8c5c745cf90e49514145db5dbdea256240"},
      {"NewFeedback(uint256,address,uint64,int256,uint8,string,string,string,string,string,bytes32)", "0x413f2d30fdbc0b49e55537333a7c6287556f671f40c7e2dc00fc7ca1ced350da"},
      {"UriUpdated(uint256,string,address)", "0xb41beef75d9f8d55b985319b459e96f82453580af381391f1ad531eb8f8b5a3a"},
      {"MetadataSet(uint256,string,string,string)", "0x2dbec70f51f7b79cc6a9d4ea913abc7d680b523e0763e3ad622612950757609c"},
      {"ResponseAppended(uint256,address,uint64,address,string)", "0x91a4f57c12b47a488ba7365f0e60d24a1348fc94afddf6c60e0e22b018365408"},
      {"ResponseAppended(uint256,address,uint64,address,string,bytes32)", "0xb1c6be0b5b8aef6539e2fac0fd131a2faa7b49edf8e505b5eb0ad487d56051d4"},
      {"FeedbackRevoked(uint256,address,uint64)", "0x25156fd3288212246d8b008d5921fde376c71ed14ac2e072a506eb06fde6d09d"},
      {"ValidationRequest(address,uint256,string,bytes32)", "0x530436c3634a98e1e626b0898be2f1e9980cc1bd2a78c07a0aba52d0a48a5059"},
      {"ValidationResponse(address,uint256,bytes32,uint8,string,bytes32,string)", "0xafddf629e874ccc3963b6a888c477bd464a6c8525024fc88759ea3b2326349ae"},
      {"ValidationResponse(address,uint256,bytes32,uint8,string,bytes32)", "0xcc61e07d65464186112fdaddb4b11ccef1928644b11f17e2864b38b451195671"},
      {"ValidationResponse(address,uint256,bytes32,uint8,string,bytes32,bytes32)", "0xf224d3d5ad74301be48e4d51ca5f1b24c7946875887327585becc59165297dcf"},
      {"Upgraded(address)", "0xbc7cd75a20ee27fd9adebab32041f755214dbc6bffa90cc0225b39da2e5c2d3b"},
      {"AdminChanged(address,address)", "0x7e644d79422f17c01e4894b5f4f588d331ebfa28653d42ae832dc59e38c9798f"},
      {"EIP712DomainChanged()", "0x0a6387c9ea3628b88a633bb4f3b151770f70085117a15f9bf3787cda53f13d31"},
      {"BatchMetadataUpdate(uint256,uint256)", "0x6bd5c950a8d8df17f772f5af37cb3655737899cbf903264b9795592da439661c"},
  };
  for (const auto& [signature, topic0] : published) {
    const auto* event = find_event(*parse_hash(topic0));
    ASSERT_NE(event, nullptr) << signature;
    EXPECT_EQ(event->shape.signature(), signature);
  }
}

// Builds the data of a NewFeedback of today.
struct Feedback {
  Bytes data;
  std::vector<Hash32> topics;

  Feedback(int128 value, std::uint8_t decimals, std::string tag1) {
    Hash32 index;
    index.data[31] = 1;
    const auto uvalue = static_cast<uint128>(value);
    Hash32 word;
    word.data.fill(value < 0 ? 0xff : 0);
    for (std::size_t i = 0; i < 16; ++i) word.data[31 - i] = static_cast<std::uint8_t>(uvalue >> (8 * i));
    put(index);
    put(word);
    put_number(decimals);
    const std::size_t head = 8 * 32;
    const std::size_t padded = (tag1.size() + 31) / 32 * 32;
    put_number(head);
    for (std::size_t i = 0; i < 3; ++i) put_number(head + 32 + padded);   // tag2, endpoint, URI: one empty string
    put(Hash32{});
    put_number(tag1.size());
    data.insert(data.end(), tag1.begin(), tag1.end());
    data.resize(head + 32 + padded);
    put_number(0);
    Hash32 agent, client;
    agent.data[31] = 42;
    client.data[31] = 7;
    topics = {*parse_hash("0x6a4a61743519c9d648a14e6493f47dbe3ff1aa29e7785c96c8326a205e58febc"), agent, client, crypto::keccak256(as_bytes(tag1))};
  }
  void put(const Hash32& word) { data.insert(data.end(), word.data.begin(), word.data.end()); }
  void put_number(std::size_t n) { put(Uint256(n).to_word()); }
};

class Normalise : public ::testing::Test {
 protected:
  const Contracts contracts_{parse_address("0x0000000000000000000000000000000000000001"), parse_address("0x0000000000000000000000000000000000000002"), parse_address("0x0000000000000000000000000000000000000003")};

  domain::Event one(Bytes data, std::vector<Hash32> topics) {
    RawLog log;
    log.address = *contracts_.reputation;
    log.data = std::move(data);
    log.topics = std::move(topics);
    auto out = normalise_block(1, contracts_, from_unix_seconds(0), {log});
    EXPECT_EQ(out.events.size(), 1U);
    return out.events.at(0);
  }
};

TEST_F(Normalise, ScoresFollowTheRules) {
  const auto score = [this](int128 value, std::uint8_t decimals, const char* tag) {
    const Feedback feedback(value, decimals, tag);
    const auto event = one(feedback.data, feedback.topics);
    EXPECT_FALSE(event.parse_error) << *event.parse_error;
    return event.score;
  };
  EXPECT_EQ(score(87, 0, "starred"), 87);
  EXPECT_EQ(score(596, 1, "starred"), 60);
  EXPECT_EQ(score(9977, 2, "uptime"), 100);
  EXPECT_EQ(score(1, 0, "reachable"), std::nullopt);
  EXPECT_EQ(score(-32, 1, "tradingYield"), std::nullopt);
  EXPECT_EQ(score(-1, 0, "starred"), std::nullopt);
  EXPECT_EQ(score(101, 0, "starred"), std::nullopt);
  EXPECT_EQ(score(100, 0, ""), 100);
  EXPECT_EQ(score(1, 0, "Reachable"), 1);   // the exception is an exact match
}

TEST_F(Normalise, ExtremesStayExact) {
  const int128 max = static_cast<int128>(~uint128{0} >> 1);
  for (const int128 value : {max, -max - 1}) {
    const Feedback feedback(value, 18, "starred");
    EXPECT_EQ(one(feedback.data, feedback.topics).value, value);
  }
}

TEST_F(Normalise, AMalformedLogIsKeptWithItsReason) {
  const Feedback good(1, 0, "starred");
  // Every truncation, and every byte of the head turned, either decodes or says why not.
  for (std::size_t length = 0; length < good.data.size(); ++length) {
    const auto event = one(Bytes(good.data.begin(), good.data.begin() + static_cast<std::ptrdiff_t>(length)), good.topics);
    if (event.event_type == "Unknown") EXPECT_TRUE(event.parse_error && event.raw);
  }
  EXPECT_EQ(one(Bytes(good.data.begin(), good.data.begin() + 64), good.topics).event_type, "Unknown");
  auto topics = good.topics;
  topics.pop_back();
  EXPECT_EQ(one(good.data, topics).parse_error, "NewFeedback has 4 topics, not 3");
  topics = good.topics;
  topics[2].data[0] = 1;
  EXPECT_EQ(one(good.data, topics).event_type, "Unknown");
  topics = good.topics;
  topics[3].data[0] ^= 1;
  const auto mismatch = one(good.data, topics);
  EXPECT_EQ(mismatch.event_type, "NewFeedback");
  EXPECT_EQ(mismatch.parse_error, "indexedTag1 is not the hash of tag1");
}

TEST_F(Normalise, TextThatIsNotUtf8IsReplacedAndSaidSo) {
  const Feedback feedback(5, 0, std::string("a\xff\0b", 4));
  const auto event = one(feedback.data, feedback.topics);
  EXPECT_EQ(event.tag1, "a\xef\xbf\xbd\xef\xbf\xbd" "b");
  EXPECT_TRUE(event.parse_error);
  EXPECT_TRUE(event.raw);
}

TEST_F(Normalise, UnknownTopicsCountForOrdinalsOnly) {
  const Feedback feedback(5, 0, "starred");
  RawLog known, unknown;
  known.address = unknown.address = *contracts_.reputation;
  known.data = feedback.data;
  known.topics = feedback.topics;
  unknown.topics = {crypto::keccak256(as_bytes("Later(uint256)"))};
  unknown.log_index = 0;
  known.log_index = 1;
  const auto out = normalise_block(1, contracts_, from_unix_seconds(0), {known, unknown});
  EXPECT_EQ(out.unknown_topics, 1U);
  ASSERT_EQ(out.events.size(), 1U);
  EXPECT_EQ(out.events[0].txn_ordinal, 1U);
}

TEST(RpcJson, RefusalsOfCommonProvidersAreUnderstood) {
  const std::pair<const char*, Code> said[] = {
      {"query returned more than 10000 results", Code::too_large},
      {"Log response size exceeded. You can make eth_getLogs requests with up to a 2K block range", Code::too_large},
      {"block range is too wide", Code::too_large},
      {"exceed maximum block range: 50000", Code::too_large},
      {"eth_getLogs is limited to a 10,000 range", Code::too_large},
      {"Your app has exceeded its compute units per second capacity", Code::rate_limited},
      {"Too Many Requests", Code::rate_limited},
      {"the method eth_getBlockReceipts does not exist/is not available", Code::unsupported},
      {"header not found", Code::not_found},
      {"unknown block", Code::not_found},
      {"internal error", Code::unavailable},
  };
  for (const auto& [message, code] : said) EXPECT_EQ(classify_rpc_error(200, -32000, message), code) << message;
  EXPECT_EQ(classify_rpc_error(413, 0, ""), Code::too_large);
  EXPECT_EQ(classify_rpc_error(429, 0, ""), Code::rate_limited);
  EXPECT_EQ(classify_rpc_error(502, 0, "bad gateway"), Code::unavailable);
}

TEST(Bloom, HoldsWhatWasAdded) {
  Bloom bloom{};
  const auto one = *parse_address("0x8004A169FB4a3325136EB29fA0ceB6D2e539a432");
  const auto other = *parse_address("0x8004BAa17C55a88189AE136b182e5fdA19dE9b63");
  EXPECT_FALSE(bloom_may_contain(bloom, one));
  bloom_add(bloom, one.view());
  EXPECT_TRUE(bloom_may_contain(bloom, one));
  EXPECT_FALSE(bloom_may_contain(bloom, other));
}

}  // namespace
}  // namespace agentauri::chain
