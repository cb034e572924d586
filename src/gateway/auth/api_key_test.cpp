#include "gateway/auth/api_key.hpp"

#include <gtest/gtest.h>

#include <numeric>

namespace agentauri::gateway {
namespace {

const std::string kTestKey = "sk_test_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaG07bP_Y";
const std::string kLiveKey = "sk_live_AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxCfB3w";

FixedBytes<28> counting() {
  FixedBytes<28> out;
  std::iota(out.data.begin(), out.data.end(), std::uint8_t{0});
  return out;
}

TEST(ApiKey, AgreesWithTheVectors) {
  EXPECT_EQ(api_key_from_bytes(KeyEnvironment::test, counting()), kTestKey);
  EXPECT_EQ(api_key_from_bytes(KeyEnvironment::live, counting()), kLiveKey);
  EXPECT_EQ(to_hex(hash_of_api_key(kTestKey).view()),
            "e1767c596aa65b1bf8f57987fa55c59a2780c661b0f84e0c060579fc62bbd936");
  EXPECT_EQ(to_hex(hash_of_api_key(kLiveKey).view()),
            "a8e16581406ab267745eb8d8f256bde836d886f5016af5b59d1b487e6d1143ef");
}

TEST(ApiKey, EveryChangedCharacterIsNoticed) {
  EXPECT_TRUE(is_api_key(kTestKey));
  EXPECT_TRUE(is_api_key(kLiveKey));
  for (std::size_t i = 0; i < kTestKey.size(); ++i) {
    std::string changed = kTestKey;
    changed[i] = changed[i] == 'Q' ? 'R' : 'Q';
    EXPECT_FALSE(is_api_key(changed)) << changed;
  }
  EXPECT_FALSE(is_api_key(kTestKey.substr(0, kTestKey.size() - 1) + "Z")) << "unused bits are zero";
  EXPECT_FALSE(is_api_key("sk_live_" + kTestKey.substr(8)));
  EXPECT_FALSE(is_api_key("sk_test_" + std::string(43, 'A')));
  EXPECT_FALSE(is_api_key(kTestKey + "A"));
  EXPECT_FALSE(is_api_key(kTestKey.substr(0, 50)));
  EXPECT_FALSE(is_api_key(""));
}

TEST(ApiKey, MadeOnesAreGoodAndDiffer) {
  const std::string one = make_api_key(KeyEnvironment::live), other = make_api_key(KeyEnvironment::live);
  EXPECT_TRUE(is_api_key(one));
  EXPECT_TRUE(one.starts_with("sk_live_"));
  EXPECT_NE(one, other);
}

}   // namespace
}   // namespace agentauri::gateway
