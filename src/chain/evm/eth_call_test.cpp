#include "chain/evm/eth_call.hpp"

#include <gtest/gtest.h>

namespace agentauri::chain {
namespace {

const Address kTo = *parse_address("0x8004a6090cd10a7288092483047b097295fb8847");

Result<CallResult> result_of(const std::string& answer) {
  auto results = match_answers(*json::parse(answer), {eth_call(kTo, Bytes{0x63, 0x52, 0x21, 0x1e})});
  if (!results) return fail(results);
  return parse_call_result(results->front());
}
std::string reason_of(const std::string& error) {
  const auto result = result_of(R"({"jsonrpc":"2.0","id":0,"error":)" + error + "}");
  if (!result) return "error: " + std::string(to_string(result.error().code));
  return result->reverted ? "reverted " + to_hex(result->data) : "answered";
}

TEST(EthCall, IsAskedOfTheNewestBlock) {
  EXPECT_EQ(
      render_calls({eth_call(kTo, Bytes{0x63, 0x52})}),
      R"({"jsonrpc":"2.0","id":0,"method":"eth_call","params":[{"from":"0x00000000000000000000000061757269a9e27a01",)"
      R"("to":"0x8004a6090cd10a7288092483047b097295fb8847","data":"0x6352"},"latest"]})");
  EXPECT_EQ(json::dump(eth_call(std::nullopt, {}).params[0]).find("\"to\""), std::string::npos);
  EXPECT_EQ(
      render_calls({eth_get_code(kTo)}),
      R"({"jsonrpc":"2.0","id":0,"method":"eth_getCode","params":["0x8004a6090cd10a7288092483047b097295fb8847","latest"]})");
}

TEST(EthCall, ARevertIsAnAnswer) {
  EXPECT_EQ(result_of(R"({"jsonrpc":"2.0","id":0,"result":"0x2a"})")->data, Bytes{0x2a});
  EXPECT_FALSE(result_of(R"({"jsonrpc":"2.0","id":0,"result":"0x"})")->reverted);
  EXPECT_EQ(reason_of(R"({"code":3,"message":"execution reverted: no","data":"0x7e273289"})"), "reverted 7e273289");
  EXPECT_EQ(reason_of(R"({"code":-32000,"message":"execution reverted"})"), "reverted ");
  EXPECT_EQ(reason_of(R"({"code":-32015,"message":"VM execution error.","data":"Reverted 0x7e27"})"), "reverted 7e27");
  EXPECT_EQ(reason_of(R"({"code":-32603,"message":"Error: VM Exception: reverted","data":{"data":"0x08"}})"),
            "reverted 08");
  EXPECT_EQ(reason_of(R"({"code":-32000,"message":"invalid opcode: INVALID"})"), "reverted ");
}

TEST(EthCall, ATroubleOfTheNodeIsNone) {
  EXPECT_EQ(reason_of(R"({"code":-32005,"message":"rate limit exceeded"})"), "error: rate_limited");
  EXPECT_EQ(reason_of(R"({"code":-32603,"message":"internal error"})"), "error: unavailable");
  EXPECT_EQ(reason_of(R"({"code":-32000,"message":"header not found"})"), "error: not_found");
  for (const char* answer : {R"("0x1")", R"("x")", "1", "null"})
    EXPECT_FALSE(result_of(std::string(R"({"jsonrpc":"2.0","id":0,"result":)") + answer + "}")) << answer;
}

}   // namespace
}   // namespace agentauri::chain
