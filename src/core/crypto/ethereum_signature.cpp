#include "core/crypto/ethereum_signature.hpp"

#include <fmt/format.h>
#include <secp256k1.h>
#include <secp256k1_recovery.h>

#include <algorithm>

#include "core/crypto/crypto.hpp"

namespace agentauri::crypto {
namespace {

constexpr std::size_t kCompactBytes = 64, kWithRecoveryByte = 65;

// Half of the order of secp256k1, rounded down.
constexpr std::array<std::uint8_t, 32> kHalfOrder{0x7f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
                                                  0xff, 0xff, 0xff, 0xff, 0xff, 0x5d, 0x57, 0x6e, 0x73, 0x57, 0xa4,
                                                  0x50, 0x1d, 0xdf, 0xe9, 0x2f, 0x46, 0x68, 0x1b, 0x20, 0xa0};

// Recovery needs no secret, so nothing has to be blinded and one context serves every thread.
const secp256k1_context* context() {
  return secp256k1_context_static;
}

bool is_zero(std::span<const std::uint8_t> number) {
  return std::all_of(number.begin(), number.end(), [](std::uint8_t byte) { return byte == 0; });
}

}   // namespace

Hash32 personal_message_hash(std::string_view message) {
  const std::string text = fmt::format(
      "\x19"
      "Ethereum Signed Message:\n{}{}",
      message.size(), message);
  return keccak256(as_bytes(text));
}

Result<AccountSignature> AccountSignature::from_bytes(ByteView bytes) {
  AccountSignature out;
  if (bytes.size() != kCompactBytes && bytes.size() != kWithRecoveryByte)
    return fail(Code::invalid, "a signature has 65 bytes");
  std::copy_n(bytes.begin(), kCompactBytes, out.r_s.begin());
  if (bytes.size() == kCompactBytes) {
    out.recovery_id = out.r_s[32] >> 7;
    out.r_s[32] &= 0x7f;
  } else {
    const int v = bytes[kCompactBytes];
    if (v != 0 && v != 1 && v != 27 && v != 28) return fail(Code::invalid, "the last byte is 0, 1, 27 or 28");
    out.recovery_id = v >= 27 ? v - 27 : v;
  }
  const std::span<const std::uint8_t> r(out.r_s.data(), 32), s(out.r_s.data() + 32, 32);
  if (is_zero(r) || is_zero(s)) return fail(Code::invalid, "r and s are not zero");
  if (std::lexicographical_compare(kHalfOrder.begin(), kHalfOrder.end(), s.begin(), s.end()))
    return fail(Code::invalid, "s is in the lower half of the curve's order");
  // r at or above the order is refused here too; of s that is already known.
  secp256k1_ecdsa_recoverable_signature parsed;
  if (secp256k1_ecdsa_recoverable_signature_parse_compact(context(), &parsed, out.r_s.data(), out.recovery_id) != 1)
    return fail(Code::invalid, "r is below the curve's order");
  return out;
}

Result<Address> recover_account(const Hash32& digest, const AccountSignature& signature) {
  secp256k1_ecdsa_recoverable_signature parsed;
  secp256k1_pubkey key;
  if (secp256k1_ecdsa_recoverable_signature_parse_compact(context(), &parsed, signature.r_s.data(),
                                                          signature.recovery_id) != 1 ||
      secp256k1_ecdsa_recover(context(), &key, &parsed, digest.data.data()) != 1) {
    return fail(Code::protocol, "no key could have made this signature");
  }
  std::array<std::uint8_t, 65> point{};
  std::size_t length = point.size();
  secp256k1_ec_pubkey_serialize(context(), point.data(), &length, &key, SECP256K1_EC_UNCOMPRESSED);
  const Hash32 hash = keccak256(ByteView(point).subspan(1));
  return *Address::from(hash.view().last(20));
}

}   // namespace agentauri::crypto
