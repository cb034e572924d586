#include "rules/evaluate.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <boost/multiprecision/cpp_int.hpp>

#include <map>
#include <random>

#include "rules/stateful_conditions.hpp"

namespace agentauri::rules {
namespace {

using boost::multiprecision::cpp_int;
using boost::multiprecision::cpp_rational;
using ::testing::HasSubstr;

domain::Condition condition(std::string type, std::string field, std::string op, std::string value,
                            std::optional<std::string> config = std::nullopt) {
  domain::Condition c;
  c.condition_type = std::move(type);
  c.field = std::move(field);
  c.op = std::move(op);
  c.value = std::move(value);
  c.config = std::move(config);
  return c;
}

domain::Event feedback(std::uint64_t agent, std::optional<std::int32_t> score, std::int64_t at = 1'700'000'000) {
  domain::Event e;
  e.chain_id = 84532;
  e.registry = domain::Registry::reputation;
  e.event_type = score ? "NewFeedback" : "FeedbackRevoked";
  e.agent_id = Uint256(agent);
  e.score = score;
  if (score) {
    e.value = *score;
    e.value_decimals = 0;
  }
  e.block_time = from_unix_seconds(at);
  return e;
}

// A trigger with its state, fed one event after another.
class Machine {
 public:
  explicit Machine(std::vector<domain::Condition> conditions, bool stateful = false) {
    domain::Trigger t;
    t.chain_id = 84532;
    t.registry = domain::Registry::reputation;
    t.is_stateful = stateful;
    domain::ConditionId id = 0;
    for (auto& c : conditions) {
      c.id = ++id;
      t.conditions.push_back(std::move(c));
    }
    auto compiled = compile(std::move(t), &warnings);
    EXPECT_TRUE(compiled) << compiled.error().field << ": " << compiled.error().text;
    trigger_ = std::move(*compiled);
  }
  Decision feed(const domain::Event& event) {
    last = evaluate(event, trigger_, [this](const StateKey& key) {
      return state.contains(key) ? std::optional(state[key]) : std::nullopt;
    });
    // Without words the outcome is the same.
    const auto quiet = evaluate(
        event, trigger_,
        [this](const StateKey& key) { return state.contains(key) ? std::optional(state[key]) : std::nullopt; },
        Explain::no);
    EXPECT_EQ(quiet.decision, last.decision);
    for (auto& change : last.changes) state[change.key] = change.after;
    return last.decision;
  }
  bool fires(const domain::Event& event) { return feed(event) == Decision::match; }

  std::vector<Warning> warnings;
  std::map<StateKey, std::string> state;
  Evaluation last;

 private:
  CompiledTrigger trigger_;
};

Error refusal(domain::Condition c, bool stateful = false) {
  auto compiled = compile_condition(c, stateful);
  EXPECT_FALSE(compiled) << c.condition_type;
  return compiled ? Error{} : compiled.error();
}

// pipeline.md 11.1
TEST(Rules, LowScoreAlert) {
  Machine m({condition("agent_id_equals", "agent_id", "=", "42"), condition("score_threshold", "score", "<", "60")});
  EXPECT_TRUE(m.fires(feedback(42, 45)));
  EXPECT_THAT(m.last.steps[1].text, HasSubstr("score 45 < 60"));
  EXPECT_FALSE(m.fires(feedback(42, 60)));
  EXPECT_FALSE(m.fires(feedback(43, 10)));
  EXPECT_EQ(m.last.steps.size(), 1U) << "the second condition is never asked";
  EXPECT_FALSE(m.fires(feedback(42, std::nullopt)));
  EXPECT_EQ(refusal(condition("score_threshold", "score", "<", "sixty")).field, "value");
}

// 11.2
TEST(Rules, AliasesMeanTheRealNames) {
  Machine m({condition("event_type_equals", "event_type", "=", "AgentRegistered")});
  auto e = feedback(7, std::nullopt);
  e.event_type = "Registered";
  EXPECT_TRUE(m.fires(e));
  e.event_type = "registered";
  EXPECT_FALSE(m.fires(e));
  Machine unknown({condition("event_type_equals", "event_type", "=", "NoSuchEvent")});
  ASSERT_EQ(unknown.warnings.size(), 1U);
  EXPECT_EQ(unknown.warnings[0].code, "unknown_event_type");
  EXPECT_EQ(unknown.warnings[0].field, "conditions[0].value");
}

// 11.3
TEST(Rules, TagsAreExact) {
  Machine m({condition("tag_equals", "tag1", "=", "refund")});
  auto e = feedback(42, 12);
  e.tag1 = "refund";
  EXPECT_TRUE(m.fires(e));
  for (const char* other : {"Refund", "refund ", "x"}) {
    e.tag1 = other;
    EXPECT_FALSE(m.fires(e)) << other;
  }
  e.tag1.reset();
  e.tag2 = "refund";
  EXPECT_FALSE(m.fires(e));
  EXPECT_EQ(refusal(condition("tag_equals", "tag3", "=", "x")).field, "field");
}

// 11.4
TEST(Rules, MovingAverageBelowSeventy) {
  Machine m({condition("agent_id_equals", "agent_id", "=", "42"),
             condition("ema_threshold", "score", "<", "70", R"({"window_size":10,"alpha":0.2})")},
            true);
  EXPECT_FALSE(m.fires(feedback(42, 80)));
  EXPECT_FALSE(m.fires(feedback(42, 60)));
  EXPECT_FALSE(m.fires(feedback(43, 5)));
  EXPECT_FALSE(m.fires(feedback(42, std::nullopt)));
  EXPECT_TRUE(m.fires(feedback(42, 40)));
  EXPECT_NEAR(std::stod(*m.last.ema), 69.75206611570248, 1e-12);
  EXPECT_FALSE(m.fires(feedback(42, 90)));
  EXPECT_FALSE(m.fires(feedback(42, 95)));
  EXPECT_TRUE(m.fires(feedback(42, 10)));
  EXPECT_NEAR(std::stod(*m.last.ema), 65.108382, 1e-6);
  EXPECT_EQ(refusal(condition("ema_threshold", "score", "<", "70", R"({"window_size":10})")).field, "condition_type");
  for (const char* bad : {"{}", R"({"window_size":0})", R"({"window_size":-1})", R"({"window_size":1.5})",
                          R"({"window_size":"10"})", R"({"window_size":100001})"}) {
    EXPECT_EQ(refusal(condition("ema_threshold", "score", "<", "70", bad), true).field, "config.window_size") << bad;
  }
}

// 11.5
TEST(Rules, MoreThanTenBadRatingsInAnHour) {
  Machine m({condition("score_threshold", "score", "<", "50"),
             condition("rate_limit", "event_count", ">", "10", R"({"time_window":"1h","reset_on_trigger":true})")},
            true);
  std::int64_t at = 1'700'000'000;
  for (int i = 0; i < 10; ++i) EXPECT_FALSE(m.fires(feedback(42, 20, at += 180)));
  EXPECT_FALSE(m.fires(feedback(42, 80, at += 1)));
  EXPECT_TRUE(m.fires(feedback(42, 10, at += 1)));
  EXPECT_FALSE(m.fires(feedback(42, 10, at += 1)));
  EXPECT_EQ(m.last.event_count, 1U);
  Machine slow({condition("rate_limit", "event_count", ">", "10", R"({"time_window":"1h"})")}, true);
  for (int i = 0; i < 11; ++i) EXPECT_FALSE(slow.fires(feedback(42, 20, at += 420)));
  EXPECT_EQ(slow.last.event_count, 9U);
  for (const char* bad : {R"({"time_window":"90x"})", R"({"time_window":"0h"})", R"({"time_window":"-5m"})",
                          R"({"time_window":""})", R"({"time_window":"31d"})", "{}"}) {
    EXPECT_EQ(refusal(condition("rate_limit", "event_count", ">", "1", bad), true).field, "config.time_window") << bad;
  }
}

// 11.6
TEST(Rules, TrustedValidators) {
  const std::string a = "0x" + std::string(40, 'a');
  Machine m({condition("validator_whitelist", "validator_address", "IN",
                       R"(["0x)" + std::string(40, 'A') + R"(","0x)" + std::string(40, 'b') + R"("])"),
             condition("response_threshold", "response", "<", "80")});
  auto e = feedback(1, std::nullopt);
  e.validator_address = a;
  e.response = 55;
  EXPECT_TRUE(m.fires(e));
  e.response = 80;
  EXPECT_FALSE(m.fires(e));
  e.response.reset();
  EXPECT_FALSE(m.fires(e));
  e.response = 1;
  e.validator_address = "0x" + std::string(40, 'c');
  EXPECT_FALSE(m.fires(e));
}

TEST(Rules, ExactValuesCompareExactly) {
  Machine m({condition("value_threshold", "value", "<", "59.7", R"({"tag1":"starred"})")});
  auto e = feedback(1, 60);
  e.tag1 = "starred";
  e.value = 596;
  e.value_decimals = 1;
  EXPECT_TRUE(m.fires(e));
  e.value = 597;
  EXPECT_FALSE(m.fires(e));
  e.value = 1;
  e.tag1 = "uptime";
  EXPECT_FALSE(m.fires(e));
}

TEST(Rules, AnyFieldCanBeCompared) {
  const auto fires = [](const char* field, const char* op, const char* value, const domain::Event& e) {
    return Machine({condition("field_comparison", field, op, value)}).fires(e);
  };
  auto e = feedback(42, 87);
  e.owner = "0x" + std::string(40, 'a');
  e.token_uri = "https://agents.example/1.json";
  EXPECT_TRUE(fires("score", "gte", "87", e));
  EXPECT_TRUE(fires("score", "<", "87.5", e));
  EXPECT_FALSE(fires("score", "ne", "87", e));
  EXPECT_TRUE(fires("agent_id", "in", R"(["1","42"])", e));
  EXPECT_TRUE(fires("owner", "=", ("0x" + std::string(40, 'A')).c_str(), e));
  EXPECT_TRUE(fires("token_uri", "startsWith", "https://agents", e));
  EXPECT_TRUE(fires("token_uri", "endsWith", ".json", e));
  EXPECT_FALSE(fires("token_uri", "contains", "AGENTS", e));
  EXPECT_FALSE(fires("tag1", "eq", "x", e));
  EXPECT_EQ(refusal(condition("field_comparison", "token_uri", "<", "x")).field, "operator");
  EXPECT_EQ(refusal(condition("field_comparison", "score", "contains", "1")).field, "operator");
  EXPECT_EQ(refusal(condition("field_comparison", "nothing", "=", "1")).field, "field");
  EXPECT_EQ(refusal(condition("field_comparison", "score", "=", "1e5")).field, "value");
  EXPECT_THAT(refusal(condition("score_treshold", "score", "<", "1")).text, HasSubstr("did you mean score_threshold?"));
}

TEST(Rules, AFilterBehindAMemoryIsWarnedOf) {
  Machine m({condition("ema_threshold", "score", "<", "70", R"({"window_size":10})"),
             condition("agent_id_equals", "agent_id", "=", "42")},
            true);
  ASSERT_EQ(m.warnings.size(), 1U);
  EXPECT_EQ(m.warnings[0].code, "stateful_before_filter");
}

// Against exact rational arithmetic: every step is the rational average of the step before, rounded half away from
// zero.
TEST(MovingAverage, EveryStepIsTheRoundedRational) {
  std::mt19937_64 random(3);
  const cpp_int scale = pow(cpp_int(10), 18);
  for (int series = 0; series < 300; ++series) {
    const auto window = static_cast<std::int64_t>(1 + random() % (series % 2 == 0 ? 20 : 100'000));
    int128 ema = static_cast<int128>(random() % 101) * 1'000'000'000'000'000'000;
    cpp_rational exact(cpp_int(to_string(ema)), scale);
    for (int step = 0; step < 50; ++step) {
      const auto score = static_cast<std::int32_t>(random() % 101);
      const int128 next = next_ema(ema, score, window);
      const cpp_rational before(cpp_int(to_string(ema)), scale);
      const cpp_rational ideal = before + (cpp_rational(score) - before) * 2 / (window + 1);
      const cpp_rational error = abs(cpp_rational(cpp_int(to_string(next)), scale) - ideal);
      ASSERT_LE(error * 2, cpp_rational(1, scale)) << "more than half a unit away";
      // And the whole series stays as near to the unrounded one as so many roundings allow.
      exact = exact + (cpp_rational(score) - exact) * 2 / (window + 1);
      ASSERT_LE(abs(cpp_rational(cpp_int(to_string(next)), scale) - exact), cpp_rational(step + 1, scale));
      ema = next;
    }
  }
}

}   // namespace
}   // namespace agentauri::rules
