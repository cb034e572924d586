#include "core/crypto/crypto.hpp"

#include <gtest/gtest.h>
#include <sys/resource.h>

namespace agentauri::crypto {
namespace {

std::string hex(const Hash32& hash) {
  return to_hex(hash.view());
}

TEST(Digests, AgreeWithPublishedVectors) {
  EXPECT_EQ(hex(keccak256({})), "c5d2460186f7233c927e7db2dcc703c0e500b653ca82273b7bfad8045d85a470");
  EXPECT_EQ(hex(keccak256(as_bytes("agentWallet"))),
            "2ac6109326e720d1435c0db66f7e35eda7839f52b6f1f5520a60788e132b4e39");
  EXPECT_EQ(hex(sha256(as_bytes("abc"))), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  // RFC 4231, test case 2.
  EXPECT_EQ(hex(hmac_sha256(as_bytes("Jefe"), as_bytes("what do ya want for nothing?"))),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  // RFC 5869, test case 3: its first 32 bytes.
  EXPECT_EQ(hex(hkdf_sha256(Bytes(22, 0x0b), {}, "")),
            "8da4e775a563c18f715f802a063c5a31b8a11f5c5ee1879ec3454e5f3c738d2d");
}

TEST(Keccak, HandlesEveryLengthAroundItsBlock) {
  // The padding fits into the last byte of a block, needs a new block, and goes one byte into it.
  EXPECT_EQ(hex(keccak256(Bytes(135, 'a'))), "34367dc248bbd832f4e3e69dfaac2f92638bd0bbd18f2912ba4ef454919cf446");
  EXPECT_EQ(hex(keccak256(Bytes(136, 'a'))), "a6c4d403279fe3e0af03729caada8374b5ca54d8065329a3ebcaeb4b60aa386e");
  EXPECT_EQ(hex(keccak256(Bytes(137, 'a'))), "d869f639c7046b4929fc92a4d988a8b22c55fbadb802c0c66ebcd484f1915f39");
  EXPECT_EQ(hex(keccak256(Bytes(272, 'a'))), "cf7fcd4f705ee749930d19ca84561a9bf62516bd90a471545fa2f49fdc7e63c8");
}

TEST(Address, HasEip55Spelling) {
  for (const char* text : {"0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed", "0xfB6916095ca1df60bB79Ce92cE3Ea74c37c5d359",
                           "0xdbF03B407c01E7cD3CBea99509d93f8DDDC8C6FB"}) {
    EXPECT_EQ(checksum_address(*parse_address(text)), text);
  }
}

TEST(Base64, RefusesWhatItWouldNotWrite) {
  EXPECT_EQ(base64(as_bytes("ab")), "YWI=");
  EXPECT_EQ(from_base64("YWI="), Bytes({'a', 'b'}));
  EXPECT_EQ(from_base64("YWI"), Bytes({'a', 'b'}));
  EXPECT_EQ(base64url(Bytes{0xfb, 0xff}), "-_8");
  EXPECT_EQ(from_base64url("-_8"), Bytes({0xfb, 0xff}));
  for (const char* bad : {"-_8=", "-_9", "+/8", "a", "-_8 "}) EXPECT_EQ(from_base64url(bad), std::nullopt) << bad;
}

TEST(Password, VerifiesTheSpecifiedVector) {
  const char* phc = "$argon2id$v=19$m=19456,t=2,p=1$AAECAwQFBgcICQoLDA0ODw$h59TpogcYUKDTAtlFSY0AyXa3eyPCJQLc39aDZoVSrw";
  EXPECT_EQ(verify_password(phc, "SecurePass123!"), true);
  EXPECT_EQ(verify_password(phc, "SecurePass123"), false);
  EXPECT_EQ(verify_password("", ""), false);
  EXPECT_EQ(
      verify_password(
          "$argon2i$v=19$m=19456,t=2,p=1$AAECAwQFBgcICQoLDA0ODw$h59TpogcYUKDTAtlFSY0AyXa3eyPCJQLc39aDZoVSrw", "x"),
      false);
  for (std::size_t cut = 0; cut < std::string_view(phc).size(); ++cut)
    if (cut < 20 || cut % 7 == 0) EXPECT_EQ(verify_password(std::string_view(phc).substr(0, cut), "x"), false) << cut;
  EXPECT_EQ(verify_password(std::string(phc) + "A", "SecurePass123!"), false);
  const std::string own = hash_password("testpass123").value();
  EXPECT_TRUE(own.starts_with("$argon2id$v=19$m=19456,t=2,p=1$")) << own;
  EXPECT_EQ(verify_password(own, "testpass123"), true);
}

// Want of memory is neither a reason to abort nor a wrong password.
TEST(Password, IsBusyWithoutMemory) {
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
  GTEST_SKIP() << "the sanitizer needs the address space itself";
#endif
  const std::string own = hash_password("testpass123").value();
  release_password_memory();
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_AS, &before), 0);
  rlimit tight = before;
  tight.rlim_cur = 16 * 1024 * 1024;   // less than is in use: nothing more is given
  ASSERT_EQ(::setrlimit(RLIMIT_AS, &tight), 0);
  const auto hashed = hash_password("testpass123");
  const auto right = verify_password(own, "testpass123");
  const auto wrong = verify_password(own, "testpass124");
  ASSERT_EQ(::setrlimit(RLIMIT_AS, &before), 0);
  ASSERT_FALSE(hashed.has_value());
  EXPECT_EQ(hashed.error().code, Code::busy);
  ASSERT_FALSE(right.has_value());
  EXPECT_EQ(right.error().code, Code::busy);
  ASSERT_FALSE(wrong.has_value());
  EXPECT_EQ(verify_password(own, "testpass123"), true);
}

class DataKeysTest : public ::testing::Test {
 protected:
  DataKeys keys_ = *DataKeys::parse("k1:AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=");
  const std::string aad_ = "trigger_actions:config:8c5f1c1e-0000-4000-8000-000000000001";
  const std::string stored_ =
      "enc:v1:k1:CgsMDQ4PEBESExQVXo8J_F7r7TT0R_VJm-rUes4quEf2AZKZkSCzo2YK7pUYFGGDkOG1ZqlVgRQpmRELB0vDAKyMpXDQ";
};

TEST_F(DataKeysTest, DecryptsTheSpecifiedVector) {
  EXPECT_EQ(keys_.decrypt(stored_, aad_), "123456:ABC-DEF1234ghIkl-zyx57W2v1u123ew11");
}

TEST_F(DataKeysTest, RefusesWhatWasMovedOrChanged) {
  EXPECT_FALSE(keys_.decrypt(stored_, "trigger_actions:config:other"));
  for (std::size_t i = 10; i < stored_.size(); ++i) {
    std::string changed = stored_;
    changed[i] = changed[i] == 'A' ? 'B' : 'A';
    EXPECT_FALSE(keys_.decrypt(changed, aad_)) << i;
  }
  EXPECT_FALSE(keys_.decrypt(stored_.substr(0, 40), aad_));
  EXPECT_FALSE(keys_.decrypt("enc:v1:k2:" + stored_.substr(10), aad_));
  EXPECT_FALSE(keys_.decrypt("plain", aad_));
}

TEST_F(DataKeysTest, FirstKeyEncryptsEveryKeyDecrypts) {
  const auto old_keys = DataKeys::derive("an old secret", "");
  const auto new_keys = DataKeys::derive("a new secret", "an old secret");
  const std::string text = old_keys.encrypt("value", "row");
  EXPECT_EQ(new_keys.decrypt(text, "row"), "value");
  EXPECT_FALSE(DataKeys::derive("a new secret", "").decrypt(text, "row"));
  EXPECT_NE(new_keys.encrypt("value", "row"), new_keys.encrypt("value", "row"));
  for (const char* bad : {"", "k1", "k1:AAEC", ":AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="})
    EXPECT_FALSE(DataKeys::parse(bad)) << bad;
  const std::string key = ":AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=";
  EXPECT_TRUE(DataKeys::parse("k1" + key + ",k2" + key));
  const auto twice = DataKeys::parse("k1" + key + ",k2" + key + ",k1" + key);
  ASSERT_FALSE(twice.has_value());
  EXPECT_NE(twice.error().text.find("k1 twice"), std::string::npos) << twice.error().text;
}

TEST_F(DataKeysTest, OlderKeysOnlyDecrypt) {
  const auto derived = DataKeys::derive("a secret", "the secret before it");
  const auto both = keys_.with_older(derived);
  EXPECT_EQ(both.decrypt(derived.encrypt("value", "row"), "row"), "value");
  EXPECT_EQ(both.decrypt(DataKeys::derive("the secret before it", "").encrypt("value", "row"), "row"), "value");
  EXPECT_EQ(both.active_kid(), "k1");
  EXPECT_EQ(both.kids().size(), 3U);
  EXPECT_EQ(keys_.decrypt(both.encrypt("value", "row"), "row"), "value");
}

}   // namespace
}   // namespace agentauri::crypto
