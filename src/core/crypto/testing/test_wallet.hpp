// A key that signs as wallets do. For tests only: its arithmetic is not hardened and its keys are known to everybody.
#pragma once

#include <string>
#include <string_view>

#include "core/base/bytes.hpp"

namespace agentauri::crypto::testing {

class TestWallet {
 public:
  // `key`: 32 bytes, hex with 0x.
  explicit TestWallet(std::string_view key);
  // The first two of the widely published development keys.
  static TestWallet first();
  static TestWallet second();

  Address address() const;
  std::string text() const;   // with its checksum
  std::string personal_sign(std::string_view message) const;

 private:
  Bytes sign(const Hash32& digest) const;   // r ‖ s ‖ v
  Hash32 key_;
};

}   // namespace agentauri::crypto::testing
