// What conditions refuse, warn of and survive beyond the worked examples of evaluate_test.cpp.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "rules/action_config.hpp"
#include "rules/condition_types.hpp"
#include "rules/evaluate.hpp"
#include "rules/event_fields.hpp"

namespace agentauri::rules {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

domain::Condition condition(std::string type, std::string field, std::string op, std::string value,
                            std::optional<std::string> config = std::nullopt) {
  domain::Condition out;
  out.condition_type = std::move(type);
  out.field = std::move(field);
  out.op = std::move(op);
  out.value = std::move(value);
  out.config = std::move(config);
  return out;
}
std::vector<std::string> warnings_of(const domain::Condition& c) {
  std::vector<Warning> warnings;
  const auto compiled = compile_condition(c, true, &warnings);
  EXPECT_TRUE(compiled) << compiled.error().text;
  std::vector<std::string> out;
  for (const auto& warning : warnings) out.push_back(warning.field + " " + warning.code);
  return out;
}
bool is_utf8(std::string_view text) {
  return json::parse(json::dump(json::String(text))).has_value();
}
std::string repeated(std::string_view text, std::size_t times) {
  std::string out;
  for (std::size_t i = 0; i < times; ++i) out += text;
  return out;
}

TEST(ConditionBounds, RefusalsAreCutBetweenCharacters) {
  const std::string odd = "x" + repeated("ж", 60);
  for (const auto& c :
       {condition("score_threshold", "score", odd, "1"), condition(odd, "score", "<", "1"),
        condition("field_comparison", odd, "=", "1"), condition("field_comparison", "tag1", odd, "1")}) {
    const auto refused = compile_condition(c, false);
    ASSERT_FALSE(refused);
    EXPECT_TRUE(is_utf8(refused.error().text)) << refused.error().text;
  }
  const auto header = parse_webhook_config({{"url", "https://h/"}, {"headers", json::Object{{odd, "v"}}}});
  ASSERT_FALSE(header);
  EXPECT_TRUE(is_utf8(header.error().text)) << header.error().text;
}

// Beyond the last second of the year 9999, or counted to the end: nothing that was ever written.
TEST(ConditionBounds, StatesFromElsewhereAreRefused) {
  const auto ema = compile_condition(condition("ema_threshold", "score", "<", "70", R"({"window_size":3})"), true);
  const auto rate = compile_condition(condition("rate_limit", "n", ">", "1", R"({"time_window":"30d"})"), true);
  ASSERT_TRUE(ema && rate);
  EXPECT_TRUE(state_view(**ema, R"({"ema":"5","count":1,"last_updated":253402300799})"));
  EXPECT_FALSE(state_view(**ema, R"({"ema":"5","count":1,"last_updated":253402300800})"));
  EXPECT_FALSE(state_view(**ema, R"({"ema":"5","count":1,"last_updated":-1})"));
  EXPECT_FALSE(state_view(**ema, R"({"ema":"5","count":9223372036854775807,"last_updated":1})"));
  EXPECT_TRUE(state_view(**rate, R"({"last":0,"count":1,"gaps":[]})"));
  EXPECT_FALSE(state_view(**rate, R"({"last":-1,"count":0,"gaps":[]})"));
  EXPECT_FALSE(state_view(**rate, R"({"last":253402300800,"count":0,"gaps":[]})"));
  EXPECT_FALSE(state_view(**rate, R"({"last":1,"count":2,"gaps":[2]})"));
}

TEST(ConditionBounds, AnAbsurdBlockTimeLeavesAStateThatReads) {
  domain::Event event;
  event.score = 1;
  for (const auto time : {Time::max(), Time::min()}) {
    event.block_time = time;
    for (const auto& c : {condition("ema_threshold", "score", "<", "70", R"({"window_size":3})"),
                          condition("rate_limit", "n", ">", "1", R"({"time_window":"30d"})")}) {
      domain::Trigger trigger;
      trigger.is_stateful = true;
      trigger.conditions = {c};
      const auto compiled = compile(trigger);
      ASSERT_TRUE(compiled);
      std::optional<std::string> state;
      for (int i = 0; i < 2; ++i) {
        const auto evaluation = evaluate(event, *compiled, [&state](const StateKey&) { return state; });
        ASSERT_EQ(evaluation.changes.size(), 1U) << explanation_json(evaluation);
        state = evaluation.changes[0].after;
        EXPECT_TRUE(state_view(*compiled->conditions[0], *state)) << *state;
      }
    }
  }
}

// These types ignore the operator (pipeline.md 6.4); one that means anything but "is" is warned of.
TEST(ConditionBounds, IgnoredOperatorsAreWarnedOf) {
  for (const char* op : {"=", "==", "eq", "equals"}) {
    EXPECT_THAT(warnings_of(condition("tag_equals", "tag1", op, "x")), IsEmpty()) << op;
    EXPECT_THAT(warnings_of(condition("agent_id_equals", "agent_id", op, "1")), IsEmpty()) << op;
  }
  for (const char* op : {"!=", "in", "IS NOT", "not_equals"}) {
    EXPECT_EQ(warnings_of(condition("tag_equals", "tag1", op, "x")),
              std::vector<std::string>{"operator operator_ignored"})
        << op;
    EXPECT_EQ(warnings_of(condition("event_type_equals", "event_type", op, "Registered")),
              std::vector<std::string>{"operator operator_ignored"})
        << op;
  }
  EXPECT_THAT(warnings_of(condition("file_uri_exists", "file_uri", "IS NOT NULL", "-")), IsEmpty());
  EXPECT_THAT(warnings_of(condition("file_uri_exists", "file_uri", "is not null", "-")), IsEmpty());
  EXPECT_EQ(warnings_of(condition("file_uri_exists", "file_uri", "=", "false")),
            std::vector<std::string>{"operator operator_ignored"});
}

// The newest 10,000 events are counted, so a higher bound is never passed.
TEST(ConditionBounds, ACountThatIsNeverReachedIsWarnedOf) {
  const auto of = [](const char* op, const char* count) {
    return warnings_of(condition("rate_limit", "n", op, count, R"({"time_window":"1h"})"));
  };
  const std::vector<std::string> never{"value never_reached"};
  EXPECT_THAT(of(">", "9999"), IsEmpty());
  EXPECT_EQ(of(">", "10000"), never);
  EXPECT_THAT(of(">=", "10000"), IsEmpty());
  EXPECT_EQ(of(">=", "10001"), never);
  EXPECT_EQ(of("=", "10001"), never);
  EXPECT_THAT(of("<", "10001"), IsEmpty());
}

TEST(ConditionBounds, TheIdIsAFieldOfTheRecord) {
  domain::Event event;
  const auto* field = find_event_field("id");
  ASSERT_NE(field, nullptr);
  std::string scratch;
  EXPECT_EQ(std::get<std::string_view>(field->read(event, scratch)), domain::event_id(event));
}

}   // namespace
}   // namespace agentauri::rules
