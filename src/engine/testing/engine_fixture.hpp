// What the engine's tests stand on: an engine over a fresh database of either kind, and a chain that feeds it.
#pragma once

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <functional>
#include <memory>
#include <string_view>
#include <utility>

#include "engine/engine.hpp"
#include "engine/testing/model_chain.hpp"
#include "store/jobs.hpp"
#include "store/leases.hpp"
#include "store/revisions.hpp"
#include "store/testing/temp_database.hpp"

namespace agentauri::engine::testing {

class EngineFixture : public store::testing::EngineTest {
 protected:
  EngineFixture() {
    testing::attach(db(), clock_.now());
    start();
  }

  // A fresh engine, as after a crash.
  void start() {
    engine_.reset();
    instance_ = domain::InstanceId::make(clock_.now());
    const auto epoch = in_tx<std::int64_t>([this](store::Tx& tx) -> Result<std::int64_t> {
      if (auto added = store::register_instance(tx, instance_, store::this_process(), "engine"); !added)
        return fail(added);
      if (last_instance_) {
        if (auto gone = store::remove_instance(tx, *last_instance_); !gone) return fail(gone);
      }
      auto lease = store::acquire_lease(tx, "engine:0", instance_);
      if (!lease) return fail(lease);
      return lease->value();
    });
    ASSERT_TRUE(epoch);
    last_instance_ = instance_;
    settings_.instance = instance_;
    settings_.epoch = *epoch;
    engine_ = std::make_unique<Engine>(db(), clock_, settings_, metrics_, [this] { ++wakes_; });
  }
  Progress run() {
    Progress total;
    for (;;) {
      auto progress = engine_->step();
      EXPECT_TRUE(progress) << progress.error().text;
      if (!progress) return total;
      total.events += progress->events;
      total.matched += progress->matched;
      total.jobs += progress->jobs;
      if (!progress->more) return total;
    }
  }

  domain::Trigger trigger(std::vector<domain::Condition> conditions, bool stateful = false) {
    domain::Trigger t;
    t.id = domain::TriggerId::make(clock_.now());
    t.organization_id = domain::OrganizationId::make(clock_.now());
    t.name = "test";
    t.registry = domain::Registry::reputation;
    t.is_stateful = stateful;
    t.created_at = from_unix_seconds(1'600'000'000);
    for (auto& condition : conditions) {
      condition.id = ++conditions_;
      t.conditions.push_back(condition);
    }
    domain::Action action;
    action.id = ++actions_;
    action.config = R"({"url":"http://127.0.0.1:1/hook"})";
    t.actions.push_back(action);
    return t;
  }
  std::int64_t save(const domain::Trigger& t, bool deleted = false) {
    return in_tx<std::int64_t>([&](store::Tx& tx) { return store::append_revision(tx, t, deleted, clock_.now()); })
        .value();
  }
  static domain::Condition score_below(const char* bound) {
    return {.condition_type = "score_threshold", .field = "score", .op = "<", .value = bound};
  }
  static domain::Condition ema_below(const char* bound) {
    return {.condition_type = "ema_threshold",
            .field = "score",
            .op = "<",
            .value = bound,
            .config = R"({"window_size":10})"};
  }

  void mine(std::vector<Txn> txns) { testing::append(db(), {chain_.mine(std::move(txns))}, clock_.now()); }
  Txn feedback(std::int32_t score, std::uint64_t agent = 42) { return {chain_.next_txn(), agent, score}; }
  std::vector<Txn> reorg(std::size_t depth) {
    auto txns = chain_.drop(depth);
    testing::rewind(db(), chain_.blocks().back(), clock_.now());
    return txns;
  }
  std::vector<store::Delivery> deliveries(const domain::Trigger& t) {
    return in_tx<store::DeliveryPage>([&](store::Tx& tx) { return store::list_deliveries(tx, t.id, 1000, 0); })->rows;
  }
  std::size_t count(const domain::Trigger& t, std::string_view state) {
    const auto rows = deliveries(t);
    return static_cast<std::size_t>(
        std::count_if(rows.begin(), rows.end(), [state](const auto& d) { return d.state == state; }));
  }
  auto state() {
    return in_tx<std::vector<std::pair<store::StateRow, store::StateValue>>>(
               [](store::Tx& tx) { return store::dump_state(tx, kChain); })
        .value();
  }

  FakeClock clock_{from_unix_seconds(1'800'000'000)};
  Metrics metrics_;
  EngineSettings settings_;
  std::unique_ptr<Engine> engine_;
  domain::InstanceId instance_;
  std::optional<domain::InstanceId> last_instance_;
  ModelChain chain_;
  int wakes_ = 0;
  domain::ConditionId conditions_ = 0;
  domain::ActionId actions_ = 0;
};

// A database in which something happens between the snapshot of a batch and its commit.
class HookedDatabase final : public store::Database {
 public:
  explicit HookedDatabase(store::Database& inner) : inner_(inner) {}
  std::string_view engine() const override { return inner_.engine(); }
  Task<store::Health> check_health() override { return inner_.check_health(); }
  void on_notify(std::string channel, std::function<void()> hook) override { inner_.on_notify(channel, hook); }
  void notify(std::string_view channel) override { inner_.notify(channel); }
  void stop() override {}

  std::function<void()> before_write;      // once
  std::function<Result<void>()> instead;   // of each write, until it is taken away

 protected:
  void submit(Mode mode, store::Priority priority, Body body, Done done) override {
    if (mode == Mode::read) {
      auto seen = inner_.snapshot_blocking<bool>(as_bool(std::move(body)));
      return done(seen ? Result<void>{} : fail(seen));
    }
    if (before_write) std::exchange(before_write, nullptr)();
    if (instead) return done(instead());
    done(inner_.transact_blocking<void>(priority, std::move(body)));
  }

 private:
  static std::move_only_function<Result<bool>(store::Tx&)> as_bool(Body body) {
    return [body = std::move(body)](store::Tx& tx) mutable -> Result<bool> {
      if (auto done = body(tx); !done) return fail(done);
      return true;
    };
  }
  store::Database& inner_;
};

}   // namespace agentauri::engine::testing
