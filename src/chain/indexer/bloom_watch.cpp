#include "chain/indexer/bloom_watch.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace agentauri::chain {

BloomWatch::Reading BloomWatch::read(const Bloom& bloom) const {
  Reading out;
  out.hit = std::any_of(addresses_.begin(), addresses_.end(),
                        [&bloom](const Address& address) { return bloom_may_contain(bloom, address); });
  int bits = 0;
  for (const auto byte : bloom) bits += std::popcount(byte);
  const double share = static_cast<double>(bits) / static_cast<double>(bloom.size() * 8);
  // An item sets three bits.
  out.by_chance = 1 - std::pow(1 - share * share * share, static_cast<double>(addresses_.size()));
  return out;
}

std::chrono::milliseconds BloomWatch::patience(const Reading& reading, std::chrono::microseconds block_interval,
                                               std::chrono::milliseconds limit) {
  if (reading.by_chance <= 0) return limit;
  const double ms = kStallShare * static_cast<double>(block_interval.count()) / 1000 / reading.by_chance;
  if (ms >= static_cast<double>(limit.count())) return limit;
  return std::chrono::milliseconds(static_cast<std::int64_t>(ms));
}

BloomWatch::Agreement BloomWatch::compare(const Bloom& bloom, const std::vector<RawLog>& logs) {
  Agreement out;
  out.named = std::all_of(logs.begin(), logs.end(),
                          [&bloom](const RawLog& log) { return bloom_may_contain(bloom, log.address); });
  if (out.named) {
    ++proofs_;
  } else {
    out.trust_ended = trusted_;
    trusted_ = false;
  }
  return out;
}

}   // namespace agentauri::chain
