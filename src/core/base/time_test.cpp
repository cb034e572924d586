#include "core/base/time.hpp"

#include <gtest/gtest.h>

#include "core/base/uuid.hpp"

namespace agentauri {
namespace {

TEST(Rfc3339, WritesTheFractionOnlyWhenThereIsOne) {
  EXPECT_EQ(to_rfc3339(from_unix_seconds(1768471200)), "2026-01-15T10:00:00Z");
  EXPECT_EQ(to_rfc3339(from_micros(1768471200'123456)), "2026-01-15T10:00:00.123456Z");
  EXPECT_EQ(to_rfc3339(from_micros(1768471200'120000)), "2026-01-15T10:00:00.120Z");
  EXPECT_EQ(to_rfc3339(from_micros(-1)), "1969-12-31T23:59:59.999999Z");
}

TEST(Rfc3339, ReadsOffsetsAndRefusesWhatIsNotADate) {
  EXPECT_EQ(parse_rfc3339("2026-01-15T12:00:00+02:00"), from_unix_seconds(1768471200));
  EXPECT_EQ(parse_rfc3339("2026-01-15T10:00:00.5Z"), from_micros(1768471200'500000));
  EXPECT_EQ(parse_rfc3339("2024-02-29T00:00:00Z"), from_unix_seconds(1709164800));
  for (const char* bad :
       {"", "2026-01-15", "2026-01-15T10:00:00", "2026-02-29T00:00:00Z", "2026-13-01T00:00:00Z", "2026-01-15T24:00:00Z",
        "2026-01-15T10:00:00Zx", "2026-01-15T10:00:00.Z", "2026-01-15T10:00:00+2:00", "-026-01-15T10:00:00Z"}) {
    EXPECT_EQ(parse_rfc3339(bad), std::nullopt) << bad;
  }
}

TEST(Uuid, Version7KeepsOrderWithinAThread) {
  const Time now = from_unix_seconds(1768471200);
  Uuid last = make_uuid_v7(now);
  for (int i = 0; i < 10'000; ++i) {
    const Uuid next = make_uuid_v7(now);
    ASSERT_LT(last, next);
    last = next;
  }
  EXPECT_EQ(to_string(last)[14], '7');
}

TEST(Uuid, ReadsItsOwnTextAndNothingElse) {
  const Uuid uuid = make_uuid_v4();
  EXPECT_EQ(parse_uuid(to_string(uuid)), uuid);
  EXPECT_EQ(to_string(uuid)[14], '4');
  for (const char* bad : {"", "not-a-uuid", "11111111222233334444555555555555", "11111111-2222-3333-4444-55555555555g",
                          "11111111-2222-3333-44445-5555555555", "11111111-2222-3333-4444-5555555555555"}) {
    EXPECT_EQ(parse_uuid(bad), std::nullopt) << bad;
  }
}

}   // namespace
}   // namespace agentauri
