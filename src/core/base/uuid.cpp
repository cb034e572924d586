#include "core/base/uuid.hpp"

#include "core/crypto/crypto.hpp"

namespace agentauri {
namespace {

void set_version(Uuid& uuid, std::uint8_t version) {
  uuid.data[6] = static_cast<std::uint8_t>((uuid.data[6] & 0x0f) | version << 4);
  uuid.data[8] = static_cast<std::uint8_t>((uuid.data[8] & 0x3f) | 0x80);
}

}   // namespace

Uuid make_uuid_v7(Time now) {
  // The 12 bits after the version count up within a millisecond (RFC 9562, 6.2, method 1).
  thread_local std::int64_t last_ms = -1;
  thread_local unsigned counter = 0;
  std::int64_t ms = std::chrono::floor<std::chrono::milliseconds>(now).time_since_epoch().count();
  if (ms <= last_ms && last_ms - ms < 1000) {
    if (++counter > 0xfff) {
      counter = 0;
      ++last_ms;
    }
    ms = last_ms;
  } else {
    last_ms = ms;
    std::uint8_t start = 0;
    crypto::fill_random({&start, 1});
    counter = start;
  }
  Uuid uuid;
  crypto::fill_random(std::span(uuid.data).last(8));
  for (int i = 0; i < 6; ++i) uuid.data[static_cast<std::size_t>(i)] = static_cast<std::uint8_t>(ms >> (8 * (5 - i)));
  uuid.data[6] = static_cast<std::uint8_t>(counter >> 8);
  uuid.data[7] = static_cast<std::uint8_t>(counter);
  set_version(uuid, 7);
  return uuid;
}

Uuid make_uuid_v4() {
  Uuid uuid;
  crypto::fill_random(uuid.data);
  set_version(uuid, 4);
  return uuid;
}

std::string to_string(const Uuid& uuid) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string out(36, '-');
  std::size_t at = 0;
  for (std::size_t i = 0; i < uuid.data.size(); ++i) {
    if (i == 4 || i == 6 || i == 8 || i == 10) ++at;
    out[at++] = kDigits[uuid.data[i] >> 4];
    out[at++] = kDigits[uuid.data[i] & 15];
  }
  return out;
}

std::optional<Uuid> parse_uuid(std::string_view text) {
  if (text.size() != 36) return std::nullopt;
  std::string digits;
  digits.reserve(32);
  for (std::size_t i = 0; i < text.size(); ++i) {
    if (i == 8 || i == 13 || i == 18 || i == 23) {
      if (text[i] != '-') return std::nullopt;
    } else {
      digits.push_back(text[i]);
    }
  }
  const auto bytes = from_hex(digits);
  if (!bytes) return std::nullopt;
  return Uuid::from(*bytes);
}

}   // namespace agentauri
