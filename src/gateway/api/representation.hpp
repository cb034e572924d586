// How an answer is sent: who may keep it, its entity tag, its encoding (RFC 9110, 9111).
//
// Tags are strong and name the encoding (`"1a2b"`, `"1a2b-br"`): they are made from the text before it is packed, so
// that asking again costs a hash and no packing, and each representation still has a tag of its own, which a cache that
// holds both needs. Packing the same text again gives the same bytes.
//
// Packed answers tell their length, and so something of a secret that stands beside text of an attacker's choice
// (BREACH). Therefore never packed, tagged or kept: everything below /auth, answers that show a new secret, answers to
// anything but GET and HEAD, and errors. What is left shows secrets masked, repeats nothing of the request but numbers,
// and is not given to other sites' pages (SameSite cookies, a list of origins).
#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "gateway/api/negotiation.hpp"
#include "net/http_server.hpp"

namespace agentauri::gateway {

// Shorter answers fit a packet anyway; they are packed only for who refuses them plain.
inline constexpr std::size_t kMinPackedBytes = 1024;

// A text that is the same for everybody: packed once, thoroughly. Immutable.
struct FixedText {
  // Packing takes about 0.2 ms per KiB.
  FixedText(std::string content_type, std::string cache_control, std::string text);

  std::string content_type, cache_control;
  std::string plain, gzip, br;
  std::string hash;   // of `plain`
};

// All of these replace what the answer already says of the same fields, and add to its Vary.

// A 200 to GET or HEAD, of whoever asked: kept by nobody else, and asked about each time, unless it says otherwise.
// Becomes a 304 without body when the client has it.
void represent_own(const net::Headers& asked, net::HttpResponse& response);
void represent_fixed(const net::Headers& asked, const FixedText& text, net::HttpResponse& response);
// Everything else: kept by nobody, unless it says otherwise.
void forbid_keeping(net::HttpResponse& response);

}   // namespace agentauri::gateway
