// Whether the server answers and has our schema: asked on a connection and a thread of its own, so that it waits behind
// nothing.
#pragma once

#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>
#include <vector>

#include "core/async/task.hpp"
#include "store/database.hpp"
#include "store/postgres/postgres_database.hpp"
#include "store/postgres/session.hpp"

namespace agentauri::store::postgres {

class HealthCheck {
 public:
  explicit HealthCheck(const PostgresSettings& settings);
  ~HealthCheck() { stop(); }

  void start();
  // Within 2 s.
  Task<Health> check();
  void stop();

 private:
  void loop();
  Health probe();

  PostgresSettings settings_;
  std::unique_ptr<Session> session_;   // of the thread
  std::mutex mutex_;
  std::condition_variable wanted_;
  std::vector<std::function<void(Health)>> waiters_;   // guarded by mutex_
  bool stopping_ = false;
  std::thread thread_;
};

}   // namespace agentauri::store::postgres
