// Jobs and attempts in the store, the same on SQLite and PostgreSQL. Inserted by the engine in the transaction that
// advances its cursor; claimed and finished by workers.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "domain/job.hpp"
#include "store/database.hpp"

namespace agentauri::store {

struct NewJob {
  domain::JobId id;
  domain::OrganizationId organization_id;
  domain::TriggerId trigger_id;
  domain::ActionId action_id = 0;
  domain::ActionType action_type = domain::ActionType::rest;
  std::string kind = "alert";
  std::int32_t priority = 0;
  domain::ChainId chain_id = 0;
  std::uint64_t block_num = 0;
  Hash32 block_hash;
  std::int64_t seq = 0;
  std::optional<std::uint64_t> hold_until_block;   // set: waits until the head reaches it
  std::string event_id;
  std::string event_data;   // JSON
  std::optional<std::string> body;
  std::optional<std::string> dead_reason;   // the body could not be rendered: the job is dead at once, and visible
  std::string explanation;                  // JSON
  std::optional<std::string> endpoint;
  std::optional<Time> expires_at;
  std::string request_id;

  std::size_t text_bytes() const { return event_data.size() + explanation.size() + (body ? body->size() : 0); }
};

// The chain as a transaction that inserts jobs sees it.
struct ChainView {
  std::uint64_t head = 0;
  std::set<Hash32> left;   // blocks that are not part of it any more, or not for now

  // What the job has to wait for: nothing once it has its confirmations. A job whose block has left waits whatever it
  // was to wait for, until the engine reads of it, or until the block is back.
  std::optional<std::uint64_t> hold_of(const NewJob& job) const;
};
// From here to the end of the transaction the chain stays as it is: no block joins, none leaves. Before any job is
// touched, as the indexer locks in that order too.
Result<void> hold_chain_still(Tx& tx, domain::ChainId chain);
Result<std::set<Hash32>> blocks_that_left(Tx& tx, domain::ChainId chain, std::uint64_t from, std::uint64_t to);

// Inserts what is new. A job that exists keeps its state, attempts and, once attempted, its body; one that a reorg
// cancelled is revived; its block becomes the new one. Returns how many rows were written.
// `view`: decides which of them are held; without it, those with a hold_until_block.
Result<std::int64_t> insert_jobs(Tx& tx, const std::vector<NewJob>& jobs, Time now, const ChainView* view = nullptr);

// The block left the chain: unsent jobs are cancelled with reason `orphaned`, the others marked orphaned.
Result<std::int64_t> orphan_jobs(Tx& tx, domain::ChainId chain, const Hash32& block_hash, Time now);
// Held jobs whose block is part of the chain and has enough confirmations become pending, due now or when they are due.
Result<std::int64_t> release_held_jobs(Tx& tx, domain::ChainId chain, std::uint64_t head, Time now);
// A deleted trigger or action cancels its unsent jobs. action: nullopt = all of the trigger.
Result<std::int64_t> cancel_jobs(Tx& tx, domain::TriggerId trigger, std::optional<domain::ActionId> action,
                                 std::string_view reason, Time now);

// A job as a worker needs it, with the attempt that was written for it.
struct ClaimedJob {
  domain::JobId id;
  domain::OrganizationId organization_id;
  domain::TriggerId trigger_id;
  domain::ActionId action_id = 0;
  domain::ActionType action_type = domain::ActionType::rest;
  std::string kind = "alert";
  std::int32_t attempt = 1;       // n of the attempt row, already durable when the claim returns
  std::int32_t ladder_from = 0;   // attempts up to this one are of an earlier life (dead_jobs.hpp)
  std::int64_t lease_epoch = 0;
  std::string event_id, event_data, request_id;
  std::optional<std::string> body;
  std::optional<std::string> endpoint;
  std::optional<Time> expires_at;
  Time created_at;
  // Of the action, read at this attempt:
  bool action_exists = false;
  std::string action_config;
  std::optional<std::string> signing_secret, previous_signing_secret;   // enc:v1
  std::optional<Time> previous_expires_at;
  std::optional<std::string> disabled_reason;
};

// The jobs of one organization for one endpoint. Organizations that use the same receiver do not wait for each other.
struct LaneKey {
  domain::OrganizationId organization;
  std::string endpoint;   // empty: the action has none
  auto operator<=>(const LaneKey&) const = default;
};

// What may be claimed now. Lanes and organizations that are not named have the usual room.
struct ClaimRoom {
  struct Place {
    std::size_t rest = 0;                   // so many more
    bool closed = false;                    // a failing receiver: its jobs wait until `next_slot`
    Time next_slot;                         // where the next job that finds no room is put back to
    std::chrono::microseconds pace{1000};   // from one such job to the next
  };
  std::map<LaneKey, Place> lanes;
  std::map<domain::OrganizationId, Place> organizations;
  std::size_t usual = 16;
  std::size_t usual_per_organization = 256;
};

// The longest put-back: what a worker knows of a receiver is worth no more.
inline constexpr std::chrono::seconds kMaxPutBack{300};
// So many jobs are looked at for each that may be claimed, and never fewer than these.
inline constexpr std::size_t kLooks = 2;
inline constexpr std::size_t kFewestLooks = 64;

struct Claim {
  std::vector<ClaimedJob> jobs;
  bool more = false;                    // due jobs may be left that nobody has looked at
  std::size_t without_room = 0;         // due jobs that were left where they are
  std::optional<Time> next_due;         // of the first job that is not due yet
  std::map<LaneKey, Time> lane_slots;   // the last slot that was given away, where jobs were put back
  std::map<domain::OrganizationId, Time> organization_slots;
};

// Takes up to `limit` due jobs, the longest due first and by priority (lower first) among those; leases them to
// `worker` and writes their attempt rows in the same transaction. When more are due than can be looked at, those that
// have just become due are looked at too, for lanes without a queue. A job that finds no room stays; in a long queue
// one that will not find it soon is put back to a later slot, so that it does not stand before the jobs of others.
Result<Claim> claim_batch(Tx& tx, domain::InstanceId worker, std::size_t limit, const ClaimRoom& room, Time now);

// How an attempt ended and what follows.
struct AttemptResult {
  domain::JobId job;
  std::int32_t attempt = 1;
  std::int64_t lease_epoch = 0;
  domain::Outcome outcome = domain::Outcome::ok;
  std::optional<int> status;
  std::int64_t duration_us = 0;
  std::string excerpt;                                   // at most 4 KiB
  domain::JobState next = domain::JobState::succeeded;   // succeeded, pending (retry), dead, expired
  std::optional<Time> next_at;                           // of a retry
  std::string reason;                                    // of dead and expired
  bool disable_action = false;                           // 410 Gone
  domain::ActionId action_id = 0;
};
// Results whose lease has passed to somebody else are dropped (the attempt is `unknown` by then). An orphaned job is
// cancelled instead of retried. At most one result for each job. An action is disabled only if it was not edited since
// the attempt began. Returns how many were taken.
Result<std::int64_t> finish_attempts(Tx& tx, const std::vector<AttemptResult>& results, Time now);

// Leased jobs of instances that are gone: their open attempt becomes `unknown`, they are due again at once. Never those
// of `me`, who lives whatever its heartbeat says. Returns how many.
Result<std::int64_t> recover_jobs(Tx& tx, Time silent_since, Time now, domain::InstanceId me = {});

// What is leased to a worker, whether it knows of it or not: the answer to a claim may be lost after its commit.
struct LeasedJob {
  domain::JobId id;
  std::int64_t lease_epoch = 0;
};
Result<std::vector<LeasedJob>> leased_jobs(Tx& tx, domain::InstanceId me);
// Those of `jobs` that `me` still holds under that epoch: as recover_jobs(). Returns how many.
Result<std::int64_t> give_back_jobs(Tx& tx, domain::InstanceId me, const std::vector<LeasedJob>& jobs, Time now);

// Those that have not ended well; the others are a history that only grows.
struct JobCounts {
  std::int64_t held = 0, pending = 0, leased = 0, dead = 0;
};
Result<JobCounts> count_jobs(Tx& tx);

// For the API: deliveries of a trigger, newest first, with their attempts.
struct AttemptRow {
  std::int32_t n = 1;
  Time intended_at;
  std::optional<Time> finished_at;
  std::optional<std::string> outcome;   // nullopt while under way
  std::optional<std::int64_t> status, duration_us;
  std::optional<std::string> excerpt;
  std::string request_id;
};
struct Delivery {
  domain::JobId id;
  domain::ActionId action_id = 0;
  std::string action_type, kind, state, event_id, explanation;
  std::optional<std::string> reason;
  bool orphaned = false;
  domain::ChainId chain_id = 0;
  std::int64_t block_num = 0;
  std::int32_t attempts = 0;
  std::optional<Time> next_at;   // of pending jobs
  Time created_at;
  std::optional<Time> finished_at;
  std::vector<AttemptRow> tries;
};
struct DeliveryPage {
  std::vector<Delivery> rows;
  std::int64_t total = 0;   // counted to kMaxCounted (counting.hpp)
};
Result<DeliveryPage> list_deliveries(Tx& tx, domain::TriggerId trigger, std::int64_t limit, std::int64_t offset);

}   // namespace agentauri::store
