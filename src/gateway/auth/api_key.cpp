#include "gateway/auth/api_key.hpp"

#include <array>

#include "core/crypto/crypto.hpp"

namespace agentauri::gateway {
namespace {

constexpr std::size_t kPrefixBytes = 8, kRandomBytes = 28, kChecksumBytes = 4;

std::string_view prefix_of(KeyEnvironment environment) {
  return environment == KeyEnvironment::live ? "sk_live_" : "sk_test_";
}

// CRC-32 of IEEE 802.3, as zlib computes it.
constexpr std::array<std::uint32_t, 256> kCrcTable = [] {
  std::array<std::uint32_t, 256> table{};
  for (std::uint32_t i = 0; i < 256; ++i) {
    std::uint32_t value = i;
    for (int bit = 0; bit < 8; ++bit) value = (value & 1) != 0 ? (value >> 1) ^ 0xedb88320U : value >> 1;
    table[i] = value;
  }
  return table;
}();

std::array<std::uint8_t, kChecksumBytes> checksum(std::string_view prefix, ByteView random) {
  std::uint32_t crc = 0xffffffffU;
  const auto add = [&crc](std::uint8_t byte) { crc = kCrcTable[(crc ^ byte) & 0xff] ^ (crc >> 8); };
  for (const auto byte : as_bytes(prefix)) add(byte);
  for (const auto byte : random) add(byte);
  crc ^= 0xffffffffU;
  return {static_cast<std::uint8_t>(crc >> 24), static_cast<std::uint8_t>(crc >> 16),
          static_cast<std::uint8_t>(crc >> 8), static_cast<std::uint8_t>(crc)};
}

}   // namespace

std::string_view to_string(KeyEnvironment environment) {
  return environment == KeyEnvironment::live ? "live" : "test";
}

std::optional<KeyEnvironment> parse_key_environment(std::string_view text) {
  if (text == "live") return KeyEnvironment::live;
  if (text == "test") return KeyEnvironment::test;
  return std::nullopt;
}

bool looks_like_api_key(std::string_view text) {
  return text.starts_with("sk_live_") || text.starts_with("sk_test_");
}

bool is_api_key(std::string_view text) {
  if (text.size() != kApiKeySize || !looks_like_api_key(text)) return false;
  const auto bytes = crypto::from_base64url(text.substr(kPrefixBytes));
  if (!bytes || bytes->size() != kRandomBytes + kChecksumBytes) return false;
  const ByteView all(*bytes);
  const auto expected = checksum(text.substr(0, kPrefixBytes), all.first(kRandomBytes));
  return std::equal(expected.begin(), expected.end(), all.begin() + kRandomBytes);
}

std::string make_api_key(KeyEnvironment environment) {
  FixedBytes<kRandomBytes> random;
  crypto::fill_random(random.data);
  return api_key_from_bytes(environment, random);
}

std::string api_key_from_bytes(KeyEnvironment environment, const FixedBytes<28>& random) {
  const std::string_view prefix = prefix_of(environment);
  Bytes all(random.data.begin(), random.data.end());
  const auto sum = checksum(prefix, random.view());
  all.insert(all.end(), sum.begin(), sum.end());
  return std::string(prefix) + crypto::base64url(all);
}

Hash32 hash_of_api_key(std::string_view text) {
  return crypto::sha256(as_bytes(text));
}

}   // namespace agentauri::gateway
