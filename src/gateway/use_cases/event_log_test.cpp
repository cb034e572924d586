#include "gateway/use_cases/event_log.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <random>

#include "gateway/testing/test_chain.hpp"
#include "store/forget_events.hpp"
#include "store/testing/temp_database.hpp"

namespace agentauri::gateway {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using testing::TestChain;

TEST(LogPosition, IsReadAsItIsWritten) {
  LogPosition position;
  EXPECT_EQ(position.to_text(), "-");
  position.set(8453, {99, 2});
  position.set(1, {523, 0});
  EXPECT_EQ(position.to_text(), "1:523,8453:99.2");
  for (const auto& one : {LogPosition(), position}) EXPECT_EQ(LogPosition::parse(one.to_text()), one);
  for (const auto* bad : {"", "1", "1:", ":1", "1:2.", "1:2.0", "1:2,", "1:2,1:3", "01:2", "-1:2", "1:-2", "+1:2",
                          "1: 2", "1:2.3.4", "1:2;3:4", "1:99999999999999999999", "--", "-,1:2", "1:2 "})
    EXPECT_FALSE(LogPosition::parse(bad)) << bad;
  EXPECT_FALSE(LogPosition::parse(std::string(5000, '1')));
}

class EventLog : public store::testing::EngineTest {
 protected:
  LogPage read(const LogPosition& from, const store::EventFilter& filter = {}) {
    auto page = db().snapshot_blocking<LogPage>([&](store::Tx& tx) { return read_log(tx, from, filter); });
    EXPECT_TRUE(page) << page.error().text;
    return page ? std::move(*page) : LogPage();
  }
  // Reads to the end; what there was, by chain.
  std::map<domain::ChainId, std::vector<std::string>> read_all(LogPosition from,
                                                               const store::EventFilter& filter = {}) {
    std::map<domain::ChainId, std::vector<std::string>> out;
    for (bool more = true; more;) {
      auto page = read(from, filter);
      for (const auto& item : page.items) out[item.event.chain_id].push_back(text_of(item));
      from = page.after;
      more = page.has_more;
    }
    return out;
  }
  static std::string text_of(const LogItem& item) {
    return (item.retracted ? "-" : "+") + domain::event_id(item.event);
  }
  LogPosition end() {
    return *db().snapshot_blocking<LogPosition>([](store::Tx& tx) { return end_of_log(tx); });
  }
  Outcome<void> check(const LogPosition& position) {
    return *db().snapshot_blocking<Outcome<void>>(
        [&](store::Tx& tx) -> Result<Outcome<void>> { return check_position(tx, position); });
  }
};

// Whoever leaves at any event, and comes back with its id, misses nothing and sees nothing twice, while the chains go
// on and fork.
TEST_P(EventLog, IsReadOnceHoweverOftenTheReaderLeaves) {
  std::mt19937 random(7);
  const auto below = [&](int n) { return static_cast<int>(random() % static_cast<unsigned>(n)); };
  TestChain first(db(), 1), second(db(), 8453);
  std::map<domain::ChainId, std::vector<std::string>> seen;
  LogPosition position;
  for (int round = 0; round < 60; ++round) {
    auto& chain = below(2) == 0 ? first : second;
    chain.grow(0);
    chain.grow(below(10) == 0 ? 150 : below(4));
    chain.grow(below(3));
    if (below(3) == 0) chain.rewind(static_cast<std::size_t>(below(3)));
    const auto page = read(position);
    for (const auto& item : page.items) {
      if (below(8) == 0) break;   // the connection is gone
      seen[item.event.chain_id].push_back(text_of(item));
      position = *LogPosition::parse(item.after.to_text());
    }
  }
  for (auto& [chain, rest] : read_all(position)) seen[chain].insert(seen[chain].end(), rest.begin(), rest.end());
  EXPECT_EQ(seen[1], first.told);
  EXPECT_EQ(seen[8453], second.told);
  EXPECT_THAT(read_all(end()), IsEmpty());
}

TEST_P(EventLog, AChainThatCameLaterIsReadFromItsBeginning) {
  TestChain first(db(), 1);
  first.grow(1);
  const auto before = end();
  TestChain second(db(), 2);
  second.grow(2);
  EXPECT_EQ(read_all(before), (std::map<domain::ChainId, std::vector<std::string>>{{2, second.told}}));
}

TEST_P(EventLog, FiltersAreThoseOfTheList) {
  TestChain first(db(), 1), second(db(), 2);
  first.grow(4);
  second.grow(2);
  const auto told = [&](const store::EventFilter& filter) { return read_all({}, filter); };
  using Told = std::map<domain::ChainId, std::vector<std::string>>;
  EXPECT_EQ(told({.chain_id = 2}), (Told{{2, second.told}}));
  EXPECT_EQ(told({.agent_id = "3"}), (Told{{1, {first.told[3]}}}));
  EXPECT_EQ(told({.event_type = "Transfer"}), (Told{{1, {first.told[1], first.told[3]}}, {2, {second.told[1]}}}));
  EXPECT_EQ(told({.chain_id = 1, .registry = "reputation"}), (Told{{1, {first.told[0], first.told[2]}}}));
  EXPECT_EQ(told({.chain_id = 2, .search = "FEED"}), (Told{{2, {second.told[0]}}}));
  EXPECT_EQ(told({.search = "f%"}), Told());
  // What is left out is behind the reader all the same.
  EXPECT_EQ(read({}, {.agent_id = "9"}).after, end());
  EXPECT_EQ(read({}, {.chain_id = 1}).after, end());
}

TEST_P(EventLog, NoPositionLiesBeyondTheEnd) {
  TestChain chain(db(), 1);
  chain.grow(3);
  chain.grow(1);
  EXPECT_TRUE(check({}));
  EXPECT_TRUE(check(end()));
  for (const auto* good : {"1:0.3", "1:1.1", "1:2", "77:5"}) EXPECT_TRUE(check(*LogPosition::parse(good))) << good;
  for (const auto* bad : {"1:3", "1:2.1"}) {
    const auto refused = check(*LogPosition::parse(bad));
    ASSERT_FALSE(refused) << bad;
    EXPECT_EQ(refused.error().details.at(0).code, "unknown_position");
  }
}

// Whoever comes back from before what retention took would miss events without knowing.
TEST_P(EventLog, APositionBeforeWhatIsKeptIsRefused) {
  TestChain first(db(), 1), second(db(), 2);
  for (int i = 0; i < 4; ++i) first.grow(1);
  second.grow(1);
  const auto before = *LogPosition::parse("1:1,2:1");
  const auto told = read_all(before);
  ASSERT_EQ(told.at(1).size(), 3U);
  // The blocks of the first chain are a second apart, and so is that of the second from its own first.
  const auto marked = in_tx<void>(
      [](store::Tx& tx) { return store::mark_forgotten_events(tx, from_unix_seconds(1'767'225'600 + 3), 10); });
  ASSERT_TRUE(marked) << marked.error().text;
  const auto refused = check(before);
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().details.at(0).code, "expired_position");
  EXPECT_FALSE(check({})) << "a chain that the position does not name is read from its beginning";
  EXPECT_TRUE(check(*LogPosition::parse("1:2,2:1")));
  EXPECT_TRUE(check(end()));
  // A reader that was overtaken on its way stops.
  const auto read = db().snapshot_blocking<LogPage>([&](store::Tx& tx) { return read_log(tx, before, {}); });
  ASSERT_FALSE(read);
  EXPECT_EQ(read.error().code, Code::not_found);
  // And "from the beginning" means that of what is kept.
  const auto beginning = *db().snapshot_blocking<LogPosition>([](store::Tx& tx) { return beginning_of_log(tx); });
  EXPECT_EQ(beginning.to_text(), "1:2,2:1");
  EXPECT_EQ(read_all(beginning).at(1).size(), 2U);
}

INSTANTIATE_TEST_SUITE_P(Engines, EventLog, store::testing::kEngines, store::testing::engine_name);

}   // namespace
}   // namespace agentauri::gateway
