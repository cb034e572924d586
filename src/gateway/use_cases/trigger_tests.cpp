#include "gateway/use_cases/trigger_tests.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "gateway/use_cases/trigger_parts.hpp"
#include "rules/circuit_breaker.hpp"
#include "rules/event_data.hpp"
#include "rules/event_fields.hpp"
#include "rules/sample_events.hpp"
#include "store/chain_log.hpp"
#include "store/trigger_state.hpp"

namespace agentauri::gateway {
namespace {

using domain::Event;
using domain::Trigger;
using store::Tx;

constexpr std::string_view kMayNotTest = "Insufficient permissions to test triggers";
constexpr domain::ChainId kSomeChain = 1;   // of a trigger for every chain

Outcome<void> check_order(const TestOrder& order) {
  const int named = (order.event ? 1 : 0) + (order.event_id ? 1 : 0) + (order.sample ? 1 : 0);
  Validation validation;
  if (named > 1) validation.add("event", "exclusive", "only one of event, event_id and sample can be given");
  if (order.sample && !rules::registry_of_event_type(*order.sample))
    validation.add(
        "sample", "event_type",
        fmt::format("there is no sample of this event; there are: {}", fmt::join(rules::sample_event_types(), ", ")));
  if (!validation.ok()) return std::unexpected(validation.refusal());
  return {};
}

Event complete(const EventDraft& draft, const Trigger& trigger, Time now) {
  Event out = draft.event;
  out.registry =
      draft.registry ? *draft.registry : rules::registry_of_event_type(out.event_type).value_or(trigger.registry);
  out.chain_id = draft.chain_id.value_or(trigger.chain_id.value_or(kSomeChain));
  out.block_time = from_unix_seconds(draft.timestamp.value_or(to_unix_seconds(now)));
  return out;
}

// What a trigger without an event named is tried with: what its conditions ask for, else the usual.
Event sample_for(const rules::CompiledTrigger& compiled, const TestOrder& order, Time now) {
  const auto& trigger = compiled.trigger;
  const auto chain = trigger.chain_id.value_or(kSomeChain);
  std::string_view type = rules::usual_event_type(trigger.registry);
  const auto& named = compiled.named_event_types;
  const auto wanted = std::find_if(named.begin(), named.end(), [&trigger](const std::string& name) {
    return rules::registry_of_event_type(name) == trigger.registry;
  });
  if (wanted != named.end()) type = *wanted;
  if (order.sample) type = *order.sample;
  auto out = rules::sample_event(type, chain, now);
  ENSURE(out.has_value(), "the sample was checked");
  return std::move(*out);
}

Outcome<Event> choose_event(Tx& tx, const rules::CompiledTrigger& compiled, const TestOrder& order, Time now,
                            TestReport& report) {
  report.source = order.event ? "event" : order.event_id ? "stored" : "sample";
  if (order.event) return complete(*order.event, compiled.trigger, now);
  if (!order.event_id) return sample_for(compiled, order, now);
  auto found = store::find_event(tx, *order.event_id);
  if (!found) return broken(found);
  if (!*found) return not_found("Event not found");
  if (!(*found)->canonical)
    report.warnings.push_back({"event_id", "not_canonical", "the block of this event has left the chain"});
  return std::move((*found)->event);
}

// Why the engine would not have looked at the event.
void note_selection(const Event& event, const Trigger& trigger, TestReport& report) {
  const auto not_selected = [&report](std::string field, std::string code, std::string text) {
    report.selected = false;
    report.warnings.push_back({std::move(field), std::move(code), std::move(text)});
  };
  if (!trigger.enabled) not_selected("enabled", "trigger_disabled", "the trigger is disabled: it fires for no event");
  if (trigger.registry != event.registry)
    not_selected("registry", "other_registry",
                 fmt::format("the trigger listens to the {} registry, the event is of the {} registry",
                             to_string(trigger.registry), to_string(event.registry)));
  if (trigger.chain_id && *trigger.chain_id != event.chain_id)
    not_selected(
        "chain_id", "other_chain",
        fmt::format("the trigger listens to chain {}, the event is of chain {}", *trigger.chain_id, event.chain_id));
  if (to_unix_seconds(event.block_time) < to_unix_seconds(trigger.created_at))
    not_selected("created_at", "before_creation", "the event is older than the trigger");
}

// The state as it is, for a function that may not fail: what went wrong is kept here.
class StoredState {
 public:
  StoredState(Tx& tx, const Trigger& trigger, domain::ChainId chain) : tx_(tx), trigger_(trigger), chain_(chain) {}

  std::optional<std::string> read(const rules::StateKey& key) {
    auto stored = store::read_state(tx_, {trigger_.id, key.condition, key.revision, chain_, key.key});
    if (!stored) {
      if (!error_) error_ = std::move(stored.error());
      return std::nullopt;
    }
    return *stored ? std::optional((*stored)->state) : std::nullopt;
  }
  const std::optional<Error>& error() const { return error_; }

 private:
  Tx& tx_;
  const Trigger& trigger_;
  const domain::ChainId chain_;
  std::optional<Error> error_;
};

Outcome<void> evaluate(Tx& tx, const rules::CompiledTrigger& compiled, const Event& event, TestReport& report) {
  const auto& trigger = compiled.trigger;
  StoredState state(tx, trigger, event.chain_id);
  report.evaluation =
      rules::evaluate(event, compiled, [&state](const rules::StateKey& key) { return state.read(key); });
  auto breaker = rules::read_breaker(state.read({rules::kBreakerCondition, trigger.breaker.revision, std::string()}));
  if (state.error()) return broken(Result<void>(std::unexpected(*state.error())));
  if (!rules::allow(breaker, trigger.breaker, event.block_time)) {
    report.selected = false;
    report.warnings.push_back({"circuit_breaker", "breaker_open",
                               "the trigger's circuit breaker is open: it is left alone until its recovery time is "
                               "over, or it is reset"});
  }
  return {};
}

store::NewJob make_job(const Trigger& trigger, const domain::Action& action, const TestReport& report,
                       const std::string& event_data, const std::string& request_id, Time now) {
  store::NewJob job;
  job.id = domain::test_job_id(trigger.id, action.id, make_uuid_v4());
  job.organization_id = trigger.organization_id;
  job.trigger_id = trigger.id;
  job.action_id = action.id;
  job.action_type = action.type;
  job.kind = domain::kTestKind;
  job.priority = action.priority;
  job.chain_id = report.event.chain_id;
  job.block_num = report.event.block_num;
  // No block hash: whatever becomes of the event's block, the test is not taken back.
  job.event_id = domain::event_id(report.event);
  job.event_data = event_data;
  job.explanation = rules::explanation_json(report.evaluation);
  job.expires_at = now + kTestLifetime;
  job.request_id = request_id;
  return job;
}

// Shows what each action would send and, when asked to, makes its delivery.
Outcome<void> try_actions(Tx& tx, const Trigger& trigger, const json::Object& event_data, const TestOrder& order,
                          Time now, TestReport& report) {
  std::vector<store::NewJob> jobs;
  const std::string data_text = json::dump(event_data);
  for (const auto& action : trigger.actions) {
    if (order.action && action.id != *order.action) continue;
    TestedAction tested{action, preview_action(action, event_data, Purpose::test), std::nullopt};
    if (!tested.preview.error && action.disabled_reason)
      tested.preview.error = "the action is disabled: " + *action.disabled_reason;
    if (order.send && !tested.preview.error) {
      auto job = make_job(trigger, action, report, data_text, order.request_id, now);
      Result<WebhookStart> start;
      if (action.type == domain::ActionType::rest) start = start_webhook(action.config, event_data, Purpose::test);
      if (!start) {
        tested.preview.error = start.error().text;
      } else {
        if (action.type == domain::ActionType::rest) {
          job.body = std::move(start->body);
          job.endpoint = std::move(start->endpoint);
        }
        tested.delivery = job.id;
        jobs.push_back(std::move(job));
      }
    }
    report.actions.push_back(std::move(tested));
  }
  if (order.action && report.actions.empty()) return not_found("Action not found");
  if (auto inserted = store::insert_jobs(tx, jobs, now); !inserted) return broken(inserted);
  return {};
}

}   // namespace

Outcome<TestReport> test_trigger(Tx& tx, const Caller& caller,
                                 const std::map<domain::ChainId, std::string>& chain_names, std::string_view id,
                                 const TestOrder& order) {
  auto organization = require_role(tx, caller, domain::Role::member, kMayNotTest);
  if (!organization) return pass(organization);
  if (auto checked = check_order(order); !checked) return pass(checked);
  // With a delivery to make, nobody deletes the trigger or an action meanwhile.
  auto trigger = order.send ? begin_edit(tx, caller, id, kMayNotTest) : find_trigger(tx, caller, id);
  if (!trigger) return pass(trigger);

  TestReport report;
  report.trigger = trigger->id;
  // What does not compile is an error when it is evaluated, as in the engine.
  (void)rules::compile(*trigger, &report.warnings);
  const auto compiled = rules::compile_stored(std::move(*trigger));
  auto event = choose_event(tx, compiled, order, caller.now, report);
  if (!event) return pass(event);
  report.event = std::move(*event);
  note_selection(report.event, compiled.trigger, report);
  if (auto done = evaluate(tx, compiled, report.event, report); !done) return pass(done);

  const auto name = chain_names.find(report.event.chain_id);
  const auto data =
      rules::event_data(report.event, compiled.trigger, report.evaluation,
                        name == chain_names.end() ? fmt::format("chain {}", report.event.chain_id) : name->second, 0);
  if (auto done = try_actions(tx, compiled.trigger, data, order, caller.now, report); !done) return pass(done);
  return report;
}

}   // namespace agentauri::gateway
