#include "chain/evm/rpc_pool.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "chain/evm/rpc_json.hpp"
#include "chain/evm/rpc_refusal.hpp"

namespace agentauri::chain {
namespace {

using SteadyClock = std::chrono::steady_clock;

constexpr std::chrono::milliseconds kProbeTime{5'000};   // of the first question to a provider that failed
constexpr std::size_t kErrorBody = 500;                  // of a body that is no JSON

Code code_of(net::ClientError::Kind kind) {
  using Kind = net::ClientError::Kind;
  switch (kind) {
    case Kind::timed_out:
      return Code::timed_out;
    case Kind::too_large:
      return Code::too_large;
    case Kind::cancelled:
      return Code::cancelled;
    default:
      return Code::unavailable;
  }
}

// A hiccup that may be over in a moment. Time-outs are long, and rate limits name their time.
bool is_worth_a_retry(Code code) {
  return code == Code::unavailable || code == Code::protocol;
}

// Whether fewer calls at once may help: the request as a whole was refused, or a member that is small whatever it
// holds.
bool is_about_the_batch(const Error& error) {
  if (error.code != Code::too_large && error.code != Code::unsupported) return false;
  return error.field.empty() || error.field == "eth_getBlockByNumber";
}

}   // namespace

RpcPool::RpcPool(net::HttpClient& client, JsonRpcSettings settings, Metrics& metrics)
    : client_(client), settings_(std::move(settings)), metrics_(metrics) {
  for (const auto& text : settings_.urls) {
    auto url = net::parse_url(text.reveal());
    if (!url) {
      log_.error("an RPC URL does not parse and is left out",
                 {{"chain", settings_.chain_name}, {"why", url.error().text}});
      continue;
    }
    const ProviderStanding::Settings standing{
        .failures_to_open = settings_.breaker_failures,
        .reset = settings_.breaker_reset,
        .successes_to_close = settings_.breaker_successes,
        .requests_per_second = rate_of(url->host, settings_.rates, settings_.requests_per_second),
        .first_demotion = settings_.first_demotion,
        .shortest_lag_demotion = 2 * settings_.stalled_after};
    providers_.emplace_back(std::move(*url), settings_.chain_name, standing, metrics_);
  }
}

void RpcPool::note_calls(const std::vector<RpcCall>& calls) {
  for (const auto& call : calls) {
    auto found = calls_by_method_.find(call.method);
    if (found == calls_by_method_.end()) {
      const Labels labels{{"chain", settings_.chain_name}, {"method", std::string(call.method)}};
      const auto counter =
          metrics_.counter("rpc_calls_total", "JSON-RPC calls, each member of a batch for itself", labels);
      found = calls_by_method_.emplace(call.method, counter).first;
    }
    found->second.add();
  }
}

// --- one request -----------------------------------------------------------------------------------------------------

// Some nodes answer errors with a status of 4xx and a JSON-RPC body: the body says more.
Result<json::Value> RpcPool::body_of(RpcProvider& provider, const net::ClientResponse& response) {
  auto parsed = json::parse(response.body);
  const bool speaks_rpc = parsed && (parsed->is_object() || parsed->is_array());
  const bool limited = response.status == 429;
  const auto pause = wanted_pause(response.headers, std::chrono::seconds(to_unix_seconds(SystemClock().now())));
  if (limited || (pause && response.status == 503)) {
    provider.standing.pause_until(SteadyClock::now() +
                                  pause.value_or(std::chrono::ceil<std::chrono::seconds>(settings_.rate_limit_pause)));
  } else if (pause && pause->count() > 0) {
    provider.standing.pause_until(SteadyClock::now() + *pause);   // served, and nothing is left
  }
  if (limited) return fail(Code::rate_limited, "HTTP 429");
  if (response.status != 200 && !speaks_rpc) {
    const auto body = std::string_view(response.body).substr(0, kErrorBody);
    return fail(meaning_of({.http_status = response.status, .message = body}), fmt::format("HTTP {}", response.status));
  }
  if (!parsed) return fail(Code::protocol, fmt::format("the answer is not JSON: {}", parsed.error().text));
  return parsed;
}

Task<Result<RpcPool::Answers>> RpcPool::post(RpcProvider& provider, std::vector<RpcCall> calls,
                                             std::chrono::milliseconds timeout) {
  const auto wait = provider.standing.reserve(SteadyClock::now());
  if (wait.count() > 0 && !co_await sleep_for(wait)) co_return fail(Code::cancelled, "stopping");
  note_calls(calls);
  net::ClientRequest request;
  request.method = "POST";
  request.url = provider.url;
  request.headers.add("Content-Type", "application/json");
  request.headers.add("Accept", "application/json");
  request.headers.add("User-Agent", "agentauri");
  request.body = render_calls(calls);
  request.timeout = timeout;
  request.max_body_bytes = settings_.max_answer_bytes;
  request.truncate_body = false;
  const auto started = SteadyClock::now();
  auto response = co_await client_.send(std::move(request));
  provider.took(SteadyClock::now() - started);
  if (!response) {
    const auto& error = response.error();
    co_return fail(code_of(error.kind), fmt::format("{}: {}", net::to_string(error.kind), error.text));
  }
  auto body = body_of(provider, *response);
  if (!body) co_return fail(body);
  co_return match_answers(std::move(*body), calls);
}

// In as many requests as this provider wants, one after the other. A batch that is refused is asked again in halves.
Task<Result<RpcPool::Answers>> RpcPool::post_in_batches(RpcProvider& provider, std::vector<RpcCall> calls,
                                                        std::chrono::milliseconds timeout) {
  Answers out;
  while (out.size() < calls.size()) {
    const auto first = calls.begin() + static_cast<std::ptrdiff_t>(out.size());
    const std::size_t count = std::min(calls.size() - out.size(), provider.batch.size());
    auto answers =
        co_await post(provider, std::vector<RpcCall>(first, first + static_cast<std::ptrdiff_t>(count)), timeout);
    if (!answers && count > 1 && is_about_the_batch(answers.error())) {
      provider.batch.refused(count);
      continue;
    }
    if (!answers) co_return fail(answers);
    provider.batch.accepted(count);
    std::move(answers->begin(), answers->end(), std::back_inserter(out));
  }
  co_return out;
}

// An answer that makes no sense is a failure of the provider like any other.
Task<Result<void>> RpcPool::exchange(RpcProvider& provider, std::vector<RpcCall> calls, Reader read,
                                     std::chrono::milliseconds timeout) {
  Result<void> outcome;
  auto answers = co_await post_in_batches(provider, std::move(calls), timeout);
  if (answers)
    outcome = read(*answers);
  else
    outcome = fail(answers);
  if (!outcome) {
    auto& error = outcome.error();
    error.text = fmt::format("{}: {}", provider.label, provider.scrub(error.text));
  }
  co_return outcome;
}

void RpcPool::account(RpcProvider& provider, const Result<void>& outcome, bool& counted) {
  if (outcome || is_about_question(outcome.error().code)) {
    provider.standing.succeeded();
  } else if (outcome.error().code != Code::cancelled) {
    provider.errors.add();
    provider.chain_checked = false;   // who comes back is asked again who it is
    const auto now = SteadyClock::now();
    if (outcome.error().code == Code::rate_limited) {
      if (provider.standing.available(now)) provider.standing.pause_until(now + settings_.rate_limit_pause);
    } else if (!counted) {   // retries of one question are one failure
      provider.standing.failed(now);
      counted = true;
    }
  }
  provider.show_breaker();
}

// --- one provider ----------------------------------------------------------------------------------------------------

Task<Result<void>> RpcPool::check_chain(std::size_t index, bool& counted) {
  RpcProvider& provider = providers_[index];
  std::uint64_t answered = 0;
  Reader read = [&answered](Answers& answers) -> Result<void> {
    auto number = parse_quantity(answers[0], "result");
    if (!number) return fail(number);
    answered = *number;
    return {};
  };
  std::vector<RpcCall> calls;
  calls.push_back({"eth_chainId", {}});
  auto outcome =
      co_await exchange(provider, std::move(calls), std::move(read), std::min(settings_.timeout, kProbeTime));
  account(provider, outcome, counted);
  if (!outcome) co_return outcome;
  if (answered != static_cast<std::uint64_t>(settings_.chain_id)) {
    log_.error("an RPC provider serves another chain and is not used", {{"chain", settings_.chain_name},
                                                                        {"provider", provider.label},
                                                                        {"expected", settings_.chain_id},
                                                                        {"answered", answered}});
    provider.errors.add();
    provider.standing.pause_until(SteadyClock::now() + settings_.breaker_reset);
    co_return fail(Code::unavailable,
                   fmt::format("{} serves chain {}, not {}", provider.label, answered, settings_.chain_id));
  }
  provider.chain_checked = true;
  co_return outcome;
}

Task<Result<void>> RpcPool::ask_provider(std::size_t index, std::vector<RpcCall> calls, Reader read, bool& counted) {
  RpcProvider& provider = providers_[index];
  if (!provider.standing.available(SteadyClock::now())) {
    provider.show_breaker();
    co_return fail(Code::unavailable, fmt::format("{} is left alone for now", provider.label));
  }
  provider.show_breaker();
  if (!provider.chain_checked) {
    provider.probing = true;
    auto checked = co_await check_chain(index, counted);
    provider.probing = false;
    if (!checked) co_return checked;
  }
  auto outcome = co_await exchange(provider, std::move(calls), std::move(read), settings_.timeout);
  account(provider, outcome, counted);
  co_return outcome;
}

// Those in good standing first, each group in the order of preference. A provider that somebody is probing comes later,
// so that one question alone waits for it.
std::vector<std::size_t> RpcPool::order() const {
  const auto now = SteadyClock::now();
  std::vector<std::size_t> good, later;
  for (std::size_t i = 0; i < providers_.size(); ++i) {
    const auto& standing = providers_[i].standing;
    const bool busy = providers_[i].probing && standing.wants_probe(now);
    (standing.demoted(now) || busy ? later : good).push_back(i);
  }
  good.insert(good.end(), later.begin(), later.end());
  return good;
}

// --- everybody -------------------------------------------------------------------------------------------------------

// One after the other until somebody answers, or says that the question is too large. Of several errors the one that
// says most is kept.
Task<Result<void>> RpcPool::ask_round(std::vector<std::size_t> indices, std::vector<RpcCall> calls, Reader read,
                                      Round& round) {
  Result<void> kept = fail(Code::unavailable, "every RPC provider is left alone for now");
  int kept_rank = 0;
  round.worth_a_retry = false;
  for (const std::size_t index : indices) {
    const bool asked = providers_[index].standing.available(SteadyClock::now());
    bool counted = round.counted[index] != 0;
    auto outcome = co_await ask_provider(index, calls, read, counted);
    round.counted[index] = counted ? 1 : 0;
    round.answered_by = index;
    if (outcome) co_return outcome;
    const Code code = outcome.error().code;
    if (code == Code::too_large || code == Code::cancelled) co_return outcome;
    const bool still_there = asked && providers_[index].standing.available(SteadyClock::now());
    round.worth_a_retry = round.worth_a_retry || (still_there && is_worth_a_retry(code));
    const int rank = code == Code::not_found ? 3 : code == Code::unsupported ? 2 : asked ? 1 : 0;
    if (rank < kept_rank) continue;
    kept = std::move(outcome);
    kept_rank = rank;
  }
  co_return kept;
}

Task<Result<void>> RpcPool::ask(std::vector<RpcCall> calls, Reader read, std::optional<std::size_t> provider,
                                std::size_t* answered_by) {
  if (providers_.empty()) co_return fail(Code::unavailable, "no RPC provider is configured");
  if (provider && *provider >= providers_.size()) co_return fail(Code::invalid, "there is no such provider");
  Round round{.counted = std::vector<char>(providers_.size(), 0)};
  for (unsigned retry = 0;; ++retry) {
    auto outcome = co_await ask_round(provider ? std::vector{*provider} : order(), calls, read, round);
    if (outcome && answered_by != nullptr) *answered_by = round.answered_by;
    const bool final = outcome || is_about_question(outcome.error().code) || outcome.error().code == Code::cancelled;
    if (final || provider || !round.worth_a_retry || retry >= settings_.retries) co_return outcome;
    if (!co_await sleep_for(retry_wait(retry, random()))) co_return fail(Code::cancelled, "stopping");
  }
}

}   // namespace agentauri::chain
