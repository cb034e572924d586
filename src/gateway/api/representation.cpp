#include "gateway/api/representation.hpp"

#include <fmt/format.h>

#include "core/base/bytes.hpp"
#include "core/compress/compress.hpp"
#include "core/crypto/crypto.hpp"

namespace agentauri::gateway {
namespace {

constexpr std::size_t kTagDigits = 32;   // 128 bits of SHA-256: no two texts of one address meet

std::string hash_of(std::string_view text) {
  return to_hex(crypto::sha256(as_bytes(text)).view()).substr(0, kTagDigits);
}

// What is worth packing, and what is asked for.
Coding coding_for(const net::Headers& asked, std::size_t bytes) {
  const auto accepted = accepted_codings(asked);
  const bool is_packed = bytes >= kMinPackedBytes || accepted.identity == 0;
  return choose_coding(accepted, is_packed, is_packed);
}

std::string tag_of(std::string_view hash, Coding coding) {
  return coding == Coding::identity ? fmt::format("\"{}\"", hash) : fmt::format("\"{}-{}\"", hash, name_of(coding));
}

void vary_by_encoding(net::Headers& headers) {
  const auto* before = headers.find("Vary");
  headers.set("Vary", before == nullptr ? "Accept-Encoding" : *before + ", Accept-Encoding");
}

// RFC 9110, 15.4.5: what a 200 would have said of keeping it, and nothing of a body.
void turn_into_not_modified(net::HttpResponse& response) {
  net::Headers kept;
  for (const auto& [name, value] : response.headers.all()) {
    if (!net::equal_ignoring_case(name, "Content-Type")) kept.add(name, value);
  }
  response.headers = std::move(kept);
  response.status = 304;
  response.body.clear();
}

}   // namespace

FixedText::FixedText(std::string type, std::string keeping, std::string text)
    : content_type(std::move(type)),
      cache_control(std::move(keeping)),
      plain(std::move(text)),
      gzip(agentauri::gzip(plain, Effort::thorough)),
      br(brotli(plain, Effort::thorough)),
      hash(hash_of(plain)) {}

void represent_own(const net::Headers& asked, net::HttpResponse& response) {
  const Coding coding = coding_for(asked, response.body.size());
  const std::string tag = tag_of(hash_of(response.body), coding);
  response.headers.set("ETag", tag);
  if (response.headers.find("Cache-Control") == nullptr) response.headers.add("Cache-Control", "private, no-cache");
  vary_by_encoding(response.headers);
  if (names_tag(asked, tag)) return turn_into_not_modified(response);
  if (coding == Coding::identity) return;
  response.headers.set("Content-Encoding", std::string(name_of(coding)));
  response.body = coding == Coding::br ? brotli(response.body, Effort::quick) : gzip(response.body, Effort::quick);
}

void represent_fixed(const net::Headers& asked, const FixedText& text, net::HttpResponse& response) {
  const Coding coding = coding_for(asked, text.plain.size());
  const std::string tag = tag_of(text.hash, coding);
  response.headers.set("Content-Type", text.content_type);
  response.headers.set("ETag", tag);
  response.headers.set("Cache-Control", text.cache_control);
  vary_by_encoding(response.headers);
  if (names_tag(asked, tag)) return turn_into_not_modified(response);
  if (coding != Coding::identity) response.headers.set("Content-Encoding", std::string(name_of(coding)));
  response.body = coding == Coding::br ? text.br : coding == Coding::gzip ? text.gzip : text.plain;
}

void forbid_keeping(net::HttpResponse& response) {
  if (response.headers.find("Cache-Control") == nullptr) response.headers.add("Cache-Control", "no-store");
}

}   // namespace agentauri::gateway
