#include "chain/evm/rpc_json.hpp"

#include <gtest/gtest.h>

#include "core/crypto/crypto.hpp"

#include "chain/evm/testing/erc8004_fixture.hpp"

namespace agentauri::chain {
namespace {

const Address kContract = *parse_address("0x8004A169FB4a3325136EB29fA0ceB6D2e539a432");
const Address kForeign = *parse_address("0x00000000000000000000000000000000000000ff");

std::string hash_text(char digit) {
  return "0x" + std::string(64, digit);
}
Hash32 hash_of(char digit) {
  return *parse_hash(hash_text(digit));
}

json::Object log_json() {
  json::Object out;
  out["address"] = to_hex_0x(kContract);
  out["topics"] = json::Array{json::Value(hash_text('1')), json::Value(hash_text('2'))};
  out["data"] = "0x0aFF";
  out["blockHash"] = hash_text('b');
  out["blockNumber"] = "0x10";
  out["transactionHash"] = hash_text('c');
  out["transactionIndex"] = "0x0";
  out["logIndex"] = "0xffffffff";
  out["removed"] = false;
  return out;
}
Result<std::vector<RawLog>> parse_one(const json::Object& log) {
  return parse_logs(json::Array{json::Value(log)}, {kContract});
}

json::Object header_json() {
  json::Object out;
  out["number"] = "0x10";
  out["hash"] = hash_text('b');
  out["parentHash"] = hash_text('a');
  out["timestamp"] = "0x6b04d25c";
  out["logsBloom"] = "0x" + std::string(510, '0') + "01";
  return out;
}

TEST(RpcQuantity, IsStrict) {
  const std::pair<const char*, std::uint64_t> good[] = {
      {"0x0", 0}, {"0x1", 1}, {"0xff", 255}, {"0xFF", 255}, {"0xffffffffffffffff", UINT64_MAX}};
  for (const auto& [text, number] : good) EXPECT_EQ(parse_quantity(json::Value(text), "q"), number);
  for (const char* text : {"", "0x", "0", "10", "0x00", "0x01", "0X1", "0x-1", "0x+1", "0x 1", "0x1 ", "0xg", "1x1",
                           "0x10000000000000000"}) {
    const auto parsed = parse_quantity(json::Value(text), "q");
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error().code, Code::protocol);
    EXPECT_EQ(parsed.error().field, "q");
  }
  for (const json::Value& value :
       {json::Value(1), json::Value(nullptr), json::Value(true), json::Value(json::Object())}) {
    EXPECT_FALSE(parse_quantity(value, "q"));
  }
  for (const std::uint64_t n : {std::uint64_t{0}, std::uint64_t{1}, UINT64_MAX}) {
    EXPECT_EQ(parse_quantity(json::Value(json::String(quantity(n))), "q"), n);
  }
}

TEST(RpcHeader, ReadsWhatANodeSays) {
  const auto header = parse_header(header_json());
  ASSERT_TRUE(header) << header.error().text;
  EXPECT_EQ(header->num, 16U);
  EXPECT_EQ(header->hash, hash_of('b'));
  EXPECT_EQ(header->parent_hash, hash_of('a'));
  EXPECT_EQ(to_unix_seconds(header->time), 0x6b04d25c);
  EXPECT_EQ(header->logs_bloom[255], 1);
}

TEST(RpcHeader, ANullBlockIsNotFound) {
  EXPECT_EQ(parse_header(nullptr).error().code, Code::not_found);
}

TEST(RpcHeader, EveryMemberMustBeThereAndRight) {
  for (const char* field : {"number", "hash", "parentHash", "timestamp", "logsBloom"}) {
    for (const json::Value& bad : {json::Value(nullptr), json::Value(5), json::Value(""), json::Value("0x"),
                                   json::Value("0xzz"), json::Value("0x" + std::string(64, 'z'))}) {
      auto object = header_json();
      object[field] = bad;
      const auto header = parse_header(object);
      ASSERT_FALSE(header) << field << " " << json::dump(bad);
      EXPECT_EQ(header.error().code, Code::protocol);
      EXPECT_EQ(header.error().field, field);
      EXPECT_NE(header.error().text.find(field), std::string::npos);
    }
    auto object = header_json();
    object.erase(field);
    EXPECT_FALSE(parse_header(object)) << field;
  }
  auto far = header_json();
  far["timestamp"] = "0xffffffffffffffff";
  EXPECT_EQ(parse_header(far).error().field, "timestamp");
  EXPECT_FALSE(parse_header(json::Array()));
}

// The list and the root must agree: chains of another kind fill one of them with a constant.
TEST(RpcHeader, IsEmptyWhenItHasNoTransactionsInEitherWay) {
  EXPECT_EQ(to_hex_0x(crypto::keccak256(Bytes{0x80})), kEmptyTrieRoot);   // of the empty string in RLP
  auto header = header_json();
  header.erase("transactions");
  header.erase("transactionsRoot");
  EXPECT_FALSE(parse_header(header)->empty) << "nothing is said";
  header["transactions"] = json::Array();
  EXPECT_FALSE(parse_header(header)->empty);
  header["transactionsRoot"] = json::String(kEmptyTrieRoot);
  EXPECT_TRUE(parse_header(header)->empty);
  header["transactions"] = json::Array{to_hex_0x(hash_of('a'))};
  EXPECT_FALSE(parse_header(header)->empty);
  header["transactions"] = json::Array();
  header["transactionsRoot"] = to_hex_0x(hash_of('a'));
  EXPECT_FALSE(parse_header(header)->empty);
}

TEST(RpcLogs, ReadsWhatANodeSays) {
  const auto logs = parse_one(log_json());
  ASSERT_TRUE(logs) << logs.error().text;
  const RawLog& log = logs->at(0);
  EXPECT_EQ(log.address, kContract);
  EXPECT_EQ(log.topics, (std::vector{hash_of('1'), hash_of('2')}));
  EXPECT_EQ(log.data, (Bytes{0x0a, 0xff}));
  EXPECT_EQ(log.block_hash, hash_of('b'));
  EXPECT_EQ(log.block_num, 16U);
  EXPECT_EQ(log.txn_hash, hash_of('c'));
  EXPECT_EQ(log.txn_index, 0U);
  EXPECT_EQ(log.log_index, UINT32_MAX);
  EXPECT_EQ(erc8004_fixture().logs.size(), 758U);
}

TEST(RpcLogs, EveryMemberMustBeThereAndRight) {
  for (const char* field :
       {"address", "topics", "data", "blockHash", "blockNumber", "transactionHash", "transactionIndex", "logIndex"}) {
    for (const json::Value& bad :
         {json::Value(nullptr), json::Value(5), json::Value("0x0"), json::Value("zz"), json::Value(json::Object())}) {
      auto object = log_json();
      object[field] = bad;
      if (bad == "0x0" && (std::string_view(field).ends_with("Index") || std::string_view(field) == "blockNumber"))
        continue;   // a number
      const auto logs = parse_one(object);
      ASSERT_FALSE(logs) << field << " " << json::dump(bad);
      EXPECT_EQ(logs.error().code, Code::protocol);
      EXPECT_EQ(logs.error().field, field);
    }
    auto object = log_json();
    object.erase(field);
    EXPECT_FALSE(parse_one(object)) << field;
  }
}

TEST(RpcLogs, BoundsAreKept) {
  auto object = log_json();
  object["logIndex"] = "0x100000000";
  EXPECT_EQ(parse_one(object).error().field, "logIndex");
  object = log_json();
  object["topics"] = json::Array{json::Value(hash_text('1')), json::Value(hash_text('1')), json::Value(hash_text('1')),
                                 json::Value(hash_text('1'))};
  EXPECT_TRUE(parse_one(object));
  object["topics"].get_array().emplace_back(hash_text('1'));
  EXPECT_EQ(parse_one(object).error().field, "topics");
  object["topics"] = json::Array{json::Value("0x1")};
  EXPECT_EQ(parse_one(object).error().field, "topics");
  object["topics"] = json::Array();
  EXPECT_TRUE(parse_one(object));
  object["data"] = "0x";
  EXPECT_TRUE(parse_one(object)->at(0).data.empty());
  object["data"] = "0x" + std::string(8 * 1024 * 1024, '0');
  EXPECT_TRUE(parse_one(object));
  object["data"] = "0x" + std::string(8 * 1024 * 1024 + 2, '0');
  EXPECT_EQ(parse_one(object).error().field, "data");
}

TEST(RpcLogs, ForeignAndRemovedLogsMakeNoSense) {
  auto object = log_json();
  object["address"] = to_hex_0x(kForeign);
  EXPECT_EQ(parse_one(object).error().field, "address");
  object = log_json();
  object["removed"] = true;
  EXPECT_EQ(parse_one(object).error().field, "removed");
  object.erase("removed");
  EXPECT_TRUE(parse_one(object));
  EXPECT_EQ(parse_logs(nullptr, {kContract}).error().code, Code::not_found);
  EXPECT_EQ(parse_logs(json::Object(), {kContract}).error().code, Code::protocol);
  EXPECT_EQ(parse_logs(json::Array{json::Value(1)}, {kContract}).error().code, Code::protocol);
}

TEST(RpcLogs, ALogNamedTwiceIsTakenOnceAndTwoInOnePlaceMakeNoSense) {
  auto second = log_json();
  second["logIndex"] = "0x1";
  const auto both =
      parse_logs(json::Array{json::Value(log_json()), json::Value(second), json::Value(log_json())}, {kContract});
  ASSERT_TRUE(both) << both.error().text;
  EXPECT_EQ(both->size(), 2U);
  auto other = log_json();
  other["data"] = "0x";
  EXPECT_EQ(parse_logs(json::Array{json::Value(log_json()), json::Value(other)}, {kContract}).error().field,
            "logIndex");
  // Some nodes count log indices by transaction.
  auto later = log_json();
  later["transactionIndex"] = "0x1";
  EXPECT_EQ(parse_logs(json::Array{json::Value(log_json()), json::Value(later)}, {kContract})->size(), 2U);
}

json::Object receipt_json(char hash, std::uint64_t num, json::Array logs) {
  json::Object out;
  out["blockHash"] = to_hex_0x(hash_of(hash));
  out["blockNumber"] = quantity(num);
  out["logs"] = std::move(logs);
  return out;
}
Result<std::vector<RawLog>> receipts(json::Value value) {
  return parse_receipts(value, {kContract}, hash_of('b'), 16);
}

TEST(RpcReceipts, LogsOfOthersAreLeftOut) {
  auto foreign = log_json();
  foreign["address"] = to_hex_0x(kForeign);
  const auto logs = receipts(json::Array{
      receipt_json('b', 16, {}), receipt_json('b', 16, json::Array{json::Value(foreign), json::Value(log_json())})});
  ASSERT_TRUE(logs) << logs.error().text;
  EXPECT_EQ(logs->size(), 1U);
  EXPECT_EQ(receipts(nullptr).error().code, Code::not_found);
  for (const json::Value& bad : {json::Value(json::Object()), json::Value(json::Array{json::Value(1)}),
                                 json::Value(json::Array{json::Value(json::Object())})}) {
    EXPECT_EQ(receipts(bad).error().code, Code::protocol);
  }
}

TEST(RpcReceipts, EachMustBeOfTheBlock) {
  EXPECT_TRUE(receipts(json::Array{receipt_json('b', 16, {})})->empty());
  EXPECT_EQ(receipts(json::Array()).error().code, Code::not_found) << "a block with transactions has receipts";
  EXPECT_EQ(receipts(json::Array{receipt_json('b', 16, {}), receipt_json('a', 16, {})}).error().code, Code::not_found);
  EXPECT_EQ(receipts(json::Array{receipt_json('b', 17, {})}).error().field, "blockNumber");
  for (const char* member : {"blockHash", "blockNumber"}) {
    auto without = receipt_json('b', 16, {});
    without.erase(member);
    EXPECT_EQ(receipts(json::Array{without}).error().field, member);
  }
  auto elsewhere = log_json();
  elsewhere["blockHash"] = to_hex_0x(hash_of('a'));
  EXPECT_EQ(receipts(json::Array{receipt_json('b', 16, json::Array{elsewhere})}).error().field, "blockHash");
}

TEST(RpcChecks, WhatWasAskedForMustComeBack) {
  auto logs = *parse_one(log_json());
  EXPECT_TRUE(check_block(logs, hash_of('b'), 16));
  EXPECT_TRUE(check_block({}, hash_of('b'), 16));
  EXPECT_EQ(check_block(logs, hash_of('a'), 16).error().field, "blockHash");
  EXPECT_EQ(check_block(logs, hash_of('b'), 17).error().field, "blockNumber");
  EXPECT_TRUE(check_range(logs, 16, 16));
  EXPECT_FALSE(check_range(logs, 17, 20));
  EXPECT_FALSE(check_range(logs, 1, 15));
  logs.push_back(logs[0]);
  EXPECT_TRUE(check_range(logs, 1, 20));
  logs[1].block_hash = hash_of('a');   // two chains in one answer
  EXPECT_EQ(check_range(logs, 1, 20).error().field, "blockHash");
}

}   // namespace
}   // namespace agentauri::chain
