// Digests, message codes, encryption at rest, password hashing, randomness and their text forms. Thread-safe.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/bytes.hpp"
#include "core/base/result.hpp"

namespace agentauri::crypto {

Hash32 sha256(ByteView data);
// Names scripts of Redis and keeps nothing safe.
FixedBytes<20> sha1(ByteView data);
Hash32 hmac_sha256(ByteView key, ByteView message);
// RFC 5869 with SHA-256, 32 bytes of output.
Hash32 hkdf_sha256(ByteView secret, ByteView salt, std::string_view info);
// Keccak-256 as Ethereum uses it (not SHA3-256).
Hash32 keccak256(ByteView data);

// EIP-55.
std::string checksum_address(const Address& address);

// From the kernel; never fails (aborts when the kernel cannot answer).
void fill_random(std::span<std::uint8_t> out);
Bytes random_bytes(std::size_t count);

// Equal length and content, in time that depends on the length alone.
bool equal_constant_time(ByteView a, ByteView b);

// Standard alphabet with padding; decoding also takes the form without padding, and nothing else.
std::string base64(ByteView data);
std::optional<Bytes> from_base64(std::string_view text);
// URL alphabet without padding; refuses padding and non-zero trailing bits.
std::string base64url(ByteView data);
std::optional<Bytes> from_base64url(std::string_view text);

// Argon2id v19, 19456 KiB, t=2, p=1, as a PHC string. Takes about 20 ms of CPU: only on the Argon2 lane. Code::busy
// when the memory cannot be had.
Result<std::string> hash_password(std::string_view password);
// Uses memory and passes as `phc` says; false for anything that is not such a string. Code::busy as above, so that
// nobody's password is called wrong for want of memory.
Result<bool> verify_password(std::string_view phc, std::string_view password);
// Both keep their memory (19 MiB) for the thread's next call; a thread that has nothing to hash for a while lets it go.
void release_password_memory();

// AES-256-GCM at rest: `enc:v1:<kid>:<base64url(iv ‖ ciphertext ‖ tag)>` (protocols.md 8.2). The first key encrypts,
// every key decrypts. Immutable after construction, so threads may share it.
class DataKeys {
 public:
  struct Key {
    std::string kid;
    Hash32 bytes;
  };
  explicit DataKeys(std::vector<Key> keys);
  // DATA_ENCRYPTION_KEYS: `kid:base64(32 bytes)[,…]`, each kid once.
  static Result<DataKeys> parse(std::string_view text);
  // HKDF of JWT_SECRET, and of JWT_SECRET_PREVIOUS (may be empty) for decryption only.
  static DataKeys derive(std::string_view jwt_secret, std::string_view previous);
  // These keys, and behind them those of `older`, which only decrypt.
  DataKeys with_older(const DataKeys& older) const;

  const std::string& active_kid() const { return keys_.front().kid; }   // of the one that encrypts
  std::vector<std::string> kids() const;

  // `aad` is `<table>:<column>:<row id>`: a value moved to another row does not decrypt.
  std::string encrypt(std::string_view plain, std::string_view aad) const;
  Result<std::string> decrypt(std::string_view text, std::string_view aad) const;

 private:
  std::vector<Key> keys_;
};

// A value that does not get into a log line or a message by accident: there is no way to print it but reveal().
template <class T>
class Secret {
 public:
  Secret() = default;
  explicit Secret(T value) : value_(std::move(value)) {}
  const T& reveal() const { return value_; }
  bool empty() const { return value_.empty(); }

 private:
  T value_{};
};

}   // namespace agentauri::crypto
