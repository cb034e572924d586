#include "chain/evm/normalise.hpp"

#include <gtest/gtest.h>

#include <map>

#include "chain/evm/contract_events.hpp"
#include "chain/evm/event_text.hpp"
#include "chain/evm/testing/erc8004_fixture.hpp"
#include "chain/fake/abi_writer.hpp"
#include "core/crypto/crypto.hpp"

namespace agentauri::chain {
namespace {

using domain::Event;

Hash32 keccak(std::string_view text) {
  return crypto::keccak256(as_bytes(text));
}
Hash32 number(std::uint64_t n) {
  return Uint256(n).to_word();
}
std::string address_text(std::uint64_t n) {
  return to_hex_0x(ByteView(number(n).data).last(20));
}

const Address kIdentity = *parse_address("0x0000000000000000000000000000000000000101");
const Address kReputation = *parse_address("0x0000000000000000000000000000000000000102");
const Address kValidation = *parse_address("0x0000000000000000000000000000000000000103");
const Contracts kContracts{kIdentity, kReputation, kValidation};

RawLog log_of(const Address& contract, std::string_view signature, std::vector<Hash32> topics, Bytes data) {
  RawLog log;
  log.address = contract;
  log.topics = {keccak(signature)};
  log.topics.insert(log.topics.end(), topics.begin(), topics.end());
  log.data = std::move(data);
  return log;
}

NormalisedLogs normalise(std::vector<RawLog> logs) {
  return normalise_block(1, kContracts, from_unix_seconds(1'700'000'000), std::move(logs));
}
Event one(RawLog log) {
  auto out = normalise({std::move(log)});
  EXPECT_EQ(out.events.size(), 1U);
  return out.events.at(0);
}
Event sound(RawLog log) {
  Event event = one(std::move(log));
  EXPECT_FALSE(event.parse_error) << *event.parse_error;
  EXPECT_FALSE(event.raw);
  return event;
}

// Agent 42, client 7, index 3.
struct Feedback {
  int128 value = 87;
  std::uint8_t decimals = 0;
  std::string tag1 = "starred", tag2, endpoint, uri;
  std::string_view signature =
      "NewFeedback(uint256,address,uint64,int128,uint8,string,string,string,string,string,bytes32)";

  RawLog log() const {
    AbiWriter data;
    data.number(3).signed_number(value).number(decimals).text(tag1).text(tag2).text(endpoint).text(uri).word({});
    return log_of(kReputation, signature, {number(42), number(7), keccak(tag1)}, data.finish());
  }
};

// --- the fixture -----------------------------------------------------------------------------------------------------

TEST(NormaliseFixture, EveryLogBecomesASoundEvent) {
  const auto& fixture = erc8004_fixture();
  std::map<std::uint64_t, std::vector<RawLog>> blocks;
  for (const auto& log : fixture.logs) blocks[log.block_num].push_back(log);
  std::size_t events = 0;
  std::map<std::string, std::size_t> types;
  for (const auto& [num, logs] : blocks) {
    const auto out = normalise_block(31337, fixture.contracts, from_unix_seconds(1), logs);
    EXPECT_EQ(out.unknown_topics, 0U);
    EXPECT_EQ(out.malformed, 0U);
    events += out.events.size();
    for (const auto& event : out.events) {
      EXPECT_EQ(event.block_num, num);
      ++types[event.event_type];
    }
  }
  EXPECT_EQ(events, 758U);
  EXPECT_EQ(types.count("OwnershipTransferred"), 0U);
  EXPECT_EQ(types["ContractOwnershipTransferred"], 3U);
  EXPECT_EQ(types["Upgraded"], types["Initialized"]);
}

// Fields against the decoded values that others made.
TEST(NormaliseFixture, FeedbackKeepsExactValuesAndClearTags) {
  const auto& fixture = erc8004_fixture();
  std::size_t checked = 0;
  for (std::size_t i = 0; i < fixture.logs.size(); ++i) {
    const auto& decoded = fixture.decoded[i].get_object();
    if (json::view(decoded.at("event").get_string()) != "NewFeedback") continue;
    const auto& args = decoded.at("args").get_object();
    const auto text = [&args](std::string_view key) {
      return std::string(json::view(json::find(args, key)->get_string()));
    };
    const auto or_null = [&text](std::string_view key) {
      return text(key).empty() ? std::nullopt : std::optional(text(key));
    };
    const auto out = normalise_block(31337, fixture.contracts, from_unix_seconds(1), {fixture.logs[i]});
    const Event& event = out.events.at(0);
    EXPECT_EQ(agentauri::to_string(*event.agent_id), text("agentId"));
    EXPECT_EQ(agentauri::to_string(*event.value), text("value"));
    EXPECT_EQ(static_cast<std::int64_t>(*event.value_decimals), args.at("valueDecimals").get_int64());
    EXPECT_EQ(std::to_string(*event.feedback_index), text("feedbackIndex"));
    EXPECT_EQ(event.tag1, or_null("tag1"));
    EXPECT_EQ(event.tag2, or_null("tag2"));
    EXPECT_EQ(event.endpoint, text("endpoint"));
    EXPECT_EQ(event.file_uri, or_null("feedbackURI"));
    EXPECT_EQ(event.file_hash, text("feedbackHash"));
    EXPECT_EQ(crypto::checksum_address(*parse_address(*event.client_address)), text("clientAddress"));
    ++checked;
  }
  EXPECT_GT(checked, 100U);
}

// --- pipeline.md 3.3, row by row -------------------------------------------------------------------------------------

TEST(NormaliseIdentity, Registered) {
  const auto with_uri = [](std::string_view uri) {
    return sound(log_of(kIdentity, "Registered(uint256,string,address)", {number(0), number(9)},
                        AbiWriter().text(uri).finish()));
  };
  const Event event = with_uri("ipfs://x");
  EXPECT_EQ(event.event_type, "Registered");
  EXPECT_EQ(event.registry, domain::Registry::identity);
  EXPECT_EQ(event.agent_id, Uint256(0));   // a real agent
  EXPECT_EQ(event.owner, address_text(9));
  EXPECT_EQ(event.token_uri, "ipfs://x");
  EXPECT_EQ(with_uri("").token_uri, std::nullopt);
}

TEST(NormaliseIdentity, AgentIdsAreExactUpTo256Bits) {
  Hash32 highest;
  highest.data.fill(0xff);
  const Event event = sound(
      log_of(kIdentity, "Registered(uint256,string,address)", {highest, number(9)}, AbiWriter().text("").finish()));
  EXPECT_EQ(event.agent_id, Uint256::from_word(highest));
}

TEST(NormaliseIdentity, MetadataOfBothGenerations) {
  for (const std::string_view signature :
       {"MetadataSet(uint256,string,string,bytes)", "MetadataSet(uint256,string,string,string)"}) {
    const Event event = sound(log_of(kIdentity, signature, {number(1), keccak("agentWallet")},
                                     AbiWriter().text("agentWallet").text("\x01\xff").finish()));
    EXPECT_EQ(event.event_type, "MetadataSet");
    EXPECT_EQ(event.metadata_key, "agentWallet");
    EXPECT_EQ(event.metadata_value, "0x01ff");
  }
}

TEST(NormaliseIdentity, BothSpellingsOfTheUriEventAreOneType) {
  for (const std::string_view signature :
       {"URIUpdated(uint256,string,address)", "UriUpdated(uint256,string,address)"}) {
    const Event event =
        sound(log_of(kIdentity, signature, {number(1), number(8)}, AbiWriter().text("https://a").finish()));
    EXPECT_EQ(event.event_type, "URIUpdated");
    EXPECT_EQ(event.token_uri, "https://a");
    EXPECT_EQ(event.owner, address_text(8));
  }
}

TEST(NormaliseIdentity, TransfersAndApprovals) {
  const Event transfer =
      sound(log_of(kIdentity, "Transfer(address,address,uint256)", {number(0), number(5), number(1)}, {}));
  EXPECT_EQ(transfer.agent_id, Uint256(1));
  EXPECT_EQ(transfer.owner, address_text(5));
  EXPECT_EQ(transfer.client_address, address_text(0));
  const Event approval =
      sound(log_of(kIdentity, "Approval(address,address,uint256)", {number(5), number(6), number(1)}, {}));
  EXPECT_EQ(approval.owner, address_text(5));
  EXPECT_EQ(approval.client_address, address_text(6));
  for (const bool approved : {true, false}) {
    const Event all = sound(log_of(kIdentity, "ApprovalForAll(address,address,bool)", {number(5), number(6)},
                                   AbiWriter().number(approved).finish()));
    EXPECT_EQ(all.agent_id, std::nullopt);
    EXPECT_EQ(all.owner, address_text(5));
    EXPECT_EQ(all.client_address, address_text(6));
    EXPECT_EQ(all.tag1, approved ? "approved" : "revoked");
  }
  EXPECT_EQ(sound(log_of(kIdentity, "MetadataUpdate(uint256)", {}, AbiWriter().number(4).finish())).agent_id,
            Uint256(4));
}

TEST(NormaliseProxy, EventsOfEveryRegistry) {
  for (const auto& contract : {kIdentity, kReputation, kValidation}) {
    const Event upgraded = sound(log_of(contract, "Upgraded(address)", {number(3)}, {}));
    EXPECT_EQ(upgraded.event_type, "Upgraded");
    EXPECT_EQ(upgraded.owner, address_text(3));
    EXPECT_EQ(upgraded.registry, *kContracts.registry_of(contract));
    const Event moved = sound(log_of(contract, "OwnershipTransferred(address,address)", {number(1), number(2)}, {}));
    EXPECT_EQ(moved.event_type, "ContractOwnershipTransferred");
    EXPECT_EQ(moved.owner, address_text(2));
    EXPECT_EQ(sound(log_of(contract, "Initialized(uint64)", {}, AbiWriter().number(1).finish())).event_type,
              "Initialized");
  }
}

TEST(NormaliseReputation, RevocationsAndResponses) {
  const Event revoked =
      sound(log_of(kReputation, "FeedbackRevoked(uint256,address,uint64)", {number(1), number(2), number(3)}, {}));
  EXPECT_EQ(revoked.client_address, address_text(2));
  EXPECT_EQ(revoked.feedback_index, 3U);
  const Event response = sound(log_of(kReputation, "ResponseAppended(uint256,address,uint64,address,string,bytes32)",
                                      {number(1), number(2), number(4)},
                                      AbiWriter().number(3).text("ipfs://r").word(keccak("r")).finish()));
  EXPECT_EQ(response.feedback_index, 3U);
  EXPECT_EQ(response.validator_address, address_text(4));   // the responder
  EXPECT_EQ(response.response_uri, "ipfs://r");
  EXPECT_EQ(response.response_hash, to_hex_0x(keccak("r")));
  const Event old = sound(log_of(kReputation, "ResponseAppended(uint256,address,uint64,address,string)",
                                 {number(1), number(2), number(4)}, AbiWriter().number(3).text("").finish()));
  EXPECT_EQ(old.response_hash, std::nullopt);
  EXPECT_EQ(old.response_uri, std::nullopt);
}

TEST(NormaliseValidation, RequestsAndResponsesOfEveryGeneration) {
  const Event request = sound(log_of(kValidation, "ValidationRequest(address,uint256,string,bytes32)",
                                     {number(5), number(1), keccak("q")}, AbiWriter().text("ipfs://q").finish()));
  EXPECT_EQ(request.validator_address, address_text(5));
  EXPECT_EQ(request.request_hash, to_hex_0x(keccak("q")));
  EXPECT_EQ(request.request_uri, "ipfs://q");

  Hash32 tag;
  tag.data[0] = 't';
  const std::vector<Hash32> topics{number(5), number(1), keccak("q")};
  const RawLog logs[] = {
      log_of(kValidation, "ValidationResponse(address,uint256,bytes32,uint8,string,bytes32,string)", topics,
             AbiWriter().number(84).text("u").word(keccak("r")).text("t").finish()),
      log_of(kValidation, "ValidationResponse(address,uint256,bytes32,uint8,string,bytes32,bytes32)", topics,
             AbiWriter().number(84).text("u").word(keccak("r")).word(tag).finish()),
      log_of(kValidation, "ValidationResponse(address,uint256,bytes32,uint8,string,bytes32)", topics,
             AbiWriter().number(84).text("u").word(tag).finish()),
  };
  for (const auto& log : logs) {
    const Event event = sound(log);
    EXPECT_EQ(event.event_type, "ValidationResponse");
    EXPECT_EQ(event.response, 84);
    EXPECT_EQ(event.response_uri, "u");
    EXPECT_EQ(event.tag, "t");
    EXPECT_EQ(event.response_hash.has_value(), &log != &logs[2]);
  }
}

// --- ratings (pipeline.md 1.10) --------------------------------------------------------------------------------------

TEST(NormaliseRating, ScoresFollowTheRules) {
  const auto score = [](int128 value, std::uint8_t decimals, const char* tag) {
    return sound(Feedback{.value = value, .decimals = decimals, .tag1 = tag}.log()).score;
  };
  EXPECT_EQ(score(87, 0, "starred"), 87);
  EXPECT_EQ(score(596, 1, "starred"), 60);
  EXPECT_EQ(score(595, 1, "starred"), 60);   // half goes away from zero
  EXPECT_EQ(score(594, 1, "starred"), 59);
  EXPECT_EQ(score(9977, 2, "uptime"), 100);
  EXPECT_EQ(score(0, 18, ""), 0);
  EXPECT_EQ(score(100, 0, ""), 100);
  EXPECT_EQ(score(1001, 1, ""), std::nullopt);
  EXPECT_EQ(score(-1, 18, "starred"), std::nullopt);
  EXPECT_EQ(score(-32, 1, "tradingYield"), std::nullopt);
  for (const char* tag :
       {"reachable", "ownerVerified", "responseTime", "blocktimeFreshness", "revenues", "tradingYield"}) {
    EXPECT_EQ(score(1, 0, tag), std::nullopt) << tag;
  }
  EXPECT_EQ(score(1, 0, "Reachable"), 1);   // the exception is an exact match
}

TEST(NormaliseRating, ExtremesStayExact) {
  const int128 max = static_cast<int128>(~uint128{0} >> 1);
  for (const int128 value : {max, -max - 1}) {
    EXPECT_EQ(sound(Feedback{.value = value, .decimals = 18}.log()).value, value);
  }
}

TEST(NormaliseRating, WhatCannotBeExactIsLeftOutWithAReason) {
  const Event decimals = one(Feedback{.decimals = 19}.log());
  EXPECT_EQ(decimals.event_type, "NewFeedback");
  EXPECT_EQ(decimals.parse_error, "valueDecimals 19 is above 18");
  EXPECT_EQ(decimals.tag1, "starred");
  EXPECT_FALSE(decimals.value || decimals.value_decimals || decimals.score);
  EXPECT_TRUE(decimals.raw);

  // As uint256 the word of -1 is 2^256 - 1.
  const auto v6 = "NewFeedback(uint256,address,uint64,uint256,uint8,string,string,string,string,string,bytes32)";
  const Event wide = one(Feedback{.value = -1, .signature = v6}.log());
  EXPECT_EQ(
      wide.parse_error,
      "value 115792089237316195423570985008687907853269984665640564039457584007913129639935 does not fit 128 bits");
  EXPECT_FALSE(wide.value || wide.value_decimals || wide.score);
  const auto v7 = "NewFeedback(uint256,address,uint64,int256,uint8,string,string,string,string,string,bytes32)";
  EXPECT_EQ(sound(Feedback{.value = -1, .signature = v7}.log()).value, static_cast<int128>(-1));
}

TEST(NormaliseRating, EmptyTagsAreNullAndAnEmptyEndpointStays) {
  const Event event = sound(Feedback{.tag1 = "", .tag2 = "x"}.log());
  EXPECT_EQ(event.tag1, std::nullopt);
  EXPECT_EQ(event.tag1_hash, std::nullopt);
  EXPECT_EQ(event.tag2, "x");
  EXPECT_EQ(event.endpoint, "");
  EXPECT_EQ(event.file_uri, std::nullopt);
  EXPECT_EQ(event.file_hash, "0x" + std::string(64, '0'));   // kept
}

// v1 to v5: uint8 scores, tags as bytes32 or as a hash.
TEST(NormaliseRating, LegacyShapesGiveScoreValueAndTags) {
  Hash32 word;
  word.data[0] = 'q';
  const RawLog v1 = log_of(kReputation, "NewFeedback(uint256,address,uint8,bytes32,bytes32,string,bytes32)",
                           {number(42), number(7), word}, AbiWriter().number(255).word({}).text("u").word({}).finish());
  Event event = sound(v1);
  EXPECT_EQ(event.event_type, "NewFeedback");
  EXPECT_EQ(event.score, 255);   // legacy scores are always copied
  EXPECT_EQ(event.value, static_cast<int128>(255));
  EXPECT_EQ(event.value_decimals, 0);
  EXPECT_EQ(event.tag1, "q");
  EXPECT_EQ(event.tag2, std::nullopt);
  EXPECT_EQ(event.feedback_index, std::nullopt);
  EXPECT_EQ(event.endpoint, std::nullopt);

  const auto v2 = [](std::string_view tag1) {
    return sound(log_of(kReputation, "NewFeedback(uint256,address,uint8,string,string,string,bytes32)",
                        {number(42), number(7), keccak(tag1)},
                        AbiWriter().number(1).text("t2").text("u").word({}).finish()));
  };
  EXPECT_EQ(v2("reachable").tag1, "reachable");
  EXPECT_EQ(v2("reachable").score, 1);
  EXPECT_EQ(v2("reachable").tag1_hash, std::nullopt);
  EXPECT_EQ(v2("").tag1, std::nullopt);
  EXPECT_EQ(v2("").tag1_hash, std::nullopt);
  EXPECT_EQ(v2("a tag of their own").tag1, std::nullopt);
  EXPECT_EQ(v2("a tag of their own").tag1_hash, to_hex_0x(keccak("a tag of their own")));

  event = sound(log_of(kReputation, "NewFeedback(uint256,address,uint8,string,string,string,string,bytes32)",
                       {number(42), number(7), keccak("starred")},
                       AbiWriter().number(9).text("t2").text("e").text("u").word({}).finish()));
  EXPECT_EQ(event.endpoint, "e");
  EXPECT_EQ(event.feedback_index, std::nullopt);
  event = sound(log_of(kReputation, "NewFeedback(uint256,address,uint64,uint8,string,string,string,string,bytes32)",
                       {number(42), number(7), keccak("starred")},
                       AbiWriter().number(4).number(9).text("t2").text("e").text("u").word({}).finish()));
  EXPECT_EQ(event.feedback_index, 4U);
  EXPECT_EQ(event.score, 9);
  EXPECT_EQ(event.tag1, "starred");
  event =
      sound(log_of(kReputation, "NewFeedback(uint256,address,uint64,uint8,string,string,string,string,string,bytes32)",
                   {number(42), number(7), keccak("own")},
                   AbiWriter().number(4).number(9).text("own").text("t2").text("e").text("u").word({}).finish()));
  EXPECT_EQ(event.tag1, "own");
}

TEST(TagDictionary, KnowsThePublishedHashes) {
  const std::pair<const char*, const char*> published[] = {
      {"", "0xc5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470"},
      {"agentWallet", "0x2ac6109326e720d1435c0db66f7e35eda7839f52b6f1f5520a60788e132b4e39"},
      {"starred", "0xd6be4ef8f6e81499fcacb6176a8acae193c21b062774e32379bf3b823e83bd19"},
      {"reachable", "0x78e1e3307b96bc9e3a8218e03b133d8df84bb8c7c94a9e8b009203253ba39b29"},
      {"ownerVerified", "0x2e128534ffabfbe691ededec45c9f45e95c5e56989fc1bb618b8b80a998f6640"},
      {"uptime", "0xfbd48ce6a90a8e8ae8fb90dc768499accb7c03c6127003e882a3b3af28cd8fa8"},
      {"successRate", "0xd68a06d1c30622ddca0c9e289a7228d6719cfbf73352f467b93b2110d32342d6"},
      {"responseTime", "0xd2d827af457cf64156642e178a359c554f7e701b96401ee9d0ebe3bcf325a527"},
      {"blocktimeFreshness", "0xeaa2aba08edb36a7c483ec38f7c5f06207f3ad292b01b704e327421143bb22f2"},
      {"revenues", "0x28a21bdd486430096e2ce3f7e923bec6f1e42bdf6e6c6a8f0e5eecf790c5e157"},
      {"tradingYield", "0x532c37807a6c4887defbd0686431b1c90a5f64c1a637d58a2874ea9bf9b04f40"},
  };
  for (const auto& [tag, hash] : published) EXPECT_EQ(tag_of_hash(*parse_hash(hash)), tag);
  EXPECT_EQ(tag_of_hash({}), std::nullopt);
}

// --- what is wrong, unknown or out of bounds -------------------------------------------------------------------------

TEST(NormaliseDeadLetter, EveryTruncationIsKeptWithItsReason) {
  const RawLog good = Feedback{}.log();
  for (std::size_t length = 0; length < good.data.size() - 32; ++length) {
    RawLog cut = good;
    cut.data.resize(length);
    const auto out = normalise({cut});
    ASSERT_EQ(out.events.size(), 1U);
    EXPECT_EQ(out.events[0].event_type, "Unknown") << length;
    EXPECT_EQ(out.malformed, 1U);
    EXPECT_TRUE(out.events[0].parse_error && out.events[0].raw);
    EXPECT_EQ(out.events[0].content_hash, one(cut).content_hash);
    EXPECT_FALSE(out.events[0].agent_id);
  }
}

TEST(NormaliseDeadLetter, RawIsTheWholeLog) {
  RawLog log = Feedback{}.log();
  log.topics.pop_back();
  const Event event = one(log);
  EXPECT_EQ(event.parse_error, "NewFeedback has 4 topics, not 3");
  const auto raw = json::parse(*event.raw);
  ASSERT_TRUE(raw);
  const auto& topics = json::find(raw->get_object(), "topics")->get_array();
  ASSERT_EQ(topics.size(), 3U);
  EXPECT_EQ(json::view(topics[0].get_string()), to_hex_0x(log.topics[0]));
  EXPECT_EQ(json::view(json::find(raw->get_object(), "data")->get_string()), to_hex_0x(log.data));
}

TEST(NormaliseDeadLetter, AForgedTagHashIsADecodeError) {
  RawLog log = Feedback{}.log();
  log.topics[3] = keccak("something else");
  const Event event = one(log);
  EXPECT_EQ(event.event_type, "Unknown");
  EXPECT_EQ(event.parse_error, "NewFeedback.indexedTag1 is not the hash of tag1");
}

TEST(NormaliseDeadLetter, LogsWithoutTopicsAndEventsOfAnotherRegistry) {
  RawLog bare;
  bare.address = kIdentity;
  EXPECT_EQ(one(bare).parse_error, "the log has no topics");
  RawLog misplaced = Feedback{}.log();
  misplaced.address = kIdentity;
  EXPECT_EQ(one(misplaced).event_type, "Unknown");
  EXPECT_EQ(one(misplaced).parse_error, "NewFeedback is not an event of the identity registry");
}

TEST(NormaliseDeadLetter, OneContractMayStandForAllRegistries) {
  const Contracts single{kIdentity, kIdentity, kIdentity};
  EXPECT_EQ(single.all().size(), 1U);
  RawLog log = Feedback{}.log();
  log.address = kIdentity;
  const auto out = normalise_block(1, single, {}, {log});
  EXPECT_EQ(out.events.at(0).event_type, "NewFeedback");
  EXPECT_EQ(out.events.at(0).registry, domain::Registry::reputation);
}

TEST(NormaliseText, BytesThatAreNotUtf8AreReplacedAndSaidSo) {
  const Event event = one(Feedback{.tag1 = std::string("a\xff\0b", 4)}.log());
  EXPECT_EQ(event.event_type, "NewFeedback");
  EXPECT_EQ(event.tag1,
            "a\xef\xbf\xbd\xef\xbf\xbd"
            "b");
  EXPECT_EQ(event.parse_error, "tag1 is not UTF-8 without NUL: bytes replaced");
  EXPECT_TRUE(event.raw);
  EXPECT_EQ(event.score, 87);
}

TEST(NormaliseText, LongTextIsCutWithoutBeingAFault) {
  const std::string uri = "data:," + std::string(kMaxInlineBytes, 'x');
  const Event event = sound(Feedback{.uri = uri}.log());
  EXPECT_EQ(event.file_uri, stored_text(as_bytes(uri)).text);
  EXPECT_LT(event.file_uri->size(), kMaxInlineBytes + 200);
  const Event metadata = sound(log_of(kIdentity, "MetadataSet(uint256,string,string,bytes)", {number(1), keccak("k")},
                                      AbiWriter().text("k").dynamic(Bytes(kMaxInlineBytes + 1)).finish()));
  EXPECT_TRUE(metadata.metadata_value->ends_with("]"));
}

// --- order, ordinals, identity ---------------------------------------------------------------------------------------

TEST(NormaliseOrder, OrdinalsCountEveryLogOfAContractInItsTransaction) {
  std::vector<RawLog> logs;
  const auto add = [&logs](RawLog log, std::uint32_t txn, std::uint32_t index) {
    log.txn_index = txn;
    log.log_index = index;
    logs.push_back(std::move(log));
  };
  RawLog upgraded = log_of(kIdentity, "Upgraded(address)", {number(3)}, {});
  add(Feedback{}.log(), 1, 9);
  add(upgraded, 0, 0);
  add(Feedback{}.log(), 0, 3);
  add(log_of(kReputation, "Later(uint256)", {}, {}), 0, 1);   // unknown: skipped, yet counted
  add(upgraded, 0, 4);
  add(log_of(*parse_address("0x00000000000000000000000000000000000000ff"), "Upgraded(address)", {number(1)}, {}), 0, 2);
  const auto out = normalise(logs);
  EXPECT_EQ(out.unknown_topics, 1U);
  std::vector<std::tuple<std::uint32_t, std::uint32_t, std::uint32_t>> got;
  for (const auto& event : out.events) got.emplace_back(event.txn_index, event.log_index, event.txn_ordinal);
  const decltype(got) wanted{{0, 0, 0}, {0, 3, 1}, {0, 4, 1}, {1, 9, 0}};
  EXPECT_EQ(got, wanted);
}

TEST(NormaliseOrder, ContentHashIsThatOfTopicsAndData) {
  RawLog log = log_of(kIdentity, "Transfer(address,address,uint256)", {number(0), number(5), number(1)}, {});
  Bytes content;
  for (const auto& topic : log.topics) content.insert(content.end(), topic.data.begin(), topic.data.end());
  EXPECT_EQ(sound(log).content_hash, crypto::keccak256(content));
  const Hash32 before = one(Feedback{}.log()).content_hash;
  RawLog moved = Feedback{}.log();
  moved.block_num = 5;
  moved.txn_index = 3;
  EXPECT_EQ(one(moved).content_hash, before);   // where it was mined plays no part
  EXPECT_NE(one(Feedback{.tag2 = "x"}.log()).content_hash, before);
}

TEST(NormaliseOrder, ZeroAddressesAreNoContracts) {
  Contracts contracts{kIdentity, Address{}, std::nullopt};
  EXPECT_EQ(contracts.all(), std::vector<Address>{kIdentity});
  RawLog log = log_of(Address{}, "Upgraded(address)", {number(3)}, {});
  EXPECT_TRUE(normalise_block(1, contracts, {}, {log}).events.empty());
}

}   // namespace
}   // namespace agentauri::chain
