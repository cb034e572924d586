#include "engine/trigger_index.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <random>

namespace agentauri::engine {
namespace {

using domain::Condition;
using domain::Event;

Time at(std::int64_t seconds) {
  return from_unix_seconds(1'700'000'000 + seconds);
}

TriggerPtr make(std::uint32_t id, std::vector<Condition> conditions, std::optional<domain::ChainId> chain = 1,
                domain::Registry registry = domain::Registry::reputation, Time created_at = at(0)) {
  domain::Trigger t;
  for (int i = 0; i < 4; ++i) t.id.uuid.data[12 + i] = static_cast<std::uint8_t>(id >> (24 - 8 * i));
  t.chain_id = chain;
  t.registry = registry;
  t.created_at = created_at;
  t.is_stateful = true;
  for (auto& condition : conditions) {
    condition.id = static_cast<domain::ConditionId>(t.conditions.size()) + 1;
    t.conditions.push_back(condition);
  }
  auto compiled = rules::compile(std::move(t));
  EXPECT_TRUE(compiled) << (compiled ? "" : compiled.error().text);
  return std::make_shared<const rules::CompiledTrigger>(std::move(*compiled));
}

Condition score(const char* op, const char* bound) {
  return {.condition_type = "score_threshold", .field = "score", .op = op, .value = bound};
}
Condition fine_score(const char* op, const char* bound) {
  return {.condition_type = "field_comparison", .field = "score", .op = op, .value = bound};
}
Condition agent(const char* id) {
  return {.condition_type = "agent_id_equals", .field = "agent_id", .op = "=", .value = id};
}
Condition type(const char* name) {
  return {.condition_type = "event_type_equals", .field = "event_type", .op = "=", .value = name};
}
Condition average() {
  return {
      .condition_type = "ema_threshold", .field = "score", .op = "<", .value = "50", .config = R"({"window_size":3})"};
}

Event feedback(std::optional<std::int32_t> points, std::uint64_t agent_id = 7, domain::ChainId chain = 1) {
  Event event;
  event.chain_id = chain;
  event.registry = domain::Registry::reputation;
  event.event_type = points ? "NewFeedback" : "FeedbackRevoked";
  event.agent_id = Uint256(agent_id);
  event.score = points;
  event.block_time = at(100);
  return event;
}

std::vector<int> ids(const std::vector<const rules::CompiledTrigger*>& triggers) {
  std::vector<int> out;
  for (const auto* trigger : triggers) out.push_back(trigger->trigger.id.uuid.data[15]);
  return out;
}

using ::testing::ElementsAre;
using ::testing::IsEmpty;

TEST(TriggerIndex, GivesWhatCanMatchInOrderOfCreation) {
  TriggerIndex index;
  index.put(make(3, {}, 1, domain::Registry::reputation, at(5)));
  index.put(make(1, {}, std::nullopt, domain::Registry::reputation, at(9)));
  index.put(make(4, {agent("7")}));
  index.put(make(2, {type("NewFeedback")}));
  index.put(make(5, {}, 2));
  index.put(make(6, {}, 1, domain::Registry::identity));
  index.put(make(7, {agent("8")}));
  index.put(make(8, {type("FeedbackRevoked")}));
  EXPECT_THAT(ids(index.candidates(feedback(50))), ElementsAre(2, 4, 3, 1));
}

TEST(TriggerIndex, AScoreBoundIsMetAtItsEdge) {
  TriggerIndex index;
  index.put(make(1, {score("<", "50")}));
  index.put(make(2, {score("<=", "50")}));
  index.put(make(3, {score(">", "50")}));
  index.put(make(4, {score(">=", "50")}));
  index.put(make(5, {score("=", "50")}));
  index.put(make(6, {score("!=", "50")}));
  EXPECT_THAT(ids(index.candidates(feedback(49))), ElementsAre(1, 2, 6));
  EXPECT_THAT(ids(index.candidates(feedback(50))), ::testing::IsSupersetOf({2, 4, 5}));
  EXPECT_THAT(ids(index.candidates(feedback(50))), ::testing::Not(::testing::Contains(1)));
  EXPECT_THAT(ids(index.candidates(feedback(51))), ElementsAre(3, 4, 6));
  EXPECT_THAT(ids(index.candidates(feedback(std::nullopt))), ElementsAre(6)) << "a bound needs a score";
}

TEST(TriggerIndex, BoundsMayLieBetweenAndBeyondScores) {
  TriggerIndex index;
  index.put(make(1, {fine_score("<", "49.5")}));
  index.put(make(2, {fine_score(">", "49.5")}));
  index.put(make(3, {fine_score("<", "99999999999999999999")}));
  index.put(make(4, {fine_score(">", "99999999999999999999")}));
  index.put(make(5, {fine_score(">", "-99999999999999999999")}));
  index.put(make(6, {fine_score(">", "40"), fine_score("<", "45")}));
  index.put(make(7, {fine_score(">", "45"), fine_score("<", "40")}));
  EXPECT_THAT(ids(index.candidates(feedback(49))), ElementsAre(1, 3, 5));
  EXPECT_THAT(ids(index.candidates(feedback(50))), ElementsAre(2, 3, 5));
  EXPECT_THAT(ids(index.candidates(feedback(42))), ElementsAre(1, 3, 5, 6));
  EXPECT_THAT(ids(index.candidates(feedback(std::numeric_limits<std::int32_t>::max()))), ElementsAre(2, 3, 5));
}

TEST(TriggerIndex, AFilterBehindAConditionThatRemembersDoesNotSkip) {
  TriggerIndex index;
  index.put(make(1, {average(), agent("8")}));
  index.put(make(2, {agent("8"), average()}));
  EXPECT_THAT(ids(index.candidates(feedback(50, 7))), ElementsAre(1));
}

TEST(TriggerIndex, AnEditReplacesAndARemovalForgets) {
  TriggerIndex index;
  index.put(make(1, {score("<", "50")}));
  index.put(make(1, {score(">", "50")}));
  EXPECT_EQ(index.size(), 1U);
  EXPECT_THAT(ids(index.candidates(feedback(10))), IsEmpty());
  EXPECT_THAT(ids(index.candidates(feedback(60))), ElementsAre(1));
  auto disabled = std::make_shared<rules::CompiledTrigger>(*index.find(make(1, {})->trigger.id));
  disabled->trigger.enabled = false;
  index.put(disabled);
  EXPECT_THAT(ids(index.candidates(feedback(60))), IsEmpty());
  EXPECT_NE(index.find(disabled->trigger.id), nullptr);
  index.remove(disabled->trigger.id);
  index.remove(disabled->trigger.id);
  EXPECT_EQ(index.size(), 0U);
  EXPECT_EQ(index.find(disabled->trigger.id), nullptr);
}

TEST(TriggerIndex, AgeCountsInWholeSeconds) {
  TriggerIndex index;
  index.put(make(1, {}, 1, domain::Registry::reputation, at(100) + Micros(999'999)));
  index.put(make(2, {}, 1, domain::Registry::reputation, at(101)));
  EXPECT_THAT(ids(index.candidates(feedback(50))), ElementsAre(1));
}

// Against asking every trigger: what matches is never left out, under random edits.
TEST(TriggerIndex, LeavesOutNothingThatMatches) {
  std::mt19937 random(7);
  const char* ops[] = {"<", "<=", ">", ">=", "=", "!="};
  TriggerIndex index;
  std::map<std::uint32_t, TriggerPtr> all;
  std::size_t matches = 0;
  for (int round = 0; round < 3000; ++round) {
    const std::uint32_t id = random() % 200;
    std::vector<Condition> conditions;
    if (random() % 3 == 0) conditions.push_back(agent(random() % 2 == 0 ? "1" : "2"));
    if (random() % 3 == 0) conditions.push_back(type(random() % 2 == 0 ? "NewFeedback" : "FeedbackRevoked"));
    for (auto n = random() % 3; n > 0; --n) {
      conditions.push_back(score(ops[random() % 6], std::to_string(random() % 20).c_str()));
    }
    auto trigger =
        make(id, conditions, random() % 2 == 0 ? std::optional<domain::ChainId>(1 + random() % 2) : std::nullopt,
             domain::Registry::reputation, at(random() % 110));
    if (random() % 4 == 0) {
      index.remove(trigger->trigger.id);
      all.erase(id);
    } else {
      index.put(trigger);
      all[id] = trigger;
    }
    const Event event = feedback(random() % 5 == 0 ? std::nullopt : std::optional<std::int32_t>(random() % 20),
                                 random() % 3, 1 + random() % 2);
    const auto& found = index.candidates(event);
    EXPECT_TRUE(std::is_sorted(found.begin(), found.end(), [](const auto* a, const auto* b) {
      return std::pair(a->trigger.created_at, a->trigger.id) < std::pair(b->trigger.created_at, b->trigger.id);
    }));
    EXPECT_EQ(std::set(found.begin(), found.end()).size(), found.size()) << "none twice";
    for (const auto& [number, candidate] : all) {
      const auto none = [](const rules::StateKey&) { return std::optional<std::string>(); };
      if (!rules::candidate(event, candidate->trigger)) continue;
      if (rules::evaluate(event, *candidate, none).decision != rules::Decision::match) continue;
      ++matches;
      EXPECT_NE(std::find(found.begin(), found.end(), candidate.get()), found.end()) << number;
    }
    for (const auto* trigger_found : found) EXPECT_TRUE(rules::candidate(event, trigger_found->trigger));
  }
  EXPECT_GT(matches, 1000U);
}

}   // namespace
}   // namespace agentauri::engine
