#include "gateway/use_cases/dead_letters.hpp"

#include <fmt/format.h>

#include "gateway/use_cases/action_rendering.hpp"
#include "gateway/use_cases/trigger_parts.hpp"
#include "rules/templates.hpp"

namespace agentauri::gateway {
namespace {

using store::DeadJob;
using store::Tx;

constexpr std::string_view kMayNotReplay = "Insufficient permissions to replay dead letters";
constexpr std::string_view kMayNotPurge = "Insufficient permissions to delete dead letters";
constexpr std::size_t kMaxReasonBytes = 300;

std::optional<domain::JobId> parse_job_id(std::string_view text) {
  const auto bytes = from_hex(text);
  return bytes ? domain::JobId::from(*bytes) : std::nullopt;
}

// Why the job cannot be sent again; nullopt when it can.
std::optional<std::string> obstacle(const DeadJob& job) {
  if (job.state != "dead") return fmt::format("The delivery is not dead: it is {}", job.state);
  if (job.orphaned) return "The block of its event has left the chain";
  if (!job.action_exists) return "Its action has been deleted";
  if (job.disabled_reason)
    return fmt::format("Its action is disabled ({}): a PUT with config enables it again", *job.disabled_reason);
  return std::nullopt;
}

// What was tried once is sent with the same bytes. What never was has no body, since its action could not make one:
// perhaps it can now.
Result<store::Replay> prepare(const DeadJob& job) {
  store::Replay out{job.id, std::nullopt, std::nullopt};
  if (job.attempts > 0 || job.has_body || job.action_type != domain::ActionType::rest) return out;
  auto data = json::parse(job.event_data);
  if (!data || !data->is_object()) return fail(Code::corrupt, "the event data cannot be read");
  auto start = start_webhook(job.action_config, data->get_object(), Purpose::alert);
  if (!start) return fail(start);
  out.body = std::move(start->body);
  out.endpoint = std::move(start->endpoint);
  return out;
}

Outcome<ReplayOutcome> replay(Tx& tx, const Caller& caller, domain::TriggerId trigger,
                              const std::vector<DeadJob>& jobs) {
  ReplayOutcome out;
  std::vector<store::Replay> replays;
  for (const auto& job : jobs) {
    if (auto why = obstacle(job)) {
      out.skipped.push_back({job.id, std::move(*why)});
      continue;
    }
    auto prepared = prepare(job);
    if (prepared) {
      prepared->request_id = caller.origin.request_id;   // the attempts to come are this request's doing
      out.replayed.push_back(job.id);
      replays.push_back(std::move(*prepared));
      continue;
    }
    auto why = rules::cut_text("the body could not be made: " + prepared.error().text, kMaxReasonBytes);
    if (auto set = store::set_dead_reason(tx, job.id, why, caller.now); !set) return broken(set);
    out.skipped.push_back({job.id, std::move(why)});
  }
  if (auto done = store::replay_jobs(tx, replays, caller.now); !done) return broken(done);
  auto left = store::count_dead_jobs(tx, trigger);
  if (!left) return broken(left);
  out.left = *left;
  return out;
}

Outcome<std::vector<DeadJob>> find(Tx& tx, domain::TriggerId trigger, std::string_view id) {
  if (const auto job = parse_job_id(id)) {
    auto found = store::lock_job(tx, trigger, *job);
    if (!found) return broken(found);
    if (*found) return std::vector<DeadJob>{std::move(**found)};
    return not_found("Dead letter not found");
  }
  auto found = store::lock_dead_jobs_of(tx, trigger, std::string(id));
  if (!found) return broken(found);
  if (found->empty()) return not_found("Dead letter not found");
  return std::move(*found);
}

}   // namespace

Outcome<store::DeliveryPage> list_dead_letters(Tx& tx, const Caller& caller, std::string_view trigger,
                                               const PageBounds& page) {
  auto organization = resolve_organization(tx, caller);
  if (!organization) return pass(organization);
  if (auto checked = check_page(page); !checked) return pass(checked);
  const auto id = domain::TriggerId::parse(trigger);
  if (!id) return not_found("Trigger not found");
  auto exists = store::trigger_exists(tx, organization->id, *id);
  if (!exists) return broken(exists);
  if (!*exists) return not_found("Trigger not found");
  auto rows = store::list_dead_jobs(tx, *id, page.limit + 1, page.offset);
  if (!rows) return broken(rows);
  return std::move(*rows);
}

Outcome<ReplayOutcome> replay_dead_letter(Tx& tx, const Caller& caller, std::string_view trigger_id,
                                          std::string_view id) {
  // The lock of an edit: an action is neither deleted nor changed while its deliveries are taken up again.
  auto trigger = begin_edit(tx, caller, trigger_id, kMayNotReplay);
  if (!trigger) return pass(trigger);
  auto jobs = find(tx, trigger->id, id);
  if (!jobs) return pass(jobs);
  auto out = replay(tx, caller, trigger->id, *jobs);
  if (out && out->replayed.empty()) return refuse(409, "conflict", std::move(out->skipped.front().why));
  return out;
}

Outcome<ReplayOutcome> replay_dead_letters(Tx& tx, const Caller& caller, std::string_view trigger_id,
                                           std::int64_t limit) {
  Validation validation;
  validation.range("limit", limit, 1, kMaxReplays);
  auto trigger = begin_edit(tx, caller, trigger_id, kMayNotReplay, validation);
  if (!trigger) return pass(trigger);
  auto jobs = store::lock_replayable_jobs(tx, trigger->id, limit);
  if (!jobs) return broken(jobs);
  return replay(tx, caller, trigger->id, *jobs);
}

Outcome<std::int64_t> purge_dead_letters(Tx& tx, const Caller& caller, std::string_view trigger_id,
                                         const std::optional<std::string>& id) {
  auto trigger = begin_edit(tx, caller, trigger_id, kMayNotPurge);
  if (!trigger) return pass(trigger);
  const auto job = id ? parse_job_id(*id) : std::nullopt;
  auto purged = store::purge_dead_jobs(tx, trigger->id, job, job ? std::nullopt : id, kMaxReplays, caller.now);
  if (!purged) return broken(purged);
  if (id && *purged == 0) return not_found("Dead letter not found");
  return *purged;
}

}   // namespace agentauri::gateway
