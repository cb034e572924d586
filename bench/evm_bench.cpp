// Decoding of history without store and network, on one core: JSON text of eth_getLogs -> document -> logs ->
// normalised events, each step for itself. Run from the source folder:
//   evm_bench [logs in the answer, default 20000]
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <fstream>
#include <map>
#include <sstream>

#include "chain/evm/normalise.hpp"
#include "chain/evm/rpc_json.hpp"
#include "core/json/json.hpp"

namespace agentauri::chain {
namespace {

constexpr int kRounds = 7;   // medians are shown

std::string read_file(const char* path) {
  std::ifstream file(path);
  ENSURE(file, "the fixture is missing: run from the source folder");
  std::stringstream out;
  out << file.rdbuf();
  return out.str();
}

template <class Run>
double median_seconds(Run run) {
  std::vector<double> times;
  for (int i = 0; i < kRounds; ++i) {
    const auto start = std::chrono::steady_clock::now();
    run();
    times.push_back(std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count());
  }
  std::sort(times.begin(), times.end());
  return times[times.size() / 2];
}

// The fixture's logs over and over, as one answer of a node; each has a place of its own.
std::string long_answer(std::size_t count) {
  const auto fixture = json::parse(read_file("tests/fixtures/erc8004/eth_getLogs.json"));
  const auto& logs = json::find(fixture->get_object(), "result")->get_array();
  json::Array many;
  for (std::size_t i = 0; i < count; ++i) {
    json::Object log = logs[i % logs.size()].get_object();
    log["transactionIndex"] = quantity(i / logs.size());
    many.emplace_back(std::move(log));
  }
  json::Object answer;
  answer["jsonrpc"] = "2.0";
  answer["id"] = 1;
  answer["result"] = std::move(many);
  return json::dump(answer);
}

Contracts fixture_contracts() {
  const auto addresses = json::parse(read_file("tests/fixtures/erc8004/addresses.json"));
  const auto at = [&](std::string_view key) {
    return parse_address(json::view(json::find(addresses->get_object(), key)->get_string()));
  };
  return {at("identity"), at("reputation"), at("validation")};
}

void run(std::size_t count) {
  const Contracts contracts = fixture_contracts();
  const std::string text = long_answer(count);
  const auto document = json::parse(text);
  const auto& result = *json::find(document->get_object(), "result");
  const auto parsed = parse_logs(result, contracts.all());
  ENSURE(parsed && parsed->size() == count, "the logs do not parse");
  std::map<std::uint64_t, std::vector<RawLog>> blocks;
  for (const auto& log : *parsed) blocks[log.block_num].push_back(log);

  std::size_t events = 0;
  const double json_time = median_seconds([&] { ENSURE(json::parse(text), "the answer is not JSON"); });
  const double log_time = median_seconds([&] { ENSURE(parse_logs(result, contracts.all()), "the logs do not parse"); });
  const double event_time = median_seconds([&] {
    events = 0;
    for (const auto& [num, block] : blocks) events += normalise_block(1, contracts, {}, block).events.size();
  });
  const auto line = [count](const char* name, double time) {
    fmt::print("{:<28}{:>10.1f} ms {:>12.0f} events/s\n", name, time * 1000, static_cast<double>(count) / time);
  };
  fmt::print("{} logs, {} events, {:.1f} MB of JSON\n", count, events, static_cast<double>(text.size()) / 1e6);
  line("JSON text to document", json_time);
  line("document to logs", log_time);
  line("logs to normalised events", event_time);
  line("all three", json_time + log_time + event_time);
}

}   // namespace
}   // namespace agentauri::chain

int main(int argc, char** argv) {
  agentauri::chain::run(argc > 1 ? std::strtoul(argv[1], nullptr, 10) : 20'000);
  return 0;
}
