#include "delivery/dispatcher.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <random>

#include "store/leases.hpp"

namespace agentauri::delivery {
namespace {

constexpr std::size_t kMaxResultsAtOnce = 256;
constexpr auto kStoreRetry = std::chrono::milliseconds(200);
constexpr auto kMaxStoreRetry = std::chrono::milliseconds(5000);
constexpr auto kCountEvery = std::chrono::seconds(5);

double random_unit() {
  thread_local std::mt19937_64 engine{std::random_device{}()};
  return std::uniform_real_distribution<double>(0, 1)(engine);
}

std::string endpoint_of(const store::ClaimedJob& job) { return job.endpoint.value_or(""); }

}  // namespace

Dispatcher::Dispatcher(Executor executor, store::Database& db, const Clock& clock, DispatcherSettings settings, std::map<domain::ActionType, Channel*> channels, Metrics& metrics)
    : executor_(executor), db_(db), clock_(clock), settings_(settings), channels_(std::move(channels)), metrics_(metrics), wake_(executor), results_ready_(executor),
      active_(metrics.gauge("action_worker_active_workers", "Attempts in flight")), depth_(metrics.gauge("action_worker_queue_depth", "Pending jobs")),
      depth_too_(metrics.gauge("action_queue_depth", "Pending jobs")), dead_(metrics.gauge("action_worker_dlq_size", "Dead jobs")) {}

Dispatcher::~Dispatcher() = default;

std::size_t Dispatcher::limit_of(const Endpoint& endpoint) const {
  return endpoint.failures >= settings_.failures_to_narrow ? 1 : settings_.concurrent_per_endpoint;
}

store::ClaimRoom Dispatcher::room() const {
  store::ClaimRoom out;
  out.usual = settings_.concurrent_per_endpoint;
  for (const auto& [name, endpoint] : endpoints_) {
    if (name.empty()) continue;
    const std::size_t limit = limit_of(endpoint);
    if (endpoint.in_flight >= limit) out.busy.push_back(name);
    else out.rest.emplace(name, limit - endpoint.in_flight);
  }
  return out;
}

void Dispatcher::stop() {
  stopping_ = true;
  wake_.notify();
}

// --- claiming --------------------------------------------------------------------------------------------------------

Task<Result<std::vector<store::ClaimedJob>>> Dispatcher::claim(std::size_t limit) {
  auto take = [worker = settings_.instance, limit, room = room(), now = clock_.now()](store::Tx& tx) { return store::claim_jobs(tx, worker, limit, room, now); };
  co_return co_await db_.transact<std::vector<store::ClaimedJob>>(store::Priority::interactive, std::move(take));
}

Task<std::chrono::microseconds> Dispatcher::until_next_due() {
  auto ask = [busy = room().busy](store::Tx& tx) { return store::next_due(tx, busy); };
  auto due = co_await db_.snapshot<std::optional<Time>>(std::move(ask));
  if (!due || !*due) co_return std::chrono::microseconds(settings_.poll);
  co_return std::clamp<std::chrono::microseconds>(**due - clock_.now(), std::chrono::microseconds(0), settings_.poll);
}

Task<void> Dispatcher::run() {
  TaskGroup group(executor_);
  TaskGroup keepers(executor_);
  keepers.spawn("record", [this]() -> Task<void> { co_await record_loop(); });
  keepers.spawn("upkeep", [this]() -> Task<void> { co_await upkeep_loop(); });
  auto store_retry = std::chrono::milliseconds(kStoreRetry);
  while (!stopping_) {
    const std::size_t limit = std::min(settings_.claim, settings_.concurrent - std::min(settings_.concurrent, in_flight_));
    if (limit == 0) {   // an attempt that ends wakes us
      if (!co_await wake_.wait_for(settings_.poll) && co_await cancelled()) break;
      continue;
    }
    auto jobs = co_await claim(limit);
    if (!jobs) {
      if (jobs.error().code == Code::cancelled) break;
      log_.warn("due jobs could not be claimed; trying again", {{"why", jobs.error().text}});
      if (!co_await sleep_for(store_retry)) break;
      store_retry = std::min<std::chrono::milliseconds>(store_retry * 2, kMaxStoreRetry);
      continue;
    }
    store_retry = kStoreRetry;
    const bool full = jobs->size() == limit;
    for (auto& job : *jobs) {
      ++in_flight_;
      ++endpoints_[endpoint_of(job)].in_flight;
      group.spawn("attempt", [this, job = std::move(job)]() -> Task<void> { co_await attempt(job); });
    }
    active_.set(static_cast<double>(in_flight_));
    if (full) continue;
    const auto pause = co_await until_next_due();
    if (pause.count() > 0 && !co_await wake_.wait_for(pause) && co_await cancelled()) break;
  }
  const bool insist = co_await cancelled();
  if (insist) group.cancel();
  co_await group.wait();
  recording_ = false;
  results_ready_.notify();
  keepers.cancel();
  co_await keepers.wait();
  co_await flush_results();
}

// --- one attempt -----------------------------------------------------------------------------------------------------

Task<void> Dispatcher::attempt(store::ClaimedJob job) {
  const auto started = std::chrono::steady_clock::now();
  Sent sent;
  const auto channel = channels_.find(job.action_type);
  if (!job.action_exists) {
    sent.end.outcome = domain::Outcome::refused;
    sent.end.excerpt = "the action has been deleted";
  } else if (job.disabled_reason) {
    sent.end.outcome = domain::Outcome::refused;
    sent.end.excerpt = fmt::format("the action is disabled: {}", *job.disabled_reason);
  } else if (channel == channels_.end()) {
    sent.end.outcome = domain::Outcome::refused;
    sent.end.excerpt = fmt::format("this version does not deliver {} actions", domain::to_string(job.action_type));
  } else if (job.expires_at && *job.expires_at < clock_.now()) {
    sent.end.outcome = domain::Outcome::refused;
    sent.end.excerpt = "the alert is older than max_age_seconds";
  } else {
    sent = co_await channel->second->send(job, clock_.now());
  }
  const auto took = std::chrono::duration_cast<std::chrono::microseconds>(std::chrono::steady_clock::now() - started);
  finish(job, sent, took);
  --in_flight_;
  const auto endpoint = endpoints_.find(endpoint_of(job));
  // Whoever was turned away for want of room may come now.
  const bool was_full = in_flight_ + 1 >= settings_.concurrent || endpoint->second.in_flight >= limit_of(endpoint->second);
  --endpoint->second.in_flight;
  const bool failed = sent.end.outcome == domain::Outcome::network || sent.end.outcome == domain::Outcome::unknown;
  endpoint->second.failures = failed ? endpoint->second.failures + 1 : 0;
  if (endpoint->second.in_flight == 0 && endpoint->second.failures == 0) endpoints_.erase(endpoint);
  active_.set(static_cast<double>(in_flight_));
  if (was_full) wake_.notify();
}

void Dispatcher::finish(const store::ClaimedJob& job, const Sent& sent, std::chrono::microseconds took) {
  const auto channel = channels_.find(job.action_type);
  static const RetryLadder kNone{{std::chrono::milliseconds(0)}, 0};
  const RetryLadder& ladder = channel == channels_.end() ? kNone : channel->second->ladder();
  Next next = decide(sent.end, job.attempt, ladder, sent.retry_count, job.expires_at, clock_.now(), random_unit);
  if (!job.action_exists) next = {domain::JobState::cancelled, std::nullopt, "action deleted"};
  else if (job.expires_at && *job.expires_at < clock_.now() && sent.end.outcome == domain::Outcome::refused) next.state = domain::JobState::expired;

  store::AttemptResult result;
  result.job = job.id;
  result.attempt = job.attempt;
  result.lease_epoch = job.lease_epoch;
  result.outcome = sent.end.outcome;
  result.status = sent.end.status;
  result.duration_us = took.count();
  result.excerpt = sent.end.excerpt;
  result.next = next.state;
  result.next_at = next.at;
  result.reason = next.reason;
  result.disable_action = sent.end.gone;
  result.action_id = job.action_id;
  results_.push_back(std::move(result));
  results_ready_.notify();

  const std::string type(domain::to_string(job.action_type));
  const std::string outcome(domain::to_string(sent.end.outcome));
  const bool ok = next.state == domain::JobState::succeeded;
  metrics_.counter("action_worker_attempts_total", "Attempts by outcome", {{"action_type", type}, {"outcome", outcome}}).add();
  if (job.attempt > 1) metrics_.counter("action_worker_retries_total", "Attempts after the first", {{"action_type", type}, {"attempt", std::to_string(job.attempt)}}).add();
  if (next.state != domain::JobState::pending) {
    metrics_.counter("action_worker_jobs_processed_total", "Jobs that ended", {{"action_type", type}, {"status", ok ? "success" : next.state == domain::JobState::dead ? "dlq" : "failure"}}).add();
    metrics_.counter("actions_executed_total", "Jobs that ended", {{"action_type", type}, {"status", ok ? "success" : "failure"}}).add();
    metrics_.histogram("action_worker_job_duration_seconds", "From the job's making to its end", kJobBuckets, {{"action_type", type}}).observe(std::chrono::duration<double>(clock_.now() - job.created_at).count());
  }
  const Level level = ok ? Level::info : Level::warn;
  log_.write(level, ok ? "delivered" : next.state == domain::JobState::pending ? "attempt failed; it will be retried" : "not delivered",
             {{"request_id", job.request_id}, {"job_id", to_hex(job.id.view())}, {"trigger_id", to_string(job.trigger_id)}, {"event_id", job.event_id}, {"attempt", job.attempt}, {"outcome", outcome},
              {"status", sent.end.status.value_or(0)}, {"duration_us", static_cast<std::int64_t>(took.count())}, {"endpoint", job.endpoint.value_or("")}, {"state", domain::to_string(next.state)},
              {"why", ok ? std::string() : next.reason.empty() ? sent.end.excerpt : next.reason}});
}

// --- recording -------------------------------------------------------------------------------------------------------

// Results wait here for the store; whatever arrives while one commit is made durable goes with the next.
Task<void> Dispatcher::flush_results() {
  auto store_retry = std::chrono::milliseconds(kStoreRetry);
  while (!results_.empty()) {
    const std::size_t count = std::min(results_.size(), kMaxResultsAtOnce);
    std::vector<store::AttemptResult> batch(results_.begin(), results_.begin() + static_cast<std::ptrdiff_t>(count));
    auto write = [batch, now = clock_.now()](store::Tx& tx) { return store::finish_attempts(tx, batch, now); };
    auto written = co_await db_.transact<std::int64_t>(store::Priority::interactive, std::move(write));
    if (!written) {
      if (written.error().code == Code::cancelled) co_return;
      log_.warn("results of attempts could not be recorded; trying again", {{"why", written.error().text}, {"waiting", static_cast<std::uint64_t>(results_.size())}});
      if (!co_await sleep_for(store_retry)) co_return;
      store_retry = std::min<std::chrono::milliseconds>(store_retry * 2, kMaxStoreRetry);
      continue;
    }
    results_.erase(results_.begin(), results_.begin() + static_cast<std::ptrdiff_t>(count));
  }
}

Task<void> Dispatcher::record_loop() {
  while (recording_) {
    if (results_.empty() && !co_await results_ready_.wait_for(std::chrono::seconds(60)) && co_await cancelled()) co_return;
    co_await flush_results();
  }
}

// Jobs of workers that are gone, and the counts that operators look at.
Task<void> Dispatcher::upkeep_loop() {
  auto counted = std::chrono::steady_clock::time_point{};
  do {
    auto recover = [now = clock_.now()](store::Tx& tx) -> Result<std::int64_t> {
      auto at = tx.now();
      if (!at) return fail(at);
      return store::recover_jobs(tx, *at - store::kSilence, now);
    };
    auto recovered = co_await db_.transact<std::int64_t>(store::Priority::bulk, std::move(recover));
    if (recovered && *recovered > 0) {
      log_.warn("jobs of a worker that is gone are due again; their last attempt is unknown", {{"jobs", *recovered}});
      wake_.notify();
    }
    if (std::chrono::steady_clock::now() - counted < kCountEvery) continue;
    counted = std::chrono::steady_clock::now();
    auto counts = co_await db_.snapshot<store::JobCounts>([](store::Tx& tx) { return store::count_jobs(tx); });
    if (!counts) continue;
    depth_.set(static_cast<double>(counts->pending));
    depth_too_.set(static_cast<double>(counts->pending));
    dead_.set(static_cast<double>(counts->dead));
    const std::pair<const char*, std::int64_t> states[] = {{"held", counts->held}, {"pending", counts->pending}, {"leased", counts->leased}, {"succeeded", counts->succeeded}, {"dead", counts->dead}, {"cancelled", counts->cancelled}, {"expired", counts->expired}};
    for (const auto& [state, n] : states) metrics_.gauge("jobs", "Jobs by state", {{"state", state}}).set(static_cast<double>(n));
  } while (co_await sleep_for(settings_.recover_every));
}

}  // namespace agentauri::delivery
