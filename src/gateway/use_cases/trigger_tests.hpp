// A trigger tried out: evaluated against one event by the function that the engine calls, from the state as it is, and
// nothing changes. What its actions would send is shown; it is sent only when that is asked for.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/use_cases/action_rendering.hpp"
#include "gateway/use_cases/triggers.hpp"

namespace agentauri::gateway {

// How long a test may wait for a worker, or for its receiver's turn.
inline constexpr std::chrono::minutes kTestLifetime{5};

// An event as a request describes it. Absent: those of the trigger, and now.
struct EventDraft {
  domain::Event event;
  std::optional<domain::Registry> registry;
  std::optional<domain::ChainId> chain_id;
  std::optional<std::int64_t> timestamp;   // Unix seconds
};

// At most one of the first three; none: a sample of what the trigger's registry is mostly about.
struct TestOrder {
  std::optional<EventDraft> event;
  std::optional<std::string> event_id, sample;
  std::optional<domain::ActionId> action;   // only this one
  bool send = false;
  std::string request_id;
};

struct TestedAction {
  domain::Action action;
  ActionPreview preview;
  std::optional<domain::JobId> delivery;   // that was made
};
struct TestReport {
  domain::TriggerId trigger;
  domain::Event event;
  std::string source;   // event, stored, sample
  // Whether the engine would have looked at the event at all; why not is among the warnings.
  bool selected = true;
  rules::Evaluation evaluation;
  std::vector<rules::Warning> warnings;
  std::vector<TestedAction> actions;
};

// `chain_names`: for templates. With `send` the transaction writes one delivery of kind `test` for each action that can
// be sent, whatever the decision was.
Outcome<TestReport> test_trigger(store::Tx& tx, const Caller& caller,
                                 const std::map<domain::ChainId, std::string>& chain_names, std::string_view trigger,
                                 const TestOrder& order);

}   // namespace agentauri::gateway
