// What an event costs the engine's rules when few or many triggers exist: the index finds who may match, and each of
// those is evaluated, as a batch does it (engine/batch.cpp). Every event meets the same number of candidates whatever
// the number of triggers, so a time that grows with the triggers would show. The reference asks every trigger.
//
//   match_bench [largest number of triggers, default 1000000] [CPU seconds for each, default 1]
#include <fmt/format.h>
#include <time.h>

#include <cstdlib>
#include <functional>
#include <random>

#include "engine/settings.hpp"
#include "engine/state_cache.hpp"
#include "engine/trigger_index.hpp"
#include "report.hpp"
#include "rules/evaluate.hpp"

namespace agentauri::bench {
namespace {

using engine::TriggerIndex;
using engine::TriggerPtr;

constexpr domain::ChainId kChain = 1;
constexpr std::size_t kWatchers = 10;   // triggers of one agent
constexpr std::size_t kEvents = 4096;   // different ones, over and over
constexpr std::size_t kSlices = 5;      // of the time given; medians are shown

// Time of this thread on a core: it waits for nothing, and other programs may run beside it.
double cpu_seconds() {
  timespec spent{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &spent);
  return static_cast<double>(spent.tv_sec) + static_cast<double>(spent.tv_nsec) * 1e-9;
}

// What users define most: low scores of an agent; each fifth keeps a moving average instead.
TriggerPtr make_trigger(std::size_t n, std::size_t agent) {
  domain::Trigger trigger;
  for (std::size_t i = 0; i < 8; ++i) trigger.id.uuid.data[8 + i] = static_cast<std::uint8_t>(n >> (56 - 8 * i));
  trigger.name = "low score";
  trigger.chain_id = kChain;
  trigger.registry = domain::Registry::reputation;
  trigger.created_at = from_unix_seconds(1'700'000'000);
  trigger.is_stateful = n % 5 == 4;
  trigger.conditions.push_back(
      {.id = 1, .condition_type = "agent_id_equals", .field = "agent_id", .op = "=", .value = std::to_string(agent)});
  if (trigger.is_stateful) {
    trigger.conditions.push_back({.id = 2,
                                  .condition_type = "ema_threshold",
                                  .field = "score",
                                  .op = "<",
                                  .value = "40",
                                  .config = R"({"window_size":10})"});
  } else {
    trigger.conditions.push_back(
        {.id = 2, .condition_type = "tag_equals", .field = "tag1", .op = "=", .value = "starred"});
    trigger.conditions.push_back(
        {.id = 3, .condition_type = "score_threshold", .field = "score", .op = "<", .value = "60"});
  }
  auto compiled = rules::compile(std::move(trigger));
  ENSURE(compiled.has_value(), compiled ? "" : compiled.error().text.c_str());
  return std::make_shared<const rules::CompiledTrigger>(std::move(*compiled));
}

std::vector<domain::Event> make_events(std::size_t agents) {
  std::mt19937_64 random(7);
  std::vector<domain::Event> out(kEvents);
  for (auto& event : out) {
    event.chain_id = kChain;
    event.registry = domain::Registry::reputation;
    event.event_type = "NewFeedback";
    event.agent_id = Uint256(random() % agents);
    event.score = static_cast<std::int32_t>(random() % 101);
    event.tag1 = "starred";
    event.client_address = "0x00000000000000000000000000000000000000aa";
    event.block_time = from_unix_seconds(1'700'000'100);
  }
  return out;
}

// States in the engine's own cache, as after a commit; reads of the store and the commit itself are not part of this.
class States {
 public:
  bool evaluate(const domain::Event& event, const rules::CompiledTrigger& trigger) {
    const auto row_of = [&](const rules::StateKey& key) {
      return store::StateRow{trigger.trigger.id, key.condition, key.revision, event.chain_id, key.key};
    };
    const auto read = [&](const rules::StateKey& key) -> std::optional<std::string> {
      const auto* known = cache_.find(row_of(key));
      return known != nullptr && *known ? std::optional((*known)->state) : std::nullopt;
    };
    const rules::StateReader reader = std::ref(read);
    auto evaluation = rules::evaluate(event, trigger, reader, rules::Explain::no);
    for (auto& change : evaluation.changes) {
      cache_.put(row_of(change.key), store::StateValue{std::move(change.after), event.block_num});
    }
    return evaluation.decision == rules::Decision::match;
  }

 private:
  engine::StateCache cache_{engine::EngineSettings{}.cache_bytes};
};

struct Cost {
  double us_per_event = 0;
  double evaluations_per_second = 0;
  double candidates_per_event = 0;
  double matches_per_event = 0;
};

template <class Candidates>
Cost measure(const std::vector<domain::Event>& events, double seconds, Candidates candidates) {
  States states;
  std::vector<double> event_us, rates;
  std::size_t at = 0, candidates_seen = 0, matches = 0;
  for (std::size_t slice = 0; slice < kSlices; ++slice) {
    std::size_t count = 0, evaluated = 0;
    const double started = cpu_seconds();
    while (cpu_seconds() - started < seconds / kSlices) {
      const auto& event = events[at++ % events.size()];
      for (const auto* trigger : candidates(event)) {
        ++evaluated;
        if (states.evaluate(event, *trigger)) ++matches;
      }
      ++count;
    }
    const double took = cpu_seconds() - started;
    event_us.push_back(took / static_cast<double>(count) * 1e6);
    rates.push_back(static_cast<double>(evaluated) / took);
    candidates_seen += evaluated;
  }
  const double done = static_cast<double>(at);
  return {median(event_us), median(rates), static_cast<double>(candidates_seen) / done,
          static_cast<double>(matches) / done};
}

// Asks every trigger whether the event is for it: what the index saves.
Cost scan(const std::vector<TriggerPtr>& triggers, std::size_t agents, double seconds) {
  std::vector<const rules::CompiledTrigger*> found;
  return measure(make_events(agents), seconds, [&](const domain::Event& event) -> const auto& {
    found.clear();
    for (const auto& trigger : triggers) {
      if (rules::candidate(event, trigger->trigger)) found.push_back(trigger.get());
    }
    return found;
  });
}

Cost with_index(TriggerIndex& index, std::size_t agents, double seconds) {
  return measure(make_events(agents), seconds,
                 [&](const domain::Event& event) -> const auto& { return index.candidates(event); });
}

std::string describe(std::size_t triggers, const Cost& cost) {
  return fmt::format("{} triggers, {:.1f} candidates, {:.1f} matches", triggers, cost.candidates_per_event,
                     cost.matches_per_event);
}

void run(std::size_t largest, double seconds) {
  std::vector<std::pair<std::size_t, Cost>> costs;
  Cost reference;
  TriggerIndex index;
  std::vector<TriggerPtr> first;   // for the reference
  for (std::size_t size = 1000, n = 0; size <= largest; size *= 10) {
    for (; n < size; ++n) {
      auto trigger = make_trigger(n, n / kWatchers);
      if (n < 1000) first.push_back(trigger);
      index.put(std::move(trigger));
    }
    if (size == 1000) reference = scan(first, size / kWatchers, seconds);
    costs.emplace_back(size, with_index(index, size / kWatchers, seconds));
  }
  note("asking each of 1000 triggers (reference)", reference.us_per_event, "us/event");
  for (const auto& [size, cost] : costs) {
    note(describe(size, cost), cost.us_per_event, "us/event");
  }
  const Cost &small = costs.front().second, &large = costs.back().second;
  note("index at 1000 triggers / asking each of them", small.us_per_event / reference.us_per_event, "x");
  report(fmt::format("time of an event, {} triggers / 1000 triggers", costs.back().first),
         large.us_per_event / small.us_per_event, "x", Goal::at_most, 3);
  // The same largest set with more and more triggers for one agent: the time follows the matches.
  std::size_t n = largest;
  for (const std::size_t crowd : {100u, 1000u}) {
    const std::size_t agent = largest + crowd;   // one that nobody else watches
    for (std::size_t i = 0; i < crowd; ++i) index.put(make_trigger(n++, agent));
    auto events = make_events(1);
    for (auto& event : events) event.agent_id = Uint256(agent);
    const Cost cost =
        measure(events, seconds, [&](const domain::Event& event) -> const auto& { return index.candidates(event); });
    note(describe(index.size(), cost), cost.us_per_event, "us/event");
  }
  report(fmt::format("evaluations, {} triggers, a fifth of them stateful", costs.back().first),
         large.evaluations_per_second, "per core s", Goal::at_least, 300'000);
}

}   // namespace
}   // namespace agentauri::bench

int main(int argc, char** argv) {
  const std::size_t largest = argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 1'000'000;
  const double seconds = argc > 2 ? std::atof(argv[2]) : 1.0;
  ENSURE(largest >= 1000 && seconds > 0, "usage: match_bench [triggers, at least 1000] [seconds]");
  agentauri::bench::run(largest, seconds);
  return 0;
}
