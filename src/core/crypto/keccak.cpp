// Keccak-f[1600] with the padding of Ethereum (0x01), which OpenSSL 3.0 does not offer. FIPS 202, section 3.
#include <array>
#include <bit>
#include <cstring>

#include "core/crypto/crypto.hpp"

namespace agentauri::crypto {
namespace {

constexpr std::size_t kRate = 136;   // bytes absorbed at a time for 256 bits of output

constexpr std::array<std::uint64_t, 24> kRoundConstants{
    0x0000000000000001, 0x0000000000008082, 0x800000000000808a, 0x8000000080008000, 0x000000000000808b,
    0x0000000080000001, 0x8000000080008081, 0x8000000000008009, 0x000000000000008a, 0x0000000000000088,
    0x0000000080008009, 0x000000008000000a, 0x000000008000808b, 0x800000000000008b, 0x8000000000008089,
    0x8000000000008003, 0x8000000000008002, 0x8000000000000080, 0x000000000000800a, 0x800000008000000a,
    0x8000000080008081, 0x8000000000008080, 0x0000000080000001, 0x8000000080008008};
constexpr std::array<int, 24> kRotations{1,  3,  6,  10, 15, 21, 28, 36, 45, 55, 2,  14,
                                         27, 41, 56, 8,  25, 43, 62, 18, 39, 61, 20, 44};
constexpr std::array<std::size_t, 24> kLanes{10, 7,  11, 17, 18, 3, 5,  16, 8,  21, 24, 4,
                                             15, 23, 19, 13, 12, 2, 20, 14, 22, 9,  6,  1};

using State = std::array<std::uint64_t, 25>;

// Unrolled, every lane of the state is a register or a fixed place; the compiler does not do it by itself below -O3.
#ifdef __clang__
#define KECCAK_UNROLL _Pragma("clang loop unroll(full)")
#else
#define KECCAK_UNROLL _Pragma("GCC unroll 25")
#endif

void permute(State& a) {
  for (const std::uint64_t constant : kRoundConstants) {
    std::array<std::uint64_t, 5> c;
    KECCAK_UNROLL
    for (std::size_t x = 0; x < 5; ++x) c[x] = a[x] ^ a[x + 5] ^ a[x + 10] ^ a[x + 15] ^ a[x + 20];
    KECCAK_UNROLL
    for (std::size_t x = 0; x < 5; ++x) {
      const std::uint64_t d = c[(x + 4) % 5] ^ std::rotl(c[(x + 1) % 5], 1);
      KECCAK_UNROLL
      for (std::size_t y = 0; y < 25; y += 5) a[x + y] ^= d;
    }
    std::uint64_t moved = a[1];
    KECCAK_UNROLL
    for (std::size_t i = 0; i < 24; ++i) {
      const std::uint64_t next = a[kLanes[i]];
      a[kLanes[i]] = std::rotl(moved, kRotations[i]);
      moved = next;
    }
    KECCAK_UNROLL
    for (std::size_t y = 0; y < 25; y += 5) {
      KECCAK_UNROLL
      for (std::size_t x = 0; x < 5; ++x) c[x] = a[y + x];
      KECCAK_UNROLL
      for (std::size_t x = 0; x < 5; ++x) a[y + x] = c[x] ^ (~c[(x + 1) % 5] & c[(x + 2) % 5]);
    }
    a[0] ^= constant;
  }
}

#undef KECCAK_UNROLL

void absorb(State& state, const std::uint8_t* block) {
  static_assert(std::endian::native == std::endian::little);
  for (std::size_t i = 0; i < kRate / 8; ++i) {
    std::uint64_t lane;
    std::memcpy(&lane, block + 8 * i, 8);
    state[i] ^= lane;
  }
  permute(state);
}

}   // namespace

Hash32 keccak256(ByteView data) {
  State state{};
  while (data.size() >= kRate) {
    absorb(state, data.data());
    data = data.subspan(kRate);
  }
  std::array<std::uint8_t, kRate> last{};
  std::copy(data.begin(), data.end(), last.begin());
  last[data.size()] = 0x01;
  last[kRate - 1] |= 0x80;
  absorb(state, last.data());
  Hash32 out;
  std::memcpy(out.data.data(), state.data(), out.data.size());
  return out;
}

std::string checksum_address(const Address& address) {
  std::string text = to_hex(address.view());
  const Hash32 hash = keccak256(as_bytes(text));
  for (std::size_t i = 0; i < text.size(); ++i) {
    const int nibble = i % 2 == 0 ? hash.data[i / 2] >> 4 : hash.data[i / 2] & 15;
    if (text[i] >= 'a' && nibble >= 8) text[i] = static_cast<char>(text[i] - 'a' + 'A');
  }
  return "0x" + text;
}

}   // namespace agentauri::crypto
