#include "store/postgres/health_check.hpp"

#include <pthread.h>

#include <optional>

namespace agentauri::store::postgres {
namespace {

constexpr auto kHealthLimit = std::chrono::seconds(2);

}   // namespace

HealthCheck::HealthCheck(const PostgresSettings& settings) : settings_(settings) {
  settings_.connect_timeout = settings_.statement_timeout = kHealthLimit;
}

void HealthCheck::start() {
  thread_ = std::thread([this] { loop(); });
}

void HealthCheck::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    wanted_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
}

Health HealthCheck::probe() {
  static const Query kProbe{Query::Unlisted{}, "health_probe", "SELECT count(*) FROM agentauri_migrations"};
  if (session_ && session_->lost()) session_.reset();
  if (!session_) {
    auto opened = Session::connect(settings_);
    if (!opened) return {false, opened.error().text, false};
    session_ = std::move(*opened);
  }
  auto rows = session_->run(kProbe, {});
  if (!rows) {
    const bool lost = session_->lost();
    session_.reset();
    // A schema that is not there is not an unreachable database.
    if (!lost && rows.error().code == Code::internal) return {true, rows.error().text, false};
    return {false, rows.error().text, false};
  }
  const bool current = rows->i64(0, 0) >= static_cast<std::int64_t>(postgres_migrations().size());
  return {true, current ? "" : "the schema is older than this program; run `agentauri migrate up`", current};
}

void HealthCheck::loop() {
  pthread_setname_np(pthread_self(), "store-health");
  for (;;) {
    std::vector<std::function<void(Health)>> waiters;
    {
      std::unique_lock lock(mutex_);
      wanted_.wait(lock, [this] { return stopping_ || !waiters_.empty(); });
      if (stopping_) return;
      waiters.swap(waiters_);
    }
    Health health = probe();
    if (!health.reachable) {   // a connection that died while idle says nothing about the server
      session_.reset();
      health = probe();
    }
    for (const auto& waiter : waiters) waiter(health);
  }
}

Task<Health> HealthCheck::check() {
  struct Answer {
    explicit Answer(Executor executor) : answered(std::move(executor)) {}
    Signal answered;
    std::mutex mutex;
    std::optional<Health> health;
    bool abandoned = false;   // nobody waits any more, and the event loop may be gone
  };
  auto answer = std::make_shared<Answer>(co_await this_executor());
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) co_return Health{false, "the store is stopping", false};
    waiters_.push_back([answer](Health health) {
      const std::lock_guard guard(answer->mutex);
      if (answer->abandoned) return;
      answer->health = std::move(health);
      answer->answered.notify();
    });
    wanted_.notify_one();
  }
  co_await answer->answered.wait_for(kHealthLimit);
  const std::lock_guard lock(answer->mutex);
  answer->abandoned = true;
  co_return answer->health.value_or(Health{false, "no answer within 2 s", false});
}

}   // namespace agentauri::store::postgres
