#include "history_source.hpp"

#include <fmt/format.h>

#include <fstream>
#include <sstream>

#include "chain/evm/rpc_json.hpp"
#include "core/json/json.hpp"

namespace agentauri::bench {
namespace {

constexpr std::size_t kLogsInBlock = 4;
constexpr std::uint64_t kGenesis = 1'700'000'000;

json::Value read_json(const char* path) {
  std::ifstream file(path);
  ENSURE(file, "the fixture is missing: run from the source folder");
  std::stringstream text;
  text << file.rdbuf();
  auto value = json::parse(text.str());
  ENSURE(value.has_value(), "the fixture is not JSON");
  return std::move(*value);
}

// A hash that is its own number, so that every block and transaction has one of its own.
std::string hash_text(std::uint64_t kind, std::uint64_t n) {
  return fmt::format("0x{:032x}{:032x}", kind, n);
}

std::string header_text(std::uint64_t num) {
  return fmt::format(
      R"({{"number":"{}","hash":"{}","parentHash":"{}","timestamp":"{}","logsBloom":"0x{:0512d}","miner":"0x{:040d}",)"
      R"("gasLimit":"0x1c9c380","gasUsed":"0x5208","baseFeePerGas":"0x7","stateRoot":"{}","receiptsRoot":"{}"}})",
      chain::quantity(num), hash_text(1, num), hash_text(1, num - 1), chain::quantity(kGenesis + num * 2), 0, 0,
      hash_text(3, num), hash_text(4, num));
}

// The fixture's logs that become an event: the others would count as work without a row.
std::vector<json::Object> fixture_logs(const chain::Contracts& contracts) {
  const auto answer = read_json("tests/fixtures/erc8004/eth_getLogs.json");
  const auto& result = *json::find(answer.get_object(), "result");
  std::vector<json::Object> out;
  for (const auto& log : result.get_array()) {
    const auto parsed = chain::parse_logs(json::Array{log}, contracts.all());
    if (!parsed || parsed->size() != 1) continue;
    if (chain::normalise_block(1, contracts, {}, *parsed).events.size() == 1) out.push_back(log.get_object());
  }
  ENSURE(!out.empty(), "the fixture holds events");
  return out;
}

chain::Contracts fixture_contracts() {
  const auto addresses = read_json("tests/fixtures/erc8004/addresses.json");
  const auto at = [&](std::string_view key) {
    return parse_address(json::view(json::find(addresses.get_object(), key)->get_string()));
  };
  return {at("identity"), at("reputation"), at("validation")};
}

}   // namespace

HistorySource::HistorySource(std::size_t events) : contracts_(fixture_contracts()) {
  auto fixture = fixture_logs(contracts_);
  headers_.push_back(header_text(0));
  logs_.emplace_back();
  for (std::size_t n = 0; n < events;) {
    std::vector<std::string> logs;
    for (; logs.size() < kLogsInBlock && n < events; ++n) {
      auto& log = fixture[n % fixture.size()];
      log["blockNumber"] = chain::quantity(headers_.size());
      log["blockHash"] = hash_text(1, headers_.size());
      log["transactionHash"] = hash_text(2, n + 1);
      log["transactionIndex"] = chain::quantity(logs.size());
      log["logIndex"] = chain::quantity(logs.size());
      logs.push_back(json::dump(log));
    }
    add_block(logs);
  }
  add_block({});
  add_block({});
}

void HistorySource::add_block(const std::vector<std::string>& logs) {
  headers_.push_back(header_text(headers_.size()));
  logs_.push_back(fmt::format("{}", fmt::join(logs, ",")));
}

Result<std::vector<chain::BlockHeader>> HistorySource::parse_headers(std::uint64_t from, std::uint64_t to) const {
  std::vector<chain::BlockHeader> out;
  for (std::uint64_t num = from; num <= to; ++num) {
    const auto value = json::parse(headers_[num]);
    if (!value) return std::unexpected(value.error());
    auto header = chain::parse_header(*value);
    if (!header) return fail(header);
    out.push_back(std::move(*header));
  }
  return out;
}

Result<std::vector<chain::RawLog>> HistorySource::parse_range(std::uint64_t from, std::uint64_t to) const {
  std::string text = "[";
  for (std::uint64_t num = from; num <= to; ++num) {
    if (text.size() > 1 && !logs_[num].empty()) text += ',';
    text += logs_[num];
  }
  text += ']';
  const auto value = json::parse(text);
  if (!value) return std::unexpected(value.error());
  auto logs = chain::parse_logs(*value, contracts_.all());
  if (!logs) return fail(logs);
  if (auto checked = chain::check_range(*logs, from, to); !checked) return fail(checked);
  return logs;
}

std::size_t HistorySource::decode_all() const {
  std::size_t events = 0;
  for (const auto& slice : decoded_slices(1, headers_.size())) {
    for (const auto& block : slice) events += block.events.size();
  }
  return events;
}

std::vector<std::vector<store::IngestedBlock>> HistorySource::decoded_slices(domain::ChainId chain,
                                                                             std::size_t rows) const {
  constexpr std::uint64_t kRange = 2000;   // blocks of one answer
  std::vector<std::vector<store::IngestedBlock>> out(1);
  std::size_t filled = 0;
  for (std::uint64_t from = 1; from < head_num() - 1; from += kRange) {
    const std::uint64_t to = std::min(from + kRange, head_num() - 1) - 1;
    const auto headers = parse_headers(from, to);
    auto logs = parse_range(from, to);
    ENSURE(headers && logs, "the node's answers can be read");
    auto log = logs->begin();
    for (const auto& header : *headers) {
      std::vector<chain::RawLog> mine;
      while (log != logs->end() && log->block_num == header.num) mine.push_back(std::move(*log++));
      auto events = chain::normalise_block(chain, contracts_, header.time, std::move(mine)).events;
      if (filled + events.size() > rows) {
        out.emplace_back();
        filled = 0;
      }
      filled += events.size();
      out.back().push_back(
          {{header.hash, header.num, header.parent_hash, header.time, header.time}, std::move(events), true});
    }
  }
  return out;
}

Task<Result<chain::BlockHeader>> HistorySource::head(chain::HeadTag tag) {
  // What is final ends one block below the head: all of history is.
  co_return co_await header_by_number(tag == chain::HeadTag::latest ? head_num() : head_num() - 1);
}

Task<Result<chain::BlockHeader>> HistorySource::header_by_number(std::uint64_t num) {
  if (num >= headers_.size()) co_return fail(Code::not_found, "no such block");
  auto headers = parse_headers(num, num);
  if (!headers) co_return fail(headers);
  co_return headers->front();
}

Task<Result<chain::BlockHeader>> HistorySource::header_by_hash(Hash32 hash) {
  std::uint64_t num = 0;
  for (std::size_t i = 24; i < 32; ++i) num = num << 8 | hash.data[i];
  co_return co_await header_by_number(num);
}

Task<Result<std::vector<chain::BlockHeader>>> HistorySource::headers_by_number(std::vector<std::uint64_t> nums) {
  std::vector<chain::BlockHeader> out;
  for (const std::uint64_t num : nums) {
    auto header = co_await header_by_number(num);
    if (!header) co_return fail(header);
    out.push_back(std::move(*header));
  }
  co_return out;
}

Task<Result<std::vector<chain::RawLog>>> HistorySource::logs_by_hash(Hash32, std::uint64_t num, std::vector<Address>,
                                                                     Provider) {
  co_return parse_range(num, num);
}

Task<Result<std::vector<chain::RawLog>>> HistorySource::logs_by_range(std::uint64_t from, std::uint64_t to,
                                                                      std::vector<Address>, Provider) {
  co_return parse_range(from, to);
}

Task<Result<std::vector<chain::RawLog>>> HistorySource::logs_by_receipts(Hash32, std::uint64_t num,
                                                                         std::vector<Address>, Provider) {
  co_return parse_range(num, num);
}

Task<Result<bool>> HistorySource::has_code(Address) {
  co_return true;
}

}   // namespace agentauri::bench
