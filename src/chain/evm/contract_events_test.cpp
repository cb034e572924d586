#include "chain/evm/contract_events.hpp"

#include <gtest/gtest.h>

#include <algorithm>

#include "chain/evm/testing/erc8004_fixture.hpp"
#include "chain/fake/abi_writer.hpp"
#include "core/crypto/crypto.hpp"

namespace agentauri::chain {
namespace {

json::Value to_json(const EventParameter& parameter, const AbiValue& value) {
  switch (value.type) {
    case AbiType::uint256:
    case AbiType::uint64:
    case AbiType::int128:
    case AbiType::int256:
      return json::String(value.decimal());
    case AbiType::uint8:
      return value.as_u64();
    case AbiType::address:
      return json::String(crypto::checksum_address(value.as_address()));
    case AbiType::boolean:
      return value.as_bool();
    case AbiType::bytes32:
      return json::String(to_hex_0x(value.word));
    case AbiType::string:
      return json::String(as_text(value.bytes));
    case AbiType::bytes:
      return json::String(to_hex_0x(value.bytes));
  }
  ADD_FAILURE() << parameter.name;
  return nullptr;
}

TEST(ContractEvents, DecodeTheFixtureExactlyAsTheContractsMeantIt) {
  const auto& fixture = erc8004_fixture();
  ASSERT_EQ(fixture.logs.size(), 758U);
  ASSERT_EQ(fixture.decoded.size(), fixture.logs.size());
  for (std::size_t n = 0; n < fixture.logs.size(); ++n) {
    const RawLog& log = fixture.logs[n];
    const auto* known = find_event(log.topics.at(0));
    ASSERT_NE(known, nullptr);
    const auto decoded = decode_log(*known, log);
    ASSERT_TRUE(decoded) << decoded.error().text;
    json::Object args;
    for (std::size_t i = 0; i < decoded->values.size(); ++i) {
      args[known->shape.parameters[i].name] = to_json(known->shape.parameters[i], decoded->values[i]);
    }
    json::Object got;
    got["blockNumber"] = static_cast<std::int64_t>(log.block_num);
    got["logIndex"] = static_cast<std::int64_t>(log.log_index);
    got["registry"] = json::String(domain::to_string(*fixture.contracts.registry_of(log.address)));
    got["event"] = json::String(known->shape.name);
    got["args"] = std::move(args);
    ASSERT_EQ(json::Value(got), fixture.decoded[n]) << json::dump(got) << "\n" << json::dump(fixture.decoded[n]);
    EXPECT_TRUE(known->shape.belongs_to(*fixture.contracts.registry_of(log.address)));
  }
}

// Topic 0 of pipeline.md 1.1-1.4 and 1.9, as computed by others.
TEST(ContractEvents, TopicsAreThePublishedOnes) {
  const std::pair<const char*, const char*> published[] = {
      {"Registered(uint256,string,address)", "0xca52e62c367d81bb2e328eb795f7c7ba24afb478408a26c0e201d155c449bc4a"},
      {"MetadataSet(uint256,string,string,bytes)",
       "0x2c149ed548c6d2993cd73efe187df6eccabe4538091b33adbd25fafdb8a1468b"},
      {"URIUpdated(uint256,string,address)", "0x3a2c7fffc2cba7582c690e3b82c453ea02a308326a98a3ad7576c606336409fb"},
      {"NewFeedback(uint256,address,uint64,int128,uint8,string,string,string,string,string,bytes32)",
       "0x6a4a61743519c9d648a14e6493f47dbe3ff1aa29e7785c96c8326a205e58febc"},
      {"NewFeedback(uint256,address,uint8,bytes32,bytes32,string,bytes32)",
       "0x54b3254e4cc01969e70376d20390cc2f6af90539d9adaa78a53ebcda17f78154"},
      {"NewFeedback(uint256,address,uint8,string,string,string,bytes32)",
       "0x744ec89483257dd170f417f1c3aef90840a2d763449395ba4f09e37f78a0c98b"},
      {"NewFeedback(uint256,address,uint8,string,string,string,string,bytes32)",
       "0x425311b4692766f8739eaeea31a86b5756c7c315d17abc22bc9e67628405d6a7"},
      {"NewFeedback(uint256,address,uint64,uint8,string,string,string,string,bytes32)",
       "0x801d7d4264128f6f43835850f1fabb91902c3543c3738f1f62fbf7e9fd80531d"},
      {"NewFeedback(uint256,address,uint64,uint8,string,string,string,string,string,bytes32)",
       "0x31f01d2aa5cdbe0619011211e9ffc39d678bc82e46d60c35953396ae61e896d8"},
      {"NewFeedback(uint256,address,uint64,uint256,uint8,string,string,string,string,string,bytes32)",
       "0xa96589249279e205e9aa2d2299594d8c5c745cf90e49514145db5dbdea256240"},
      {"NewFeedback(uint256,address,uint64,int256,uint8,string,string,string,string,string,bytes32)",
       "0x413f2d30fdbc0b49e55537333a7c6287556f671f40c7e2dc00fc7ca1ced350da"},
      {"UriUpdated(uint256,string,address)", "0xb41beef75d9f8d55b985319b459e96f82453580af381391f1ad531eb8f8b5a3a"},
      {"MetadataSet(uint256,string,string,string)",
       "0x2dbec70f51f7b79cc6a9d4ea913abc7d680b523e0763e3ad622612950757609c"},
      {"ResponseAppended(uint256,address,uint64,address,string)",
       "0x91a4f57c12b47a488ba7365f0e60d24a1348fc94afddf6c60e0e22b018365408"},
      {"ResponseAppended(uint256,address,uint64,address,string,bytes32)",
       "0xb1c6be0b5b8aef6539e2fac0fd131a2faa7b49edf8e505b5eb0ad487d56051d4"},
      {"FeedbackRevoked(uint256,address,uint64)", "0x25156fd3288212246d8b008d5921fde376c71ed14ac2e072a506eb06fde6d09d"},
      {"ValidationRequest(address,uint256,string,bytes32)",
       "0x530436c3634a98e1e626b0898be2f1e9980cc1bd2a78c07a0aba52d0a48a5059"},
      {"ValidationResponse(address,uint256,bytes32,uint8,string,bytes32,string)",
       "0xafddf629e874ccc3963b6a888c477bd464a6c8525024fc88759ea3b2326349ae"},
      {"ValidationResponse(address,uint256,bytes32,uint8,string,bytes32)",
       "0xcc61e07d65464186112fdaddb4b11ccef1928644b11f17e2864b38b451195671"},
      {"ValidationResponse(address,uint256,bytes32,uint8,string,bytes32,bytes32)",
       "0xf224d3d5ad74301be48e4d51ca5f1b24c7946875887327585becc59165297dcf"},
      {"Transfer(address,address,uint256)", "0xddf252ad1be2c89b69c2b068fc378daa952ba7f163c4a11628f55a4df523b3ef"},
      {"Approval(address,address,uint256)", "0x8c5be1e5ebec7d5bd14f71427d1e84f3dd0314c0f7b2291e5b200ac8c7c3b925"},
      {"ApprovalForAll(address,address,bool)", "0x17307eab39ab6107e8899845ad3d59bd9653f200f220920489ca2b5937696c31"},
      {"MetadataUpdate(uint256)", "0xf8e1a15aba9398e019f0b49df1a4fde98ee17ae345cb5f6b5e2c27f5033e8ce7"},
      {"Initialized(uint64)", "0xc7f505b2f371ae2175ee4913f4499e1f2633a7b5936321eed1cdaeb6115181d2"},
      {"OwnershipTransferred(address,address)", "0x8be0079c531659141344cd1fd0a4f28419497f9722a3daafe3b4186f6b6457e0"},
      {"BeaconUpgraded(address)", "0x1cf3b03a6cf19fa2baba4df148e9dcabedea7f8a5c07840e207e5c089be95d3e"},
      {"Upgraded(address)", "0xbc7cd75a20ee27fd9adebab32041f755214dbc6bffa90cc0225b39da2e5c2d3b"},
      {"AdminChanged(address,address)", "0x7e644d79422f17c01e4894b5f4f588d331ebfa28653d42ae832dc59e38c9798f"},
      {"EIP712DomainChanged()", "0x0a6387c9ea3628b88a633bb4f3b151770f70085117a15f9bf3787cda53f13d31"},
      {"BatchMetadataUpdate(uint256,uint256)", "0x6bd5c950a8d8df17f772f5af37cb3655737899cbf903264b9795592da439661c"},
  };
  EXPECT_EQ(std::size(published), known_events().size());   // every row is held against its published topic
  for (const auto& [signature, topic0] : published) {
    const auto* event = find_event(*parse_hash(topic0));
    ASSERT_NE(event, nullptr) << signature;
    EXPECT_EQ(event->shape.signature(), signature);
  }
}

// A log of any shape with plausible values, made from the table.
RawLog log_of(const KnownEvent& event) {
  RawLog log;
  log.topics.push_back(event.topic0);
  AbiWriter data;
  std::uint64_t n = 1;
  for (const auto& parameter : event.shape.parameters) {
    const std::string text = "text of " + std::string(parameter.hash_of.empty() ? parameter.name : parameter.hash_of);
    const Hash32 word = parameter.type == AbiType::boolean ? Uint256(1).to_word() : Uint256(n++).to_word();
    if (parameter.indexed)
      log.topics.push_back(is_dynamic(parameter.type) ? crypto::keccak256(as_bytes(text)) : word);
    else if (is_dynamic(parameter.type))
      data.text(text);
    else
      data.word(word);
  }
  log.data = data.finish();
  return log;
}

TEST(ContractEvents, EveryShapeDecodesWhatItsTableSays) {
  for (const auto& event : known_events()) {
    const RawLog log = log_of(event);
    const auto decoded = decode_log(event, log);
    ASSERT_TRUE(decoded) << event.shape.signature() << ": " << decoded.error().text;
    ASSERT_EQ(decoded->values.size(), event.shape.parameters.size());
    for (const auto& parameter : event.shape.parameters) {
      if (is_dynamic(parameter.type) && !parameter.indexed) {
        EXPECT_EQ(as_text(decoded->find(parameter.name)->bytes), "text of " + std::string(parameter.name));
      }
    }
  }
}

TEST(ContractEvents, EveryShapeRefusesAnotherNumberOfTopicsAndDataThatEndsEarly) {
  for (const auto& event : known_events()) {
    const RawLog good = log_of(event);
    RawLog more = good;
    more.topics.push_back({});
    EXPECT_FALSE(decode_log(event, more)) << event.shape.signature();
    if (good.topics.size() > 1) {
      RawLog fewer = good;
      fewer.topics.pop_back();
      EXPECT_FALSE(decode_log(event, fewer)) << event.shape.signature();
    }
    RawLog longer = good;
    longer.data.resize(longer.data.size() + 7);
    EXPECT_TRUE(decode_log(event, longer)) << event.shape.signature();
    const auto values = static_cast<std::size_t>(std::count_if(
        event.shape.parameters.begin(), event.shape.parameters.end(), [](const auto& p) { return !p.indexed; }));
    for (std::size_t length = 0; length < values * 32; ++length) {
      RawLog shorter = good;
      shorter.data.resize(length);
      const auto decoded = decode_log(event, shorter);
      ASSERT_FALSE(decoded) << event.shape.signature() << " with " << length << " bytes";
      EXPECT_EQ(decoded.error().code, Code::protocol);
      EXPECT_FALSE(decoded.error().field.empty());
    }
  }
}

TEST(ContractEvents, AnIndexedStringMustBeTheHashOfTheOneInClear) {
  for (const auto& event : known_events()) {
    for (std::size_t i = 0, topic = 1; i < event.shape.parameters.size(); ++i) {
      const auto& parameter = event.shape.parameters[i];
      const std::size_t at = parameter.indexed ? topic++ : 0;
      if (parameter.hash_of.empty()) continue;
      RawLog log = log_of(event);
      log.topics[at].data[31] ^= 1;
      const auto decoded = decode_log(event, log);
      ASSERT_FALSE(decoded) << event.shape.signature();
      EXPECT_EQ(decoded.error().field, parameter.name);
    }
  }
}

TEST(ContractEvents, UnknownTopicsAreNobodys) {
  EXPECT_EQ(find_event({}), nullptr);
  EXPECT_EQ(find_event(crypto::keccak256(as_bytes("MetadataReverseLookupSet(uint256,string,bytes,address)"))), nullptr);
}

}   // namespace
}   // namespace agentauri::chain
