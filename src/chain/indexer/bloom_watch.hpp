// How far the bloom filters of a chain's headers can be relied on. Pure.
//
// A filter that names our contracts while no log is found is a reason to ask again, the stronger the emptier the filter
// is. A filter that does not name them makes asking needless, once its provider has shown that it fills its filters at
// all. A blank filter is no such statement: nodes answer with one when they have lost what a block did. It is believed
// of a block without transactions alone.
#pragma once

#include <chrono>
#include <map>
#include <vector>

#include "chain/evm/raw_log.hpp"

namespace agentauri::chain {

class BloomWatch {
 public:
  // So many blocks with our logs whose filter named them prove that a provider fills its filters.
  static constexpr unsigned kProofs = 8;
  // How much of its time a chain may spend on asking again about filters that were wrong by chance.
  static constexpr double kStallShare = 0.02;

  explicit BloomWatch(std::vector<Address> addresses) : addresses_(std::move(addresses)) {}

  struct Reading {
    bool hit = false;       // the filter may hold one of the addresses
    double by_chance = 0;   // how likely a filter as full as this one names one of them without holding it
  };
  // Of the addresses that have no log among `found`.
  Reading read(const Bloom& bloom, const std::vector<RawLog>& found = {}) const;

  bool trusted(std::size_t provider) const;
  // No log can be there: asking is needless.
  bool excludes(const BlockHeader& header, const Reading& reading) const;
  // That no log was found is what the header says too. Of headers without a hit.
  bool agrees_with_none(const BlockHeader& header) const;
  // How long to go on asking about a hit without a log, at most `limit`.
  static std::chrono::milliseconds patience(const Reading& reading, std::chrono::microseconds block_interval,
                                            std::chrono::milliseconds limit);

  // Logs of a block came. false: its filter does not hold them. The first such block ends the trust in the filters of
  // the header's provider: `trust_ended` is true then, once.
  struct Agreement {
    bool named = true;
    bool trust_ended = false;
  };
  Agreement compare(const BlockHeader& header, const std::vector<RawLog>& logs);

 private:
  struct Trust {
    unsigned proofs = 0;
    bool ended = false;
  };

  std::vector<Address> addresses_;
  std::map<std::size_t, Trust> trust_;   // by provider
};

}   // namespace agentauri::chain
