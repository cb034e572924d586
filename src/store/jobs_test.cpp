#include "store/jobs.hpp"

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "core/crypto/crypto.hpp"
#include "store/chain_log.hpp"
#include "store/due_jobs.hpp"
#include "store/leases.hpp"
#include "store/testing/temp_database.hpp"

namespace agentauri::store {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

constexpr domain::ChainId kChain = 31337;
const Time kStart = from_unix_seconds(1'768'471'200);

const Query kLook{"test_job_look",
                  "SELECT state, reason, attempts, body, next_at, finished_at FROM jobs WHERE id = :job"};
const Query kAttempts{
    "test_attempts",
    "SELECT n, outcome, status, duration_us, excerpt, finished_at FROM attempts WHERE job_id = :job ORDER BY n"};

Hash32 hash_of(const std::string& text) {
  return crypto::sha256(as_bytes(text));
}

class Jobs : public testing::EngineTest {
 protected:
  Jobs() {
    for (const auto worker : {alice_, bob_}) {
      auto added = in_tx<void>([&](Tx& tx) { return register_instance(tx, worker, this_process(), "worker"); });
      EXPECT_TRUE(added) << added.error().text;
    }
  }

  NewJob job(const std::string& name, const std::string& endpoint = "https://example.org:443") {
    NewJob out;
    out.id = hash_of(name);
    out.organization_id = organization_;
    out.trigger_id = trigger_;
    out.action_id = 7;
    out.chain_id = kChain;
    out.block_num = 100;
    out.block_hash = hash_of("block");
    out.seq = 1;
    out.event_id = name;
    out.event_data = R"({"score":1})";
    out.body = "body of " + name;
    out.explanation = "{}";
    out.endpoint = endpoint;
    out.request_id = "req-" + name;
    return out;
  }
  void insert(std::vector<NewJob> jobs, Time at = kStart) {
    auto inserted = in_tx<std::int64_t>([&](Tx& tx) { return insert_jobs(tx, jobs, at); });
    ASSERT_TRUE(inserted) << inserted.error().text;
  }
  std::vector<ClaimedJob> claim(domain::InstanceId worker, Time now = kStart, std::size_t limit = 10,
                                const ClaimRoom& room = {}) {
    return batch(limit, room, now, worker).jobs;
  }
  Claim batch(std::size_t limit, const ClaimRoom& room, Time now = kStart,
              std::optional<domain::InstanceId> worker = {}) {
    auto claimed = in_tx<Claim>([&](Tx& tx) { return claim_batch(tx, worker.value_or(alice_), limit, room, now); });
    EXPECT_TRUE(claimed) << claimed.error().text;
    return claimed.value_or(Claim{});
  }
  static AttemptResult result_of(const ClaimedJob& claimed, domain::Outcome outcome, domain::JobState next,
                                 std::optional<Time> at = {}) {
    AttemptResult out;
    out.job = claimed.id;
    out.attempt = claimed.attempt;
    out.lease_epoch = claimed.lease_epoch;
    out.outcome = outcome;
    out.duration_us = 1234;
    out.next = next;
    out.next_at = at;
    out.action_id = claimed.action_id;
    return out;
  }
  std::int64_t finish(std::vector<AttemptResult> results, Time now = kStart) {
    auto taken = in_tx<std::int64_t>([&](Tx& tx) { return finish_attempts(tx, results, now); });
    EXPECT_TRUE(taken) << taken.error().text;
    return taken.value_or(-1);
  }
  std::int64_t recover(Time silent_since, domain::InstanceId me = {}) {
    return in_tx<std::int64_t>([&](Tx& tx) { return recover_jobs(tx, silent_since, kStart, me); }).value();
  }
  void remove(domain::InstanceId worker) {
    ASSERT_TRUE(in_tx<void>([&](Tx& tx) { return remove_instance(tx, worker); }));
  }
  Rows look(const std::string& name) {
    return db().query_blocking(kLook, Params().blob("job", hash_of(name).view())).value();
  }
  std::string state(const std::string& name) { return look(name).text(0, 0); }
  Rows attempts(const std::string& name) {
    return db().query_blocking(kAttempts, Params().blob("job", hash_of(name).view())).value();
  }
  static std::vector<std::string> names(const std::vector<ClaimedJob>& jobs) {
    std::vector<std::string> out;
    for (const auto& each : jobs) out.push_back(each.event_id);
    return out;
  }

  domain::OrganizationId organization_ = domain::OrganizationId::make(kStart);
  domain::TriggerId trigger_ = domain::TriggerId::make(kStart);
  domain::InstanceId alice_ = domain::InstanceId::make(kStart), bob_ = domain::InstanceId::make(kStart);
};

TEST_P(Jobs, AClaimedJobIsInvisibleToOthersAndItsAttemptIsDurable) {
  insert({job("a")});
  const auto first = claim(alice_);
  ASSERT_THAT(names(first), ElementsAre("a"));
  EXPECT_EQ(first[0].attempt, 1);
  EXPECT_EQ(first[0].lease_epoch, 1);
  EXPECT_EQ(first[0].body, "body of a");
  EXPECT_EQ(first[0].request_id, "req-a");
  EXPECT_EQ(first[0].endpoint, "https://example.org:443");
  EXPECT_FALSE(first[0].action_exists);
  EXPECT_THAT(claim(bob_), IsEmpty());
  const auto rows = attempts("a");
  ASSERT_EQ(rows.size(), 1U);
  EXPECT_TRUE(rows.is_null(0, 1)) << "under way";
  EXPECT_EQ(state("a"), "leased");
}

TEST_P(Jobs, ResultsOfABatchAreEachTheirOwn) {
  insert({job("good"), job("retry"), job("bad"), job("old")});
  const auto claimed = claim(alice_);
  ASSERT_EQ(claimed.size(), 4U);
  std::vector<AttemptResult> results;
  for (const auto& each : claimed) {
    AttemptResult r = result_of(each, domain::Outcome::ok, domain::JobState::succeeded);
    r.status = 204;
    if (each.event_id == "retry") {
      r = result_of(each, domain::Outcome::network, domain::JobState::pending, kStart + std::chrono::seconds(5));
      r.excerpt = "it's \"quoted\" \\ \xc3\xa9";
    } else if (each.event_id == "bad") {
      r = result_of(each, domain::Outcome::http, domain::JobState::dead);
      r.status = 404;
      r.reason = "HTTP 404 is not retried";
    } else if (each.event_id == "old") {
      r = result_of(each, domain::Outcome::refused, domain::JobState::expired);
      r.reason = "too old";
    }
    results.push_back(r);
  }
  EXPECT_EQ(finish(results, kStart + std::chrono::seconds(1)), 4);
  EXPECT_EQ(state("good"), "succeeded");
  EXPECT_EQ(look("good").time(0, 5), kStart + std::chrono::seconds(1));
  EXPECT_TRUE(look("good").is_null(0, 1));
  EXPECT_EQ(attempts("good").i64(0, 2), 204);
  EXPECT_EQ(attempts("good").i64(0, 3), 1234);
  EXPECT_EQ(state("retry"), "pending");
  EXPECT_EQ(look("retry").time(0, 4), kStart + std::chrono::seconds(5));
  EXPECT_TRUE(look("retry").is_null(0, 5));
  EXPECT_EQ(attempts("retry").text(0, 1), "network");
  EXPECT_TRUE(attempts("retry").is_null(0, 2));
  EXPECT_EQ(attempts("retry").text(0, 4), "it's \"quoted\" \\ \xc3\xa9");
  EXPECT_EQ(state("bad"), "dead");
  EXPECT_EQ(look("bad").text(0, 1), "HTTP 404 is not retried");
  EXPECT_EQ(state("old"), "expired");

  // The retry comes when it is due, as attempt 2, with the same id and bytes.
  EXPECT_THAT(claim(bob_, kStart + std::chrono::milliseconds(4999)), IsEmpty());
  const auto second = claim(bob_, kStart + std::chrono::seconds(5));
  ASSERT_THAT(names(second), ElementsAre("retry"));
  EXPECT_EQ(second[0].attempt, 2);
  EXPECT_EQ(second[0].lease_epoch, 2);
  EXPECT_EQ(second[0].body, "body of retry");
}

TEST_P(Jobs, AWorkerThatIsGoneLeavesUnknownAndItsLateResultIsDropped) {
  insert({job("a"), job("b")});
  const auto held = claim(alice_, kStart, 1);
  const auto living = claim(bob_, kStart, 1);
  ASSERT_EQ(held.size() + living.size(), 2U);
  EXPECT_EQ(recover(kStart - std::chrono::hours(1)), 0) << "both beat";
  remove(alice_);
  EXPECT_EQ(recover(kStart - std::chrono::hours(1), alice_), 0) << "nobody takes its own jobs from itself";
  EXPECT_EQ(recover(kStart - std::chrono::hours(1)), 1);
  const std::string name = held[0].event_id;
  EXPECT_EQ(state(name), "pending");
  EXPECT_EQ(attempts(name).text(0, 1), "unknown");
  EXPECT_EQ(state(living[0].event_id), "leased");

  const auto late = result_of(held[0], domain::Outcome::ok, domain::JobState::succeeded);
  EXPECT_EQ(finish({late}), 0);
  EXPECT_EQ(state(name), "pending");
  const auto again = claim(bob_);
  ASSERT_THAT(names(again), ElementsAre(name));
  EXPECT_EQ(again[0].id, held[0].id);
  EXPECT_EQ(again[0].body, held[0].body);
  EXPECT_EQ(again[0].attempt, 2);
  EXPECT_EQ(finish({late}), 0) << "the epoch has moved on";
  EXPECT_EQ(attempts(name).text(0, 1), "unknown");
  EXPECT_TRUE(attempts(name).is_null(1, 1));
  EXPECT_EQ(finish({result_of(again[0], domain::Outcome::ok, domain::JobState::succeeded)}), 1);
  EXPECT_EQ(finish({result_of(again[0], domain::Outcome::http, domain::JobState::dead)}), 0) << "a result counts once";
  EXPECT_EQ(state(name), "succeeded");
}

TEST_P(Jobs, ASilentWorkerCountsAsGone) {
  insert({job("a")});
  ASSERT_EQ(claim(alice_).size(), 1U);
  EXPECT_EQ(recover(kStart - std::chrono::hours(1)), 0);
  EXPECT_EQ(recover(from_unix_seconds(4'000'000'000)), 1);
}

TEST_P(Jobs, TheSameOccurrenceTwiceIsOneJob) {
  insert({job("a")});
  auto again = job("a");
  again.block_hash = hash_of("another block");
  again.body = "rendered anew";
  insert({again}, kStart + std::chrono::seconds(1));
  EXPECT_EQ(look("a").text(0, 3), "rendered anew") << "nothing was sent yet";
  auto claimed = claim(alice_, kStart + std::chrono::seconds(1));
  ASSERT_EQ(claimed.size(), 1U);
  insert({job("a")}, kStart + std::chrono::seconds(2));
  EXPECT_EQ(look("a").text(0, 3), "rendered anew") << "same id, same bytes from the first attempt on";
  EXPECT_EQ(state("a"), "leased");
  EXPECT_EQ(finish({result_of(claimed[0], domain::Outcome::ok, domain::JobState::succeeded)}), 1);
  insert({job("a")}, kStart + std::chrono::seconds(3));
  EXPECT_EQ(state("a"), "succeeded");
  EXPECT_THAT(claim(alice_, kStart + std::chrono::seconds(9)), IsEmpty());
}

TEST_P(Jobs, AReorgCancelsWhatWasNotSentAndRevivesIt) {
  insert({job("unsent"), job("sent"), job("flying")});
  std::vector<ClaimedJob> claimed = claim(alice_);
  for (const auto& each : claimed) {
    if (each.event_id == "sent") finish({result_of(each, domain::Outcome::ok, domain::JobState::succeeded)});
    if (each.event_id == "unsent")
      finish({result_of(each, domain::Outcome::network, domain::JobState::pending, kStart)});
  }
  const auto orphan = [&] {
    return in_tx<std::int64_t>([&](Tx& tx) { return orphan_jobs(tx, kChain, hash_of("block"), kStart); }).value();
  };
  EXPECT_EQ(orphan(), 1);
  EXPECT_EQ(state("unsent"), "cancelled");
  EXPECT_EQ(look("unsent").text(0, 1), "orphaned");
  EXPECT_EQ(state("sent"), "succeeded");
  EXPECT_EQ(state("flying"), "leased");
  EXPECT_THAT(claim(bob_), IsEmpty());
  // What was under way is not tried again once its block is gone.
  for (const auto& each : claimed) {
    if (each.event_id == "flying")
      EXPECT_EQ(finish({result_of(each, domain::Outcome::network, domain::JobState::pending, kStart)}), 1);
  }
  EXPECT_EQ(state("flying"), "cancelled");

  auto back = job("unsent");
  back.block_hash = hash_of("the other branch");
  back.body = "other bytes";
  insert({back}, kStart);
  const auto revived = claim(bob_);
  ASSERT_THAT(names(revived), ElementsAre("unsent"));
  EXPECT_EQ(revived[0].id, hash_of("unsent"));
  EXPECT_EQ(revived[0].attempt, 2);
  EXPECT_EQ(revived[0].body, "body of unsent") << "an attempt exists, so the bytes stay";
  EXPECT_EQ(orphan(), 0) << "it belongs to the other branch now";
}

TEST_P(Jobs, HeldJobsWaitForTheirConfirmations) {
  const auto append = [&](const std::string& name) {
    IngestedBlock block;
    block.block = {hash_of(name), 100, hash_of("parent"), kStart, kStart};
    return in_tx<void>([&](Tx& tx) { return append_blocks(tx, kChain, 1, {block}, {}, {}, {}, kStart); });
  };
  ASSERT_TRUE(in_tx<ChainRow>([](Tx& tx) { return attach_chain(tx, kChain, "test", 100, 100, 1, kStart); }));
  ASSERT_TRUE(append("fork"));
  ASSERT_TRUE(in_tx<void>([&](Tx& tx) { return rewind_chain(tx, kChain, 1, 99, hash_of("parent"), kStart); }));
  ASSERT_TRUE(append("block"));
  auto held = job("held");
  held.hold_until_block = 110;
  auto doomed = job("doomed");
  doomed.hold_until_block = 110;
  doomed.block_hash = hash_of("fork");
  insert({held, doomed});
  EXPECT_THAT(claim(alice_), IsEmpty());
  const auto release = [&](std::uint64_t head, domain::ChainId chain = kChain) {
    return in_tx<std::int64_t>([&](Tx& tx) { return release_held_jobs(tx, chain, head, kStart); }).value();
  };
  EXPECT_EQ(release(109), 0);
  EXPECT_EQ(release(110, 1), 0) << "another chain's head";
  EXPECT_EQ(release(110), 1);
  EXPECT_THAT(names(claim(alice_)), ElementsAre("held"));
  EXPECT_EQ(state("doomed"), "held") << "its block is no part of the chain";
  ASSERT_TRUE(in_tx<std::int64_t>([&](Tx& tx) { return orphan_jobs(tx, kChain, hash_of("fork"), kStart); }));
  EXPECT_EQ(state("doomed"), "cancelled");
}

TEST_P(Jobs, DeletingATriggerOrActionCancelsWhatIsUnsent) {
  auto other_action = job("b");
  other_action.action_id = 8;
  auto other_trigger = job("c");
  other_trigger.trigger_id = domain::TriggerId::make(kStart);
  insert({job("a"), other_action, other_trigger});
  const auto cancel = [&](std::optional<domain::ActionId> action) {
    return in_tx<std::int64_t>([&](Tx& tx) { return cancel_jobs(tx, trigger_, action, "deleted", kStart); }).value();
  };
  EXPECT_EQ(cancel(8), 1);
  EXPECT_EQ(state("a"), "pending");
  EXPECT_EQ(cancel(std::nullopt), 1);
  EXPECT_EQ(look("a").text(0, 1), "deleted");
  EXPECT_EQ(state("c"), "pending");
}

TEST_P(Jobs, WhatCouldNotBeRenderedIsDeadAndVisible) {
  auto broken = job("a");
  broken.body.reset();
  broken.dead_reason = "the template names an unknown field";
  insert({broken});
  EXPECT_EQ(state("a"), "dead");
  EXPECT_THAT(claim(alice_), IsEmpty());
  const auto page = in_tx<DeliveryPage>([&](Tx& tx) { return list_deliveries(tx, trigger_, 10, 0); }).value();
  ASSERT_EQ(page.rows.size(), 1U);
  EXPECT_EQ(page.rows[0].reason, "the template names an unknown field");
  EXPECT_EQ(in_tx<JobCounts>([](Tx& tx) { return count_jobs(tx); })->dead, 1);
}

TEST_P(Jobs, TheLongestDueComeFirstAndByPriorityAmongThose) {
  auto urgent = job("urgent");
  urgent.priority = -5;
  insert({job("old")}, kStart - std::chrono::seconds(2));
  insert({job("middle")}, kStart - std::chrono::seconds(1));
  insert({urgent}, kStart);
  EXPECT_THAT(names(claim(alice_, kStart, 2)), ElementsAre("old", "middle"));
  insert({job("x")}, kStart - std::chrono::seconds(1));
  EXPECT_THAT(names(claim(alice_, kStart, 2)), ElementsAre("urgent", "x"));
}

TEST_P(Jobs, NobodysAlertWaitsForTheBacklogOfOthers) {
  std::vector<NewJob> backlog;
  for (int i = 0; i < 70; ++i) backlog.push_back(job(fmt::format("a{}", i)));
  insert(backlog, kStart - std::chrono::seconds(1));
  ClaimRoom room;
  room.usual = 100;
  auto& full = room.lanes[{organization_, "https://example.org:443"}];
  full.pace = std::chrono::milliseconds(1);
  // Its turn comes soon: everything stays where it is.
  const auto nothing = batch(1, room);
  EXPECT_TRUE(nothing.more);
  EXPECT_THAT(nothing.jobs, IsEmpty());
  EXPECT_EQ(nothing.without_room, kFewestLooks);
  EXPECT_THAT(nothing.lane_slots, IsEmpty());
  // Only 64 of the 70 are looked at, and still this one is seen.
  insert({job("b", "https://b.example:443")});
  EXPECT_THAT(names(batch(1, room).jobs), ElementsAre("b"));
  // A slow lane makes way, but for those whose turn comes soon.
  full.pace = std::chrono::milliseconds(100);
  const auto slow = batch(1, room);
  EXPECT_THAT(slow.jobs, IsEmpty());
  EXPECT_EQ(slow.without_room, 2U);
  ASSERT_EQ(slow.lane_slots.size(), 1U);
  EXPECT_EQ(slow.lane_slots.begin()->second, kStart + std::chrono::milliseconds(6400));
  EXPECT_EQ(slow.next_due, kStart + std::chrono::milliseconds(300));
  // Nothing is lost: what was put back comes in its slot.
  room.lanes.clear();
  EXPECT_EQ(batch(100, room).jobs.size(), 8U);
  EXPECT_EQ(batch(100, room, kStart + std::chrono::seconds(7)).jobs.size(), 62U);
}

TEST_P(Jobs, AFullLaneStaysWhenNobodyWaitsBehindIt) {
  ClaimRoom room;
  room.usual = 1;
  insert({job("a1"), job("a2"), job("a3")});
  const auto first = batch(2, room);
  EXPECT_EQ(first.jobs.size(), 1U);
  EXPECT_FALSE(first.more);
  EXPECT_EQ(first.without_room, 2U);
  EXPECT_THAT(first.lane_slots, IsEmpty());
}

TEST_P(Jobs, AClosedLaneWaitsUntilItOpens) {
  insert({job("a"), job("b", "https://b.example:443")});
  ClaimRoom room;
  auto& closed = room.lanes[{organization_, "https://example.org:443"}];
  closed.closed = true;
  closed.next_slot = kStart + std::chrono::seconds(20);
  EXPECT_THAT(names(batch(10, room).jobs), ElementsAre("b"));
  EXPECT_THAT(batch(10, {}, kStart + std::chrono::seconds(20)).jobs, IsEmpty());
  EXPECT_THAT(names(batch(10, {}, kStart + std::chrono::seconds(21)).jobs), ElementsAre("a"));
}

TEST_P(Jobs, OrganizationsAtTheSameReceiverDoNotWaitForEachOther) {
  auto other = job("other");
  other.organization_id = domain::OrganizationId::make(kStart);
  insert({job("a1"), job("a2"), other});
  ClaimRoom room;
  room.usual = 1;
  const auto got = names(batch(10, room).jobs);
  EXPECT_EQ(got.size(), 2U);
  EXPECT_NE(std::find(got.begin(), got.end(), "other"), got.end());
  ClaimRoom shut;
  shut.usual_per_organization = 0;
  EXPECT_THAT(batch(10, shut).jobs, IsEmpty());
}

TEST_P(Jobs, WorkersShareABacklogWithoutOverlap) {
  std::vector<NewJob> jobs;
  for (int i = 0; i < 200; ++i)
    jobs.push_back(job(std::to_string(i), "https://" + std::to_string(i % 20) + ".example:443"));
  insert(jobs);
  std::vector<std::vector<ClaimedJob>> taken(4);
  std::vector<std::thread> threads;
  for (int t = 0; t < 4; ++t) {
    threads.emplace_back([&, t] {
      // Somebody else may hold the rows that this one looks at, so an empty answer is not the end.
      for (int empty = 0; empty < 20;) {
        auto got = db().transact_blocking<Claim>(
            Priority::interactive, [&](Tx& tx) { return claim_batch(tx, t % 2 == 0 ? alice_ : bob_, 7, {}, kStart); });
        ASSERT_TRUE(got) << got.error().text;
        if (got->jobs.empty()) ++empty;
        for (auto& each : got->jobs) taken[static_cast<std::size_t>(t)].push_back(std::move(each));
      }
    });
  }
  for (auto& thread : threads) thread.join();
  std::vector<std::string> all;
  for (const auto& some : taken) {
    for (const auto& each : some) all.push_back(each.event_id);
  }
  EXPECT_EQ(all.size(), 200U);
  std::sort(all.begin(), all.end());
  EXPECT_EQ(std::unique(all.begin(), all.end()), all.end());
}

TEST_P(Jobs, CountsAndNextDue) {
  insert({job("a")});
  insert({job("later")}, kStart + std::chrono::seconds(30));
  auto held = job("held");
  held.hold_until_block = 500;
  insert({held});
  const auto claimed = batch(10, {});
  EXPECT_EQ(claimed.jobs.size(), 1U);
  EXPECT_EQ(claimed.next_due, kStart + std::chrono::seconds(30));
  const auto counts = in_tx<JobCounts>([](Tx& tx) { return count_jobs(tx); }).value();
  EXPECT_EQ(counts.leased, 1);
  EXPECT_EQ(counts.pending, 1);
  EXPECT_EQ(counts.held, 1);
  const auto oldest = [&] { return in_tx<std::optional<Time>>([](Tx& tx) { return oldest_due_job(tx); }).value(); };
  EXPECT_EQ(oldest(), kStart + std::chrono::seconds(30)) << "the other one is under way";
  ASSERT_TRUE(in_tx<std::int64_t>([&](Tx& tx) { return cancel_jobs(tx, trigger_, std::nullopt, "x", kStart); }));
  EXPECT_EQ(oldest(), std::nullopt);
}

INSTANTIATE_TEST_SUITE_P(Engines, Jobs, testing::kEngines, testing::engine_name);

}   // namespace
}   // namespace agentauri::store
