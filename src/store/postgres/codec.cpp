#include "store/postgres/codec.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cstring>
#include <limits>
#include <optional>

namespace agentauri::store::postgres {
namespace {

// pg_type.dat; these numbers are part of PostgreSQL's protocol.
constexpr Oid kBool = 16, kBytea = 17, kName = 19, kInt8 = 20, kInt2 = 21, kInt4 = 23, kText = 25, kJson = 114,
              kFloat8 = 701, kUnknown = 705, kVarchar = 1043, kTimestamptz = 1184, kNumeric = 1700, kVoid = 2278,
              kUuid = 2950, kJsonb = 3802;

// PostgreSQL counts microseconds from 2000-01-01.
constexpr std::int64_t kEpochShift = 946'684'800'000'000;

std::string big_endian(std::uint64_t value, std::size_t bytes) {
  std::string out(bytes, '\0');
  for (std::size_t i = bytes; i-- > 0; value >>= 8) out[i] = static_cast<char>(value & 0xff);
  return out;
}

std::int64_t read_signed(std::string_view bytes) {
  std::uint64_t value = !bytes.empty() && (bytes[0] & 0x80) != 0 ? ~std::uint64_t{0} : 0;
  for (const char c : bytes) value = value << 8 | static_cast<unsigned char>(c);
  return static_cast<std::int64_t>(value);
}

std::unexpected<Error> mismatch(const Params::Param& param, Oid type) {
  return fail(Code::invalid, std::string(param.name),
              fmt::format("parameter :{} does not go with the column's type (oid {})", param.name, type));
}

Result<Encoded> encode_integer(const Params::Param& param, std::int64_t value, std::size_t bytes) {
  const std::int64_t max =
      bytes == 8 ? std::numeric_limits<std::int64_t>::max() : (std::int64_t{1} << (8 * bytes - 1)) - 1;
  if (value > max || value < -max - 1) {
    return fail(Code::overflow, std::string(param.name),
                fmt::format("parameter :{} does not fit {} bytes", param.name, bytes));
  }
  return Encoded{big_endian(static_cast<std::uint64_t>(value), bytes)};
}

constexpr std::uint16_t kNegative = 0x4000;

// Base-10,000 digits with a weight and a display scale.
std::optional<std::string> read_numeric(std::string_view bytes) {
  const auto field = [&bytes](std::size_t i) { return static_cast<std::int16_t>(read_signed(bytes.substr(2 * i, 2))); };
  const int digits = field(0);
  const int weight = field(1);
  const auto sign = static_cast<std::uint16_t>(field(2));
  if (sign != 0 && sign != kNegative) return std::nullopt;   // NaN or an infinity
  const bool negative = sign == kNegative;
  const int scale = field(3);
  const auto digit = [&](int i) {
    return i >= 0 && i < digits ? static_cast<int>(field(4 + static_cast<std::size_t>(i))) : 0;
  };
  std::string out;
  for (int i = 0; i <= weight; ++i) out += out.empty() ? fmt::format("{}", digit(i)) : fmt::format("{:04}", digit(i));
  if (out.size() > 1) out.erase(0, std::min(out.find_first_not_of('0'), out.size() - 1));
  if (out.empty()) out = "0";
  if (scale > 0) {
    std::string fraction;
    for (int i = weight + 1; static_cast<int>(fraction.size()) < scale; ++i)
      fraction += i < 0 ? "0000" : fmt::format("{:04}", digit(i));
    out += '.' + fraction.substr(0, static_cast<std::size_t>(scale));
  }
  return negative ? '-' + out : out;
}

}   // namespace

std::string number_parameters(std::string_view sql, std::vector<std::string>& names) {
  std::string out;
  out.reserve(sql.size());
  const auto is_word = [](char c) { return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_'; };
  for (std::size_t i = 0; i < sql.size();) {
    const char c = sql[i];
    std::size_t end = i + 1;
    if (c == '\'' || c == '"') {
      end = sql.find(c, i + 1);
      end = end == std::string_view::npos ? sql.size() : end + 1;
    } else if (sql.substr(i, 2) == "--") {
      end = std::min(sql.find('\n', i), sql.size());
    } else if (sql.substr(i, 2) == "/*") {
      end = sql.find("*/", i);
      end = end == std::string_view::npos ? sql.size() : end + 2;
    } else if (c == ':') {
      ENSURE(sql.substr(i, 2) != "::", "write CAST: `::` reads as a parameter on SQLite");
      while (end < sql.size() && is_word(sql[end])) ++end;
      if (end > i + 1) {
        const std::string name(sql.substr(i + 1, end - i - 1));
        auto found = std::find(names.begin(), names.end(), name);
        if (found == names.end()) found = names.insert(names.end(), name);
        out += fmt::format("${}", found - names.begin() + 1);
        i = end;
        continue;
      }
    }
    out += sql.substr(i, end - i);
    i = end;
  }
  return out;
}

Result<Encoded> encode_cell(const Params::Param& param, Oid type) {
  if (std::holds_alternative<std::monostate>(param.value)) return Encoded{{}, true, true};
  const auto* number = std::get_if<std::int64_t>(&param.value);
  const auto* flag = std::get_if<bool>(&param.value);
  const auto* text = std::get_if<std::string>(&param.value);
  const auto* bytes = std::get_if<Bytes>(&param.value);
  switch (type) {
    case kBool:
      if (flag == nullptr) return mismatch(param, type);
      return Encoded{std::string(1, *flag ? '\1' : '\0')};
    case kInt2:
    case kInt4:
    case kInt8:
      if (number == nullptr || param.kind == Params::Kind::time) return mismatch(param, type);
      return encode_integer(param, *number, type == kInt2 ? 2 : type == kInt4 ? 4 : 8);
    case kTimestamptz:
      if (number == nullptr || param.kind != Params::Kind::time) return mismatch(param, type);
      return Encoded{big_endian(static_cast<std::uint64_t>(*number - kEpochShift), 8)};
    case kBytea:
    case kUuid:
      if (bytes == nullptr || (type == kUuid && bytes->size() != 16)) return mismatch(param, type);
      return Encoded{std::string(as_text(*bytes))};
    case kText:
    case kVarchar:
    case kUnknown:
      if (text == nullptr) return mismatch(param, type);
      return Encoded{*text};
    case kNumeric:
      if (number != nullptr && param.kind == Params::Kind::i64) return Encoded{std::to_string(*number), false};
      if (text == nullptr) return mismatch(param, type);
      return Encoded{*text, false};
    case kJson:
    case kJsonb:
      if (text == nullptr) return mismatch(param, type);
      return Encoded{*text, false};
    default:
      return mismatch(param, type);
  }
}

Result<Cell> decode_cell(std::string_view bytes, Oid type) {
  switch (type) {
    case kBool:
      return Cell(!bytes.empty() && bytes[0] != 0);
    case kInt2:
    case kInt4:
    case kInt8:
      return Cell(read_signed(bytes));
    case kTimestamptz: {
      std::int64_t micros = 0;
      // The two infinities are the ends of the range.
      if (__builtin_add_overflow(read_signed(bytes), kEpochShift, &micros))
        return fail(Code::overflow, "a time has no end");
      if (read_signed(bytes) == std::numeric_limits<std::int64_t>::min())
        return fail(Code::overflow, "a time has no start");
      return Cell(micros);
    }
    case kText:
    case kVarchar:
    case kName:
    case kJson:
    case kUnknown:
      return Cell(std::string(bytes));
    case kJsonb:
      return Cell(std::string(bytes.substr(std::min<std::size_t>(1, bytes.size()))));
    case kBytea:
    case kUuid:
      return Cell(Bytes(bytes.begin(), bytes.end()));
    case kNumeric: {
      auto number = read_numeric(bytes);
      if (!number) return fail(Code::overflow, "a numeric column holds no number");
      return Cell(std::move(*number));
    }
    case kFloat8: {
      const auto bits = static_cast<std::uint64_t>(read_signed(bytes));
      double value = 0;
      std::memcpy(&value, &bits, sizeof value);
      return Cell(fmt::format("{}", value));
    }
    case kVoid:
      return Cell(std::monostate{});
    default:
      return fail(Code::internal, fmt::format("a column has a type that is not read here (oid {})", type));
  }
}

}   // namespace agentauri::store::postgres
