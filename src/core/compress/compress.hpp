// Bodies of HTTP answers, packed. Pure functions: any thread, no state kept between calls.
//
// What they cost, in CPU time of one core, for a page of 20 triggers (8,704 bytes of JSON; the SHA-256 of its tag costs
// 13 us) and for the API's description (128 KiB):
//
//   | page: bytes, us        | description: bytes, us
//   gzip 1   1,865    40     |  23,206    676
//   gzip 3   1,855    39     |  20,769    806
//   gzip 6   1,762    69     |  17,759  2,304
//   br 3     1,618    50     |  18,670    936
//   br 5     1,579   111     |  16,231  2,856
//   br 9     1,577 6,263     |  15,653 22,117
//
// So what is packed for each request uses the quick levels, and what is packed once the thorough ones.
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace agentauri {

enum class Effort : std::uint8_t {
  quick,      // gzip 3, br 3: for one reader
  thorough,   // gzip 9, br 9: made once and sent often
};

// A gzip member (RFC 1952), without name or time, so that equal texts give equal bytes.
std::string gzip(std::string_view text, Effort effort);
// A brotli stream (RFC 7932).
std::string brotli(std::string_view text, Effort effort);
// One gzip member; nullopt when it is damaged, incomplete, followed by anything, or longer than `max_bytes` unpacked.
std::optional<std::string> gunzip(std::string_view packed, std::size_t max_bytes);

}   // namespace agentauri
