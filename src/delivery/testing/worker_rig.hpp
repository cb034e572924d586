// A worker with its thread, client and keys, over a database with one trigger: what tests and benches of delivery
// share.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "delivery/channels/webhook.hpp"
#include "delivery/dispatcher.hpp"
#include "domain/trigger.hpp"
#include "store/database.hpp"
#include "store/jobs.hpp"
#include "store/triggers.hpp"

namespace agentauri::delivery::testing {

const crypto::DataKeys& test_keys();

// An organization with one trigger, and actions and jobs of it.
class Alerts {
 public:
  explicit Alerts(store::Database& db);

  // `config`: JSON, secrets in clear; `secrets`: whsec_ texts in clear.
  domain::ActionId add_action(const std::string& config, std::optional<std::string> secret = {},
                              std::optional<std::string> previous = {}, std::optional<Time> previous_expires_at = {});
  // Not inserted yet.
  store::NewJob job(domain::ActionId action, const std::string& name, const std::string& endpoint) const;
  void insert(const std::vector<store::NewJob>& jobs);
  domain::TriggerId trigger() const { return trigger_.id; }
  domain::OrganizationId organization() const { return trigger_.organization_id; }
  // As the API shows it; nullopt when there is none.
  std::optional<store::Delivery> find(const std::string& event_id);
  // Until the job has left `pending` and `leased`, at most 20 s; the last state otherwise.
  store::Delivery wait_until_ended(const std::string& event_id);

 private:
  store::Database& db_;
  SystemClock clock_;
  domain::Trigger trigger_;
};

class WorkerRig {
 public:
  struct Options {
    DispatcherSettings dispatcher;
    RetryLadder ladder{{std::chrono::milliseconds(0), std::chrono::milliseconds(20), std::chrono::milliseconds(20)}, 0};
    std::vector<std::string> allow{"127.0.0.0/8"};
  };
  WorkerRig(store::Database& db, Options options);
  ~WorkerRig();

  Dispatcher& dispatcher() { return *dispatcher_; }
  Metrics& metrics() { return metrics_; }
  domain::InstanceId instance() const { return instance_; }
  // Takes nothing new; returns at once.
  void ask_to_stop();
  // Until run() has ended; `insist`: attempts in hand are cut.
  void stop(bool insist = false);

 private:
  store::Database& db_;
  SystemClock clock_;
  Metrics metrics_;
  domain::InstanceId instance_;
  IoThread thread_{"worker"};
  std::unique_ptr<net::HttpClient> client_;
  std::unique_ptr<WebhookChannel> webhook_;
  std::unique_ptr<Dispatcher> dispatcher_;
  std::unique_ptr<TaskGroup> group_;
};

}   // namespace agentauri::delivery::testing
