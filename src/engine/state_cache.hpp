// What the committed store holds of the states that were looked at lately, bounded by bytes.
//
// It follows commits: put() only what is durable, clear() when a commit's fate is unknown. Used by the engine's thread.
#pragma once

#include <cstddef>
#include <list>
#include <optional>
#include <unordered_map>

#include "store/trigger_state.hpp"

namespace agentauri::engine {

class StateCache {
 public:
  explicit StateCache(std::size_t max_bytes) : max_bytes_(max_bytes) {}

  // nullptr: unknown. nullopt inside: known to be absent. Good until the next put() or clear().
  const std::optional<store::StateValue>* find(const store::StateRow& row);
  // The least lately used go when the bound is reached.
  void put(const store::StateRow& row, std::optional<store::StateValue> value);
  void clear();
  std::size_t bytes() const { return bytes_; }

 private:
  struct Entry {
    store::StateRow row;
    std::optional<store::StateValue> value;
  };
  struct RowHash {
    std::size_t operator()(const store::StateRow& row) const;
  };
  static std::size_t size_of(const Entry& entry);

  std::size_t max_bytes_, bytes_ = 0;
  std::list<Entry> entries_;   // latest first
  std::unordered_map<store::StateRow, std::list<Entry>::iterator, RowHash> places_;
};

}   // namespace agentauri::engine
