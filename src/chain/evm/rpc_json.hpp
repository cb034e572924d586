// JSON-RPC answers of an EVM node into our types, strictly: a quantity is `0x` without leading zeros, data has whole
// bytes, and what was asked for is what must come back.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "chain/evm/raw_log.hpp"
#include "core/base/result.hpp"
#include "core/json/json.hpp"

namespace agentauri::chain {

Result<std::uint64_t> parse_quantity(const json::Value& value, std::string_view field);
Result<BlockHeader> parse_header(const json::Value& value);
// Logs of `addresses` only; a log of another address, or `removed`, is a protocol error.
Result<std::vector<RawLog>> parse_logs(const json::Value& value, const std::vector<Address>& addresses);
// The logs inside eth_getBlockReceipts.
Result<std::vector<RawLog>> parse_receipts(const json::Value& value, const std::vector<Address>& addresses);

// What a provider's refusal means. `http_status` 200 for errors inside an answer; `code` 0 when there is none.
Code classify_rpc_error(int http_status, std::int64_t code, std::string_view message);

std::string quantity(std::uint64_t n);

}   // namespace agentauri::chain
