#include "core/crypto/testing/test_wallet.hpp"

#include <secp256k1.h>
#include <secp256k1_recovery.h>

#include "core/crypto/crypto.hpp"
#include "core/crypto/ethereum_signature.hpp"

namespace agentauri::crypto::testing {
namespace {

const secp256k1_context* context() {
  static const secp256k1_context* const context = secp256k1_context_create(SECP256K1_CONTEXT_NONE);
  return context;
}

}   // namespace

TestWallet::TestWallet(std::string_view key) : key_(*parse_hash(key)) {}
TestWallet TestWallet::first() {
  return TestWallet("0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80");
}
TestWallet TestWallet::second() {
  return TestWallet("0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d");
}

Address TestWallet::address() const {
  const Hash32 digest{};
  return *recover_account(digest, *AccountSignature::from_bytes(sign(digest)));
}
std::string TestWallet::text() const {
  return checksum_address(address());
}
std::string TestWallet::personal_sign(std::string_view message) const {
  return to_hex_0x(sign(personal_message_hash(message)));
}

Bytes TestWallet::sign(const Hash32& digest) const {
  secp256k1_ecdsa_recoverable_signature signature;
  const int made =
      secp256k1_ecdsa_sign_recoverable(context(), &signature, digest.data.data(), key_.data.data(), nullptr, nullptr);
  ENSURE(made == 1, "a test key does not sign");
  Bytes out(65);
  int recovery_id = 0;
  secp256k1_ecdsa_recoverable_signature_serialize_compact(context(), out.data(), &recovery_id, &signature);
  out[64] = static_cast<std::uint8_t>(27 + recovery_id);
  return out;
}

}   // namespace agentauri::crypto::testing
