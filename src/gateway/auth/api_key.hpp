// The text of an API key (http-api.md 3.9): prefix, 28 random bytes and a checksum, so that a mistyped or made-up key
// is refused without a look-up. Stored is the SHA-256 of the whole text alone. Pure, but for the randomness of make().
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "core/base/bytes.hpp"

namespace agentauri::gateway {

enum class KeyEnvironment : std::uint8_t { live, test };
std::string_view to_string(KeyEnvironment environment);
std::optional<KeyEnvironment> parse_key_environment(std::string_view text);

inline constexpr std::size_t kApiKeySize = 51;
inline constexpr std::size_t kApiKeyPrefixSize = 16;   // for display and audit

// `sk_live_` or `sk_test_`: whatever follows, this is meant to be a key.
bool looks_like_api_key(std::string_view text);
// Prefix, length, alphabet, unused bits and checksum.
bool is_api_key(std::string_view text);

std::string make_api_key(KeyEnvironment environment);
std::string api_key_from_bytes(KeyEnvironment environment, const FixedBytes<28>& random);
Hash32 hash_of_api_key(std::string_view text);

}   // namespace agentauri::gateway
