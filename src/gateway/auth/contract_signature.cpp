#include "gateway/auth/contract_signature.hpp"

#include <algorithm>

#include "core/base/number.hpp"

namespace agentauri::gateway {
namespace {

constexpr std::size_t kWord = 32;
constexpr std::array<std::uint8_t, 4> kMagic{0x16, 0x26, 0xba, 0x7e};   // isValidSignature(bytes32,bytes)

// Memory of the program: four words (account, factory, length of the factory's call, length of the check), the
// factory's call, the check. PUSH0 is left out: not every chain has it.
constexpr std::uint8_t kProgram[] = {
    0x60, 0x54, 0x80, 0x38, 0x03, 0x90, 0x60, 0x00, 0x39,   // codecopy(0, 84, codesize - 84)
    0x60, 0x00, 0x51, 0x3b,                                 // extcodesize(account)
    0x60, 0x20, 0x57,                                       // jumpi(check) when it is there
    0x60, 0x00, 0x60, 0x00,                                 // call(gas, factory, 0, 128, length, 0, 0)
    0x60, 0x40, 0x51, 0x60, 0x80, 0x60, 0x00,               //
    0x60, 0x20, 0x51, 0x5a, 0xf1,                           //
    0x5b,                                                   // check (32): the call's success lies below, unused
    0x60, 0x20, 0x60, 0x20,                                 // staticcall(gas, account, 128 + length, check, 32, 32)
    0x60, 0x60, 0x51, 0x60, 0x40, 0x51, 0x60, 0x80, 0x01,   //
    0x60, 0x00, 0x51, 0x5a, 0xfa,                           //
    0x60, 0x20, 0x51, 0x60, 0xe0, 0x1c,                     // its first four bytes
    0x63, 0x16, 0x26, 0xba, 0x7e, 0x14, 0x16,               // are the magic value, and it succeeded
    0x60, 0x1f, 0x3d, 0x11, 0x16,                           // and there are 32 bytes of it
    0x60, 0x00, 0x51, 0x3b, 0x15, 0x15, 0x16,               // and the account has code: a precompile, which has none,
                                                            // may answer with what it was asked
    0x60, 0x00, 0x52, 0x60, 0x20, 0x60, 0x00, 0xf3,         // return that
};

Bytes word_of(std::uint64_t number) {
  const Hash32 word = Uint256(number).to_word();
  return {word.data.begin(), word.data.end()};
}
Bytes word_of(const Address& address) {
  Bytes out(kWord - address.data.size(), 0);
  out.insert(out.end(), address.data.begin(), address.data.end());
  return out;
}
void append(Bytes& out, ByteView bytes) {
  out.insert(out.end(), bytes.begin(), bytes.end());
}
void pad(Bytes& out, std::size_t bytes) {
  out.resize(out.size() + (kWord - bytes % kWord) % kWord, 0);
}

std::optional<std::size_t> size_at(ByteView data, std::size_t at) {
  if (at > data.size() || data.size() - at < kWord) return std::nullopt;
  const auto number = Uint256::from_word(*Hash32::from(data.subspan(at, kWord))).to_u64();
  if (!number || *number > data.size()) return std::nullopt;
  return static_cast<std::size_t>(*number);
}
// A dynamic `bytes` whose offset stands at `head`.
std::optional<Bytes> bytes_at(ByteView data, std::size_t head) {
  const auto offset = size_at(data, head);
  if (!offset) return std::nullopt;
  const auto length = size_at(data, *offset);
  if (!length || data.size() - *offset - kWord < *length) return std::nullopt;
  const ByteView body = data.subspan(*offset + kWord, *length);
  return Bytes(body.begin(), body.end());
}

}   // namespace

Bytes is_valid_signature_call(const Hash32& digest, ByteView signature) {
  Bytes out(kMagic.begin(), kMagic.end());
  append(out, digest.view());
  append(out, word_of(2 * kWord));
  append(out, word_of(signature.size()));
  append(out, signature);
  pad(out, signature.size());
  return out;
}

bool is_valid_signature_answer(ByteView answer) {
  return answer.size() >= kWord && std::equal(kMagic.begin(), kMagic.end(), answer.begin());
}

bool is_wrapped_signature(ByteView signature) {
  if (signature.size() < kWord) return false;
  const ByteView end = signature.last(kWord);
  for (std::size_t i = 0; i < kWord; ++i) {
    if (end[i] != (i % 2 == 0 ? 0x64 : 0x92)) return false;
  }
  return true;
}

std::optional<WrappedSignature> unwrap_signature(ByteView signature) {
  if (!is_wrapped_signature(signature)) return std::nullopt;
  const ByteView data = signature.first(signature.size() - kWord);
  if (data.size() < 3 * kWord) return std::nullopt;
  const auto factory = data.first(kWord);
  const bool is_address = std::all_of(factory.begin(), factory.begin() + 12, [](auto byte) { return byte == 0; });
  auto call = bytes_at(data, kWord);
  auto inner = bytes_at(data, 2 * kWord);
  if (!is_address || !call || !inner) return std::nullopt;
  return WrappedSignature{*Address::from(factory.last(20)), std::move(*call), std::move(*inner)};
}

Bytes deploy_and_check_program(const Address& account, const Hash32& digest, const WrappedSignature& signature) {
  static_assert(sizeof(kProgram) == 84);
  const Bytes check = is_valid_signature_call(digest, signature.signature);
  Bytes out(std::begin(kProgram), std::end(kProgram));
  append(out, word_of(account));
  append(out, word_of(signature.factory));
  append(out, word_of(signature.factory_call.size()));
  append(out, word_of(check.size()));
  append(out, signature.factory_call);
  append(out, check);
  return out;
}

bool is_yes(ByteView answer) {
  return answer.size() == kWord && *Hash32::from(answer) == Uint256(1).to_word();
}

}   // namespace agentauri::gateway
