// Reading ABI-encoded event data, strictly and without copies. Nothing throws.
//
// Integers must fit their type (zero or sign extension is checked), the twelve high bytes of an address are zero, a
// boolean is 0 or 1. An offset counts from the start of the data; its length word and its content lie inside the data.
// Tails may share bytes, come in any order and leave gaps, and what pads a value to a whole word is not looked at:
// Solidity writes none of that, other writers may, and the value means the same. Strings are any bytes.
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

// One value. Integers are kept as their 32-byte word. `bytes` looks into the data that was read, which must outlive it.
struct AbiValue {
  AbiType type = AbiType::uint256;
  Hash32 word;
  ByteView bytes;

  std::uint64_t as_u64() const;   // uint64, uint8: checked when read
  Uint256 as_uint256() const { return Uint256::from_word(word); }
  Address as_address() const;
  bool as_bool() const { return word.data[31] != 0; }
  // int128, and int256 or uint256 values that fit; nullopt otherwise.
  std::optional<int128> as_int128() const;
  // Decimal text of any integer type.
  std::string decimal() const;
};

// A word that stands alone: a topic, or a static value. Code::protocol when it does not hold the type.
Result<AbiValue> read_word(AbiType type, const Hash32& word);
// Value number `index` of `data`, whose head has one word for each value. Code::protocol with the reason.
Result<AbiValue> read_value(AbiType type, ByteView data, std::size_t index);

}   // namespace agentauri::chain
