#include "chain/evm/json_rpc_source.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <random>

#include "chain/evm/rpc_batch.hpp"
#include "chain/evm/rpc_json.hpp"
#include "chain/evm/rpc_refusal.hpp"
#include "core/telemetry/log.hpp"

namespace agentauri::chain {
namespace {

using SteadyClock = std::chrono::steady_clock;
using Answers = std::vector<json::Value>;
// Takes the results of a call apart and keeps them; Code::protocol when they make no sense.
using Reader = std::function<Result<void>(Answers&)>;

constexpr std::size_t kMaxBatch = 100;
constexpr std::uint64_t kMaxLag = 3;                     // blocks between two healthy providers
constexpr std::chrono::milliseconds kProbeTime{5'000};   // of the first question to a provider that failed
constexpr std::size_t kErrorBody = 500;                  // of a body that is no JSON

std::string_view tag_name(HeadTag tag) {
  switch (tag) {
    case HeadTag::latest:
      return "latest";
    case HeadTag::safe:
      return "safe";
    case HeadTag::finalized:
      return "finalized";
  }
  return "latest";
}

template <class... Params>
std::vector<RpcCall> one_call(std::string_view method, Params... params) {
  json::Array list;
  (list.emplace_back(std::move(params)), ...);
  std::vector<RpcCall> out;
  out.push_back({method, std::move(list)});
  return out;
}

std::vector<RpcCall> logs_call(json::Object filter, const std::vector<Address>& addresses) {
  json::Array list;
  for (const auto& address : addresses) list.emplace_back(to_hex_0x(address));
  filter["address"] = std::move(list);
  return one_call("eth_getLogs", std::move(filter));
}

template <class T>
Result<void> keep(Result<T> parsed, T& out) {
  if (!parsed) return fail(parsed);
  out = std::move(*parsed);
  return {};
}

Reader header_reader(BlockHeader& out) {
  return [&out](Answers& answers) { return keep(parse_header(answers[0]), out); };
}

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

}   // namespace

struct JsonRpcSource::Impl {
  // What the rounds of one question have in common.
  struct Round {
    std::vector<char> counted;   // by provider: its failure counts once for a question, however often it is retried
    bool worth_a_retry = false;
    std::size_t answered_by = 0;
  };

  Impl(net::HttpClient& c, JsonRpcSettings s, Metrics& m);

  // One question to whoever can answer it, or to `provider` alone. `answered_by` is set on success.
  Task<Result<void>> ask(std::vector<RpcCall> calls, Reader read, Provider provider = std::nullopt,
                         std::size_t* answered_by = nullptr);
  Task<Result<void>> ask_round(std::vector<std::size_t> indices, std::vector<RpcCall> calls, Reader read, Round& round);
  Task<Result<void>> ask_provider(std::size_t index, std::vector<RpcCall> calls, Reader read, bool& counted);
  Task<Result<void>> check_chain(std::size_t index, bool& counted);
  Task<Result<void>> exchange(RpcProvider& provider, std::vector<RpcCall> calls, Reader read,
                              std::chrono::milliseconds timeout);
  Task<Result<Answers>> post(RpcProvider& provider, std::vector<RpcCall> calls, std::chrono::milliseconds timeout);
  Task<Result<BlockHeader>> freshest(BlockHeader head, std::size_t answered_by);

  Result<json::Value> body_of(RpcProvider& provider, const net::ClientResponse& response);
  void account(RpcProvider& provider, const Result<void>& outcome, bool& counted);
  void note_calls(const std::vector<RpcCall>& calls);
  std::vector<std::size_t> order() const;
  bool looks_behind(std::uint64_t num) const;
  double random() { return std::uniform_real_distribution<double>(0, 1)(random_); }

  net::HttpClient& client;
  JsonRpcSettings settings;
  Metrics& metrics;
  Log log{"rpc"};
  std::vector<RpcProvider> providers;   // never changes after construction
  std::map<std::string_view, Counter> calls_by_method;
  std::size_t batch_limit = kMaxBatch;   // halves when a provider refuses a batch
  std::uint64_t highest_head = 0;
  SteadyClock::time_point head_moved_at{}, heads_compared_at{};
  std::mt19937_64 random_{std::random_device{}()};
};

JsonRpcSource::Impl::Impl(net::HttpClient& c, JsonRpcSettings s, Metrics& m)
    : client(c), settings(std::move(s)), metrics(m) {
  for (const auto& text : settings.urls) {
    auto url = net::parse_url(text.reveal());
    if (!url) {
      log.error("an RPC URL does not parse and is left out",
                {{"chain", settings.chain_name}, {"why", url.error().text}});
      continue;
    }
    const ProviderStanding::Settings standing{
        .failures_to_open = settings.breaker_failures,
        .reset = settings.breaker_reset,
        .successes_to_close = settings.breaker_successes,
        .requests_per_second = rate_of(url->host, settings.rates, settings.requests_per_second),
        .first_demotion = settings.first_demotion};
    providers.emplace_back(std::move(*url), settings.chain_name, standing, metrics);
  }
}

void JsonRpcSource::Impl::note_calls(const std::vector<RpcCall>& calls) {
  for (const auto& call : calls) {
    auto found = calls_by_method.find(call.method);
    if (found == calls_by_method.end()) {
      const Labels labels{{"chain", settings.chain_name}, {"method", std::string(call.method)}};
      const auto counter =
          metrics.counter("rpc_calls_total", "JSON-RPC calls, each member of a batch for itself", labels);
      found = calls_by_method.emplace(call.method, counter).first;
    }
    found->second.add();
  }
}

// --- one request -----------------------------------------------------------------------------------------------------

// Some nodes answer errors with a status of 4xx and a JSON-RPC body: the body says more.
Result<json::Value> JsonRpcSource::Impl::body_of(RpcProvider& provider, const net::ClientResponse& response) {
  auto parsed = json::parse(response.body);
  const bool speaks_rpc = parsed && (parsed->is_object() || parsed->is_array());
  const bool limited = response.status == 429;
  const auto pause = wanted_pause(response.headers, std::chrono::seconds(to_unix_seconds(SystemClock().now())));
  if (limited || (pause && response.status == 503)) {
    provider.standing.pause_until(SteadyClock::now() +
                                  pause.value_or(std::chrono::ceil<std::chrono::seconds>(settings.rate_limit_pause)));
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

Task<Result<Answers>> JsonRpcSource::Impl::post(RpcProvider& provider, std::vector<RpcCall> calls,
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
  request.max_body_bytes = settings.max_answer_bytes;
  request.truncate_body = false;
  const auto started = SteadyClock::now();
  auto response = co_await client.send(std::move(request));
  provider.took(SteadyClock::now() - started);
  if (!response) {
    const auto& error = response.error();
    co_return fail(code_of(error.kind), fmt::format("{}: {}", net::to_string(error.kind), error.text));
  }
  auto body = body_of(provider, *response);
  if (!body) co_return fail(body);
  co_return match_answers(std::move(*body), calls);
}

// An answer that makes no sense is a failure of the provider like any other.
Task<Result<void>> JsonRpcSource::Impl::exchange(RpcProvider& provider, std::vector<RpcCall> calls, Reader read,
                                                 std::chrono::milliseconds timeout) {
  Result<void> outcome;
  auto answers = co_await post(provider, std::move(calls), timeout);
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

void JsonRpcSource::Impl::account(RpcProvider& provider, const Result<void>& outcome, bool& counted) {
  if (outcome || is_about_question(outcome.error().code)) {
    provider.standing.succeeded();
  } else if (outcome.error().code != Code::cancelled) {
    provider.errors.add();
    provider.chain_checked = false;   // who comes back is asked again who it is
    const auto now = SteadyClock::now();
    if (outcome.error().code == Code::rate_limited) {
      if (provider.standing.available(now)) provider.standing.pause_until(now + settings.rate_limit_pause);
    } else if (!counted) {   // retries of one question are one failure
      provider.standing.failed(now);
      counted = true;
    }
  }
  provider.show_breaker();
}

// --- one provider ----------------------------------------------------------------------------------------------------

Task<Result<void>> JsonRpcSource::Impl::check_chain(std::size_t index, bool& counted) {
  RpcProvider& provider = providers[index];
  std::uint64_t answered = 0;
  Reader read = [&answered](Answers& answers) { return keep(parse_quantity(answers[0], "result"), answered); };
  auto outcome =
      co_await exchange(provider, one_call("eth_chainId"), std::move(read), std::min(settings.timeout, kProbeTime));
  account(provider, outcome, counted);
  if (!outcome) co_return outcome;
  if (answered != static_cast<std::uint64_t>(settings.chain_id)) {
    log.error("an RPC provider serves another chain and is not used", {{"chain", settings.chain_name},
                                                                       {"provider", provider.label},
                                                                       {"expected", settings.chain_id},
                                                                       {"answered", answered}});
    provider.errors.add();
    provider.standing.pause_until(SteadyClock::now() + settings.breaker_reset);
    co_return fail(Code::unavailable,
                   fmt::format("{} serves chain {}, not {}", provider.label, answered, settings.chain_id));
  }
  provider.chain_checked = true;
  co_return outcome;
}

Task<Result<void>> JsonRpcSource::Impl::ask_provider(std::size_t index, std::vector<RpcCall> calls, Reader read,
                                                     bool& counted) {
  RpcProvider& provider = providers[index];
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
  auto outcome = co_await exchange(provider, std::move(calls), std::move(read), settings.timeout);
  account(provider, outcome, counted);
  co_return outcome;
}

// Those in good standing first, each group in the order of preference. A provider that somebody is probing comes later,
// so that one question alone waits for it.
std::vector<std::size_t> JsonRpcSource::Impl::order() const {
  const auto now = SteadyClock::now();
  std::vector<std::size_t> good, later;
  for (std::size_t i = 0; i < providers.size(); ++i) {
    const auto& standing = providers[i].standing;
    const bool busy = providers[i].probing && standing.wants_probe(now);
    (standing.demoted(now) || busy ? later : good).push_back(i);
  }
  good.insert(good.end(), later.begin(), later.end());
  return good;
}

// --- everybody -------------------------------------------------------------------------------------------------------

// One after the other until somebody answers, or says that the question is too large. Of several errors the one that
// says most is kept.
Task<Result<void>> JsonRpcSource::Impl::ask_round(std::vector<std::size_t> indices, std::vector<RpcCall> calls,
                                                  Reader read, Round& round) {
  Result<void> kept = fail(Code::unavailable, "every RPC provider is left alone for now");
  int kept_rank = 0;
  round.worth_a_retry = false;
  for (const std::size_t index : indices) {
    const bool asked = providers[index].standing.available(SteadyClock::now());
    bool counted = round.counted[index] != 0;
    auto outcome = co_await ask_provider(index, calls, read, counted);
    round.counted[index] = counted ? 1 : 0;
    round.answered_by = index;
    if (outcome) co_return outcome;
    const Code code = outcome.error().code;
    if (code == Code::too_large || code == Code::cancelled) co_return outcome;
    const bool still_there = asked && providers[index].standing.available(SteadyClock::now());
    round.worth_a_retry = round.worth_a_retry || (still_there && is_worth_a_retry(code));
    const int rank = code == Code::not_found ? 3 : code == Code::unsupported ? 2 : asked ? 1 : 0;
    if (rank < kept_rank) continue;
    kept = std::move(outcome);
    kept_rank = rank;
  }
  co_return kept;
}

Task<Result<void>> JsonRpcSource::Impl::ask(std::vector<RpcCall> calls, Reader read, Provider provider,
                                            std::size_t* answered_by) {
  if (providers.empty()) co_return fail(Code::unavailable, "no RPC provider is configured");
  if (provider && *provider >= providers.size()) co_return fail(Code::invalid, "there is no such provider");
  Round round{.counted = std::vector<char>(providers.size(), 0)};
  for (unsigned retry = 0;; ++retry) {
    auto outcome = co_await ask_round(provider ? std::vector{*provider} : order(), calls, read, round);
    if (outcome && answered_by != nullptr) *answered_by = round.answered_by;
    const bool final = outcome || is_about_question(outcome.error().code) || outcome.error().code == Code::cancelled;
    if (final || provider || !round.worth_a_retry || retry >= settings.retries) co_return outcome;
    if (!co_await sleep_for(retry_wait(retry, random()))) co_return fail(Code::cancelled, "stopping");
  }
}

bool JsonRpcSource::Impl::looks_behind(std::uint64_t num) const {
  if (providers.size() < 2 || head_moved_at == SteadyClock::time_point{}) return false;
  const auto now = SteadyClock::now();
  if (now - heads_compared_at < settings.stalled_after) return false;
  return num + kMaxLag < highest_head || now - head_moved_at >= settings.stalled_after;
}

// The highest head among the providers; one that is far below it is demoted. A chain that stands still looks the same
// everywhere.
Task<Result<BlockHeader>> JsonRpcSource::Impl::freshest(BlockHeader head, std::size_t answered_by) {
  heads_compared_at = SteadyClock::now();
  std::vector<std::optional<std::uint64_t>> nums(providers.size());
  nums[answered_by] = head.num;
  for (std::size_t i = 0; i < providers.size(); ++i) {
    if (i == answered_by) continue;
    BlockHeader other;
    auto asked = co_await ask(one_call("eth_getBlockByNumber", "latest", false), header_reader(other), i);
    if (!asked && asked.error().code == Code::cancelled) co_return fail(asked);
    if (!asked) continue;
    nums[i] = other.num;
    if (other.num > head.num) head = other;
  }
  for (std::size_t i = 0; i < providers.size(); ++i) {
    if (!nums[i]) continue;
    if (*nums[i] + kMaxLag >= head.num) {
      providers[i].standing.kept_up();
      continue;
    }
    providers[i].standing.fell_behind(SteadyClock::now());
    log.warn(
        "an RPC provider lags behind the others and is asked last",
        {{"chain", settings.chain_name}, {"provider", providers[i].label}, {"its_head", *nums[i]}, {"head", head.num}});
  }
  highest_head = head.num;   // lower than before when the whole chain went back
  co_return head;
}

// --- the questions ---------------------------------------------------------------------------------------------------

JsonRpcSource::JsonRpcSource(net::HttpClient& client, JsonRpcSettings settings, Metrics& metrics)
    : impl_(std::make_unique<Impl>(client, std::move(settings), metrics)) {}
JsonRpcSource::~JsonRpcSource() = default;

std::size_t JsonRpcSource::provider_count() const {
  return impl_->providers.size();
}

Task<Result<BlockHeader>> JsonRpcSource::head(HeadTag tag) {
  BlockHeader head;
  std::size_t answered_by = 0;
  auto calls = one_call("eth_getBlockByNumber", json::String(tag_name(tag)), false);
  auto asked = co_await impl_->ask(std::move(calls), header_reader(head), std::nullopt, &answered_by);
  if (!asked) co_return fail(asked);
  if (tag != HeadTag::latest) co_return head;
  if (impl_->looks_behind(head.num)) {
    auto best = co_await impl_->freshest(head, answered_by);
    if (!best) co_return best;
    head = *best;
  }
  if (head.num > impl_->highest_head || impl_->head_moved_at == SteadyClock::time_point{}) {
    impl_->highest_head = head.num;
    impl_->head_moved_at = SteadyClock::now();
  }
  co_return head;
}

Task<Result<BlockHeader>> JsonRpcSource::header_by_number(std::uint64_t num) {
  auto headers = co_await headers_by_number({num});
  if (!headers) co_return fail(headers);
  co_return headers->front();
}

Task<Result<BlockHeader>> JsonRpcSource::header_by_hash(Hash32 hash) {
  BlockHeader header;
  Reader read = [&header, hash](Answers& answers) -> Result<void> {
    if (auto kept = keep(parse_header(answers[0]), header); !kept) return kept;
    if (header.hash != hash) return fail(Code::protocol, "hash", "the node answered with another block");
    return {};
  };
  auto asked = co_await impl_->ask(one_call("eth_getBlockByHash", to_hex_0x(hash), false), std::move(read));
  if (!asked) co_return fail(asked);
  co_return header;
}

Task<Result<std::vector<BlockHeader>>> JsonRpcSource::headers_by_number(std::vector<std::uint64_t> nums) {
  std::vector<BlockHeader> out;
  while (out.size() < nums.size()) {
    const std::size_t done = out.size();
    const std::size_t count = std::min(nums.size() - done, impl_->batch_limit);
    std::vector<RpcCall> batch;
    for (std::size_t i = 0; i < count; ++i) {
      batch.push_back({"eth_getBlockByNumber", json::Array({quantity(nums[done + i]), false})});
    }
    std::vector<BlockHeader> headers;
    Reader read = [&headers, &nums, done](Answers& answers) -> Result<void> {
      headers.assign(answers.size(), {});
      for (std::size_t i = 0; i < answers.size(); ++i) {
        if (auto kept = keep(parse_header(answers[i]), headers[i]); !kept) return kept;
        if (headers[i].num != nums[done + i])
          return fail(Code::protocol, "number", "the node answered with another block");
      }
      return {};
    };
    auto asked = co_await impl_->ask(std::move(batch), std::move(read));
    const bool batch_refused =
        !asked && (asked.error().code == Code::too_large || asked.error().code == Code::unsupported);
    if (batch_refused && count > 1) {
      impl_->batch_limit = count / 2;
      continue;
    }
    if (!asked) co_return fail(asked);
    out.insert(out.end(), headers.begin(), headers.end());
  }
  co_return out;
}

Task<Result<std::vector<RawLog>>> JsonRpcSource::logs_by_hash(Hash32 block, std::uint64_t num,
                                                              std::vector<Address> addresses, Provider provider) {
  json::Object filter;
  filter["blockHash"] = to_hex_0x(block);
  std::vector<RawLog> logs;
  Reader read = [&](Answers& answers) -> Result<void> {
    if (auto kept = keep(parse_logs(answers[0], addresses), logs); !kept) return kept;
    return check_block(logs, block, num);
  };
  auto asked = co_await impl_->ask(logs_call(std::move(filter), addresses), std::move(read), provider);
  if (!asked) co_return fail(asked);
  co_return logs;
}

Task<Result<std::vector<RawLog>>> JsonRpcSource::logs_by_range(std::uint64_t from, std::uint64_t to,
                                                               std::vector<Address> addresses, Provider provider) {
  json::Object filter;
  filter["fromBlock"] = quantity(from);
  filter["toBlock"] = quantity(to);
  std::vector<RawLog> logs;
  Reader read = [&](Answers& answers) -> Result<void> {
    if (auto kept = keep(parse_logs(answers[0], addresses), logs); !kept) return kept;
    return check_range(logs, from, to);
  };
  auto asked = co_await impl_->ask(logs_call(std::move(filter), addresses), std::move(read), provider);
  if (!asked) co_return fail(asked);
  co_return logs;
}

// Receipts are asked for by number, which more nodes offer; a block that was replaced meanwhile is not found.
Task<Result<std::vector<RawLog>>> JsonRpcSource::logs_by_receipts(Hash32 block, std::uint64_t num,
                                                                  std::vector<Address> addresses, Provider provider) {
  std::vector<RawLog> logs;
  Reader read = [&](Answers& answers) -> Result<void> {
    if (auto kept = keep(parse_receipts(answers[0], addresses), logs); !kept) return kept;
    for (const auto& log : logs) {
      if (log.block_hash != block) return fail(Code::not_found, "the node has another block at that height");
    }
    return check_block(logs, block, num);
  };
  auto asked = co_await impl_->ask(one_call("eth_getBlockReceipts", quantity(num)), std::move(read), provider);
  if (!asked) co_return fail(asked);
  co_return logs;
}

Task<Result<bool>> JsonRpcSource::has_code(Address address) {
  bool stands = false;
  Reader read = [&stands](Answers& answers) -> Result<void> {
    if (!answers[0].is_string() || !answers[0].get_string().starts_with("0x")) {
      return fail(Code::protocol, "result", "eth_getCode: the answer is not hex");
    }
    stands = answers[0].get_string().size() > 2;
    return {};
  };
  auto asked = co_await impl_->ask(one_call("eth_getCode", to_hex_0x(address), "latest"), std::move(read));
  if (!asked) co_return fail(asked);
  co_return stands;
}

}   // namespace agentauri::chain
