// The coverage ledger: per chain and contract the block ranges that were read, without overlap; ranges of one level
// that touch are one row. Written by chain_log.cpp in the transaction that stores what the ranges hold.
#pragma once

#include <cstdint>

#include "store/chain_log.hpp"
#include "store/database.hpp"

namespace agentauri::store {

// [from, to] was read for these contracts. What was known about parts of it is replaced.
Result<void> cover(Tx& tx, domain::ChainId chain, const Coverage& coverage, std::uint64_t from, std::uint64_t to);
// Nothing above `num` is covered any more.
Result<void> cut_coverage(Tx& tx, domain::ChainId chain, std::uint64_t num);

}   // namespace agentauri::store
