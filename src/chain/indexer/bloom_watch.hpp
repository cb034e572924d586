// How far the bloom filters of a chain's headers can be relied on. Pure.
//
// A filter that names our contracts while no log is found is a reason to ask again, the stronger the emptier the filter
// is. A filter that does not name them makes asking needless, once the chain has shown that it fills its filters at
// all.
#pragma once

#include <chrono>
#include <vector>

#include "chain/evm/raw_log.hpp"

namespace agentauri::chain {

class BloomWatch {
 public:
  // So many blocks with our logs whose filter named them prove that the chain fills its filters.
  static constexpr unsigned kProofs = 8;
  // How much of its time a chain may spend on asking again about filters that were wrong by chance.
  static constexpr double kStallShare = 0.02;

  explicit BloomWatch(std::vector<Address> addresses) : addresses_(std::move(addresses)) {}

  struct Reading {
    bool hit = false;       // the filter may hold one of the addresses
    double by_chance = 0;   // how likely a filter as full as this one names one of them without holding it
  };
  Reading read(const Bloom& bloom) const;

  bool trusted() const { return trusted_; }
  // No log can be there: asking is needless.
  bool excludes(const Reading& reading) const { return trusted_ && proofs_ >= kProofs && !reading.hit; }
  // How long to go on asking about a hit without a log, at most `limit`.
  static std::chrono::milliseconds patience(const Reading& reading, std::chrono::microseconds block_interval,
                                            std::chrono::milliseconds limit);

  // Logs of a block came. false: its filter does not hold them. The first such block ends the trust in this chain's
  // filters: `trust_ended` is true then, once.
  struct Agreement {
    bool named = true;
    bool trust_ended = false;
  };
  Agreement compare(const Bloom& bloom, const std::vector<RawLog>& logs);

 private:
  std::vector<Address> addresses_;
  unsigned proofs_ = 0;
  bool trusted_ = true;
};

}   // namespace agentauri::chain
