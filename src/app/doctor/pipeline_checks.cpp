// The way of an alert: chains, coverage, engine, deliveries, and what fell by the side.
#include <fmt/format.h>

#include <algorithm>

#include "app/coverage_gap.hpp"
#include "app/doctor/checks.hpp"

namespace agentauri::app::doctor {
namespace {

constexpr auto kBehind = std::chrono::minutes(1), kFarBehind = std::chrono::minutes(10);
constexpr auto kDeliveryLate = std::chrono::minutes(2), kDeliveryVeryLate = std::chrono::minutes(30);

const store::PipelineFacts* pipeline_of(const Facts& facts) {
  return facts.store ? &facts.store->pipeline : nullptr;
}
std::chrono::seconds since(Time when, const Facts& facts) {
  return std::chrono::duration_cast<std::chrono::seconds>(facts.store->server.now - when);
}
bool lives(const Facts& facts, std::string_view role) {
  const auto& roles = facts.store->pipeline.living_roles;
  return std::any_of(roles.begin(), roles.end(), [role](const auto& text) { return text.contains(role); });
}

Finding judge_roles(const Settings&, const Facts& facts) {
  if (pipeline_of(facts) == nullptr) return store_is_away(facts);
  if (facts.store->pipeline.living_roles.empty()) return {Verdict::info, "no process is running on this store", {}};
  std::string lacks;
  for (const auto* role : {"gateway", "indexer", "engine", "worker"}) {
    if (!lives(facts, role)) lacks += (lacks.empty() ? "" : ", ") + std::string(role);
  }
  if (lacks.empty()) return well("every role is there");
  return {Verdict::critical, fmt::format("processes are running, and none of them is: {}", lacks),
          "start what is missing (ROLES)"};
}

Finding judge_chains(const Settings&, const Facts& facts) {
  const auto* pipeline = pipeline_of(facts);
  if (pipeline == nullptr) return store_is_away(facts);
  for (const auto& chain : pipeline->chains) {
    if (chain.row.state == "ok") continue;
    return {Verdict::critical,
            fmt::format("chain {} is {}: {}", chain.row.chain_id, chain.row.state,
                        chain.row.reason.value_or("no reason given")),
            chain.row.state == "halted" ? "agentauri chain rewind" : "are its RPC URLs right and their nodes well?"};
  }
  return well(fmt::format("{} chains are well", pipeline->chains.size()));
}

Finding judge_lag(const Settings& settings, const Facts& facts) {
  const auto* pipeline = pipeline_of(facts);
  if (pipeline == nullptr) return store_is_away(facts);
  if (!lives(facts, "indexer")) return skipped("no indexer is running");
  for (const auto& chain : pipeline->chains) {
    const bool is_wanted = std::any_of(settings.chains.begin(), settings.chains.end(),
                                       [&](const auto& wanted) { return wanted.id == chain.row.chain_id; });
    if (!is_wanted || !chain.head_seen_at) continue;
    const auto age = since(*chain.head_seen_at, facts);
    if (age < kBehind) continue;
    return {age < kFarBehind ? Verdict::warning : Verdict::critical,
            fmt::format("chain {}: the last block came {} ago", chain.row.chain_id, age_text(age)),
            "agentauri chain status; is the node behind?"};
  }
  return well("blocks come in");
}

Finding judge_coverage(const Settings&, const Facts& facts) {
  const auto* pipeline = pipeline_of(facts);
  if (pipeline == nullptr) return store_is_away(facts);
  std::uint64_t history = 0;
  for (const auto& chain : pipeline->chains) {
    const auto& row = chain.row;
    if (const auto gap = coverage_gap(row.live_from_block, row.head_num, chain.coverage); gap > 0)
      return {Verdict::critical, fmt::format("chain {}: {} blocks were never looked at", row.chain_id, gap),
              "this must not be: report it with `agentauri chain status --json`"};
    if (row.live_from_block > 0) history += coverage_gap(row.start_block, row.live_from_block - 1, chain.coverage);
  }
  if (history > 0) return {Verdict::info, fmt::format("{} blocks of history are still to be read", history), {}};
  return well("no block was left out");
}

Finding judge_engine(const Settings&, const Facts& facts) {
  const auto* pipeline = pipeline_of(facts);
  if (pipeline == nullptr) return store_is_away(facts);
  for (const auto& chain : pipeline->chains) {
    if (!chain.unprocessed_since) continue;
    const auto age = since(*chain.unprocessed_since, facts);
    if (age < kBehind) continue;
    return {age < kFarBehind ? Verdict::warning : Verdict::critical,
            fmt::format("chain {}: the engine has {} blocks before it, the first for {}", chain.row.chain_id,
                        chain.unprocessed_entries, age_text(age)),
            "is a process with the role engine running? Its log says what it fails at"};
  }
  return well("the engine keeps up");
}

Finding judge_deliveries(const Settings&, const Facts& facts) {
  const auto* pipeline = pipeline_of(facts);
  if (pipeline == nullptr) return store_is_away(facts);
  if (!pipeline->due_since) return well("no delivery is late");
  const auto age = since(*pipeline->due_since, facts);
  if (age < kDeliveryLate) return well("deliveries leave in time");
  return {age < kDeliveryVeryLate ? Verdict::warning : Verdict::critical,
          fmt::format("a delivery has been due for {}", age_text(age)),
          "is a process with the role worker running, and enough of them?"};
}

Finding judge_dead_deliveries(const Settings&, const Facts& facts) {
  const auto* pipeline = pipeline_of(facts);
  if (pipeline == nullptr) return store_is_away(facts);
  if (pipeline->dead_deliveries == 0) return well("no delivery was given up in the last day");
  return {Verdict::warning, fmt::format("{} deliveries were given up in the last day", pipeline->dead_deliveries),
          "their triggers list them (GET /api/v1/triggers/{id}/dlq), and send them again"};
}

Finding judge_event_dead_letters(const Settings&, const Facts& facts) {
  const auto* pipeline = pipeline_of(facts);
  if (pipeline == nullptr) return store_is_away(facts);
  if (pipeline->event_dead_letters == 0) return well("no event was passed over");
  return {Verdict::critical,
          fmt::format("{} events could not be processed and were passed over", pipeline->event_dead_letters),
          "agentauri chain dead-letters says why; report it"};
}

constexpr Check kChecks[] = {
    {"pipeline.roles", 0, "every role runs", judge_roles},
    {"pipeline.chains", 0, "every chain is well", judge_chains},
    {"pipeline.lag", 0, "blocks come in", judge_lag},
    {"pipeline.coverage", 0, "no block was left out", judge_coverage},
    {"pipeline.engine", 0, "the engine keeps up", judge_engine},
    {"pipeline.deliveries", 0, "deliveries leave in time", judge_deliveries},
    {"pipeline.dead_deliveries", 0, "no delivery was given up", judge_dead_deliveries},
    {"pipeline.event_dead_letters", 0, "no event was passed over", judge_event_dead_letters},
};

}   // namespace

std::span<const Check> pipeline_checks() {
  return kChecks;
}

}   // namespace agentauri::app::doctor
