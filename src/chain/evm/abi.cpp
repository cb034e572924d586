#include "chain/evm/abi.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace agentauri::chain {
namespace {

constexpr std::size_t kWord = 32;

bool all(const Hash32& word, std::size_t from, std::size_t to, std::uint8_t value) {
  return std::all_of(word.data.begin() + static_cast<std::ptrdiff_t>(from),
                     word.data.begin() + static_cast<std::ptrdiff_t>(to),
                     [value](std::uint8_t b) { return b == value; });
}

std::uint64_t low_u64(const Hash32& word) {
  std::uint64_t out = 0;
  for (std::size_t i = 24; i < kWord; ++i) out = out << 8 | word.data[i];
  return out;
}

// Offsets and lengths: nothing that a log holds reaches 4 GiB.
std::optional<std::size_t> as_size(const Hash32& word) {
  if (!all(word, 0, 28, 0)) return std::nullopt;
  return static_cast<std::size_t>(low_u64(word));
}

std::optional<Hash32> word_at(ByteView data, std::size_t offset) {
  if (offset > data.size() || data.size() - offset < kWord) return std::nullopt;
  return Hash32::from(data.subspan(offset, kWord));
}

bool fits(AbiType type, const Hash32& word) {
  switch (type) {
    case AbiType::uint64:
      return all(word, 0, 24, 0);
    case AbiType::uint8:
      return all(word, 0, 31, 0);
    case AbiType::address:
      return all(word, 0, 12, 0);
    case AbiType::boolean:
      return all(word, 0, 31, 0) && word.data[31] <= 1;
    case AbiType::int128:
      return all(word, 0, 16, (word.data[16] & 0x80) != 0 ? 0xff : 0);
    default:
      return true;
  }
}

}   // namespace

std::string_view to_string(AbiType type) {
  switch (type) {
    case AbiType::uint256:
      return "uint256";
    case AbiType::uint64:
      return "uint64";
    case AbiType::uint8:
      return "uint8";
    case AbiType::int128:
      return "int128";
    case AbiType::int256:
      return "int256";
    case AbiType::address:
      return "address";
    case AbiType::boolean:
      return "bool";
    case AbiType::bytes32:
      return "bytes32";
    case AbiType::string:
      return "string";
    case AbiType::bytes:
      return "bytes";
  }
  return "";
}

bool is_dynamic(AbiType type) {
  return type == AbiType::string || type == AbiType::bytes;
}

std::uint64_t AbiValue::as_u64() const {
  return low_u64(word);
}

Address AbiValue::as_address() const {
  Address out;
  std::copy(word.data.begin() + 12, word.data.end(), out.data.begin());
  return out;
}

std::optional<int128> AbiValue::as_int128() const {
  const bool is_unsigned = type != AbiType::int128 && type != AbiType::int256;
  if (is_unsigned && (word.data[16] & 0x80) != 0) return std::nullopt;
  if (!fits(AbiType::int128, word)) return std::nullopt;
  uint128 out = 0;
  for (std::size_t i = 16; i < kWord; ++i) out = out << 8 | word.data[i];
  return static_cast<int128>(out);
}

std::string AbiValue::decimal() const {
  const bool is_signed = type == AbiType::int128 || type == AbiType::int256;
  if (!is_signed || (word.data[0] & 0x80) == 0) return to_string(as_uint256());
  Uint256 magnitude = as_uint256();
  magnitude.value = ~magnitude.value + 1;
  return "-" + to_string(magnitude);
}

Result<AbiValue> read_word(AbiType type, const Hash32& word) {
  if (!fits(type, word)) return fail(Code::protocol, fmt::format("a word does not hold a {}", to_string(type)));
  return AbiValue{type, word, {}};
}

Result<AbiValue> read_value(AbiType type, ByteView data, std::size_t index) {
  const auto head = index < data.size() / kWord ? word_at(data, index * kWord) : std::nullopt;
  if (!head) return fail(Code::protocol, fmt::format("the data ends before value {}", index));
  if (!is_dynamic(type)) return read_word(type, *head);
  const auto offset = as_size(*head);
  const auto length_word = offset ? word_at(data, *offset) : std::nullopt;
  if (!length_word) return fail(Code::protocol, fmt::format("the offset of value {} leaves the data", index));
  const auto length = as_size(*length_word);
  const std::size_t start = *offset + kWord;
  if (!length || *length > data.size() - start)
    return fail(Code::protocol, fmt::format("value {} is longer than the data", index));
  return AbiValue{type, {}, data.subspan(start, *length)};
}

}   // namespace agentauri::chain
