// JSON-RPC 2.0 requests and what belongs to them in an answer. No socket.
#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.hpp"
#include "core/json/json.hpp"

namespace agentauri::chain {

struct RpcCall {
  std::string_view method;   // lives as long as the program
  json::Array params;
  bool may_revert = false;   // a contract that fails is an answer then: the result is the error object (eth_call.hpp)
};

// One object for one call, else a batch; ids are the places, from 0.
std::string render_calls(const std::vector<RpcCall>& calls);

// The results in the order of the calls, which come in any order. Fails whole: with the refusal of the first call that
// has one (rpc_refusal.hpp), with that of the request itself (an answer without id, or fewer answers than calls), or as
// Code::protocol when an id is missing, foreign or there twice. The error's field is the method of the call that was
// refused, and empty when it was the request. Texts are what the provider said, bounded.
Result<std::vector<json::Value>> match_answers(json::Value answer, const std::vector<RpcCall>& calls);

// How many calls a provider is sent in one request: halves when it refuses a batch, and doubles again after a while,
// as a refusal may have been of that moment.
class BatchSize {
 public:
  static constexpr std::size_t kMost = 100;
  // So many requests of the full size in a row make it grow: where the limit is for good, one in so many is refused.
  static constexpr unsigned kFullToGrow = 32;

  std::size_t size() const { return size_; }
  void accepted(std::size_t calls) {
    if (calls < size_ || ++full_ < kFullToGrow) return;
    full_ = 0;
    size_ = std::min(size_ * 2, kMost);
  }
  void refused(std::size_t calls) {
    full_ = 0;
    size_ = std::max<std::size_t>(1, std::min(size_, calls / 2));
  }

 private:
  std::size_t size_ = kMost;
  unsigned full_ = 0;
};

}   // namespace agentauri::chain
