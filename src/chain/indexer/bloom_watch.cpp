#include "chain/indexer/bloom_watch.hpp"

#include <algorithm>
#include <bit>
#include <cmath>

namespace agentauri::chain {

namespace {

bool is_blank(const Bloom& bloom) {
  return std::all_of(bloom.begin(), bloom.end(), [](std::uint8_t byte) { return byte == 0; });
}

bool has_log_of(const std::vector<RawLog>& logs, const Address& address) {
  return std::any_of(logs.begin(), logs.end(), [&address](const RawLog& log) { return log.address == address; });
}

}   // namespace

BloomWatch::Reading BloomWatch::read(const Bloom& bloom, const std::vector<RawLog>& found) const {
  Reading out;
  int read = 0;
  for (const auto& address : addresses_) {
    if (has_log_of(found, address)) continue;
    ++read;
    out.hit = out.hit || bloom_may_contain(bloom, address);
  }
  int bits = 0;
  for (const auto byte : bloom) bits += std::popcount(byte);
  const double share = static_cast<double>(bits) / static_cast<double>(bloom.size() * 8);
  // An item sets three bits.
  out.by_chance = 1 - std::pow(1 - share * share * share, static_cast<double>(read));
  return out;
}

bool BloomWatch::trusted(std::size_t provider) const {
  const auto known = trust_.find(provider);
  return known == trust_.end() || !known->second.ended;
}

bool BloomWatch::agrees_with_none(const BlockHeader& header) const {
  return trusted(header.provider) && (header.empty || !is_blank(header.logs_bloom));
}

bool BloomWatch::excludes(const BlockHeader& header, const Reading& reading) const {
  const auto known = trust_.find(header.provider);
  return known != trust_.end() && known->second.proofs >= kProofs && !reading.hit && agrees_with_none(header);
}

std::chrono::milliseconds BloomWatch::patience(const Reading& reading, std::chrono::microseconds block_interval,
                                               std::chrono::milliseconds limit) {
  if (reading.by_chance <= 0) return limit;
  const double ms = kStallShare * static_cast<double>(block_interval.count()) / 1000 / reading.by_chance;
  if (ms >= static_cast<double>(limit.count())) return limit;
  return std::chrono::milliseconds(static_cast<std::int64_t>(ms));
}

BloomWatch::Agreement BloomWatch::compare(const BlockHeader& header, const std::vector<RawLog>& logs) {
  Agreement out;
  out.named = std::all_of(logs.begin(), logs.end(),
                          [&header](const RawLog& log) { return bloom_may_contain(header.logs_bloom, log.address); });
  auto& trust = trust_[header.provider];
  if (out.named) {
    ++trust.proofs;
  } else {
    out.trust_ended = !trust.ended;
    trust.ended = true;
  }
  return out;
}

}   // namespace agentauri::chain
