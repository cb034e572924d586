// What a request says of the representation that it wants: Accept-Encoding and If-None-Match (RFC
// 9110, 12.5.3, 13.1.2).
#pragma once

#include <cstdint>
#include <string_view>

#include "net/http_message.hpp"

namespace agentauri::gateway {

enum class Coding : std::uint8_t { identity, gzip, br };
// Its name in Content-Encoding; empty for identity.
std::string_view name_of(Coding coding);

// The weights of a request, in thousandths; 0: refused.
struct AcceptedCodings {
  int identity = 1;   // not named: taken, after everything that is
  int gzip = 0;
  int br = 0;
};
// Codings have no case; `*` stands for what is not named. Of a coding that is named twice the first counts; an item
// whose weight is none (RFC 9110, 12.4.2) is passed over. Without the field a client gets what every client reads.
AcceptedCodings accepted_codings(const net::Headers& headers);

// The heaviest of what is there; br before gzip before identity where they weigh the same. Identity when nothing that
// is there is wanted: an answer that can perhaps be read is better than 406.
Coding choose_coding(const AcceptedCodings& accepted, bool has_gzip, bool has_br);

// Whether If-None-Match names `tag`, a strong one with its quotes, or is `*`. Compared weakly: `W/` does not matter,
// which also makes up for proxies that weaken what they encode. What is malformed names nothing from there on.
bool names_tag(const net::Headers& headers, std::string_view tag);

}   // namespace agentauri::gateway
