#include "chain/evm/rpc_refusal.hpp"

#include <gtest/gtest.h>

namespace agentauri::chain {
namespace {

struct Said {
  const char* who;
  std::int64_t code;
  const char* message;
};

void expect_all(std::initializer_list<Said> refusals, Code wanted) {
  for (const auto& said : refusals) {
    EXPECT_EQ(meaning_of({.rpc_code = said.code, .message = said.message}), wanted)
        << said.who << ": " << said.message << " is "
        << to_string(meaning_of({.rpc_code = said.code, .message = said.message}));
  }
}

TEST(Refusal, RangesAndAnswersThatAreTooLarge) {
  expect_all(
      {
          {"alchemy", -32602,
           "Log response size exceeded. You can make eth_getLogs requests with up to a 2K block range and no limit on "
           "the response size, or you can request any block range with a cap of 10K logs in the response. Based on "
           "your parameters and the response size limit, this block range should work: [0xc5dc00, 0xc614a7]"},
          {"alchemy free", -32600,
           "Under the Free tier plan, you can make eth_getLogs requests with up to a 10 block range. Based on your "
           "parameters, this block range should work: [0x1, 0xa]"},
          {"infura", -32005, "query returned more than 10000 results. Try with this block range [0x1, 0x2]."},
          {"infura", -32602, "range 1000000 exceeds limit of 10000"},
          {"infura", -32005, "query timeout exceeded"},
          {"quicknode", -32614, "eth_getLogs is limited to a 10,000 range"},
          {"quicknode", -32602, "eth_getLogs and eth_newFilter are limited to a 10,000 blocks range"},
          {"ankr", -32600, "block range is too wide"},
          {"ankr", -32000, "query returned more than 10000 results"},
          {"publicnode", -32701, "exceed maximum block range: 50000"},
          {"publicnode", -32701, "Please specify less number of addresses in your request"},
          {"llamanodes", -32000, "block range too large"},
          {"drpc", 35, "ranges over 10000 blocks are not supported on freetier"},
          {"drpc", 32, "Batch of more than 3 requests are not allowed on free tier"},
          {"chainstack", -32000, "Block range limit exceeded. See more details in the documentation"},
          {"1rpc", -32602, "eth_getLogs is limited to 0 - 10000 blocks range"},
          {"cloudflare", -32047, "Invalid eth_getLogs request. 'fromBlock'-'toBlock' range too large. Max range: 800"},
          {"bsc", -32005, "limit exceeded"},
          {"polygon", -32000, "block range exceeds configured limit"},
          {"moonbeam", -32603, "block range is too wide (maximum 1024)"},
          {"scroll", -32000, "block range is bigger than maxBlockRange"},
          {"base", -32614, "eth_getLogs is limited to a 10,000 range"},
          {"blockpi", -32000, "eth_getLogs block range limited to 1024 blocks"},
          {"reth", -32602, "query exceeds max block range 100000"},
          {"reth", -32602, "query exceeds max results 20000, retry with the range 21102592-21102595"},
          {"erigon", -32000, "query block range exceeds server limit, narrow your filter: 1000"},
          {"erigon", -32000, "query returns too many logs, narrow your filter: 20000"},
          {"besu", -32005, "Requested range exceeds maximum RPC range limit"},
          {"nethermind", -32005, "Too many logs requested. Max logs per response is 20000."},
          {"geth behind a proxy", -32000, "response too large"},
          {"geth", -32003, "response too large"},
          {"geth batches", -32600, "batch too large"},
          {"anvil like", -32005, "query returned more than 10,000 results"},
      },
      Code::too_large);
}

TEST(Refusal, RatesAreNotRanges) {
  expect_all(
      {
          {"alchemy", 429,
           "Your app has exceeded its compute units per second capacity. If you have retries enabled, you can safely "
           "ignore this message."},
          {"infura", -32005, "daily request count exceeded, request rate limited"},
          {"infura", -32005, "project ID request rate exceeded"},
          {"quicknode", -32007, "50/second request limit reached - reduce calls per second or upgrade your account"},
          {"quicknode", -32003, "daily request limit reached - upgrade your account"},
          {"ankr", -32603, "Too many requests, reason: call rate limit exhausted, retry in 10s"},
          {"anyone", -32000, "you are limited to 25 requests per second"},
          {"anyone", -32000, "monthly quota exceeded"},
          {"anyone", -32000, "upstream said HTTP 429"},
          {"base", -32016, "over rate limit"},
      },
      Code::rate_limited);
}

TEST(Refusal, BlocksThatANodeDoesNotHave) {
  expect_all(
      {
          {"geth", -32000, "unknown block"},
          {"geth", -32000, "header not found"},
          {"geth", -32602, "block range extends beyond current head block"},
          {"geth", -32000, "One of the blocks specified in filter (fromBlock, toBlock or blockHash) cannot be found."},
          {"geth", -39001, "finalized block not found"},
          {"geth", -32000, "missing trie node 5a6b (path ) state 0x1 is not available"},
          {"besu", -32000, "Block not found"},
          {"nethermind", -32001, "Cannot find block 0x1"},
          {"avalanche", -32000, "cannot query unfinalized data"},
          {"eip-1474", -32001, "Resource not found"},
          {"a number with 429 in it", -32000, "block 4291234 not found"},
      },
      Code::not_found);
}

TEST(Refusal, MethodsAndFormsThatAreNotOffered) {
  expect_all(
      {
          {"geth", -32601, "the method eth_getBlockReceipts does not exist/is not available"},
          {"json-rpc", -32601, "Method not found"},
          {"json-rpc", -32601, ""},
          {"anyone", -32000, "Method eth_getBlockReceipts is not supported"},
          {"anyone", -32000, "method is not whitelisted"},
          {"an old node, asked for `finalized`", -32602, "invalid argument 0: hex string without 0x prefix"},
      },
      Code::unsupported);
}

TEST(Refusal, EverythingElseIsTroubleOfTheProvider) {
  expect_all(
      {
          {"anyone", -32603, "internal error"},
          {"base", -32011, "no backend is currently healthy to serve traffic"},
          {"anyone", -32000, "Unauthorized: invalid key"},
          {"anyone", 0, ""},
          {"text without a meaning", -32000, "429"},   // a bare number may be anything
      },
      Code::unavailable);
}

TEST(Refusal, HttpStatuses) {
  EXPECT_EQ(meaning_of({.http_status = 413}), Code::too_large);
  EXPECT_EQ(meaning_of({.http_status = 429}), Code::rate_limited);
  EXPECT_EQ(meaning_of({.http_status = 502, .message = "<html>Bad Gateway"}), Code::unavailable);
  EXPECT_EQ(meaning_of({.http_status = 400, .message = "block range is too wide"}), Code::too_large);
  EXPECT_EQ(meaning_of({.http_status = 403, .message = "Too Many Requests"}), Code::rate_limited);
}

TEST(Refusal, PatternsEndAtTheEndOfTheText) {
  for (const char* text : {"more than", "more than 10", "range", "limited to", "up to a", "method", "RANGE 5"}) {
    EXPECT_EQ(meaning_of({.rpc_code = -32000, .message = text}), Code::unavailable) << text;
  }
  EXPECT_EQ(meaning_of({.rpc_code = -32000, .message = std::string(100'000, 'r')}), Code::unavailable);
}

}   // namespace
}   // namespace agentauri::chain
