#include "rules/sample_events.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "rules/event_fields.hpp"

namespace agentauri::rules {
namespace {

const Time kNow = from_micros(1'768'471'212'345'678);

TEST(SampleEvents, AreOfTheRegistryThatEmitsThem) {
  for (const auto type : sample_event_types()) {
    const auto event = sample_event(type, 8453, kNow);
    ASSERT_TRUE(event) << type;
    EXPECT_EQ(event->event_type, type);
    EXPECT_EQ(registry_of_event_type(type), event->registry) << type;
    EXPECT_TRUE(is_event_type(type)) << type;
    EXPECT_FALSE(is_housekeeping_event(type)) << type;
    EXPECT_EQ(event->chain_id, 8453);
    EXPECT_EQ(event->block_time, from_unix_seconds(1'768'471'212));
    EXPECT_EQ(event->agent_id.has_value(), type != "ApprovalForAll") << "an approval for all names no agent";
  }
}

TEST(SampleEvents, KnowAliasesAndNothingElse) {
  EXPECT_EQ(sample_event("FeedbackSubmitted", 1, kNow)->event_type, "NewFeedback");
  EXPECT_FALSE(sample_event("Upgraded", 1, kNow));
  EXPECT_FALSE(sample_event("", 1, kNow));
  EXPECT_EQ(registry_of_event_type("Unknown"), std::nullopt);
}

TEST(SampleEvents, EachRegistryHasItsUsualOne) {
  for (const auto registry : {domain::Registry::identity, domain::Registry::reputation, domain::Registry::validation})
    EXPECT_EQ(registry_of_event_type(usual_event_type(registry)), registry);
}

}   // namespace
}   // namespace agentauri::rules
