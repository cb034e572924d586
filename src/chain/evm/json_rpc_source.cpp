#include "chain/evm/json_rpc_source.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <map>

#include "chain/evm/provider_standing.hpp"
#include "chain/evm/rpc_json.hpp"
#include "core/telemetry/log.hpp"

namespace agentauri::chain {
namespace {

using SteadyClock = std::chrono::steady_clock;
constexpr std::size_t kMaxBatch = 100;

struct Call {
  std::string_view method;
  json::Array params;
};

json::Value address_list(const std::vector<Address>& addresses) {
  json::Array out;
  for (const auto& address : addresses) out.emplace_back(to_hex_0x(address));
  return out;
}

json::Object request_object(Call& call, std::size_t id) {
  json::Object out;
  out["jsonrpc"] = "2.0";
  out["id"] = id;
  out["method"] = json::String(call.method);
  out["params"] = std::move(call.params);
  return out;
}

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

std::optional<std::chrono::seconds> retry_after(const net::Headers& headers) {
  const auto* value = headers.find("Retry-After");
  if (value == nullptr) return std::nullopt;
  int seconds = 0;
  const auto [end, error] = std::from_chars(value->data(), value->data() + value->size(), seconds);
  if (error != std::errc{} || seconds < 0) return std::nullopt;
  return std::chrono::seconds(std::min(seconds, 600));
}

// The result of one answer, or its error in our words.
Result<json::Value> result_of(json::Value& answer, std::string_view method) {
  if (!answer.is_object()) return fail(Code::protocol, fmt::format("{}: the answer is not a JSON-RPC object", method));
  auto& object = answer.get_object();
  if (const auto* error = json::find(object, "error"); error != nullptr && error->is_object()) {
    const auto* code = json::find(error->get_object(), "code");
    const auto* message = json::find(error->get_object(), "message");
    const std::int64_t number = code != nullptr && code->is_int64() ? code->get_int64() : 0;
    const std::string text =
        message != nullptr && message->is_string() ? std::string(json::view(message->get_string())) : "";
    return fail(classify_rpc_error(200, number, text),
                fmt::format("{}: error {}: {}", method, number, text.substr(0, 200)));
  }
  auto* result = object.if_contains("result");
  if (result == nullptr)
    return fail(Code::protocol, fmt::format("{}: the answer has neither result nor error", method));
  return std::move(*result);
}

// Says something about the question, not about the provider.
bool is_about_question(Code code) {
  return code == Code::too_large || code == Code::not_found || code == Code::unsupported;
}

}   // namespace

struct JsonRpcSource::Impl {
  struct ProviderState {
    net::Url url;
    std::string label;   // host and port: never a path, which may hold a key
    ProviderStanding standing;
    bool chain_checked = false;
    Counter errors;
    Gauge latency, breaker;
  };

  Impl(net::HttpClient& c, JsonRpcSettings s, Metrics& m) : client(c), settings(std::move(s)), metrics(m) {
    for (const auto& text : settings.urls) {
      auto url = net::parse_url(text.reveal());
      if (!url) {
        log.error("an RPC URL does not parse and is left out",
                  {{"chain", settings.chain_name}, {"why", url.error().text}});
        continue;
      }
      const std::string label = url->authority();
      const Labels labels{{"chain", settings.chain_name}, {"provider", label}};
      providers.push_back({*url, label,
                           ProviderStanding({settings.breaker_failures, settings.breaker_reset,
                                             settings.breaker_successes, settings.requests_per_second}),
                           false, metrics.counter("ponder_rpc_errors_total", "Failed RPC requests", labels),
                           metrics.gauge("ponder_rpc_latency_ms", "Latency of the last RPC request, smoothed", labels),
                           metrics.gauge("ponder_circuit_breaker_state", "0 closed, 1 half-open, 2 open", labels)});
    }
  }

  Task<Result<json::Value>> post(ProviderState& provider, std::string body);
  Task<Result<std::vector<json::Value>>> ask(std::size_t index, std::vector<Call> calls);
  Task<Result<std::vector<json::Value>>> ask_any(std::vector<Call> calls);
  Task<Result<json::Value>> one(std::string_view method, json::Array params, Provider provider = std::nullopt);
  Task<bool> check_chain(ProviderState& provider);
  Counter& calls_of(std::string_view method);

  net::HttpClient& client;
  JsonRpcSettings settings;
  Metrics& metrics;
  Log log{"rpc"};
  std::vector<ProviderState> providers;
  std::map<std::string, Counter, std::less<>> calls;
};

Counter& JsonRpcSource::Impl::calls_of(std::string_view method) {
  auto found = calls.find(method);
  if (found == calls.end()) {
    found = calls
                .emplace(std::string(method),
                         metrics.counter("rpc_calls_total", "JSON-RPC calls, each member of a batch for itself",
                                         {{"chain", settings.chain_name}, {"method", std::string(method)}}))
                .first;
  }
  return found->second;
}

Task<Result<json::Value>> JsonRpcSource::Impl::post(ProviderState& provider, std::string body) {
  const auto wait = provider.standing.reserve(SteadyClock::now());
  if (wait.count() > 0 && !co_await sleep_for(wait)) co_return fail(Code::cancelled, "stopping");
  net::ClientRequest request;
  request.method = "POST";
  request.url = provider.url;
  request.headers.add("Content-Type", "application/json");
  request.headers.add("Accept", "application/json");
  request.headers.add("User-Agent", "agentauri");
  request.body = std::move(body);
  request.timeout = settings.timeout;
  request.max_body_bytes = settings.max_answer_bytes;
  request.truncate_body = false;
  const auto started = SteadyClock::now();
  auto answer = co_await client.send(std::move(request));
  const double ms = std::chrono::duration<double, std::milli>(SteadyClock::now() - started).count();
  const double known = provider.latency.value();
  provider.latency.set(known == 0 ? ms : known * 0.9 + ms * 0.1);
  if (!answer) {
    using Kind = net::ClientError::Kind;
    const Code code = answer.error().kind == Kind::timed_out   ? Code::timed_out
                      : answer.error().kind == Kind::too_large ? Code::too_large
                      : answer.error().kind == Kind::cancelled ? Code::cancelled
                                                               : Code::unavailable;
    co_return fail(code,
                   fmt::format("{}: {}: {}", provider.label, net::to_string(answer.error().kind), answer.error().text));
  }
  // Some nodes answer errors with a status of 4xx and a JSON-RPC body: the body says more.
  auto parsed = json::parse(answer->body);
  if (answer->status != 200 && !(parsed && (parsed->is_object() || parsed->is_array()))) {
    const Code code = classify_rpc_error(answer->status, 0, answer->body.substr(0, 500));
    if (code == Code::rate_limited)
      provider.standing.pause_until(SteadyClock::now() + retry_after(answer->headers)
                                                             .value_or(std::chrono::duration_cast<std::chrono::seconds>(
                                                                 settings.rate_limit_pause)));
    co_return fail(code, fmt::format("{}: HTTP {}", provider.label, answer->status));
  }
  if (!parsed)
    co_return fail(Code::protocol, fmt::format("{}: the answer is not JSON: {}", provider.label, parsed.error().text));
  if (answer->status == 429) {
    provider.standing.pause_until(SteadyClock::now() + retry_after(answer->headers)
                                                           .value_or(std::chrono::duration_cast<std::chrono::seconds>(
                                                               settings.rate_limit_pause)));
    co_return fail(Code::rate_limited, fmt::format("{}: HTTP 429", provider.label));
  }
  co_return std::move(*parsed);
}

// One request or one batch to one provider. Fails whole when any member fails.
Task<Result<std::vector<json::Value>>> JsonRpcSource::Impl::ask(std::size_t index, std::vector<Call> wanted) {
  ProviderState& provider = providers[index];
  std::string body;
  for (auto& call : wanted) calls_of(call.method).add();
  if (wanted.size() == 1) {
    body = json::dump(request_object(wanted[0], 0));
  } else {
    json::Array batch;
    for (std::size_t i = 0; i < wanted.size(); ++i) batch.emplace_back(request_object(wanted[i], i));
    body = json::dump(batch);
  }
  auto answer = co_await post(provider, std::move(body));
  Result<std::vector<json::Value>> outcome;
  if (!answer) {
    outcome = fail(answer);
  } else {
    std::vector<json::Value> results(wanted.size());
    std::vector<bool> seen(wanted.size(), false);
    json::Array members;
    if (answer->is_array())
      members = std::move(answer->get_array());
    else
      members.push_back(std::move(*answer));
    for (auto& member : members) {
      const auto* id = member.is_object() ? json::find(member.get_object(), "id") : nullptr;
      std::size_t place = wanted.size();
      if (id != nullptr && id->is_int64() && id->get_int64() >= 0) place = static_cast<std::size_t>(id->get_int64());
      // An error that belongs to no call (a refused batch) is everybody's.
      if (place >= wanted.size() || seen[place]) {
        auto whole = result_of(member, wanted[0].method);
        outcome = whole ? Result<std::vector<json::Value>>(fail(
                              Code::protocol, fmt::format("{}: an answer to nothing that was asked", provider.label)))
                        : Result<std::vector<json::Value>>(fail(whole));
        break;
      }
      auto result = result_of(member, wanted[place].method);
      if (!result) {
        outcome = fail(result);
        break;
      }
      seen[place] = true;
      results[place] = std::move(*result);
    }
    if (outcome && std::find(seen.begin(), seen.end(), false) != seen.end())
      outcome = fail(Code::protocol, fmt::format("{}: a call of the batch has no answer", provider.label));
    if (outcome) outcome = std::move(results);
  }
  if (outcome || is_about_question(outcome.error().code)) {
    provider.standing.succeeded();
  } else if (outcome.error().code != Code::cancelled) {
    provider.errors.add();
    if (outcome.error().code == Code::rate_limited && provider.standing.available(SteadyClock::now()))
      provider.standing.pause_until(SteadyClock::now() + settings.rate_limit_pause);
    else
      provider.standing.failed(SteadyClock::now());
    provider.chain_checked = false;   // who comes back is asked again who it is
  }
  provider.breaker.set(provider.standing.state_number());
  co_return outcome;
}

Task<bool> JsonRpcSource::Impl::check_chain(ProviderState& provider) {
  if (provider.chain_checked) co_return true;
  const auto index = static_cast<std::size_t>(&provider - providers.data());
  std::vector<Call> question;
  question.push_back({"eth_chainId", {}});
  auto answer = co_await ask(index, std::move(question));
  if (!answer) co_return false;
  const auto id = parse_quantity((*answer)[0], "result");
  if (!id || static_cast<domain::ChainId>(*id) != settings.chain_id) {
    log.error("an RPC provider serves another chain and is not used",
              {{"chain", settings.chain_name},
               {"provider", provider.label},
               {"expected", settings.chain_id},
               {"answered", id ? static_cast<std::int64_t>(*id) : -1}});
    provider.standing.pause_until(SteadyClock::now() + settings.breaker_reset);
    provider.errors.add();
    co_return false;
  }
  provider.chain_checked = true;
  co_return true;
}

// The first provider in good standing that answers. When all are out, the first is asked all the same: better late than
// never, and its breaker may be about to close.
Task<Result<std::vector<json::Value>>> JsonRpcSource::Impl::ask_any(std::vector<Call> wanted) {
  if (providers.empty()) co_return fail(Code::unavailable, "no RPC provider is configured");
  Result<std::vector<json::Value>> outcome = fail(Code::unavailable, "every RPC provider is paused or fails");
  for (std::size_t i = 0; i < providers.size(); ++i) {
    if (!providers[i].standing.available(SteadyClock::now())) continue;
    if (!co_await check_chain(providers[i])) continue;
    outcome = co_await ask(i, wanted);
    // Asking somebody else helps against trouble, not against a question that is too large.
    if (outcome || outcome.error().code == Code::too_large || outcome.error().code == Code::cancelled) break;
  }
  co_return outcome;
}

Task<Result<json::Value>> JsonRpcSource::Impl::one(std::string_view method, json::Array params, Provider provider) {
  std::vector<Call> question;
  question.push_back({method, std::move(params)});
  Result<std::vector<json::Value>> answer;
  if (provider) {
    if (*provider >= providers.size()) co_return fail(Code::invalid, "there is no such provider");
    if (!co_await check_chain(providers[*provider]))
      co_return fail(Code::unavailable, fmt::format("{} is not usable", providers[*provider].label));
    answer = co_await ask(*provider, std::move(question));
  } else {
    answer = co_await ask_any(std::move(question));
  }
  if (!answer) co_return fail(answer);
  co_return std::move((*answer)[0]);
}

JsonRpcSource::JsonRpcSource(net::HttpClient& client, JsonRpcSettings settings, Metrics& metrics)
    : impl_(std::make_unique<Impl>(client, std::move(settings), metrics)) {}
JsonRpcSource::~JsonRpcSource() = default;

std::size_t JsonRpcSource::provider_count() const {
  return impl_->providers.size();
}

Task<Result<BlockHeader>> JsonRpcSource::head(HeadTag tag) {
  json::Array params;
  params.emplace_back(json::String(tag_name(tag)));
  params.emplace_back(false);
  auto answer = co_await impl_->one("eth_getBlockByNumber", std::move(params));
  if (!answer) co_return fail(answer);
  co_return parse_header(*answer);
}

Task<Result<BlockHeader>> JsonRpcSource::header_by_number(std::uint64_t num) {
  json::Array params;
  params.emplace_back(quantity(num));
  params.emplace_back(false);
  auto answer = co_await impl_->one("eth_getBlockByNumber", std::move(params));
  if (!answer) co_return fail(answer);
  auto header = parse_header(*answer);
  if (header && header->num != num) co_return fail(Code::protocol, "the node answered with another block");
  co_return header;
}

Task<Result<BlockHeader>> JsonRpcSource::header_by_hash(Hash32 hash) {
  json::Array params;
  params.emplace_back(to_hex_0x(hash));
  params.emplace_back(false);
  auto answer = co_await impl_->one("eth_getBlockByHash", std::move(params));
  if (!answer) co_return fail(answer);
  auto header = parse_header(*answer);
  if (header && header->hash != hash) co_return fail(Code::protocol, "the node answered with another block");
  co_return header;
}

Task<Result<std::vector<BlockHeader>>> JsonRpcSource::headers_by_number(std::vector<std::uint64_t> nums) {
  std::vector<BlockHeader> out;
  for (std::size_t from = 0; from < nums.size(); from += kMaxBatch) {
    std::vector<Call> batch;
    for (std::size_t i = from; i < std::min(nums.size(), from + kMaxBatch); ++i) {
      json::Array params;
      params.emplace_back(quantity(nums[i]));
      params.emplace_back(false);
      batch.push_back({"eth_getBlockByNumber", std::move(params)});
    }
    auto answers = co_await impl_->ask_any(std::move(batch));
    if (!answers) co_return fail(answers);
    for (std::size_t i = 0; i < answers->size(); ++i) {
      auto header = parse_header((*answers)[i]);
      if (!header) co_return fail(header);
      if (header->num != nums[from + i]) co_return fail(Code::protocol, "the node answered with another block");
      out.push_back(*header);
    }
  }
  co_return out;
}

Task<Result<std::vector<RawLog>>> JsonRpcSource::logs_by_hash(Hash32 block, std::uint64_t num,
                                                              std::vector<Address> addresses, Provider provider) {
  json::Object filter;
  filter["blockHash"] = to_hex_0x(block);
  filter["address"] = address_list(addresses);
  json::Array params;
  params.emplace_back(std::move(filter));
  auto answer = co_await impl_->one("eth_getLogs", std::move(params), provider);
  if (!answer) co_return fail(answer);
  auto logs = parse_logs(*answer, addresses);
  if (!logs) co_return fail(logs);
  for (const auto& log : *logs) {
    if (log.block_hash != block || log.block_num != num)
      co_return fail(Code::protocol, "the node answered with logs of another block");
  }
  co_return logs;
}

Task<Result<std::vector<RawLog>>> JsonRpcSource::logs_by_range(std::uint64_t from, std::uint64_t to,
                                                               std::vector<Address> addresses, Provider provider) {
  json::Object filter;
  filter["fromBlock"] = quantity(from);
  filter["toBlock"] = quantity(to);
  filter["address"] = address_list(addresses);
  json::Array params;
  params.emplace_back(std::move(filter));
  auto answer = co_await impl_->one("eth_getLogs", std::move(params), provider);
  if (!answer) co_return fail(answer);
  auto logs = parse_logs(*answer, addresses);
  if (!logs) co_return fail(logs);
  for (const auto& log : *logs) {
    if (log.block_num < from || log.block_num > to)
      co_return fail(Code::protocol, "the node answered with logs outside the range");
  }
  co_return logs;
}

Task<Result<std::vector<RawLog>>> JsonRpcSource::logs_by_receipts(Hash32 block, std::uint64_t num,
                                                                  std::vector<Address> addresses, Provider provider) {
  json::Array params;
  params.emplace_back(quantity(num));
  auto answer = co_await impl_->one("eth_getBlockReceipts", std::move(params), provider);
  if (!answer) co_return fail(answer);
  auto logs = parse_receipts(*answer, addresses);
  if (!logs) co_return fail(logs);
  for (const auto& log : *logs) {
    if (log.block_hash != block) co_return fail(Code::not_found, "the node has another block at that height");
  }
  co_return logs;
}

Task<Result<bool>> JsonRpcSource::has_code(Address address) {
  json::Array params;
  params.emplace_back(to_hex_0x(address));
  params.emplace_back("latest");
  auto answer = co_await impl_->one("eth_getCode", std::move(params));
  if (!answer) co_return fail(answer);
  if (!answer->is_string()) co_return fail(Code::protocol, "eth_getCode: the answer is not a string");
  co_return answer->get_string().size() > 2;
}

}   // namespace agentauri::chain
