// A follower over a fake chain and a fake source, driven step by step, on both engines.
#pragma once

#include <gtest/gtest.h>

#include <memory>
#include <set>
#include <string>

#include "chain/fake/fake_source.hpp"
#include "chain/indexer/follower.hpp"
#include "store/testing/temp_database.hpp"

namespace agentauri::chain::testing {

inline constexpr domain::ChainId kChain = 31337;

class FollowerTest : public store::testing::EngineTest {
 protected:
  FollowerTest()
      : chain_(kChain, 1, from_unix_seconds(1'700'000'000), std::chrono::seconds(2)), source_(chain_, Faults{}) {}

  FollowerSettings settings() {
    FollowerSettings s;
    s.chain_id = kChain;
    s.name = "fake";
    s.contracts = contracts_.value_or(chain_.contracts());
    s.epoch = epoch_;
    s.finality_depth = 20;
    s.min_undo_blocks = 64;
    s.max_undo_blocks = 100;
    s.range_lag = 16;
    s.bloom_patience = std::chrono::milliseconds(0);
    s.lag_patience = std::chrono::milliseconds(0);
    return s;
  }
  void start() {
    follower_ = std::make_unique<ChainFollower>(source_, *temp_.db, clock_, settings(), metrics_, [] {});
    run_blocking([this]() -> Task<void> {
      const auto attached = co_await follower_->attach();
      EXPECT_TRUE(attached) << attached.error().text;
    });
  }
  // Until the head is reached (or the chain is halted), through whatever faults there are.
  void catch_up() {
    run_blocking([this]() -> Task<void> {
      for (int i = 0; i < 2000; ++i) {
        const auto found = co_await follower_->step_live();
        if (found && found->blocks == 0 && !found->again &&
            (follower_->head() == chain_.head().num || row().state == "halted"))
          co_return;
      }
      ADD_FAILURE() << "the head is never reached";
    });
  }
  void read_history() {
    run_blocking([this]() -> Task<void> {
      for (int i = 0; i < 10'000; ++i) {
        const auto more = co_await follower_->step_history();
        if (more && !*more) co_return;
      }
      ADD_FAILURE() << "history never ends";
    });
  }
  void feedback(int n = 1) {
    for (int i = 0; i < n; ++i) chain_.give_feedback(++agents_, 1, 87, 0, "starred", "");
  }
  void mine(int blocks, int every = 1) {
    for (int i = 0; i < blocks; ++i) {
      if (i % every == 0) feedback();
      chain_.mine();
    }
  }
  store::ChainRow row() {
    return **temp_.db->snapshot_blocking<std::optional<store::ChainRow>>(
        [](store::Tx& tx) { return store::find_chain(tx, kChain); });
  }
  std::set<std::string> stored() {
    std::set<std::string> out;
    for (std::int64_t offset = 0;; offset += 1000) {
      auto page = temp_.db->snapshot_blocking<store::EventPage>(
          [offset](store::Tx& tx) { return store::list_events(tx, {}, 1000, offset); });
      for (const auto& event : page->rows)
        out.insert(to_hex_0x(event.block_hash) + "/" + std::to_string(event.log_index));
      if (page->rows.size() < 1000) return out;
    }
  }
  std::set<std::string> on_chain(std::uint64_t from, std::uint64_t to) {
    std::set<std::string> out;
    for (const auto& log : chain_.logs(from, to)) out.insert(name_of(log));
    return out;
  }
  static std::string name_of(const RawLog& log) {
    return to_hex_0x(log.block_hash) + "/" + std::to_string(log.log_index);
  }
  // Ranges of one contract without gap or overlap, from `from` to the head.
  void expect_covered(std::uint64_t from) {
    auto ranges = temp_.db->snapshot_blocking<std::vector<store::CoverageRow>>(
        [](store::Tx& tx) { return store::read_coverage(tx, kChain); });
    for (const auto& address : chain_.contracts().all()) {
      std::uint64_t next = from;
      for (const auto& range : *ranges) {
        if (range.contract != address) continue;
        EXPECT_EQ(range.from_block, next);
        next = range.to_block + 1;
      }
      EXPECT_EQ(next, chain_.head().num + 1);
    }
  }

  // The block log, replayed: what joined and has not left is what the chain holds, each block joined once at a time.
  void expect_log_agrees(std::uint64_t live_from) {
    auto entries = temp_.db->snapshot_blocking<std::vector<store::LogEntry>>(
        [](store::Tx& tx) { return store::read_block_log(tx, kChain, 0, 100'000); });
    std::set<Hash32> present, expected;
    std::uint64_t last = 0;
    for (const auto& entry : *entries) {
      if (entry.op > 0) {
        EXPECT_TRUE(present.insert(entry.block_hash).second) << "joined twice";
        EXPECT_GT(entry.block_num, last) << "not in order";
        last = entry.block_num;
      } else {
        EXPECT_EQ(present.erase(entry.block_hash), 1U) << "left without having joined";
        EXPECT_EQ(entry.block_num, last) << "not from the top down";
        last = 0;
        for (const auto& hash : present) last = std::max(last, chain_.header(hash)->num);
      }
    }
    for (const auto& log : chain_.logs(live_from, chain_.head().num)) expected.insert(log.block_hash);
    EXPECT_EQ(present, expected);
  }
  Result<LiveStep> step() {
    Result<LiveStep> out;
    run_blocking([this, &out]() -> Task<void> { out = co_await follower_->step_live(); });
    return out;
  }
  void verify_all() {
    run_blocking([this]() -> Task<void> {
      for (int i = 0; i < 1000; ++i) {
        const auto verified = co_await follower_->step_verify();
        EXPECT_TRUE(verified) << verified.error().text;
        if (!verified || !*verified) co_return;
      }
    });
  }
  // A few blocks at a time, so that each is taken at the head.
  void mine_at_the_head(int blocks, int every = 1) {
    for (int done = 0; done < blocks; done += 4) {
      mine(std::min(4, blocks - done), every);
      catch_up();
    }
  }
  std::vector<store::CoverageRow> coverage() {
    return *temp_.db->snapshot_blocking<std::vector<store::CoverageRow>>(
        [](store::Tx& tx) { return store::read_coverage(tx, kChain); });
  }
  double metric(std::string_view name) { return metrics_.counter(name, "", {{"chain", "fake"}}).value(); }

  SystemClock clock_;
  Metrics metrics_;
  FakeChain chain_;
  FakeSource source_;
  std::unique_ptr<ChainFollower> follower_;
  std::uint64_t agents_ = 0;
  std::int64_t epoch_ = 1;
  std::optional<Contracts> contracts_;   // configured; the chain's own when unset
};

}   // namespace agentauri::chain::testing
