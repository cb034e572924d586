// Arbitrary conditions on arbitrary events: nothing throws or crashes; what compile() takes, compile_stored() takes and
// means alike; an evaluation writes states that it can read; selectors never hide a match; texts are UTF-8.
#include <fuzzer/FuzzedDataProvider.h>

#include <cstdlib>
#include <map>

#include "rules/condition_types.hpp"
#include "rules/evaluate.hpp"
#include "rules/event_data.hpp"
#include "rules/event_fields.hpp"

namespace {

using namespace agentauri;
using rules::Decision;
using rules::Explain;

constexpr std::size_t kMaxText = 300;

void check(bool holds) {
  if (!holds) std::abort();
}

bool is_clean(std::string_view text) {
  return json::parse(json::dump(json::String(text))).has_value();
}

// UTF-8 without NUL, as the gateway and the decoder promise.
std::string text_of(FuzzedDataProvider& in) {
  std::string out = in.ConsumeRandomLengthString(kMaxText);
  std::erase(out, '\0');
  if (is_clean(out)) return out;
  for (char& c : out) c = static_cast<char>(c & 0x7f) == '\0' ? 'x' : static_cast<char>(c & 0x7f);
  return out;
}

std::string address_of(FuzzedDataProvider& in) {
  return "0x" + std::string(40, in.PickValueInArray({'0', 'a', 'b', 'f'}));
}

// Mostly what means something, so that more than refusals is reached.
std::string value_of(FuzzedDataProvider& in) {
  switch (in.ConsumeIntegralInRange(0, 5)) {
    case 0:
      return std::to_string(in.ConsumeIntegral<std::int64_t>());
    case 1:
      return std::to_string(in.ConsumeIntegralInRange(-1, 101));
    case 2:
      return agentauri::to_string(
          Decimal{static_cast<int128>(in.ConsumeIntegral<std::int64_t>()) * in.ConsumeIntegralInRange(1, 1'000'000'000),
                  in.ConsumeIntegralInRange<std::uint8_t>(0, kMaxDecimals)});
    case 3:
      return "[\"" + address_of(in) + "\",\"" + std::to_string(in.ConsumeIntegralInRange(-1, 101)) + "\"]";
    case 4:
      return in.PickValueInArray({"NewFeedback", "AgentRegistered", "Upgraded", "starred", "true"});
    default:
      return text_of(in);
  }
}

std::optional<std::string> config_of(FuzzedDataProvider& in) {
  switch (in.ConsumeIntegralInRange(0, 4)) {
    case 0:
      return std::nullopt;
    case 1:
      return R"({"window_size":)" + std::to_string(in.ConsumeIntegralInRange(-1, 100'001)) + "}";
    case 2:
      return R"({"time_window":")" + std::to_string(in.ConsumeIntegral<std::int32_t>()) +
             in.PickValueInArray({"s", "m", "h", "d", ""}) + R"(","reset_on_trigger":true,"partition_by":"agent_id"})";
    case 3:
      return R"({"window_size":3,"time_window":"1h","tag1":"starred"})";
    default:
      return text_of(in);
  }
}

// `{"condition_type": …, "field": …, "operator": …, "value": …, "config": …}` as users send it.
domain::Condition condition_of_json(const std::string& text) {
  domain::Condition out;
  const auto parsed = json::parse(text);
  if (!parsed || !parsed->is_object()) return out;
  const auto& object = parsed->get_object();
  out.condition_type = json::optional_string(object, "condition_type").value_or(std::nullopt).value_or("");
  out.field = json::optional_string(object, "field").value_or(std::nullopt).value_or("");
  out.op = json::optional_string(object, "operator").value_or(std::nullopt).value_or("");
  out.value = json::optional_string(object, "value").value_or(std::nullopt).value_or("");
  if (const auto* config = json::find(object, "config")) out.config = json::dump(*config);
  return out;
}

domain::Condition condition_of(FuzzedDataProvider& in) {
  if (in.ConsumeIntegralInRange(0, 7) == 0) return condition_of_json(in.ConsumeRandomLengthString(2 * kMaxText));
  static constexpr const char* kOperators[] = {
      "<",  ">",  "=",   "==",  "<=", ">=", "!=",       "<>",         "eq",
      "ne", "gt", "gte", "lte", "in", "IN", "contains", "startsWith", "endsWith"};
  domain::Condition out;
  const auto& types = rules::condition_types();
  const auto& fields = rules::event_fields();
  const auto type = in.ConsumeIntegralInRange<std::size_t>(0, types.size());
  const auto field = in.ConsumeIntegralInRange<std::size_t>(0, fields.size());
  out.condition_type = type < types.size() ? std::string(types[type].name) : text_of(in);
  out.field = field < fields.size() ? std::string(fields[field].name) : text_of(in);
  out.op = in.ConsumeIntegralInRange(0, 9) == 0 ? text_of(in) : in.PickValueInArray(kOperators);
  out.value = value_of(in);
  out.config = config_of(in);
  return out;
}

template <class Make>
void maybe(FuzzedDataProvider& in, auto& member, Make make) {
  if (in.ConsumeBool()) member = make();
}

domain::Event event_of(FuzzedDataProvider& in) {
  domain::Event e;
  e.chain_id = in.ConsumeIntegral<std::int64_t>();
  e.block_num = in.ConsumeIntegral<std::uint64_t>();
  e.block_time = in.ConsumeBool() ? from_unix_seconds(in.ConsumeIntegral<std::uint32_t>())
                                  : from_micros(in.ConsumeIntegral<std::int64_t>());
  e.log_index = in.ConsumeIntegral<std::uint32_t>();
  e.registry = in.PickValueInArray({domain::Registry::identity, domain::Registry::reputation});
  e.event_type = in.ConsumeBool() ? in.PickValueInArray({"NewFeedback", "Registered", "Upgraded"}) : text_of(in);
  const auto text = [&in] { return value_of(in); };
  maybe(in, e.agent_id, [&in] { return Uint256(in.ConsumeIntegralInRange<std::uint64_t>(0, 101)); });
  maybe(in, e.score, [&in] { return in.ConsumeIntegral<std::int32_t>(); });
  maybe(in, e.response, [&in] { return in.ConsumeIntegral<std::int32_t>(); });
  maybe(in, e.feedback_index, [&in] { return in.ConsumeIntegral<std::uint64_t>(); });
  maybe(in, e.value, [&in] {
    return static_cast<int128>(static_cast<uint128>(in.ConsumeIntegral<std::uint64_t>()) << 64 |
                               in.ConsumeIntegral<std::uint64_t>());
  });
  maybe(in, e.value_decimals, [&in] { return in.ConsumeIntegralInRange<std::uint8_t>(0, 18); });
  for (auto member : {&domain::Event::tag1, &domain::Event::tag2, &domain::Event::owner, &domain::Event::file_uri,
                      &domain::Event::validator_address, &domain::Event::token_uri, &domain::Event::metadata_value})
    maybe(in, e.*member, text);
  return e;
}

using States = std::map<rules::StateKey, std::string>;

bool same(const rules::Evaluation& a, const rules::Evaluation& b) {
  return a.decision == b.decision && a.event_count == b.event_count &&
         std::equal(a.changes.begin(), a.changes.end(), b.changes.begin(), b.changes.end(),
                    [](const auto& x, const auto& y) { return x.key == y.key && x.after == y.after; });
}

// A match must not be outside of what the index looks at.
void check_selector(const rules::Selector& selector, const domain::Event& event) {
  if (selector.agent_id) check(event.agent_id == selector.agent_id);
  if (selector.event_types) {
    const auto& types = *selector.event_types;
    check(std::find(types.begin(), types.end(), event.event_type) != types.end());
  }
  if (!selector.score_below && !selector.score_above) return;
  check(event.score.has_value());
  const Decimal score{*event.score, 0};
  if (selector.score_below) {
    const auto order = compare(score, *selector.score_below);
    check(order < 0 || (order == 0 && selector.below_inclusive));
  }
  if (selector.score_above) {
    const auto order = compare(score, *selector.score_above);
    check(order > 0 || (order == 0 && selector.above_inclusive));
  }
}

// `is_own`: the states are what evaluate() wrote.
void run(const rules::CompiledTrigger& strict, const rules::CompiledTrigger& stored, const domain::Event& event,
         States& states, bool is_own) {
  const auto read = [&states](const rules::StateKey& key) {
    const auto found = states.find(key);
    return found == states.end() ? std::nullopt : std::optional(found->second);
  };
  const auto told = rules::evaluate(event, stored, read);
  const auto quiet = rules::evaluate(event, stored, read, Explain::no);
  check(same(told, quiet) && same(told, rules::evaluate(event, strict, read)));
  check(json::parse(rules::explanation_json(told)).has_value());
  check(json::parse(json::dump(rules::event_data(event, stored.trigger, told, "chain", 1))).has_value());
  if (is_own) check(told.decision != Decision::error);
  if (told.decision == Decision::match) check_selector(rules::selector_of(stored), event);
  for (const auto& change : told.changes) {
    const auto& condition = *stored.conditions.at(static_cast<std::size_t>(change.key.condition) - 1);
    check(rules::state_view(condition, change.after).has_value());
    states[change.key] = change.after;
  }
}

// What compile() refuses still evaluates, to an error or to nothing.
void run_refused(const domain::Trigger& trigger, const domain::Event& event, const Error& error) {
  check(is_clean(error.text) && is_clean(error.field) && error.field.starts_with("conditions["));
  const auto evaluation = rules::evaluate(event, rules::compile_stored(trigger),
                                          [](const rules::StateKey&) { return std::optional<std::string>(); });
  check(json::parse(rules::explanation_json(evaluation)).has_value());
}

}   // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  FuzzedDataProvider in(data, size);
  domain::Trigger trigger;
  trigger.is_stateful = in.ConsumeBool();
  trigger.name = text_of(in);
  const int count = in.ConsumeIntegralInRange(1, 3);
  for (int i = 1; i <= count; ++i) {
    auto& condition = trigger.conditions.emplace_back(condition_of(in));
    condition.id = i;
    condition.position = i;
  }
  const auto first = event_of(in);
  std::vector<rules::Warning> warnings;
  const auto strict = rules::compile(trigger, &warnings);
  for (const auto& warning : warnings) check(is_clean(warning.text) && warning.field.starts_with("conditions"));
  if (!strict) {
    run_refused(trigger, first, strict.error());
    return 0;
  }
  const auto stored = rules::compile_stored(trigger);
  check(stored.conditions.size() == trigger.conditions.size());
  for (const auto& condition : stored.conditions) check(condition->is_barrier() == condition->is_stateful());

  States states;
  run(*strict, stored, first, states, true);
  run(*strict, stored, event_of(in), states, true);
  // And on states that nobody wrote.
  for (auto& [key, state] : states) {
    state = in.ConsumeRandomLengthString(kMaxText);
    const auto view = rules::state_view(*stored.conditions.at(static_cast<std::size_t>(key.condition) - 1), state);
    if (view) check(json::parse(json::dump(*view)).has_value());
  }
  run(*strict, stored, first, states, false);
  return 0;
}
