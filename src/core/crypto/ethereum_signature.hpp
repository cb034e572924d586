// Signatures of Ethereum accounts: what wallets make with `personal_sign` (EIP-191, version 0x45). Thread-safe.
#pragma once

#include <string_view>

#include "core/base/bytes.hpp"
#include "core/base/result.hpp"

namespace agentauri::crypto {

// keccak256(0x19 ‖ "Ethereum Signed Message:\n" ‖ length in bytes ‖ message).
Hash32 personal_message_hash(std::string_view message);

// r ‖ s ‖ v as 65 bytes. Accepted: v of 0, 1, 27 or 28; r and s in 1..n-1; s in the lower half (EIP-2), since anyone
// can make the other half from it. The 64 bytes of EIP-2098 are accepted too. Anything else is Code::invalid, without
// looking at the curve.
struct AccountSignature {
  std::array<std::uint8_t, 64> r_s{};
  int recovery_id = 0;

  static Result<AccountSignature> from_bytes(ByteView bytes);
};

// The account whose key made the signature; Code::protocol when no key could have. A signature of something else gives
// another account: the caller compares.
Result<Address> recover_account(const Hash32& digest, const AccountSignature& signature);

}   // namespace agentauri::crypto
