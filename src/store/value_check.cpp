#include "store/value_check.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstdint>
#include <cstring>

#include "core/base/utf8.hpp"

namespace agentauri::store {
namespace {

// As many as an int128 has, and as the widest column takes: NUMERIC(39,0).
constexpr std::size_t kMaxDigits = 39;
// 0001-01-01 and the last microsecond of 9999: what RFC 3339 can write.
constexpr std::int64_t kMinMicros = -62'135'596'800'000'000;
constexpr std::int64_t kMaxMicros = 253'402'300'799'999'999;

bool is_whole_decimal(std::string_view text) {
  if (text == "0") return true;
  if (text.starts_with('-')) text.remove_prefix(1);
  const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
  return !text.empty() && text[0] != '0' && std::all_of(text.begin(), text.end(), is_digit);
}

std::unexpected<Error> refuse(Code code, const Params::Param& param, std::string_view query, std::string_view rule) {
  return fail(code, std::string(param.name), fmt::format("{}: :{} {}", query, param.name, rule));
}

}   // namespace

bool is_storable_text(std::string_view text) {
  constexpr std::uint64_t kHighBits = 0x8080808080808080;
  constexpr std::uint64_t kOnes = 0x0101010101010101;
  while (!text.empty()) {
    // Eight ASCII bytes without a zero at a time: nearly everything is that.
    if (text.size() >= 8) {
      std::uint64_t word = 0;
      std::memcpy(&word, text.data(), 8);
      if ((word & kHighBits) == 0 && ((word - kOnes) & kHighBits) == 0) {
        text.remove_prefix(8);
        continue;
      }
    }
    const auto lead = static_cast<unsigned char>(text[0]);
    if (lead == 0) return false;
    const std::size_t length = lead < 0x80 ? 1 : utf8_length(text);
    if (length == 0) return false;
    text.remove_prefix(length);
  }
  return true;
}

Result<void> check_value(const Params::Param& param, std::string_view query) {
  if (const auto* text = std::get_if<std::string>(&param.value)) {
    if (param.kind != Params::Kind::numeric) {
      if (!is_storable_text(*text)) return refuse(Code::invalid, param, query, "is not valid UTF-8 without NUL");
      return {};
    }
    if (!is_whole_decimal(*text)) return refuse(Code::invalid, param, query, "is not a whole decimal number");
    if (text->size() - (text->starts_with('-') ? 1 : 0) > kMaxDigits) {
      return refuse(Code::overflow, param, query, "has more than 39 digits");
    }
  } else if (param.kind == Params::Kind::time) {
    const auto* micros = std::get_if<std::int64_t>(&param.value);
    if (micros != nullptr && (*micros < kMinMicros || *micros > kMaxMicros)) {
      return refuse(Code::overflow, param, query, "is outside the years 1 to 9999");
    }
  }
  return {};
}

}   // namespace agentauri::store
