#include "chain/fake/fake_chain.hpp"

#include <gtest/gtest.h>

#include <map>
#include <set>

namespace agentauri::chain {
namespace {

constexpr domain::ChainId kChain = 31337;

FakeChain make_chain(std::uint64_t seed) {
  return FakeChain(kChain, seed, from_unix_seconds(1'700'000'000), std::chrono::seconds(2));
}

void fill(FakeChain& chain) {
  chain.register_agent(7, "https://agents.example/7.json");
  chain.set_uri(7, "https://agents.example/7b.json");
  chain.set_metadata(7, "color", "blue");
  chain.transfer_agent(7, 8);
  chain.give_feedback(7, 1, 87, 0, "starred", "fast");
  chain.give_feedback(7, 1, -int128{5}, 2, "delta", "");
  chain.append_response(7, 1, 1, "https://agents.example/sorry");
  chain.revoke_feedback(7, 1, 2);
  chain.request_validation(3, 7, "https://agents.example/work");
  chain.answer_validation(3, 7, "https://agents.example/work", 95, "hard");
}

TEST(FakeChain, EveryKindOfLogDecodes) {
  FakeChain chain = make_chain(1);
  fill(chain);
  const auto header = chain.mine();
  const auto normalised = normalise_block(kChain, chain.contracts(), header.time, chain.logs(header.hash));
  EXPECT_EQ(normalised.malformed, 0U);
  EXPECT_EQ(normalised.unknown_topics, 0U);
  std::map<std::string, int> types;
  for (const auto& event : normalised.events) ++types[event.event_type];
  const std::map<std::string, int> expected{{"Transfer", 2},          {"MetadataUpdate", 1},  {"Registered", 1},
                                            {"MetadataSet", 2},       {"URIUpdated", 1},      {"NewFeedback", 2},
                                            {"ResponseAppended", 1},  {"FeedbackRevoked", 1}, {"ValidationRequest", 1},
                                            {"ValidationResponse", 1}};
  EXPECT_EQ(types, expected);
  for (const auto& event : normalised.events) {
    EXPECT_TRUE(bloom_may_contain(header.logs_bloom, event.contract));
    if (event.event_type == "ValidationResponse") EXPECT_EQ(event.response, 95);
  }
}

TEST(FakeChain, TheSameSeedGivesTheSameBlocks) {
  FakeChain one = make_chain(1), same = make_chain(1), other = make_chain(2);
  for (auto* chain : {&one, &same, &other}) {
    fill(*chain);
    chain->mine();
  }
  EXPECT_EQ(one.head().hash, same.head().hash);
  EXPECT_NE(one.head().hash, other.head().hash);
}

TEST(FakeChain, AReorgKeepsTransactionsOrLosesThem) {
  FakeChain chain = make_chain(1);
  for (std::uint64_t i = 1; i <= 4; ++i) {
    chain.give_feedback(i, 1, 50, 0, "", "");
    chain.mine();
  }
  const auto txns = [&chain] {
    std::multiset<Hash32> out;
    for (const auto& log : chain.logs(0, chain.head().num)) out.insert(log.txn_hash);
    return out;
  };
  const auto all = txns();
  const auto first = chain.head();
  chain.reorg(2, true);
  chain.mine();
  EXPECT_EQ(txns(), all) << "mined again, in one block";
  EXPECT_EQ(chain.head().num, 3U);
  EXPECT_FALSE(chain.is_canonical(first.hash));
  EXPECT_TRUE(chain.header(first.hash)) << "nodes keep what left the chain";
  chain.reorg_back();
  EXPECT_EQ(chain.head().hash, first.hash);
  chain.reorg(2, false);
  EXPECT_EQ(txns().size(), 2U);
}

TEST(FakeChain, TimeNeverGoesBack) {
  FakeChain chain = make_chain(1);
  const auto stamped = chain.mine(from_unix_seconds(1'800'000'000) + Micros(123));
  EXPECT_EQ(stamped.time, from_unix_seconds(1'800'000'000));
  EXPECT_EQ(chain.mine(from_unix_seconds(1'700'000'000)).time, stamped.time);
}

}   // namespace
}   // namespace agentauri::chain
