#include "core/crypto/ethereum_signature.hpp"

#include <gtest/gtest.h>

#include "core/base/text.hpp"
#include "core/crypto/crypto.hpp"

namespace agentauri::crypto {
namespace {

// Widely published development keys.
const std::string kAccount0 = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266";
const std::string kAccount1 = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";
const std::string kR = "f16ea9a3478698f695fd1401bfe27e9e4a7e8e3da94aa72b021125e31fa899cc";
const std::string kS = "573c48ea3fe1d4ab61a9db10c19032026e3ed2dbccba5a178235ac27f9450431";
const std::string kZero(64, '0');

std::string signer(const std::string& message, const std::string& hex) {
  const auto bytes = from_hex_0x(hex);
  if (!bytes) return "not hex";
  const auto signature = AccountSignature::from_bytes(*bytes);
  if (!signature) return "refused: " + signature.error().text;
  const auto account = recover_account(personal_message_hash(message), *signature);
  return account ? checksum_address(*account) : "unrecoverable";
}

struct Vector {
  const std::string* account;
  std::string message, digest, signature;
};
const std::vector<Vector> kVectors{
    {&kAccount0, "", "5f35dce98ba4fba25530a026ed80b2cecdaa31091ba4958b99b52ea1d068adad",
     "0xc1977b761f1dd36c29795783460d241885c8e7f9d962dbe7bba2753fd94e89b444a1cd9ed855dd09afa3b73f7c2bd097ec9abc2d2775d7"
     "37505a02d3f0cafa591b"},
    {&kAccount0, "hello", "50b2c43fd39106bafbba0da34fc430e1f91e3c96ea2acee2bc34119f92b37750", "0x" + kR + kS + "1c"},
    {&kAccount1, "hello", "50b2c43fd39106bafbba0da34fc430e1f91e3c96ea2acee2bc34119f92b37750",
     "0x76930d64d2e5eb4b3f4572ce806eda50e1e2329d51d9ca5a713a9befcb9d20883e3d4885c3c5eaf775fc8c9fcf4882a28b582b427bc027"
     "0565f3294d935549221b"},
    {&kAccount0, "hello world", "d9eba16ed0ecae432b71fe008c98cc872bb4cc214d3220a36f365326cf807d68",
     "0xa461f509887bd19e312c0c58467ce8ff8e300d3c1a90b608a760c5b80318eaf15fe57c96f9175d6cd4daad4663763baa7e78836e067d01"
     "63e9a2ccf2ff753f5b1b"},
    {&kAccount0, "AgentAuri é✓ 🚀", "0eea9a7f0b36bd9799bc3b1321bcef649ac55f89898b458324e5973bb265bf63",
     "0xb00290d13aa60682f3b59537c6b734768d4691131e0f4a4f99134d2121c3ca794f37b1ab4142565c92dbf3b4e0568671e3935bee5e459c"
     "acb92ef9eb0cd317261c"},
    {&kAccount0, "line1\nline2\n", "4137086787b934866e246c01646da3ffd9d6b8d279de0fa774aef77ed62e6500",
     "0x13cf511d7d28a516647bc77513a049dbd94c1ed17333c27604c1959f95142d2b234345ef60308bcd618bafb65c6075eb95a7cdb6a7c7c2"
     "3e868b5b1d198891a81b"},
};

TEST(EthereumSignature, AgreesWithTheVectors) {
  for (const auto& vector : kVectors) {
    EXPECT_EQ(to_hex(personal_message_hash(vector.message).view()), vector.digest) << vector.message;
    EXPECT_EQ(signer(vector.message, vector.signature), *vector.account) << vector.message;
  }
}

TEST(EthereumSignature, OtherFormsOfTheSameSignature) {
  EXPECT_EQ(signer("hello", "0x" + kR + kS + "01"), kAccount0);
  EXPECT_EQ(signer("hello", "0x" + kR + "d73c48ea3fe1d4ab61a9db10c19032026e3ed2dbccba5a178235ac27f9450431"), kAccount0)
      << "EIP-2098";
  EXPECT_EQ(to_lower(signer("hellp", "0x" + kR + kS + "1c")), "0x16e9d5e88fe55dbfd370eb99d36bbd4a70b84584");
}

TEST(EthereumSignature, WhatIsRefused) {
  const auto refused = [](const std::string& hex) { return signer("hello", "0x" + hex).starts_with("refused"); };
  EXPECT_TRUE(refused(kR + "a8c3b715c01e2b549e5624ef3e6fcdfc4c700a0ae28e46243d9cb264d6f13d101b")) << "the other half";
  for (const char* v : {"02", "1a", "1d", "25", "ff"}) EXPECT_TRUE(refused(kR + kS + v)) << v;
  EXPECT_TRUE(refused(kR + kS + "1c00"));
  EXPECT_TRUE(refused(kR + kS.substr(2)));
  EXPECT_TRUE(refused(""));
  EXPECT_TRUE(refused(kZero + kS + "1c"));
  EXPECT_TRUE(refused(kR + kZero + "1c"));
  EXPECT_TRUE(refused(std::string(64, 'f') + kS + "1c")) << "r above the order";
  // Half of the order itself is low.
  EXPECT_FALSE(refused(kR + "7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a01c"));
  EXPECT_TRUE(refused(kR + "7fffffffffffffffffffffffffffffff5d576e7357a4501ddfe92f46681b20a11c"));
}

}   // namespace
}   // namespace agentauri::crypto
