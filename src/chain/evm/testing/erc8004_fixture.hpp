// Logs that the official contracts emitted on a development chain, and what they mean (tests/fixtures/erc8004). Tests
// run from the source folder.
#pragma once

#include <string>
#include <vector>

#include "chain/evm/normalise.hpp"
#include "chain/evm/raw_log.hpp"
#include "core/json/json.hpp"

namespace agentauri::chain {

struct Erc8004Fixture {
  std::string answer;   // of eth_getLogs, as the node sent it
  Contracts contracts;
  std::vector<RawLog> logs;           // of `answer`
  std::vector<json::Value> decoded;   // one for each log
};
// Read once; aborts when a file is missing.
const Erc8004Fixture& erc8004_fixture();

}   // namespace agentauri::chain
