#include "core/crypto/crypto.hpp"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>
#include <sodium.h>

#include <algorithm>
#include <cerrno>
#include <charconv>
#include <mutex>

namespace agentauri::crypto {
namespace {

constexpr unsigned long long kArgonPasses = 2;
constexpr std::size_t kArgonBytes = 19456UL * 1024;
constexpr std::size_t kMaxArgonKibibytes = 4 * 1024 * 1024;

void ensure_sodium() {
  static std::once_flag once;
  std::call_once(once, [] { ENSURE(sodium_init() >= 0, "libsodium could not be initialised"); });
}

std::string encode64(ByteView data, int variant) {
  std::string out(sodium_base64_encoded_len(data.size(), variant), '\0');
  sodium_bin2base64(out.data(), out.size(), data.data(), data.size(), variant);
  out.pop_back();   // the terminator
  return out;
}

std::optional<Bytes> decode64(std::string_view text, int variant) {
  Bytes out(text.size() / 4 * 3 + 3);
  std::size_t length = 0;
  const char* end = nullptr;
  if (sodium_base642bin(out.data(), out.size(), text.data(), text.size(), nullptr, &length, &end, variant) != 0)
    return std::nullopt;
  if (end != text.data() + text.size()) return std::nullopt;
  out.resize(length);
  return out;
}

// `$argon2id$v=19$m=19456,t=2,p=1$<salt>$<hash>`, as libsodium writes it: 16 bytes of salt, 32 of hash, one lane. Read
// here because libsodium's own verification gives one answer for a wrong password and for want of memory.
struct Phc {
  std::size_t kibibytes = 0;
  unsigned long long passes = 0;
  Bytes salt;
  Hash32 hash;
};

template <class Number>
bool take_number(std::string_view& text, std::string_view before, Number& out) {
  if (!text.starts_with(before)) return false;
  text.remove_prefix(before.size());
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  if (error != std::errc{}) return false;
  text.remove_prefix(static_cast<std::size_t>(end - text.data()));
  return true;
}

std::optional<Phc> parse_phc(std::string_view text) {
  Phc out;
  if (!take_number(text, "$argon2id$v=19$m=", out.kibibytes) || !take_number(text, ",t=", out.passes) ||
      !text.starts_with(",p=1$") || out.kibibytes > kMaxArgonKibibytes)
    return std::nullopt;
  text.remove_prefix(5);
  const std::size_t dollar = std::min(text.find('$'), text.size());
  auto salt = decode64(text.substr(0, dollar), sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
  const auto hash = decode64(text.substr(std::min(dollar + 1, text.size())), sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
  const auto whole = hash ? Hash32::from(*hash) : std::nullopt;
  if (!salt || salt->size() != crypto_pwhash_argon2id_SALTBYTES || !whole) return std::nullopt;
  out.salt = std::move(*salt);
  out.hash = *whole;
  return out;
}

}   // namespace

Hash32 sha256(ByteView data) {
  Hash32 out;
  SHA256(data.data(), data.size(), out.data.data());
  return out;
}

Hash32 hmac_sha256(ByteView key, ByteView message) {
  Hash32 out;
  unsigned length = 0;
  const auto* done = HMAC(EVP_sha256(), key.data(), static_cast<int>(key.size()), message.data(), message.size(),
                          out.data.data(), &length);
  ENSURE(done != nullptr && length == out.data.size(), "HMAC-SHA256 failed");
  return out;
}

Hash32 hkdf_sha256(ByteView secret, ByteView salt, std::string_view info) {
  const Hash32 extracted = hmac_sha256(salt, secret);
  // One block of output is all that is ever asked for.
  Bytes message(info.begin(), info.end());
  message.push_back(1);
  return hmac_sha256(extracted.view(), message);
}

void fill_random(std::span<std::uint8_t> out) {
  ensure_sodium();
  randombytes_buf(out.data(), out.size());
}

Bytes random_bytes(std::size_t count) {
  Bytes out(count);
  fill_random(out);
  return out;
}

bool equal_constant_time(ByteView a, ByteView b) {
  return a.size() == b.size() && sodium_memcmp(a.data(), b.data(), a.size()) == 0;
}

std::string base64(ByteView data) {
  return encode64(data, sodium_base64_VARIANT_ORIGINAL);
}

std::optional<Bytes> from_base64(std::string_view text) {
  return text.ends_with('=') || text.size() % 4 == 0 ? decode64(text, sodium_base64_VARIANT_ORIGINAL)
                                                     : decode64(text, sodium_base64_VARIANT_ORIGINAL_NO_PADDING);
}

std::string base64url(ByteView data) {
  return encode64(data, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

std::optional<Bytes> from_base64url(std::string_view text) {
  return decode64(text, sodium_base64_VARIANT_URLSAFE_NO_PADDING);
}

Result<std::string> hash_password(std::string_view password) {
  ensure_sodium();
  char phc[crypto_pwhash_STRBYTES];
  if (crypto_pwhash_argon2id_str(phc, password.data(), password.size(), kArgonPasses, kArgonBytes) != 0)
    return fail(Code::busy, "there is no memory to hash a password");
  return phc;
}

Result<bool> verify_password(std::string_view phc, std::string_view password) {
  ensure_sodium();
  const auto known = parse_phc(phc);
  if (!known) return false;
  Hash32 made;
  errno = 0;
  const int failed =
      crypto_pwhash_argon2id(made.data.data(), made.data.size(), password.data(), password.size(), known->salt.data(),
                             known->passes, known->kibibytes * 1024, crypto_pwhash_argon2id_ALG_ARGON2ID13);
  if (failed != 0 && (errno == ENOMEM || errno == EAGAIN))
    return fail(Code::busy, "there is no memory to check a password");
  return failed == 0 && equal_constant_time(made.view(), known->hash.view());
}

}   // namespace agentauri::crypto
