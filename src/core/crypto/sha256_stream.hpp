// SHA-256 of what does not fit into memory.
#pragma once

#include <memory>

#include "core/base/bytes.hpp"

namespace agentauri::crypto {

class Sha256Stream {
 public:
  Sha256Stream();
  ~Sha256Stream();
  Sha256Stream(Sha256Stream&&) noexcept;
  Sha256Stream& operator=(Sha256Stream&&) noexcept;

  void add(ByteView bytes);
  Hash32 finish();   // last call

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}   // namespace agentauri::crypto
