#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/crypto/crypto.hpp"
#include "gateway/testing/gateway_fixture.hpp"
#include "store/jobs.hpp"
#include "store/leases.hpp"

namespace agentauri::gateway {
namespace {

using testing::Answer;
using testing::Call;
using testing::Harness;
using ::testing::HasSubstr;
using testing::HeaderList;

const std::string kHook = R"({"action_type":"rest","config":{"url":"https://example.org/hook"}})";

class DeadLettersApi : public testing::EngineHarness {
 protected:
  DeadLettersApi() {
    const auto made = h.post("/api/v1/triggers",
                             R"({"name":"t","registry":"reputation","actions":[)" + kHook + "," + kHook + "]}", user);
    EXPECT_EQ(made.status, 201) << made.text;
    trigger = *domain::TriggerId::parse(made.at("data.id"));
    path = "/api/v1/triggers/" + made.at("data.id");
    for (const auto* place : {"data.actions.0.id", "data.actions.1.id"}) actions.push_back(std::stoi(made.at(place)));
    EXPECT_TRUE(tx<void>(
        [this](store::Tx& t) { return store::register_instance(t, worker, store::this_process(), "worker"); }));
  }

  template <class T>
  Result<T> tx(std::move_only_function<Result<T>(store::Tx&)> body) {
    return h.db().transact_blocking<T>(store::Priority::interactive, std::move(body));
  }
  store::NewJob job(const std::string& name, int action = 0) {
    store::NewJob out;
    out.id = crypto::sha256(as_bytes(name + std::to_string(action)));
    out.organization_id = *domain::OrganizationId::parse(h.organization_id(user));
    out.trigger_id = trigger;
    out.action_id = actions[static_cast<std::size_t>(action)];
    out.chain_id = 7;
    out.block_num = 100;
    out.block_hash = crypto::sha256(as_bytes("block"));
    out.event_id = name;
    out.event_data = R"({"event_id":"e","score":42})";
    out.body = R"({"score":42})";
    out.explanation = R"({"decision":"match","steps":[]})";
    out.request_id = "req-" + name;
    return out;
  }
  std::string id(const std::string& name, int action = 0) {
    return to_hex(crypto::sha256(as_bytes(name + std::to_string(action))).view());
  }
  void insert(std::vector<store::NewJob> jobs) {
    ASSERT_TRUE(tx<std::int64_t>([&](store::Tx& t) { return store::insert_jobs(t, jobs, h.clock_.now()); }));
  }
  // Tried once, and given up.
  void die(std::vector<store::NewJob> jobs, domain::JobState end = domain::JobState::dead) {
    insert(std::move(jobs));
    const auto claimed =
        tx<store::Claim>([&](store::Tx& t) { return store::claim_batch(t, worker, 100, {}, h.clock_.now()); });
    ASSERT_TRUE(claimed);
    std::vector<store::AttemptResult> results;
    for (const auto& each : claimed->jobs) {
      store::AttemptResult result;
      result.job = each.id;
      result.attempt = each.attempt;
      result.lease_epoch = each.lease_epoch;
      result.outcome = end == domain::JobState::succeeded ? domain::Outcome::ok : domain::Outcome::http;
      result.status = 503;
      result.next = end;
      result.reason = end == domain::JobState::dead ? "gave up after 1 attempts" : "";
      result.action_id = each.action_id;
      results.push_back(result);
    }
    ASSERT_TRUE(tx<std::int64_t>([&](store::Tx& t) { return store::finish_attempts(t, results, h.clock_.now()); }));
    h.clock_.advance(std::chrono::seconds(1));
  }
  Answer replay(const std::string& what, const HeaderList& who) {
    return h.call({"POST", path + "/dlq/" + what + "/replay", std::nullopt, who});
  }
  Answer replay(const std::string& what) { return replay(what, user); }
  Answer replay_all(const std::string& query = "") {
    return h.call({"POST", path + "/dlq/replay" + query, std::nullopt, user});
  }
  // Of the delivery with this id.
  std::string delivery(const std::string& job_id, const std::string& member) {
    const auto all = h.get(path + "/deliveries?limit=100", user);
    for (std::size_t i = 0; i < all.find("data")->get_array().size(); ++i) {
      if (all.at(fmt::format("data.{}.id", i)) == job_id) return all.at(fmt::format("data.{}.{}", i, member));
    }
    return "<none>";
  }
  void run(const store::Query& query, store::Params params = {}) {
    ASSERT_TRUE(tx<bool>([&](store::Tx& t) -> Result<bool> {
      auto done = t.run(query, params);
      if (!done) return fail(done);
      return true;
    }));
  }

  HeaderList user = h.signed_in("orbit7");
  domain::TriggerId trigger;
  std::string path;
  std::vector<domain::ActionId> actions;
  domain::InstanceId worker = domain::InstanceId::make(h.clock_.now());
};

TEST_P(DeadLettersApi, ListsWhatIsDeadTheLastToDieFirst) {
  die({job("a")});
  die({job("b", 1)});
  die({job("c")}, domain::JobState::succeeded);
  insert({job("d")});
  const auto page = h.get(path + "/dlq", user);
  ASSERT_EQ(page.status, 200) << page.text;
  EXPECT_EQ(page.at("pagination.total"), "2");
  EXPECT_EQ(page.at("data.0.event_id"), "b");
  EXPECT_EQ(page.at("data.1.event_id"), "a");
  EXPECT_EQ(page.at("data.0.state"), "dead");
  EXPECT_EQ(page.at("data.0.reason"), "gave up after 1 attempts");
  EXPECT_EQ(page.at("data.0.attempts.0.outcome"), "http");
  EXPECT_EQ(h.get(path + "/dlq?limit=1&offset=1", user).at("data.0.event_id"), "a");
  EXPECT_EQ(h.get(path + "/dlq?limit=0", user).status, 400);
}

TEST_P(DeadLettersApi, AReplayKeepsIdBytesAndAttempts) {
  auto dead = job("a");
  dead.expires_at = h.clock_.now() + std::chrono::milliseconds(500);
  die({dead});
  const auto answer = replay(id("a"));
  ASSERT_EQ(answer.status, 202) << answer.text;
  EXPECT_EQ(answer.at("data.replayed"), "[\"" + id("a") + "\"]");
  EXPECT_EQ(answer.at("data.skipped"), "[]");
  EXPECT_EQ(answer.at("data.left"), "0");
  EXPECT_EQ(delivery(id("a"), "state"), "pending");
  EXPECT_EQ(delivery(id("a"), "reason"), "null");
  EXPECT_EQ(delivery(id("a"), "finished_at"), "null");
  EXPECT_EQ(delivery(id("a"), "attempt_count"), "1");
  EXPECT_EQ(delivery(id("a"), "attempts.0.outcome"), "http");
  const auto claim =
      tx<store::Claim>([&](store::Tx& t) { return store::claim_batch(t, worker, 10, {}, h.clock_.now()); });
  ASSERT_EQ(claim->jobs.size(), 1U);
  EXPECT_EQ(claim->jobs[0].id, dead.id);
  EXPECT_EQ(claim->jobs[0].body, dead.body);
  EXPECT_EQ(claim->jobs[0].attempt, 2);
  EXPECT_EQ(claim->jobs[0].ladder_from, 1) << "the waits start anew";
  EXPECT_EQ(claim->jobs[0].expires_at, std::nullopt) << "asked for by hand, whatever its age";
}

TEST_P(DeadLettersApi, AnEventMeansTheDeliveriesOfAllItsActions) {
  die({job("a"), job("a", 1), job("b")});
  const auto answer = replay("a");
  ASSERT_EQ(answer.status, 202) << answer.text;
  EXPECT_EQ(answer.find("data.replayed")->get_array().size(), 2U);
  EXPECT_EQ(answer.at("data.left"), "1");
  EXPECT_EQ(replay("a").at("message"), "Dead letter not found") << "nothing of it is dead any more";
}

TEST_P(DeadLettersApi, OnlyOneOfManyReplaysTakesIt) {
  die({job("a")});
  std::vector<Call> calls;
  for (int i = 0; i < 8; ++i) {
    calls.push_back(
        {"POST", path + "/dlq/" + (i % 2 == 0 ? id("a") : std::string("a")) + "/replay", std::nullopt, user});
    calls.push_back({"POST", path + "/dlq/replay", std::nullopt, user});
  }
  std::size_t replayed = 0;
  for (const auto& answer : h.call_all(std::move(calls))) {
    if (answer.status == 202)
      replayed += answer.find("data.replayed")->get_array().size();
    else
      EXPECT_TRUE(answer.status == 404 || answer.at("error") == "conflict") << answer.text;
  }
  EXPECT_EQ(replayed, 1U);
  EXPECT_EQ(h.get(path + "/deliveries", user).at("pagination.total"), "1");
}

const store::Query kDisable{store::Query::Unlisted{}, "test_disable_action",
                            "UPDATE trigger_actions SET disabled_reason = '410' WHERE id = :action"};
const store::Query kOrphan{store::Query::Unlisted{}, "test_orphan_job",
                           "UPDATE jobs SET orphaned = :yes WHERE id = :job"};

TEST_P(DeadLettersApi, WhatCannotBeSentSaysWhy) {
  die({job("disabled"), job("deleted", 1), job("orphaned")});
  die({job("sent")}, domain::JobState::succeeded);
  run(kOrphan, std::move(store::Params().boolean("yes", true).blob("job", job("orphaned").id.view())));
  EXPECT_EQ(replay(id("orphaned")).at("error"), "conflict");
  EXPECT_THAT(replay(id("orphaned")).at("message"), HasSubstr("left the chain"));
  EXPECT_EQ(h.erase(path + "/actions/" + std::to_string(actions[1]), user).status, 204);
  const auto deleted = replay(id("deleted", 1));
  EXPECT_EQ(deleted.status, 409);
  EXPECT_EQ(deleted.at("error"), "conflict");
  EXPECT_EQ(deleted.at("message"), "Its action has been deleted");
  EXPECT_EQ(replay(id("sent")).at("message"), "The delivery is not dead: it is succeeded");
  run(kDisable, std::move(store::Params().i64("action", actions[0])));
  EXPECT_EQ(replay("disabled").status, 409);
  EXPECT_THAT(replay("disabled").at("message"), HasSubstr("disabled (410)"));
  // Together they stand in nobody's way.
  const auto none = replay_all();
  EXPECT_EQ(none.status, 202);
  EXPECT_EQ(none.at("data.replayed"), "[]");
  EXPECT_EQ(none.at("data.left"), "3");
  EXPECT_EQ(
      h.put(path + "/actions/" + std::to_string(actions[0]), R"({"config":{"url":"https://example.org/new"}})", user)
          .status,
      200);
  EXPECT_EQ(replay_all().at("data.replayed"), "[\"" + id("disabled") + "\"]");
}

TEST_P(DeadLettersApi, ABatchIsBounded) {
  std::vector<store::NewJob> jobs;
  for (int i = 0; i < 5; ++i) jobs.push_back(job("e" + std::to_string(i)));
  die(std::move(jobs));
  for (const char* bad : {"?limit=0", "?limit=501", "?limit=-1"})
    EXPECT_EQ(replay_all(bad).at("error"), "validation_error") << bad;
  EXPECT_EQ(replay_all("?limit=x").at("error"), "bad_request");
  const auto first = replay_all("?limit=2");
  EXPECT_EQ(first.find("data.replayed")->get_array().size(), 2U);
  EXPECT_EQ(first.at("data.left"), "3");
  EXPECT_EQ(replay_all().at("data.left"), "0");
}

const store::Query kSpoil{store::Query::Unlisted{}, "test_spoil_action",
                          "UPDATE trigger_actions SET config = '{}' WHERE id = :action"};

// A body that could not be made is made again, with the action as it is now.
TEST_P(DeadLettersApi, WhatNeverHadABodyGetsOne) {
  const std::string action = path + "/actions/" + std::to_string(actions[0]);
  auto born_dead = job("a");
  born_dead.body.reset();
  born_dead.dead_reason = "the body could not be made: …";
  insert({born_dead});
  const auto body = [this, &born_dead]() -> std::string {
    const auto claim =
        tx<store::Claim>([&](store::Tx& t) { return store::claim_batch(t, worker, 10, {}, h.clock_.now()); });
    return claim->jobs.empty() || claim->jobs[0].id != born_dead.id ? "<none>"
                                                                    : claim->jobs[0].body.value_or("<no body>");
  };
  run(kSpoil, std::move(store::Params().i64("action", actions[0])));
  const auto refused = replay("a");
  EXPECT_EQ(refused.status, 409);
  EXPECT_THAT(refused.at("message"), HasSubstr("the body could not be made"));
  EXPECT_EQ(delivery(id("a"), "state"), "dead");
  EXPECT_EQ(h.put(action, R"({"config":{"url":"https://example.org/","body":{"was":"{{score}}"}}})", user).status, 200);
  EXPECT_EQ(replay("a").status, 202);
  EXPECT_EQ(body(), R"({"was":42})");
}

TEST_P(DeadLettersApi, WhatWaitedForConfirmationsWaitsAgain) {
  auto born_dead = job("a");
  born_dead.body.reset();
  born_dead.dead_reason = "no body";
  born_dead.hold_until_block = 1'000'000;
  insert({born_dead});
  EXPECT_EQ(replay("a").status, 202);
  EXPECT_EQ(delivery(id("a"), "state"), "held");
}

TEST_P(DeadLettersApi, WhatIsPutAwayIsNeverSent) {
  die({job("a"), job("a", 1), job("b"), job("c")});
  EXPECT_EQ(h.erase(path + "/dlq/" + id("b"), user).at("data.deleted"), "1");
  EXPECT_EQ(delivery(id("b"), "state"), "cancelled");
  EXPECT_EQ(delivery(id("b"), "reason"), "purged");
  EXPECT_EQ(replay(id("b")).status, 409);
  EXPECT_EQ(h.erase(path + "/dlq/" + id("b"), user).status, 404);
  EXPECT_EQ(h.erase(path + "/dlq/a", user).at("data.deleted"), "2");
  EXPECT_EQ(h.erase(path + "/dlq", user).at("data.deleted"), "1");
  EXPECT_EQ(h.erase(path + "/dlq", user).at("data.deleted"), "0");
  EXPECT_EQ(h.get(path + "/dlq", user).at("pagination.total"), "0");
  EXPECT_EQ(h.get(path + "/deliveries", user).at("pagination.total"), "4");
}

TEST_P(DeadLettersApi, NothingOfOthers) {
  die({job("a")});
  const auto stranger = h.signed_in("stranger");
  EXPECT_EQ(h.get(path + "/dlq", stranger).at("message"), "Trigger not found");
  EXPECT_EQ(replay(id("a"), stranger).at("message"), "Trigger not found");
  // Nor through a trigger of one's own.
  const auto own = h.post("/api/v1/triggers", R"({"name":"t","registry":"identity"})", stranger).at("data.id");
  for (const auto& what : {id("a"), std::string("a")}) {
    const auto answer =
        h.call({"POST", "/api/v1/triggers/" + own + "/dlq/" + what + "/replay", std::nullopt, stranger});
    EXPECT_EQ(answer.status, 404);
    EXPECT_EQ(answer.at("message"), "Dead letter not found");
    EXPECT_EQ(h.erase("/api/v1/triggers/" + own + "/dlq/" + what, stranger).status, 404);
  }
  const auto viewer = h.joined("viewer", "viewer", user);
  EXPECT_EQ(h.get(path + "/dlq", viewer).at("pagination.total"), "1");
  EXPECT_EQ(replay(id("a"), viewer).at("message"), "Insufficient permissions to replay dead letters");
  EXPECT_EQ(h.erase(path + "/dlq", viewer).at("message"), "Insufficient permissions to delete dead letters");
  EXPECT_EQ(delivery(id("a"), "state"), "dead");
  EXPECT_EQ(replay(id("a"), h.joined("member", "member", user)).status, 202);
}

INSTANTIATE_TEST_SUITE_P(Engines, DeadLettersApi, store::testing::kEngines, store::testing::engine_name);

}   // namespace
}   // namespace agentauri::gateway
