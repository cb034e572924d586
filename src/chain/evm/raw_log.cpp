#include "chain/evm/raw_log.hpp"

#include "core/crypto/crypto.hpp"

namespace agentauri::chain {
namespace {

// Three bits, each from two bytes of the hash, counted from the end of the filter.
template <class Visit>
void for_each_bit(ByteView item, Visit visit) {
  const Hash32 hash = crypto::keccak256(item);
  for (std::size_t i = 0; i < 6; i += 2) {
    const unsigned bit = (static_cast<unsigned>(hash.data[i]) << 8 | hash.data[i + 1]) & 2047;
    visit(255 - bit / 8, static_cast<std::uint8_t>(1U << (bit % 8)));
  }
}

}   // namespace

bool bloom_may_contain(const Bloom& bloom, const Address& address) {
  bool all = true;
  for_each_bit(address.view(), [&](std::size_t byte, std::uint8_t mask) { all = all && (bloom[byte] & mask) != 0; });
  return all;
}

void bloom_add(Bloom& bloom, ByteView item) {
  for_each_bit(
      item, [&](std::size_t byte, std::uint8_t mask) { bloom[byte] = static_cast<std::uint8_t>(bloom[byte] | mask); });
}

}   // namespace agentauri::chain
