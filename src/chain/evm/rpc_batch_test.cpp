#include "chain/evm/rpc_batch.hpp"

#include <gtest/gtest.h>

namespace agentauri::chain {
namespace {

std::vector<RpcCall> calls(std::size_t count) {
  std::vector<RpcCall> out;
  for (std::size_t i = 0; i < count; ++i) out.push_back({"eth_getBlockByNumber", json::Array{json::Value(i), false}});
  return out;
}

Result<Result<std::vector<json::Value>>> matched(std::string_view answer, std::size_t count) {
  auto parsed = json::parse(answer);
  if (!parsed) return fail(parsed);
  return match_answers(std::move(*parsed), calls(count));
}
Code code_of(std::string_view answer, std::size_t count) {
  const auto result = matched(answer, count);
  EXPECT_TRUE(result) << "the test's JSON is wrong: " << answer;
  EXPECT_FALSE(*result) << answer;
  return result && !*result ? result->error().code : Code::internal;
}

TEST(RpcBatch, OneCallIsAnObjectAndSeveralAreABatch) {
  EXPECT_EQ(render_calls(calls(1)), R"({"jsonrpc":"2.0","id":0,"method":"eth_getBlockByNumber","params":[0,false]})");
  const auto batch = json::parse(render_calls(calls(3)));
  ASSERT_TRUE(batch && batch->is_array());
  EXPECT_EQ(batch->get_array().size(), 3U);
  EXPECT_EQ(*json::find(batch->get_array()[2].get_object(), "id"), 2);
}

TEST(RpcBatch, AnswersComeInAnyOrder) {
  const auto results = matched(R"([{"id":1,"result":"b"},{"id":0,"result":"a"},{"id":2,"result":null}])", 3);
  ASSERT_TRUE(results && *results);
  EXPECT_EQ((**results)[0], "a");
  EXPECT_EQ((**results)[1], "b");
  EXPECT_TRUE((**results)[2].is_null());
}

TEST(RpcBatch, ANullErrorBesideAResultIsNone) {
  const auto results = matched(R"({"jsonrpc":"2.0","id":0,"error":null,"result":"0x1"})", 1);
  ASSERT_TRUE(results && *results) << (*results).error().text;
}

TEST(RpcBatch, IdsMustBeThoseThatWereAsked) {
  EXPECT_EQ(code_of(R"([{"id":0,"result":1},{"id":0,"result":1}])", 2), Code::protocol);
  EXPECT_EQ(code_of(R"([{"id":0,"result":1}])", 2), Code::protocol);
  EXPECT_EQ(code_of(R"([{"id":0,"result":1},{"id":2,"result":1}])", 2), Code::protocol);
  EXPECT_EQ(code_of(R"([{"id":0,"result":1},{"id":-1,"result":1}])", 2), Code::protocol);
  EXPECT_EQ(code_of(R"([{"id":0,"result":1},{"id":"1","result":1}])", 2), Code::protocol);
  EXPECT_EQ(code_of(R"([{"id":0,"result":1},{"result":1}])", 2), Code::protocol);
  EXPECT_EQ(code_of(R"({"id":1,"result":1})", 1), Code::protocol);
  EXPECT_EQ(code_of(R"([{"id":0,"result":1},{"id":1,"result":1},{"id":1,"result":1}])", 2), Code::protocol);
}

TEST(RpcBatch, AnswersMustBeAnswers) {
  for (const char* answer : {"1", "null", "\"x\"", "[]", "[1]", "{}", R"({"id":0})", R"([[]])"}) {
    EXPECT_EQ(code_of(answer, 1), Code::protocol) << answer;
  }
}

TEST(RpcBatch, ErrorsKeepTheirMeaningAndText) {
  const auto refused = matched(
      R"([{"id":0,"result":1},{"id":1,"error":{"code":-32005,"message":"query returned more than 10000 results"}}])",
      2);
  ASSERT_TRUE(refused && !*refused);
  EXPECT_EQ((*refused).error().code, Code::too_large);
  EXPECT_EQ((*refused).error().text, "eth_getBlockByNumber: error -32005: query returned more than 10000 results");
  // A request that was refused as a whole has no id.
  EXPECT_EQ(code_of(R"({"jsonrpc":"2.0","id":null,"error":{"code":-32600,"message":"batch too large"}})", 5),
            Code::too_large);
  EXPECT_EQ(code_of(R"({"id":0,"error":"too many requests"})", 1), Code::rate_limited);
  EXPECT_EQ(code_of(R"({"id":0,"error":{"code":"x","message":5}})", 1), Code::unavailable);
}

TEST(RpcBatch, WhatAProviderSaysIsBounded) {
  const auto refused = matched(R"({"id":0,"error":{"code":1,"message":")" + std::string(5000, 'x') + "\"}}", 1);
  ASSERT_TRUE(refused && !*refused);
  EXPECT_LT((*refused).error().text.size(), 300U);
}

TEST(RpcBatch, ARefusalNamesTheCallOrElseTheRequest) {
  const auto refusal = [](std::string_view answer) { return matched(answer, 2)->error(); };
  const std::string too_large = R"("error":{"code":-32005,"message":"query returned more than 10000 results"})";
  EXPECT_EQ(refusal(R"([{"id":0,"result":1},{"id":1,)" + too_large + "}]").field, "eth_getBlockByNumber");
  EXPECT_EQ(refusal("[{\"id\":0," + too_large + "}]").field, "") << "so one node refuses a whole batch";
  EXPECT_EQ(refusal("{\"id\":null," + too_large + "}").field, "");
  // The first call's counts, wherever its answer stands.
  const std::string unknown = R"("error":{"code":-32601,"message":"the method does not exist"})";
  EXPECT_EQ(refusal("[{\"id\":1," + unknown + "},{\"id\":0," + too_large + "}]").code, Code::too_large);
}

TEST(BatchSize, HalvesAtARefusalAndDoublesAfterManyFullBatches) {
  BatchSize size;
  EXPECT_EQ(size.size(), BatchSize::kMost);
  size.refused(20);
  EXPECT_EQ(size.size(), 10U);
  size.refused(100);   // asked before: says nothing new
  EXPECT_EQ(size.size(), 10U);
  for (int i = 0; i < 1000; ++i) size.accepted(9);
  EXPECT_EQ(size.size(), 10U) << "smaller ones prove nothing";
  for (unsigned i = 0; i + 1 < BatchSize::kFullToGrow; ++i) size.accepted(10);
  EXPECT_EQ(size.size(), 10U);
  size.accepted(10);
  EXPECT_EQ(size.size(), 20U);
  size.refused(1);
  EXPECT_EQ(size.size(), 1U);
  for (unsigned i = 0; i < 10 * BatchSize::kFullToGrow; ++i) size.accepted(size.size());
  EXPECT_EQ(size.size(), BatchSize::kMost);
}

}   // namespace
}   // namespace agentauri::chain
