// Statements whose cost must not grow with history: SQLite says which index each of them would use.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <list>

#include "store/testing/temp_database.hpp"

namespace agentauri::store {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

class QueryPlans : public ::testing::Test {
 protected:
  std::string plan_of(std::string_view name) {
    const auto& all = all_queries();
    const auto found = std::find_if(all.begin(), all.end(), [&](const Query* query) { return query->name == name; });
    if (found == all.end()) return fmt::format("there is no statement {}", name);
    const std::string& sql = texts_.emplace_back(fmt::format("EXPLAIN QUERY PLAN {}", (*found)->sql));
    const Query& explain = queries_.emplace_back(Query::Unlisted{}, "test_plan", sql);
    // Any parameters do: they are not looked at.
    Params params;
    for (const char* parameter :
         {"before",  "batch",  "after",   "end",    "num",          "seq",      "limit",      "chain",    "below",
          "trigger", "action", "reason",  "now",    "yes",          "registry", "event_type", "agent_id", "search",
          "offset",  "me",     "from",    "to",     "organization", "all",      "hash",       "soon",     "day_ago",
          "job",     "event",  "enabled", "follow", "id",           "txn",      "revision",   "agent",    "since",
          "h0",      "h1",     "h2",      "h3",     "h4",           "h5",       "h6",         "h7",       "h8",
          "h9",      "h10",    "h11",     "h12",    "h13",          "h14",      "h15"})
      params.null(parameter);
    const auto rows =
        temp_.db->transact_blocking<Rows>(Priority::interactive, [&](Tx& tx) { return tx.run(explain, params); });
    EXPECT_TRUE(rows) << name << ": " << rows.error().text;
    std::string out;
    for (std::size_t i = 0; rows && i < rows->size(); ++i) out += rows->text(i, 3) + "\n";
    return out;
  }

  // Prepared statements are known by their queries' places.
  std::list<std::string> texts_;
  std::list<Query> queries_;
  testing::TempDatabase temp_ = testing::make_temp_sqlite();
};

TEST_F(QueryPlans, WhatIsForgottenIsFoundByItsIndex) {
  EXPECT_THAT(plan_of("block_prune"), HasSubstr("blocks_without_events"));
  EXPECT_THAT(plan_of("job_cancel"), HasSubstr("jobs_unsent"));
  EXPECT_THAT(plan_of("session_delete_dead"), HasSubstr("sessions_by_end"));
  EXPECT_THAT(plan_of("session_delete_dead"), HasSubstr("sessions_revoked"));
  EXPECT_THAT(plan_of("refresh_token_delete_expired"), HasSubstr("refresh_tokens_by_end"));
  EXPECT_THAT(plan_of("refresh_token_delete_superseded"), HasSubstr("refresh_tokens_used"));
  EXPECT_THAT(plan_of("revocation_delete_old"), HasSubstr("revocations_by_time"));
  EXPECT_THAT(plan_of("job_leased"), HasSubstr("jobs_leased"));
  EXPECT_THAT(plan_of("job_oldest_due"), AllOf(HasSubstr("jobs_due"), Not(HasSubstr("TEMP B-TREE"))));
  EXPECT_THAT(plan_of("api_key_audit_delete_old"), HasSubstr("api_key_audit_by_time"));
  EXPECT_THAT(plan_of("api_key_calls"), Not(HasSubstr("SCAN api_key_audit")));
  EXPECT_THAT(plan_of("auth_failure_delete_old"), HasSubstr("auth_failures_by_time"));
  for (const char* name :
       {"block_prune", "job_cancel", "session_delete_dead", "refresh_token_delete_expired",
        "refresh_token_delete_superseded", "revocation_delete_old", "block_forks", "api_key_audit_delete_old",
        "auth_failure_delete_old", "api_key_list", "api_key_find_by_hash", "api_key_stats"})
    EXPECT_THAT(plan_of(name), Not(HasSubstr("SCAN"))) << name;
}

TEST_F(QueryPlans, WhatATriggerHasOfItsOwnIsFoundByItsIndex) {
  EXPECT_THAT(plan_of("dead_job_list"), HasSubstr("jobs_dead (trigger_id=?)"));
  EXPECT_THAT(plan_of("dead_job_list"), Not(HasSubstr("TEMP B-TREE FOR ORDER BY")));
  for (const char* name : {"dead_job_count", "dead_job_lock_event", "dead_job_lock_replayable", "dead_job_purge"})
    EXPECT_THAT(plan_of(name), HasSubstr("jobs_dead")) << name;
  EXPECT_THAT(plan_of("follow_list"), HasSubstr("agent_follows_by_organization"));
  EXPECT_THAT(plan_of("event_find"), HasSubstr("events_by_txn"));
  for (const char* name : {"follow_list", "follow_find", "follow_parts", "follow_actions", "trigger_delete_follow",
                           "breaker_read", "event_find", "dead_job_lock"})
    EXPECT_THAT(plan_of(name), Not(HasSubstr("SCAN"))) << name;
}

TEST_F(QueryPlans, EventsAreListedInTheOrderOfAnIndex) {
  EXPECT_THAT(plan_of("event_list"), HasSubstr("events_by_time"));
  EXPECT_THAT(plan_of("event_list_agent"), HasSubstr("events_by_agent (agent_id=?)"));
  EXPECT_THAT(plan_of("event_list_type"), HasSubstr("events_by_type (event_type=?)"));
  EXPECT_THAT(plan_of("event_list_chain"), HasSubstr("events_by_chain (chain_id=?)"));
  for (const char* name : {"event_list", "event_list_agent", "event_list_type", "event_list_chain"})
    EXPECT_THAT(plan_of(name), Not(HasSubstr("TEMP B-TREE FOR ORDER BY"))) << name;
  EXPECT_THAT(plan_of("event_count_agent"), HasSubstr("(agent_id=?)"));
}

TEST_F(QueryPlans, OldEventsAreFoundByTheirTime) {
  EXPECT_THAT(plan_of("event_forget"), HasSubstr("events_by_time (block_time<?)"));
  EXPECT_THAT(plan_of("event_forget_undo_window"), HasSubstr("blocks_by_num (chain_id=? AND num>?)"));
  for (const char* name : {"event_forget_unprocessed", "event_forget_first_kept", "event_forget_last_gone"}) {
    EXPECT_THAT(plan_of(name), HasSubstr("(chain_id=? AND seq>?")) << name;
    EXPECT_THAT(plan_of(name), Not(HasSubstr("SCAN"))) << name;
  }
  EXPECT_THAT(plan_of("event_forget_unfinished"), Not(HasSubstr("SCAN j")));
}

TEST_F(QueryPlans, TheStatusOfTheIndexerCountsNoEvents) {
  EXPECT_THAT(plan_of("event_newest"), HasSubstr("events_by_chain (chain_id>? AND chain_id<?)"));
  EXPECT_THAT(plan_of("event_newest"), Not(HasSubstr("TEMP B-TREE")));
  EXPECT_THAT(plan_of("indexer_heads"), Not(HasSubstr("SCAN b")));
  EXPECT_THAT(plan_of("event_count_of_blocks"), HasSubstr("(chain_id=? AND block_hash=?)"));
}

}   // namespace
}   // namespace agentauri::store
