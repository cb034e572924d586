#include "chain/fake/abi_writer.hpp"

namespace agentauri::chain {

AbiWriter& AbiWriter::word(const Hash32& value) {
  parts_.push_back({value, std::nullopt});
  return *this;
}

AbiWriter& AbiWriter::signed_number(int128 value) {
  Hash32 out;
  out.data.fill(value < 0 ? 0xff : 0);
  const auto bits = static_cast<uint128>(value);
  for (std::size_t i = 0; i < 16; ++i) out.data[31 - i] = static_cast<std::uint8_t>(bits >> (8 * i));
  return word(out);
}

AbiWriter& AbiWriter::dynamic(ByteView value) {
  parts_.push_back({{}, Bytes(value.begin(), value.end())});
  return *this;
}

Bytes AbiWriter::finish() const {
  Bytes head, tail;
  const auto put = [](Bytes& out, const Hash32& word) { out.insert(out.end(), word.data.begin(), word.data.end()); };
  for (const auto& part : parts_) {
    if (!part.tail) {
      put(head, part.head);
      continue;
    }
    put(head, Uint256(parts_.size() * 32 + tail.size()).to_word());
    put(tail, Uint256(part.tail->size()).to_word());
    tail.insert(tail.end(), part.tail->begin(), part.tail->end());
    tail.resize((tail.size() + 31) / 32 * 32);
  }
  head.insert(head.end(), tail.begin(), tail.end());
  return head;
}

Hash32 word_of_address(const Address& address) {
  Hash32 out;
  std::copy(address.data.begin(), address.data.end(), out.data.begin() + 12);
  return out;
}

}   // namespace agentauri::chain
