// Reading ABI-encoded event data, strictly: integers fit their type, addresses and booleans have no stray bits, offsets
// and lengths stay inside the data. Padding behind dynamic values is not looked at. Nothing throws.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "core/base/bytes.hpp"
#include "core/base/number.hpp"
#include "core/base/result.hpp"

namespace agentauri::chain {

enum class AbiType : std::uint8_t { uint256, uint64, uint8, int128, int256, address, boolean, bytes32, string, bytes };
std::string_view to_string(AbiType type);   // as in a canonical signature
bool is_dynamic(AbiType type);

// One value. Integers are kept as their 32-byte word; dynamic values as their bytes (strings need not be UTF-8).
struct AbiValue {
  AbiType type = AbiType::uint256;
  Hash32 word;
  Bytes bytes;

  std::uint64_t as_u64() const;        // uint64, uint8: checked when read
  Uint256 as_uint256() const { return Uint256::from_word(word); }
  Address as_address() const;
  bool as_bool() const { return word.data[31] != 0; }
  // int128, and int256 or uint256 values that fit; nullopt otherwise.
  std::optional<int128> as_int128() const;
  // Decimal text of any integer type.
  std::string decimal() const;
};

// A word that stands alone: a topic, or a static value.
Result<AbiValue> read_word(AbiType type, const Hash32& word);
// Value number `index` of `data`, whose head has one word for each value. Dynamic values are at most 1 MiB.
Result<AbiValue> read_value(AbiType type, ByteView data, std::size_t index);

}  // namespace agentauri::chain
