#include "gateway/console/console.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "core/base/bytes.hpp"
#include "core/crypto/crypto.hpp"
#include "gateway/api/negotiation.hpp"
#include "gateway/console/content_type.hpp"

namespace agentauri::embedded {
const std::vector<EmbeddedFile>& console();
}

namespace agentauri::gateway {
namespace {

constexpr std::string_view kRoot = "/console/";
constexpr std::string_view kHashed = "assets/";   // names there hold a hash of their content
constexpr std::string_view kIndex = "index.html";
// No inline code or style, no eval, nothing from elsewhere, and no text becomes markup or code.
constexpr std::string_view kPolicy =
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; "
    "base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'";
constexpr std::string_view kNoConsole =
    "This build has no console: it was configured before console/ was built (script/build does both).\n"
    "The API is at /api/v1, its description at /api/v1/openapi.json.\n";

// Nothing that could leave the folder, and no hidden file.
bool is_plain_name(std::string_view name) {
  const auto is_allowed = [](char c) {
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '.' || c == '_' ||
           c == '-' || c == '/';
  };
  return !name.empty() && name.size() <= 200 && std::all_of(name.begin(), name.end(), is_allowed) &&
         !name.starts_with('.') && !name.starts_with('/') && !name.contains("/.") && !name.contains("//");
}

}   // namespace

Console::Console(std::string directory) : directory_(std::move(directory)) {
  if (directory_.empty()) files_ = &embedded::console();
}
Console::Console(const std::vector<embedded::EmbeddedFile>& files) : files_(&files) {}

bool Console::owns(std::string_view path) {
  return path == "/" || path == kRoot.substr(0, kRoot.size() - 1) || path.starts_with(kRoot);
}

std::optional<std::string> Console::read(const std::string& name) const {
  if (files_ != nullptr) {
    const auto found =
        std::find_if(files_->begin(), files_->end(), [&name](const auto& file) { return file.name == name; });
    if (found == files_->end()) return std::nullopt;
    return std::string(found->text);
  }
  if (!is_plain_name(name)) return std::nullopt;
  const std::filesystem::path path = directory_ + "/" + name;
  std::error_code ignored;
  if (!std::filesystem::is_regular_file(path, ignored)) return std::nullopt;
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::nullopt;
  return std::string{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
}

net::HttpResponse Console::serve(const std::string& name, std::string plain, const net::HttpRequest& request) const {
  net::HttpResponse out;
  out.body = std::move(plain);
  // A folder that is being worked on may hold compressed files of an earlier build.
  const bool may_be_packed = files_ != nullptr;
  auto gzip = may_be_packed ? read(name + ".gz") : std::nullopt;
  auto br = may_be_packed ? read(name + ".br") : std::nullopt;
  const Coding coding = choose_coding(accepted_codings(request.headers), gzip.has_value(), br.has_value());
  if (coding == Coding::gzip) out.body = std::move(*gzip);
  if (coding == Coding::br) out.body = std::move(*br);
  const bool is_hashed = name.starts_with(kHashed) && files_ != nullptr;
  const std::string tag = fmt::format("\"{}\"", to_hex(crypto::sha256(as_bytes(out.body)).view()).substr(0, 32));
  out.headers.add("ETag", tag);
  out.headers.add("Cache-Control", is_hashed ? "public, max-age=31536000, immutable" : "no-cache");
  out.headers.add("Vary", "Accept-Encoding");
  if (names_tag(request.headers, tag)) {
    out.status = 304;
    out.body.clear();
    return out;
  }
  out.headers.add("Content-Type", std::string(content_type(name)));
  if (coding != Coding::identity) out.headers.add("Content-Encoding", std::string(name_of(coding)));
  return out;
}

Outcome<net::HttpResponse> Console::answer(const net::HttpRequest& request) const {
  net::HttpResponse out;
  if (!request.path.starts_with(kRoot)) {
    out.status = 302;
    out.headers.add("Location", std::string(kRoot));
    out.headers.add("Cache-Control", "no-cache");
  } else {
    std::string name = request.path.substr(kRoot.size());
    auto file = read(name);
    const bool is_page = !name.starts_with(kHashed) && !name.substr(name.rfind('/') + 1).contains('.');
    if (!file && is_page) {
      name = kIndex;
      file = read(name);
    }
    if (file) {
      out = serve(name, std::move(*file), request);
    } else if (is_page) {
      out.status = 404;
      out.headers.add("Content-Type", "text/plain; charset=utf-8");
      out.body = kNoConsole;
    } else {
      return not_found("There is nothing at this path");
    }
  }
  out.headers.add("Content-Security-Policy", std::string(kPolicy));
  return out;
}

}   // namespace agentauri::gateway
