#include "chain/evm/json_rpc_source.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "chain/evm/rpc_json.hpp"
#include "chain/evm/rpc_pool.hpp"

namespace agentauri::chain {
namespace {

using SteadyClock = std::chrono::steady_clock;
using Answers = RpcPool::Answers;
using Reader = RpcPool::Reader;

constexpr std::uint64_t kMaxLag = 3;   // blocks between two healthy providers

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

RpcCall logs_call(json::Object filter, const std::vector<Address>& addresses) {
  json::Array list;
  for (const auto& address : addresses) list.emplace_back(to_hex_0x(address));
  filter["address"] = std::move(list);
  return {"eth_getLogs", json::Array({std::move(filter)})};
}

RpcCall header_call(std::uint64_t num) {
  return {"eth_getBlockByNumber", json::Array({quantity(num), false})};
}

template <class T>
Result<void> keep(Result<T> parsed, T& out) {
  if (!parsed) return fail(parsed);
  out = std::move(*parsed);
  return {};
}

}   // namespace

struct JsonRpcSource::Impl {
  Impl(net::HttpClient& client, JsonRpcSettings settings, Metrics& metrics)
      : pool(client, std::move(settings), metrics) {}

  // One header, with the provider that named it.
  Task<Result<BlockHeader>> ask_header(std::vector<RpcCall> calls, Provider provider = std::nullopt);
  bool looks_behind(std::uint64_t num) const;
  Task<Result<BlockHeader>> freshest(BlockHeader head);
  void note_head(std::uint64_t num);

  RpcPool pool;
  Log log{"rpc"};
  std::uint64_t highest_head_num = 0;
  SteadyClock::time_point head_moved_at{}, heads_compared_at{};
};

// --- heads -----------------------------------------------------------------------------------------------------------

Task<Result<BlockHeader>> JsonRpcSource::Impl::ask_header(std::vector<RpcCall> calls, Provider provider) {
  BlockHeader header;
  std::size_t answered_by = 0;
  Reader read = [&header](Answers& answers) { return keep(parse_header(answers[0]), header); };
  auto asked = co_await pool.ask(std::move(calls), std::move(read), provider, &answered_by);
  if (!asked) co_return fail(asked);
  header.provider = answered_by;
  co_return header;
}

bool JsonRpcSource::Impl::looks_behind(std::uint64_t num) const {
  if (pool.size() < 2 || head_moved_at == SteadyClock::time_point{}) return false;
  const auto now = SteadyClock::now();
  const auto stalled_after = pool.settings().stalled_after;
  if (now - heads_compared_at < stalled_after) return false;
  return num + kMaxLag < highest_head_num || now - head_moved_at >= stalled_after;
}

// The highest head among the providers; one that is far below it is demoted. A chain that stands still looks the same
// everywhere.
Task<Result<BlockHeader>> JsonRpcSource::Impl::freshest(BlockHeader head) {
  heads_compared_at = SteadyClock::now();
  std::vector<std::optional<std::uint64_t>> nums(pool.size());
  const std::size_t answered_by = head.provider;
  nums[answered_by] = head.num;
  for (std::size_t i = 0; i < pool.size(); ++i) {
    if (i == answered_by) continue;
    auto other = co_await ask_header(one_call("eth_getBlockByNumber", "latest", false), i);
    if (!other && other.error().code == Code::cancelled) co_return fail(other);
    if (!other) continue;
    nums[i] = other->num;
    if (other->num > head.num) head = *other;
  }
  for (std::size_t i = 0; i < pool.size(); ++i) {
    if (!nums[i]) continue;
    auto& provider = pool.provider(i);
    if (*nums[i] + kMaxLag >= head.num) {
      provider.standing.kept_up();
      continue;
    }
    provider.standing.fell_behind(SteadyClock::now());
    log.warn("an RPC provider lags behind the others and is asked last", {{"chain", pool.settings().chain_name},
                                                                          {"provider", provider.label},
                                                                          {"its_head", *nums[i]},
                                                                          {"head", head.num}});
  }
  highest_head_num = head.num;   // lower than before when the whole chain went back
  co_return head;
}

void JsonRpcSource::Impl::note_head(std::uint64_t num) {
  if (num <= highest_head_num && head_moved_at != SteadyClock::time_point{}) return;
  highest_head_num = num;
  head_moved_at = SteadyClock::now();
}

// --- the questions ---------------------------------------------------------------------------------------------------

JsonRpcSource::JsonRpcSource(net::HttpClient& client, JsonRpcSettings settings, Metrics& metrics)
    : impl_(std::make_unique<Impl>(client, std::move(settings), metrics)) {}
JsonRpcSource::~JsonRpcSource() = default;

std::size_t JsonRpcSource::provider_count() const {
  return impl_->pool.size();
}

Task<Result<BlockHeader>> JsonRpcSource::head(HeadTag tag) {
  auto head = co_await impl_->ask_header(one_call("eth_getBlockByNumber", json::String(tag_name(tag)), false));
  if (!head || tag != HeadTag::latest) co_return head;
  const bool behind = impl_->looks_behind(head->num);
  if (behind) head = co_await impl_->freshest(*head);
  if (head) impl_->note_head(head->num);
  co_return head;
}

Task<Result<BlockHeader>> JsonRpcSource::highest_head() {
  auto head = co_await impl_->ask_header(one_call("eth_getBlockByNumber", "latest", false));
  if (head && impl_->pool.size() > 1) head = co_await impl_->freshest(*head);
  if (head) impl_->note_head(head->num);
  co_return head;
}

Task<Result<BlockHeader>> JsonRpcSource::header_by_number(std::uint64_t num) {
  auto headers = co_await headers_by_number({num});
  if (!headers) co_return fail(headers);
  co_return headers->front();
}

Task<Result<BlockHeader>> JsonRpcSource::header_by_hash(Hash32 hash) {
  BlockHeader header;
  std::size_t answered_by = 0;
  Reader read = [&header, hash](Answers& answers) -> Result<void> {
    if (auto kept = keep(parse_header(answers[0]), header); !kept) return kept;
    if (header.hash != hash) return fail(Code::protocol, "hash", "the node answered with another block");
    return {};
  };
  auto calls = one_call("eth_getBlockByHash", to_hex_0x(hash), false);
  auto asked = co_await impl_->pool.ask(std::move(calls), std::move(read), std::nullopt, &answered_by);
  if (!asked) co_return fail(asked);
  header.provider = answered_by;
  co_return header;
}

Task<Result<std::vector<BlockHeader>>> JsonRpcSource::headers_by_number(std::vector<std::uint64_t> nums) {
  std::vector<BlockHeader> out;
  while (out.size() < nums.size()) {
    const std::size_t done = out.size();
    const std::size_t count = std::min(nums.size() - done, BatchSize::kMost);
    std::vector<RpcCall> calls;
    calls.reserve(count);
    for (std::size_t i = 0; i < count; ++i) calls.push_back(header_call(nums[done + i]));
    std::vector<BlockHeader> headers;
    std::size_t answered_by = 0;
    Reader read = [&headers, &nums, done](Answers& answers) -> Result<void> {
      headers.assign(answers.size(), {});
      for (std::size_t i = 0; i < answers.size(); ++i) {
        if (auto kept = keep(parse_header(answers[i]), headers[i]); !kept) return kept;
        if (headers[i].num != nums[done + i])
          return fail(Code::protocol, "number", "the node answered with another block");
      }
      return {};
    };
    auto asked = co_await impl_->pool.ask(std::move(calls), std::move(read), std::nullopt, &answered_by);
    if (!asked) co_return fail(asked);
    for (auto& header : headers) header.provider = answered_by;
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
  std::vector<RpcCall> calls;
  calls.push_back(logs_call(std::move(filter), addresses));
  auto asked = co_await impl_->pool.ask(std::move(calls), std::move(read), provider);
  if (!asked) co_return fail(asked);
  co_return logs;
}

// Nodes answer with an empty list about blocks that they do not have (yet). So the one that is asked for the logs must
// name the last block first, in the same batch: a lagging one says null, and the next is asked.
Task<Result<std::vector<RawLog>>> JsonRpcSource::logs_by_range(std::uint64_t from, std::uint64_t to,
                                                               std::vector<Address> addresses, Provider provider) {
  json::Object filter;
  filter["fromBlock"] = quantity(from);
  filter["toBlock"] = quantity(to);
  std::vector<RawLog> logs;
  Reader read = [&](Answers& answers) -> Result<void> {
    auto last = parse_header(answers[0]);
    if (!last) return fail(last);
    if (last->num != to) return fail(Code::protocol, "number", "the node answered with another block");
    if (auto kept = keep(parse_logs(answers[1], addresses), logs); !kept) return kept;
    if (auto in_range = check_range(logs, from, to); !in_range) return in_range;
    for (const auto& log : logs) {
      if (log.block_num == to && log.block_hash != last->hash)
        return fail(Code::unavailable, fmt::format("block {} changed while it was read", to));
    }
    return {};
  };
  std::vector<RpcCall> calls;
  calls.push_back(header_call(to));
  calls.push_back(logs_call(std::move(filter), addresses));
  auto asked = co_await impl_->pool.ask(std::move(calls), std::move(read), provider);
  if (!asked) co_return fail(asked);
  co_return logs;
}

// Receipts are asked for by number, which more nodes offer; of a block that was replaced meanwhile there are none.
Task<Result<std::vector<RawLog>>> JsonRpcSource::logs_by_receipts(Hash32 block, std::uint64_t num,
                                                                  std::vector<Address> addresses, Provider provider) {
  std::vector<RawLog> logs;
  Reader read = [&](Answers& answers) { return keep(parse_receipts(answers[0], addresses, block, num), logs); };
  auto asked = co_await impl_->pool.ask(one_call("eth_getBlockReceipts", quantity(num)), std::move(read), provider);
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
  auto asked = co_await impl_->pool.ask(one_call("eth_getCode", to_hex_0x(address), "latest"), std::move(read));
  if (!asked) co_return fail(asked);
  co_return stands;
}

}   // namespace agentauri::chain
