// How many blocks to ask for at once: halves on refusals, doubles after successes (pipeline.md 4.1). Pure.
#pragma once

#include <algorithm>
#include <cstdint>

namespace agentauri::chain {

class RangeSize {
 public:
  static constexpr unsigned kStreakToGrow = 5;

  explicit RangeSize(std::uint64_t max) : max_(std::max<std::uint64_t>(max, 1)), size_(max_) {}

  std::uint64_t size() const { return size_; }
  void succeeded() {
    if (++streak_ < kStreakToGrow) return;
    streak_ = 0;
    size_ = std::min(size_ * 2, max_);
  }
  // A range of `blocks` was refused. Answers to larger questions that were asked before say nothing new.
  void refused(std::uint64_t blocks) {
    streak_ = 0;
    size_ = std::min(size_, std::max<std::uint64_t>(1, blocks / 2));
  }

 private:
  std::uint64_t max_, size_;
  unsigned streak_ = 0;
};

}   // namespace agentauri::chain
