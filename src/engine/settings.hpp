// What an engine is told, and what a step of it tells back.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>

#include "domain/ids.hpp"

namespace agentauri::engine {

struct EngineSettings {
  int shard = 0;
  std::string lease_name = "engine:0";
  domain::InstanceId instance;   // holder of the lease
  std::int64_t epoch = 0;        // of the lease
  std::int64_t batch_events = 500;
  std::chrono::milliseconds poll{250};
  std::map<domain::ChainId, std::uint32_t> confirmations;   // default wait; chains that are not named: 0
  std::map<domain::ChainId, std::string> chain_names;       // for templates
  std::uint64_t min_undo_blocks = 256;                      // before-images reach at least so far below the head
  std::uint64_t max_undo_blocks = 20'000;
  std::size_t cache_bytes = 16u << 20;   // of states in memory
  std::size_t batch_bytes = 16u << 20;   // of jobs and states that a batch holds before it is stored
  std::int64_t jobs_per_hour = 10'000;   // of an organization; what is above becomes due later
};

struct Progress {
  std::int64_t events = 0;
  std::int64_t evaluated = 0;
  std::int64_t matched = 0;
  std::int64_t jobs = 0;
  std::int64_t failed_chains = 0;   // whose batch failed, or that wait after one that did
  bool more = false;                // there may be more to do at once
};

}   // namespace agentauri::engine
