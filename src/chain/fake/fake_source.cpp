#include "chain/fake/fake_source.hpp"

#include <algorithm>

namespace agentauri::chain {
namespace {

std::unexpected<Error> hiccup() {
  return fail(Code::unavailable, "a fault of the fake node");
}

void keep_only(std::vector<RawLog>& logs, const std::vector<Address>& addresses) {
  std::erase_if(logs, [&addresses](const RawLog& log) {
    return std::find(addresses.begin(), addresses.end(), log.address) == addresses.end();
  });
}

}   // namespace

Task<bool> FakeSource::answers(std::string_view method) {
  ++calls_;
  const bool failing = faults_.fails && faults_.fails(method);
  if (faults_.latency.count() > 0 && !co_await sleep_for(faults_.latency)) co_return false;
  co_return !failing;
}

Result<BlockHeader> FakeSource::shown(std::optional<BlockHeader> header) const {
  if (!header) return fail(Code::not_found, "no such block");
  if (faults_.empty_blooms) header->logs_bloom = {};
  return *header;
}

Task<Result<BlockHeader>> FakeSource::head(HeadTag tag) {
  if (!co_await answers("head")) co_return hiccup();
  const auto head = chain_.head();
  if (tag == HeadTag::latest) co_return shown(faults_.lagging_head.value_or(head));
  if (faults_.finality_lag == 0) co_return fail(Code::unsupported, "the tag is not offered");
  co_return shown(chain_.header(head.num > faults_.finality_lag ? head.num - faults_.finality_lag : 0));
}

Task<Result<BlockHeader>> FakeSource::highest_head() {
  if (!co_await answers("highest_head")) co_return hiccup();
  co_return shown(chain_.head());
}

Task<Result<BlockHeader>> FakeSource::header_by_number(std::uint64_t num) {
  if (!co_await answers("header_by_number")) co_return hiccup();
  co_return shown(chain_.header(num));
}

Task<Result<BlockHeader>> FakeSource::header_by_hash(Hash32 hash) {
  if (!co_await answers("header_by_hash")) co_return hiccup();
  co_return shown(chain_.header(hash));
}

Task<Result<std::vector<BlockHeader>>> FakeSource::headers_by_number(std::vector<std::uint64_t> nums) {
  if (!co_await answers("headers_by_number")) co_return hiccup();
  std::vector<BlockHeader> out;
  for (const auto num : nums) {
    auto header = shown(chain_.header(num));
    if (!header) co_return fail(header);
    out.push_back(*header);
  }
  co_return out;
}

Task<Result<std::vector<RawLog>>> FakeSource::logs_by_hash(Hash32 block, std::uint64_t, std::vector<Address> addresses,
                                                           Provider provider) {
  if (!co_await answers("logs_by_hash")) co_return hiccup();
  if (!chain_.header(block)) co_return fail(Code::not_found, "no such block");
  if (faults_.omits && faults_.omits(block, provider.value_or(0))) co_return std::vector<RawLog>{};
  auto logs = chain_.logs(block);
  if (faults_.omits_log) {
    std::erase_if(logs, [&](const RawLog& log) { return faults_.omits_log(log, provider.value_or(0)); });
  }
  keep_only(logs, addresses);
  co_return logs;
}

Task<Result<std::vector<RawLog>>> FakeSource::logs_by_range(std::uint64_t from, std::uint64_t to,
                                                            std::vector<Address> addresses, Provider provider) {
  if (!co_await answers("logs_by_range")) co_return hiccup();
  if (faults_.max_range > 0 && to - from + 1 > faults_.max_range)
    co_return fail(Code::too_large, "block range is too wide");
  if (to > chain_.head().num) co_return fail(Code::not_found, "no such block");
  auto logs = chain_.logs(from, to);
  if (faults_.max_logs > 0 && logs.size() > faults_.max_logs) co_return fail(Code::too_large, "too many results");
  if (faults_.omits_in_ranges) {
    std::erase_if(logs,
                  [&](const RawLog& log) { return faults_.omits_in_ranges(log.block_hash, provider.value_or(0)); });
  }
  keep_only(logs, addresses);
  co_return logs;
}

Task<Result<std::vector<RawLog>>> FakeSource::logs_by_receipts(Hash32 block, std::uint64_t,
                                                               std::vector<Address> addresses, Provider) {
  if (!co_await answers("logs_by_receipts")) co_return hiccup();
  if (!faults_.receipts) co_return fail(Code::unsupported, "the method is not offered");
  const auto header = chain_.header(block);
  if (!header || header->empty) co_return fail(Code::not_found, "no receipts of such a block");
  auto logs = chain_.logs(block);
  keep_only(logs, addresses);
  co_return logs;
}

Task<Result<bool>> FakeSource::has_code(Address address) {
  co_return chain_.contracts().registry_of(address).has_value();
}

}   // namespace agentauri::chain
