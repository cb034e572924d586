#include "chain/evm/testing/erc8004_fixture.hpp"

#include <fstream>
#include <sstream>

#include "chain/evm/rpc_json.hpp"

namespace agentauri::chain {
namespace {

std::string read_file(const char* name) {
  std::ifstream file(std::string("tests/fixtures/erc8004/") + name);
  ENSURE(file, "a fixture is missing (tests run from the source folder)");
  std::stringstream out;
  out << file.rdbuf();
  return out.str();
}

Erc8004Fixture read() {
  Erc8004Fixture out;
  const auto addresses = json::parse(read_file("addresses.json"));
  const auto at = [&](std::string_view key) {
    return parse_address(json::view(json::find(addresses->get_object(), key)->get_string()));
  };
  out.contracts = {at("identity"), at("reputation"), at("validation")};
  out.answer = read_file("eth_getLogs.json");
  const auto answer = json::parse(out.answer);
  auto logs = parse_logs(*json::find(answer->get_object(), "result"), out.contracts.all());
  ENSURE(logs, "the logs of the fixture do not parse");
  out.logs = std::move(*logs);
  std::istringstream lines(read_file("decoded.jsonl"));
  for (std::string line; std::getline(lines, line);) out.decoded.push_back(*json::parse(line));
  return out;
}

}   // namespace

const Erc8004Fixture& erc8004_fixture() {
  static const Erc8004Fixture fixture = read();
  return fixture;
}

}   // namespace agentauri::chain
