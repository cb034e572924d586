// JSON-RPC answers of an EVM node into our types, strictly: a quantity is `0x` and at most 16 digits without leading
// zeros, data has whole bytes, nothing is missing, and what was asked for is what must come back. Every fault is
// Code::protocol with the member in `field`; `null` where a block was asked for is Code::not_found. Pure.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "chain/evm/raw_log.hpp"
#include "core/base/result.hpp"
#include "core/json/json.hpp"

namespace agentauri::chain {

// Root of a trie without entries: the transactionsRoot of a block without transactions.
inline constexpr std::string_view kEmptyTrieRoot = "0x56e81f171bcc55a6ff8345e692c0f86e5b48e01b996cadc001622fb5e363b421";

std::string quantity(std::uint64_t n);
Result<std::uint64_t> parse_quantity(const json::Value& value, std::string_view field);

Result<BlockHeader> parse_header(const json::Value& value);

// Logs of `addresses` only; a log of another address, or `removed`, is a protocol error. A log that the answer names
// twice is taken once; two different logs in one place are a protocol error.
Result<std::vector<RawLog>> parse_logs(const json::Value& value, const std::vector<Address>& addresses);
// The logs of `addresses` inside eth_getBlockReceipts, by the same rules; logs of others are left out. Every receipt
// must be of that block: one of another is Code::not_found, and so is a list without receipts, which says nothing about
// a block that has transactions.
Result<std::vector<RawLog>> parse_receipts(const json::Value& value, const std::vector<Address>& addresses,
                                           const Hash32& block, std::uint64_t num);

// What was asked for: exactly that block, or blocks of the range (one hash for each number).
Result<void> check_block(const std::vector<RawLog>& logs, const Hash32& block, std::uint64_t num);
Result<void> check_range(const std::vector<RawLog>& logs, std::uint64_t from, std::uint64_t to);

}   // namespace agentauri::chain
