#include "core/crypto/crypto.hpp"

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/sha.h>
#include <sodium.h>

#include <algorithm>
#include <mutex>

namespace agentauri::crypto {
namespace {

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

}   // namespace

Hash32 sha256(ByteView data) {
  Hash32 out;
  SHA256(data.data(), data.size(), out.data.data());
  return out;
}

FixedBytes<20> sha1(ByteView data) {
  FixedBytes<20> out;
  SHA1(data.data(), data.size(), out.data.data());
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

}   // namespace agentauri::crypto
