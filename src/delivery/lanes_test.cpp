#include "delivery/lanes.hpp"

#include <gtest/gtest.h>

#include "store/job_shares.hpp"

namespace agentauri::delivery {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using End = Lanes::End;

const Time kNow = from_unix_seconds(1'768'471'200);
const domain::OrganizationId kUs = domain::OrganizationId::make(kNow), kThem = domain::OrganizationId::make(kNow);
const store::LaneKey kLane{kUs, "https://example.org:443"};

LaneSettings small() {
  LaneSettings out;
  out.concurrent = 8;
  out.slow = 4;
  return out;
}
std::size_t rest(const Lanes& lanes, const store::LaneKey& key, Time now = kNow) {
  const auto room = lanes.claim_room(now);
  const auto found = room.lanes.find(key);
  return found == room.lanes.end() ? room.usual : found->second.rest;
}

TEST(Lanes, WidenWithAnswersUpToTheBound) {
  Lanes lanes(LaneSettings{});
  EXPECT_EQ(rest(lanes, kLane), 4U);
  const auto first = lanes.start(kLane, kNow);
  EXPECT_EQ(rest(lanes, kLane), 3U);
  lanes.end(first, End::answered, kNow);
  EXPECT_EQ(rest(lanes, kLane), 5U);
  for (int i = 0; i < 50; ++i) lanes.end(lanes.start(kLane, kNow), End::answered, kNow);
  EXPECT_EQ(rest(lanes, kLane), 16U);
  lanes.end(lanes.start(kLane, kNow), End::not_tried, kNow);
  EXPECT_EQ(rest(lanes, kLane), 16U);
}

TEST(Lanes, SilenceNarrowsThenPausesLongerEachTime) {
  Lanes lanes(LaneSettings{});
  lanes.end(lanes.start(kLane, kNow), End::unanswered, kNow);
  EXPECT_EQ(rest(lanes, kLane), 2U);
  lanes.end(lanes.start(kLane, kNow), End::unanswered, kNow);
  EXPECT_EQ(rest(lanes, kLane), 1U);
  EXPECT_FALSE(lanes.claim_room(kNow).lanes.at(kLane).closed);
  Time now = kNow;
  for (const auto pause :
       {seconds(1), seconds(2), seconds(4), seconds(8), seconds(16), seconds(32), seconds(60), seconds(60)}) {
    lanes.end(lanes.start(kLane, now), End::unanswered, now);
    const auto place = lanes.claim_room(now + pause - milliseconds(1)).lanes.at(kLane);
    EXPECT_TRUE(place.closed);
    EXPECT_GE(place.next_slot, now + pause);
    now += pause;
    EXPECT_FALSE(lanes.claim_room(now).lanes.at(kLane).closed);
    EXPECT_EQ(rest(lanes, kLane, now), 1U) << "one at a time";
  }
  const auto probe = lanes.start(kLane, now);
  EXPECT_TRUE(lanes.claim_room(now).lanes.at(kLane).closed) << "what comes behind the probe waits for it";
  lanes.end(probe, End::answered, now);
  EXPECT_FALSE(lanes.claim_room(now).lanes.at(kLane).closed);
  EXPECT_EQ(rest(lanes, kLane, now), 2U);
}

TEST(Lanes, SlowAttemptsStandInNobodysWayUpToTheirOwnBound) {
  Lanes lanes(small());
  std::vector<Lanes::Ticket> tickets;
  for (int i = 0; i < 8; ++i) tickets.push_back(lanes.start({kUs, std::to_string(i)}, kNow));
  EXPECT_EQ(lanes.room(kNow + milliseconds(999)), 0U);
  EXPECT_EQ(lanes.room(kNow + seconds(1)), 4U) << "only so many may be slow";
  lanes.end(tickets[0], End::unanswered, kNow + seconds(2));
  EXPECT_EQ(lanes.room(kNow + seconds(2)), 5U) << "another has become slow in its place";
  for (int i = 1; i < 8; ++i) lanes.end(tickets[static_cast<std::size_t>(i)], End::answered, kNow + seconds(2));
  EXPECT_EQ(lanes.room(kNow + seconds(2)), 8U);
  EXPECT_EQ(lanes.in_flight(), 0U);
}

TEST(Lanes, AnOrganizationHasABoundOfItsOwn) {
  auto settings = small();
  settings.per_organization = 3;
  Lanes lanes(settings);
  for (int i = 0; i < 3; ++i) lanes.start({kUs, std::to_string(i)}, kNow);
  const auto room = lanes.claim_room(kNow);
  EXPECT_EQ(room.organizations.at(kUs).rest, 0U);
  EXPECT_EQ(room.usual_per_organization, 3U);
  EXPECT_FALSE(room.organizations.contains(kThem));
}

TEST(Lanes, AnOrganizationsSilentReceiversDoNotStandInItsOwnWay) {
  LaneSettings settings;
  settings.per_organization = 4;
  settings.slow_per_organization = 2;
  Lanes lanes(settings);
  std::vector<Lanes::Ticket> tickets;
  for (int i = 0; i < 4; ++i) tickets.push_back(lanes.start({kUs, std::to_string(i)}, kNow));
  EXPECT_EQ(lanes.claim_room(kNow).organizations.at(kUs).rest, 0U);
  const Time later = kNow + settings.slow_after;
  EXPECT_EQ(lanes.room(later), settings.concurrent - 2) << "two are slow; the bound of the others is reached";
  EXPECT_EQ(lanes.claim_room(later).organizations.at(kUs).rest, 2U);
  for (const auto ticket : tickets) lanes.end(ticket, End::unanswered, later);
  EXPECT_TRUE(lanes.claim_room(later).organizations.empty());
  EXPECT_EQ(lanes.room(later), settings.concurrent);
}

TEST(Lanes, IdleOnesAreForgottenFailingOnesLater) {
  Lanes lanes(LaneSettings{});
  lanes.end(lanes.start(kLane, kNow), End::answered, kNow);
  lanes.end(lanes.start({kThem, "x"}, kNow), End::unanswered, kNow);
  const auto held = lanes.start({kUs, "y"}, kNow);
  lanes.prune(kNow + seconds(59));
  EXPECT_EQ(lanes.size(), 3U);
  lanes.prune(kNow + seconds(61));
  EXPECT_EQ(lanes.size(), 2U);
  lanes.prune(kNow + std::chrono::minutes(11));
  EXPECT_EQ(lanes.size(), 1U) << "never one with an attempt in flight";
  lanes.end(held, End::answered, kNow);
}

// --- the shares of one claim -----------------------------------------------------------------------------------------

TEST(Shares, ALongQueueIsSpreadAtTheLanesPaceAndBounded) {
  store::ClaimRoom room;
  room.lanes[kLane].pace = milliseconds(100);
  const std::vector<store::LaneKey> due(5, kLane);
  const auto shares = store::share_out(due, room, 10, true, kNow);
  EXPECT_TRUE(shares.chosen.empty());
  ASSERT_EQ(shares.put_back.size(), 3U) << "two find room within 250 ms";
  for (std::size_t i = 0; i < 3; ++i)
    EXPECT_EQ(shares.put_back[i].second, kNow + milliseconds(100) * static_cast<int>(i + 3));
  EXPECT_EQ(shares.lane_slots.at(kLane), kNow + milliseconds(500));

  room.lanes[kLane].next_slot = kNow + std::chrono::hours(5);
  EXPECT_EQ(store::share_out(due, room, 10, true, kNow).put_back[0].second, kNow + store::kMaxPutBack);
  EXPECT_TRUE(store::share_out(due, room, 10, false, kNow).put_back.empty()) << "nobody waits behind them";
}

TEST(Shares, OneOrganizationsFloodLeavesRoomForOthers) {
  store::ClaimRoom room;
  room.organizations[kUs].rest = 2;
  room.organizations[kUs].pace = milliseconds(200);
  std::vector<store::LaneKey> due;
  for (int i = 0; i < 6; ++i) due.push_back({kUs, std::to_string(i)});
  due.push_back({kThem, "0"});
  const auto shares = store::share_out(due, room, 10, true, kNow);
  EXPECT_EQ(shares.chosen, (std::vector<std::size_t>{0, 1, 6}));
  EXPECT_EQ(shares.put_back.size(), 3U) << "the first of them has its turn within 250 ms";
  EXPECT_EQ(shares.organization_slots.at(kUs), kNow + milliseconds(800));
}

TEST(Shares, TheLimitLeavesTheRestWhereItIs) {
  const std::vector<store::LaneKey> due{{kUs, "a"}, {kUs, "b"}, {kUs, "c"}};
  const auto shares = store::share_out(due, {}, 2, true, kNow);
  EXPECT_EQ(shares.chosen, (std::vector<std::size_t>{0, 1}));
  EXPECT_TRUE(shares.put_back.empty());
}

}   // namespace
}   // namespace agentauri::delivery
