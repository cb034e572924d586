#include "delivery/testing/worker_rig.hpp"

#include <thread>

#include "core/json/json.hpp"
#include "rules/action_secrets.hpp"
#include "store/accounts.hpp"
#include "store/leases.hpp"

namespace agentauri::delivery::testing {
namespace {

constexpr auto kPatience = std::chrono::seconds(20);

template <class T>
T must(Result<T> result) {
  ENSURE(result.has_value(), "the test's own statement failed");
  return std::move(*result);
}
void must(Result<void> result) {
  ENSURE(result.has_value(), "the test's own statement failed");
}

}   // namespace

const crypto::DataKeys& test_keys() {
  static const auto keys = crypto::DataKeys::derive("a secret that only tests know, long enough", "");
  return keys;
}

Alerts::Alerts(store::Database& db) : db_(db) {
  const Time now = clock_.now();
  store::Account account;
  account.id = domain::AccountId::make(now);
  account.username = account.email = to_string(account.id);
  account.created_at = now;
  trigger_.id = domain::TriggerId::make(now);
  trigger_.organization_id = domain::OrganizationId::make(now);
  trigger_.account_id = account.id;
  trigger_.name = "alerts";
  trigger_.created_at = trigger_.updated_at = now;
  const store::Organization own{trigger_.organization_id,
                                "o",
                                to_string(trigger_.organization_id),
                                std::nullopt,
                                account.id,
                                "free",
                                true,
                                now,
                                now};
  must(db_.transact_blocking<void>(store::Priority::interactive, [&](store::Tx& tx) -> Result<void> {
    if (auto made = store::insert_account(tx, account, account.username, account.email); !made) return made;
    if (auto made = store::insert_organization(tx, own, domain::MembershipId::make(now)); !made) return made;
    return store::insert_trigger(tx, trigger_);
  }));
}

domain::ActionId Alerts::add_action(const std::string& config, std::optional<std::string> secret,
                                    std::optional<std::string> previous, std::optional<Time> previous_expires_at) {
  const auto parsed = must(json::parse(config)).as_object();
  return must(db_.transact_blocking<domain::ActionId>(
      store::Priority::interactive, [&](store::Tx& tx) -> Result<domain::ActionId> {
        domain::Action action;
        action.created_at = clock_.now();
        auto id = store::insert_action(tx, trigger_.id, action);
        if (!id) return fail(id);
        const auto kept = rules::encrypt_config(parsed, *id, test_keys());
        if (auto set = store::set_action_config(tx, *id, json::dump(kept), clock_.now()); !set) return fail(set);
        const auto sealed = [&](const std::optional<std::string>& plain) {
          return plain ? std::optional(test_keys().encrypt(*plain, rules::signing_secret_aad(*id))) : std::nullopt;
        };
        const store::SigningSecrets secrets{sealed(secret), sealed(previous), previous_expires_at};
        if (auto set = store::set_signing_secrets(tx, *id, secrets, clock_.now()); !set) return fail(set);
        return *id;
      }));
}

store::NewJob Alerts::job(domain::ActionId action, const std::string& name, const std::string& endpoint) const {
  store::NewJob out;
  out.id = crypto::sha256(as_bytes(to_string(trigger_.id) + name));
  out.organization_id = trigger_.organization_id;
  out.trigger_id = trigger_.id;
  out.action_id = action;
  out.chain_id = 31337;
  out.block_num = 100;
  out.block_hash = crypto::sha256(as_bytes("block"));
  out.seq = 1;
  out.event_id = name;
  out.event_data = R"({"event_id":"e","score":42})";
  out.body = R"({"event":")" + name + R"(","score":42})";
  out.explanation = "{}";
  out.endpoint = endpoint;
  out.request_id = "req-" + name;
  return out;
}

void Alerts::insert(const std::vector<store::NewJob>& jobs) {
  must(db_.transact_blocking<std::int64_t>(store::Priority::interactive,
                                           [&](store::Tx& tx) { return store::insert_jobs(tx, jobs, clock_.now()); }));
}

std::optional<store::Delivery> Alerts::find(const std::string& event_id) {
  const auto page = must(db_.snapshot_blocking<store::DeliveryPage>(
      [&](store::Tx& tx) { return store::list_deliveries(tx, trigger_.id, 1000, 0); }));
  for (const auto& row : page.rows) {
    if (row.event_id == event_id) return row;
  }
  return std::nullopt;
}

store::Delivery Alerts::wait_until_ended(const std::string& event_id) {
  const auto deadline = std::chrono::steady_clock::now() + kPatience;
  for (;;) {
    auto found = find(event_id);
    ENSURE(found.has_value(), "the job does not exist");
    if ((found->state != "pending" && found->state != "leased") || std::chrono::steady_clock::now() > deadline)
      return *found;
    std::this_thread::sleep_for(std::chrono::milliseconds(5));
  }
}

WorkerRig::WorkerRig(store::Database& db, Options options)
    : db_(db), instance_(domain::InstanceId::make(clock_.now())) {
  must(db_.transact_blocking<void>(store::Priority::interactive, [this](store::Tx& tx) {
    return store::register_instance(tx, instance_, store::this_process(), "worker");
  }));
  net::HttpClient::Settings guarded;
  guarded.guard = must(net::AddressGuard::make(options.allow, false));
  client_ = std::make_unique<net::HttpClient>(thread_.executor(), guarded);
  webhook_ = std::make_unique<WebhookChannel>(*client_, test_keys(), options.ladder);
  options.dispatcher.instance = instance_;
  std::map<domain::ActionType, Channel*> channels{{domain::ActionType::rest, webhook_.get()}};
  dispatcher_ = std::make_unique<Dispatcher>(thread_.executor(), db_, clock_, options.dispatcher, channels, metrics_);
  run_blocking([this]() -> Task<void> {
    co_await run_on(thread_.executor(), [this]() -> Task<void> {
      group_ = std::make_unique<TaskGroup>(thread_.executor());
      group_->spawn("worker", [this]() -> Task<void> { co_await dispatcher_->run(); });
      co_return;
    });
  });
}

WorkerRig::~WorkerRig() {
  stop(true);
  thread_.stop();
}

void WorkerRig::ask_to_stop() {
  run_blocking([this]() -> Task<void> {
    co_await run_on(thread_.executor(), [this]() -> Task<void> {
      dispatcher_->stop();
      co_return;
    });
  });
}

void WorkerRig::stop(bool insist) {
  run_blocking([this, insist]() -> Task<void> {
    co_await run_on(thread_.executor(), [this, insist]() -> Task<void> {
      if (!group_) co_return;
      dispatcher_->stop();
      if (insist) group_->cancel();
      co_await group_->wait();
      group_.reset();
    });
  });
}

}   // namespace agentauri::delivery::testing
