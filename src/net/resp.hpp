// The wire format of Redis (RESP, version 2), without a socket: commands out, values in.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.hpp"

namespace agentauri::net {

struct RespValue {
  enum class Kind : std::uint8_t { null, text, error, integer, array };
  Kind kind = Kind::null;
  std::string text;   // of text (simple or bulk) and error: bytes
  std::int64_t integer = 0;
  std::vector<RespValue> items;

  bool is_error(std::string_view code) const { return kind == Kind::error && text.starts_with(code); }
};

// Any bytes may be in a word.
void append_command(std::string& out, const std::vector<std::string>& words);

// Takes bytes as they come and gives whole values, in order. What is not RESP, or beyond the bounds, is Code::protocol
// once and for all: the connection has lost its place.
class RespReader {
 public:
  struct Bounds {
    std::size_t value_bytes = 1024 * 1024;   // of a whole value as it came
    std::size_t items = 4096;                // of one array
    int depth = 4;
  };
  RespReader() = default;
  explicit RespReader(Bounds bounds) : bounds_(bounds) {}

  void feed(std::string_view bytes) { buffer_ += bytes; }
  // nullopt: more bytes are needed.
  Result<std::optional<RespValue>> next();

 private:
  enum class Step : std::uint8_t { whole, partial, broken };
  Step read(std::size_t& at, RespValue& out, int depth) const;
  Step read_line(std::size_t& at, std::string_view& out) const;
  Step read_bulk(std::size_t& at, std::string_view length, RespValue& out) const;
  Step read_array(std::size_t& at, std::string_view length, RespValue& out, int depth) const;

  Bounds bounds_;
  std::string buffer_;
  std::size_t start_ = 0;   // of the next value
  bool broken_ = false;
};

}   // namespace agentauri::net
