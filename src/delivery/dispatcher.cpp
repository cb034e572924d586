#include "delivery/dispatcher.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <random>

namespace agentauri::delivery {
namespace {

constexpr std::size_t kMaxResultsAtOnce = 256;
constexpr std::size_t kMaxExcerptBytes = 4096;
constexpr auto kStoreRetry = std::chrono::milliseconds(200);
constexpr auto kMaxStoreRetry = std::chrono::milliseconds(1000);
// A commit costs the same for one job as for many: while few attempts have ended, some more may end first.
constexpr std::size_t kWorthwhile = 32;
constexpr auto kPatience = std::chrono::milliseconds(5);
// Attempts become slow with time alone, so a full house is looked at again.
constexpr auto kFullHouse = std::chrono::milliseconds(100);
constexpr auto kLookForLost = std::chrono::seconds(5);
constexpr int kMaxAttemptLabel = 10;   // of metrics; the ladders are no longer

double random_unit() {
  thread_local std::mt19937_64 engine{std::random_device{}()};
  return std::uniform_real_distribution<double>(0, 1)(engine);
}

// What strangers say ends up in a text column, in one line of a log and on a page: printable ASCII, bounded.
std::string printable(std::string_view text) {
  std::string out;
  for (const char c : text.substr(0, kMaxExcerptBytes))
    out.push_back(c == '\n' || c == '\t' ? ' ' : c >= 0x20 && c < 0x7f ? c : '?');
  return out;
}

Sent refused(std::string text) {
  Sent sent;
  sent.end.outcome = domain::Outcome::refused;
  sent.end.excerpt = std::move(text);
  return sent;
}

bool is_expired(const store::ClaimedJob& job, Time now) {
  return job.expires_at && *job.expires_at < now;
}

}   // namespace

struct Dispatcher::TypeMetrics {
  TypeMetrics(Metrics& metrics, domain::ActionType action_type)
      : type(domain::to_string(action_type)),
        seconds(metrics.histogram("action_worker_job_duration_seconds", "From the job's making to its end", kJobBuckets,
                                  {{"action_type", type}})),
        succeeded(processed(metrics, "success")),
        failed(processed(metrics, "failure")),
        dead(processed(metrics, "dlq")),
        executed_well(executed(metrics, "success")),
        executed_badly(executed(metrics, "failure")),
        attempt_seconds(
            metrics.histogram("action_duration_seconds", "Time of one attempt", kJobBuckets, {{"action_type", type}})),
        retries(metrics.counter("action_retries_total", "Attempts after the first", {{"action_type", type}})) {
    for (int n = 2; n <= kMaxAttemptLabel; ++n) {
      // A further one counts with the last.
      retries_by_attempt.push_back(metrics.counter("action_worker_retries_total", "Attempts after the first, by number",
                                                   {{"action_type", type}, {"attempt", std::to_string(n)}}));
    }
    for (const auto outcome : {domain::Outcome::ok, domain::Outcome::refused, domain::Outcome::network,
                               domain::Outcome::http, domain::Outcome::unknown}) {
      attempts.emplace(outcome,
                       metrics.counter("action_worker_attempts_total", "Attempts by outcome",
                                       {{"action_type", type}, {"outcome", std::string(domain::to_string(outcome))}}));
    }
  }
  Counter processed(Metrics& metrics, const char* status) const {
    return metrics.counter("action_worker_jobs_processed_total", "Jobs that ended",
                           {{"action_type", type}, {"status", status}});
  }
  Counter executed(Metrics& metrics, const char* status) const {
    return metrics.counter("actions_executed_total", "Jobs that ended", {{"action_type", type}, {"status", status}});
  }

  std::string type;
  Histogram seconds;
  Counter succeeded, failed, dead, executed_well, executed_badly;
  Histogram attempt_seconds;
  Counter retries;
  std::vector<Counter> retries_by_attempt;   // from the second on
  std::map<domain::Outcome, Counter> attempts;
};

Dispatcher::Dispatcher(Executor executor, store::Database& db, const Clock& clock, DispatcherSettings settings,
                       std::map<domain::ActionType, Channel*> channels, Metrics& metrics)
    : executor_(executor),
      db_(db),
      clock_(clock),
      settings_(settings),
      channels_(std::move(channels)),
      metrics_(metrics),
      wake_(executor),
      results_ready_(executor),
      lanes_(settings.lanes),
      active_(metrics.gauge("action_worker_active_workers", "Attempts in flight")) {
  for (const auto type : {domain::ActionType::telegram, domain::ActionType::rest, domain::ActionType::mcp})
    metrics_of(type);
}

Dispatcher::~Dispatcher() = default;

void Dispatcher::stop() {
  stopping_ = true;
  wake_.notify();
}

Dispatcher::TypeMetrics& Dispatcher::metrics_of(domain::ActionType type) {
  auto& entry = type_metrics_[type];
  if (!entry) entry = std::make_unique<TypeMetrics>(metrics_, type);
  return *entry;
}

Task<void> Dispatcher::run() {
  TaskGroup attempts(executor_);
  TaskGroup keepers(executor_);
  keepers.spawn("record", [this]() -> Task<void> { co_await record_loop(); });
  keepers.spawn("upkeep", [this]() -> Task<void> { co_await upkeep_loop(); });
  co_await claim_loop(attempts);
  if (co_await cancelled()) attempts.cancel();
  while (!co_await attempts.wait_for(kFullHouse)) {
    if (co_await cancelled()) attempts.cancel();
  }
  recording_ = false;
  results_ready_.notify();
  co_await keepers.cancel_and_wait();
  co_await flush_results();
}

// --- claiming --------------------------------------------------------------------------------------------------------

Task<Result<store::Claim>> Dispatcher::claim(std::size_t limit) {
  const Time now = clock_.now();
  auto take = [worker = settings_.instance, limit, room = lanes_.claim_room(now), now](store::Tx& tx) {
    return store::claim_batch(tx, worker, limit, room, now);
  };
  co_return co_await db_.transact<store::Claim>(store::Priority::interactive, std::move(take));
}

Task<void> Dispatcher::claim_loop(TaskGroup& attempts) {
  using Steady = std::chrono::steady_clock;
  auto store_retry = std::chrono::milliseconds(kStoreRetry);
  auto patient_until = Steady::now(), look_at = Steady::now() + kLookForLost;
  bool crowded = false;   // lanes were full at the last claim
  while (!stopping_ && !co_await cancelled()) {
    if (Steady::now() >= look_at) {
      co_await give_back_lost();
      look_at = Steady::now() + kLookForLost;
    }
    const std::size_t room = lanes_.room(clock_.now());
    const bool scarce = room < kWorthwhile || (crowded && ended_since_claim_ < kWorthwhile);
    if (room == 0 || (scarce && Steady::now() < patient_until)) {
      wanting_ = true;
      co_await wake_.wait_for(room == 0 ? kFullHouse : kPatience);
      continue;
    }
    ended_since_claim_ = 0;
    auto batch = co_await claim(std::min(settings_.claim, room));
    patient_until = Steady::now() + kPatience;
    if (!batch) {
      if (batch.error().code == Code::cancelled) co_return;
      log_.warn("due jobs could not be claimed; trying again", {{"why", batch.error().text}});
      co_await sleep_for(store_retry);
      store_retry = std::min<std::chrono::milliseconds>(store_retry * 2, kMaxStoreRetry);
      look_at = Steady::now();   // it may have been committed all the same
      continue;
    }
    store_retry = kStoreRetry;
    lanes_.remember_slots(*batch);
    const bool at_once = batch->more || batch->jobs.size() == std::min(settings_.claim, room);
    crowded = batch->without_room > 0;
    wanting_ = crowded;
    start_attempts(attempts, std::move(batch->jobs));
    if (at_once) continue;
    auto pause = std::chrono::microseconds(settings_.poll);
    if (batch->next_due)
      pause =
          std::clamp<std::chrono::microseconds>(*batch->next_due - clock_.now(), std::chrono::microseconds(0), pause);
    if (pause.count() > 0) co_await wake_.wait_for(pause);
  }
}

void Dispatcher::start_attempts(TaskGroup& attempts, std::vector<store::ClaimedJob> jobs) {
  const Time now = clock_.now();
  for (auto& claimed : jobs) {
    auto job = std::make_shared<const store::ClaimedJob>(std::move(claimed));
    in_hand_[job->id] = job->lease_epoch;
    const auto ticket = lanes_.start({job->organization_id, job->endpoint.value_or("")}, now);
    attempts.spawn("attempt", [this, job, ticket]() -> Task<void> { co_await attempt(job, ticket); });
  }
  active_.set(static_cast<double>(lanes_.in_flight()));
}

// --- one attempt -----------------------------------------------------------------------------------------------------

Task<Sent> Dispatcher::make(const store::ClaimedJob& job) {
  const Time now = clock_.now();
  const auto channel = channels_.find(job.action_type);
  if (!job.action_exists) co_return refused("the action has been deleted");
  if (job.disabled_reason) co_return refused(fmt::format("the action is disabled: {}", *job.disabled_reason));
  if (is_expired(job, now)) co_return refused("the alert is older than max_age_seconds");
  if (channel == channels_.end()) {
    co_return refused(fmt::format("this version does not deliver {} actions", domain::to_string(job.action_type)));
  }
  co_return co_await channel->second->send(job, now);
}

Task<void> Dispatcher::attempt(std::shared_ptr<const store::ClaimedJob> job, Lanes::Ticket ticket) {
  const auto started = std::chrono::steady_clock::now();
  Sent sent = co_await make(*job);
  const auto took = std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - started);
  const auto outcome = sent.end.outcome;
  const bool silent = outcome == domain::Outcome::network || outcome == domain::Outcome::unknown;
  const bool tried = outcome != domain::Outcome::refused && !sent.end.interrupted;
  lanes_.end(ticket,
             !tried   ? Lanes::End::not_tried
             : silent ? Lanes::End::unanswered
                      : Lanes::End::answered,
             clock_.now());
  finish(*job, std::move(sent), took);
  active_.set(static_cast<double>(lanes_.in_flight()));
  ++ended_since_claim_;
  if (wanting_) wake_.notify();
}

void Dispatcher::finish(const store::ClaimedJob& job, Sent sent, std::chrono::microseconds took) {
  using domain::JobState;
  const Time now = clock_.now();
  const auto channel = channels_.find(job.action_type);
  static const RetryLadder kNone{{std::chrono::milliseconds(0)}, 0};
  const RetryLadder& ladder = channel == channels_.end() ? kNone : channel->second->ladder();
  // Who tries an action out wants to know now, and not for days.
  const auto retry_count = job.kind == domain::kTestKind ? std::optional(0) : sent.retry_count;
  Next next = decide(sent.end, job.attempt - job.ladder_from, ladder, retry_count, job.expires_at, now, random_unit);
  if (!job.action_exists)
    next = {JobState::cancelled, std::nullopt, "action deleted"};
  else if (sent.end.outcome == domain::Outcome::refused && is_expired(job, now))
    next.state = JobState::expired;

  store::AttemptResult result;
  result.job = job.id;
  result.attempt = job.attempt;
  result.lease_epoch = job.lease_epoch;
  result.outcome = sent.end.outcome;
  result.status = sent.end.status;
  result.duration_us = took.count();
  result.excerpt = printable(sent.end.excerpt);
  result.next = next.state;
  result.next_at = next.at;
  result.reason = printable(next.reason);
  result.disable_action = sent.end.gone;
  result.action_id = job.action_id;

  auto& metrics = metrics_of(job.action_type);
  const bool ok = next.state == JobState::succeeded;
  metrics.attempts.at(sent.end.outcome).add();
  metrics.attempt_seconds.observe(std::chrono::duration<double>(took).count());
  if (job.attempt > 1) {
    metrics.retries.add();
    metrics.retries_by_attempt.at(static_cast<std::size_t>(std::min(job.attempt, kMaxAttemptLabel) - 2)).add();
  }
  const bool again = next.state == JobState::pending;
  const Level level = ok || sent.end.interrupted ? Level::info : Level::warn;
  if (log_.enabled(level)) {
    log_.write(level,
               ok      ? "delivered"
               : again ? "attempt failed; it will be retried"
                       : "not delivered",
               {{"request_id", job.request_id},
                {"job_id", to_hex(job.id.view())},
                {"trigger_id", to_string(job.trigger_id)},
                {"event_id", job.event_id},
                {"attempt", job.attempt},
                {"outcome", domain::to_string(sent.end.outcome)},
                {"status", sent.end.status.value_or(0)},
                {"duration_us", static_cast<std::int64_t>(took.count())},
                {"endpoint", job.endpoint.value_or("")},
                {"state", domain::to_string(next.state)},
                {"why", ok                      ? std::string()
                        : result.reason.empty() ? result.excerpt
                                                : result.reason}});
  }
  results_.push_back({std::move(result), job.action_type, now - job.created_at});
  results_ready_.notify();
}

// --- recording -------------------------------------------------------------------------------------------------------

Task<Result<std::int64_t>> Dispatcher::write_results(std::size_t count) {
  std::vector<store::AttemptResult> batch;
  for (std::size_t i = 0; i < count; ++i) batch.push_back(results_[i].result);
  auto write = [batch = std::move(batch), now = clock_.now()](store::Tx& tx) {
    return store::finish_attempts(tx, batch, now);
  };
  co_return co_await db_.transact<std::int64_t>(store::Priority::interactive, std::move(write));
}

// Jobs count as ended once that is durable.
void Dispatcher::count_end(const Ended& ended) {
  using domain::JobState;
  const JobState state = ended.result.next;
  if (state == JobState::pending) return;
  const bool ok = state == JobState::succeeded;
  auto& metrics = metrics_of(ended.type);
  (ok ? metrics.succeeded : state == JobState::dead ? metrics.dead : metrics.failed).add();
  (ok ? metrics.executed_well : metrics.executed_badly).add();
  metrics.seconds.observe(std::chrono::duration<double>(ended.age).count());
}

void Dispatcher::let_go(const store::AttemptResult& result) {
  const auto held = in_hand_.find(result.job);
  if (held != in_hand_.end() && held->second == result.lease_epoch) in_hand_.erase(held);
}

// Results wait here for the store; whatever arrives while one commit is made durable goes with the next. A result that
// the store refuses for what it says (a bug of ours) goes alone, then without what was said: it must not hold up the
// others, and its job must not be sent again and again because its end is not known. What is refused even so is given
// back as if it had been lost.
Task<void> Dispatcher::flush_results() {
  auto store_retry = std::chrono::milliseconds(kStoreRetry);
  std::size_t limit = kMaxResultsAtOnce;
  while (!results_.empty()) {
    const std::size_t count = std::min(results_.size(), limit);
    auto written = co_await write_results(count);
    const bool refused_for_good =
        !written && (written.error().code == Code::invalid || written.error().code == Code::overflow ||
                     written.error().code == Code::check_failed);
    if (refused_for_good && count > 1) {
      limit = 1;
      continue;
    }
    if (refused_for_good) {
      Ended& first = results_.front();
      log_.error("the result of an attempt could not be recorded",
                 {{"why", written.error().text}, {"job_id", to_hex(first.result.job.view())}, {"bare", first.bare}});
      if (!first.bare) {
        first.bare = true;
        first.result.status.reset();
        first.result.duration_us = 0;
        first.result.excerpt = "what the attempt ended with could not be recorded";
        if (!first.result.reason.empty()) first.result.reason = first.result.excerpt;
        continue;
      }
    } else if (!written) {
      if (written.error().code == Code::cancelled) co_return;
      log_.warn("results of attempts could not be recorded; trying again",
                {{"why", written.error().text}, {"waiting", static_cast<std::uint64_t>(results_.size())}});
      if (!co_await sleep_for(store_retry)) co_return;
      store_retry = std::min<std::chrono::milliseconds>(store_retry * 2, kMaxStoreRetry);
      continue;
    } else {
      for (std::size_t i = 0; i < count; ++i) count_end(results_[i]);
    }
    for (std::size_t i = 0; i < count; ++i) let_go(results_[i].result);
    results_.erase(results_.begin(), results_.begin() + static_cast<std::ptrdiff_t>(count));
    store_retry = kStoreRetry;
  }
}

// A commit costs the same for one result as for many, and the next claim goes with it when both are ready at the same
// time.
Task<void> Dispatcher::more_results() {
  const auto until = std::chrono::steady_clock::now() + kPatience;
  while (recording_ && results_.size() < kWorthwhile) {
    const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - std::chrono::steady_clock::now());
    if (left.count() <= 0 || !co_await results_ready_.wait_for(left)) co_return;
  }
}

Task<void> Dispatcher::record_loop() {
  while (recording_) {
    if (results_.empty()) {
      if (!co_await results_ready_.wait_for(std::chrono::seconds(60)) && co_await cancelled()) co_return;
      continue;
    }
    co_await more_results();
    co_await flush_results();
  }
}

}   // namespace agentauri::delivery
