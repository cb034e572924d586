#include "gateway/console/api_docs.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/bytes.hpp"
#include "core/compress/compress.hpp"
#include "core/crypto/crypto.hpp"
#include "gateway/api/negotiation.hpp"
#include "gateway/console/content_type.hpp"

namespace agentauri::embedded {
const std::vector<EmbeddedFile>& api_docs();
}

namespace agentauri::gateway {
namespace {

constexpr std::string_view kRoot = "/api-docs/";
constexpr std::size_t kMaxFileBytes = 8 * 1024 * 1024;
// Its own files, its own host, and the drawings that its style sheet carries within itself; no inline code or style.
constexpr std::string_view kPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; form-action "
    "'none'; base-uri 'none'; frame-ancestors 'none'";

}   // namespace

ApiDocs::ApiDocs() : files_(&embedded::api_docs()) {}

bool ApiDocs::owns(std::string_view path) {
  return path.starts_with(kRoot) || path == kRoot.substr(0, kRoot.size() - 1);
}

Outcome<net::HttpResponse> ApiDocs::answer(const net::HttpRequest& request) const {
  if (!request.path.starts_with(kRoot)) return not_found("The page is at /api-docs/");
  std::string name = request.path.substr(kRoot.size());
  if (name.empty()) name = "index.html";
  const auto found = std::find_if(files_->begin(), files_->end(),
                                  [wanted = name + ".gz"](const auto& file) { return file.name == wanted; });
  if (found == files_->end()) return not_found("There is nothing at this path");
  const Coding coding = choose_coding(accepted_codings(request.headers), true, false);
  const std::string hash = to_hex(crypto::sha256(as_bytes(found->text)).view()).substr(0, 32);
  const std::string tag = coding == Coding::gzip ? fmt::format("\"{}-gzip\"", hash) : fmt::format("\"{}\"", hash);
  net::HttpResponse out;
  out.headers.add("ETag", tag);
  out.headers.add("Cache-Control", "no-cache");
  out.headers.add("Vary", "Accept-Encoding");
  out.headers.add("Content-Security-Policy", std::string(kPolicy));
  if (names_tag(request.headers, tag)) {
    out.status = 304;
    return out;
  }
  out.headers.add("Content-Type", std::string(content_type(name)));
  if (coding == Coding::gzip) {
    out.headers.add("Content-Encoding", "gzip");
    out.body = std::string(found->text);
  } else {
    auto plain = gunzip(found->text, kMaxFileBytes);
    ENSURE(plain.has_value(), "a file of the program itself does not unpack");
    out.body = std::move(*plain);
  }
  return out;
}

}   // namespace agentauri::gateway
