#include "rules/event_data.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "rules/action_config.hpp"
#include "rules/templates.hpp"

namespace agentauri::rules {
namespace {

using ::testing::EndsWith;
using ::testing::StartsWith;

std::string member(const json::Object& data, std::string_view name) {
  return std::string(json::view(json::find(data, name)->get_string()));
}

domain::Event event_with(const std::string& text) {
  domain::Event event;
  event.event_type = "NewFeedback";
  for (auto* field : {&event.token_uri, &event.metadata_key, &event.metadata_value, &event.tag1, &event.tag2,
                      &event.endpoint, &event.file_uri, &event.request_uri, &event.response_uri, &event.tag})
    *field = text;
  return event;
}

TEST(EventData, LongTextOfTheChainIsClippedAndSaysSo) {
  const std::string fits(kMaxChainTextBytes, 'x');
  EXPECT_EQ(member(event_data(event_with(fits), {}, {}, "chain", 1), "tag1"), fits);
  const auto data = event_data(event_with(fits + "y"), {}, {}, "chain", 1);
  EXPECT_EQ(member(data, "tag1"), fits + "… [clipped: 4097 bytes in full]");
  EXPECT_EQ(member(data, "tag1"), std::string(json::view(json::find(data, "tags")->get_array()[0].get_string())));
}

TEST(EventData, NoCharacterIsCutInTwo) {
  std::string text = "x";
  while (text.size() < 10'000) text += "é";
  const auto clipped = member(event_data(event_with(text), {}, {}, "chain", 1), "file_uri");
  EXPECT_THAT(clipped, EndsWith("é… [clipped: 10001 bytes in full]"));
  EXPECT_EQ(clipped.find("…"), kMaxChainTextBytes - 1);
}

// What needs escapes counts as long as it becomes: nobody makes an alert too large by what he writes to the chain.
TEST(EventData, TheDefaultBodyAlwaysFits) {
  for (const std::string& text : {std::string(65'536, '\x01'), std::string(65'536, '"'), std::string(65'536, 'a')}) {
    const auto data = event_data(event_with(text), {}, {}, "chain", 1);
    EXPECT_LT(json::dump(data).size(), kMaxRenderedBytes);
    const auto body = render_webhook_body({}, data);
    ASSERT_TRUE(body) << body.error().text;
    EXPECT_LE(body->size(), kMaxRenderedBytes);
  }
  // A name is the user's: its bound is where it is saved.
  domain::Trigger trigger;
  trigger.name = std::string(kMaxRenderedBytes, 'n');
  EXPECT_EQ(render_webhook_body({}, event_data(event_with("a"), trigger, {}, "chain", 1)).error().code,
            Code::too_large);
}

}   // namespace
}   // namespace agentauri::rules
