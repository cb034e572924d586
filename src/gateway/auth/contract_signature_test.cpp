#include "gateway/auth/contract_signature.hpp"

#include <gtest/gtest.h>

#include "core/crypto/ethereum_signature.hpp"

namespace agentauri::gateway {
namespace {

const std::string kSignature =
    "f16ea9a3478698f695fd1401bfe27e9e4a7e8e3da94aa72b021125e31fa899cc573c48ea3fe1d4ab61a9db10c19032026e3ed2dbccba5a1782"
    "35"
    "ac27f94504311c";
const std::string kMarker = "6492649264926492649264926492649264926492649264926492649264926492";

std::string word(std::string_view digits) {
  return std::string(64 - digits.size(), '0') + std::string(digits);
}

TEST(ContractSignature, TheCallIsThatOfTheVectors) {
  EXPECT_EQ(
      to_hex(is_valid_signature_call(crypto::personal_message_hash("hello"), *from_hex(kSignature))),
      "1626ba7e50b2c43fd39106bafbba0da34fc430e1f91e3c96ea2acee2bc34119f92b3775000000000000000000000000000000000000000"
      "00000000000000000000000040000000000000000000000000000000000000000000000000000000000000004"
      "1" +
          kSignature + std::string(62, '0'));
}

TEST(ContractSignature, OnlyTheMagicValueIsAYes) {
  const auto yes = [](const std::string& hex) { return is_valid_signature_answer(*from_hex(hex)); };
  EXPECT_TRUE(yes("1626ba7e" + std::string(56, '0')));
  EXPECT_FALSE(yes(""));
  EXPECT_FALSE(yes("ffffffff" + std::string(56, '0')));
  EXPECT_FALSE(yes(std::string(64, '0')));
  EXPECT_FALSE(yes("1626ba7e"));
  EXPECT_TRUE(is_yes(*from_hex(word("1"))));
  EXPECT_FALSE(is_yes(*from_hex(word("0"))));
  EXPECT_FALSE(is_yes(*from_hex("01")));
  EXPECT_FALSE(is_yes(*from_hex(word("1") + word("0"))));
}

TEST(ContractSignature, WrappedOnesAreTakenApart) {
  const std::string factory = word("4e59b44847b379578588920ca78fbf26c0b4956c");
  const std::string good = factory + word("60") + word("a0") + word("3") + "abcdef" + std::string(58, '0') + word("2") +
                           "1234" + std::string(60, '0') + kMarker;
  const auto taken = unwrap_signature(*from_hex(good));
  ASSERT_TRUE(taken);
  EXPECT_EQ(to_hex(taken->factory.view()), "4e59b44847b379578588920ca78fbf26c0b4956c");
  EXPECT_EQ(to_hex(taken->factory_call), "abcdef");
  EXPECT_EQ(to_hex(taken->signature), "1234");
  EXPECT_FALSE(is_wrapped_signature(*from_hex(kSignature)));
  EXPECT_FALSE(is_wrapped_signature(*from_hex("6492")));
  const std::string bad[] = {
      kMarker,
      factory + word("60") + kMarker,
      factory + word("60") + word("1000") + word("0") + kMarker,                 // beyond the end
      factory + word("60") + std::string(64, 'f') + word("0") + kMarker,         // far beyond it
      factory + word("60") + word("60") + word("1") + kMarker,                   // no byte of it is there
      "1" + factory.substr(1) + word("60") + word("60") + word("0") + kMarker,   // no address
  };
  for (const auto& hex : bad) EXPECT_FALSE(unwrap_signature(*from_hex(hex))) << hex;
}

}   // namespace
}   // namespace agentauri::gateway
