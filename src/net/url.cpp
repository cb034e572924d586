#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>

#include <fmt/format.h>

#include <algorithm>

#include "net/http_client.hpp"

namespace agentauri::net {
namespace {

constexpr std::size_t kMaxUrlBytes = 8 * 1024;

bool is_host_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_';
}

}  // namespace

Result<Url> parse_url(std::string_view text) {
  if (text.size() > kMaxUrlBytes) return fail(Code::too_large, fmt::format("the URL is longer than {} bytes", kMaxUrlBytes));
  const auto parsed = boost::urls::parse_uri(boost::urls::string_view(text.data(), text.size()));
  if (!parsed) return fail(Code::invalid, "the URL does not parse");
  const boost::urls::url_view view = *parsed;
  Url url;
  url.scheme = std::string(view.scheme());
  std::transform(url.scheme.begin(), url.scheme.end(), url.scheme.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  if (url.scheme != "http" && url.scheme != "https") return fail(Code::invalid, "the URL must start with http:// or https://");
  if (view.has_userinfo()) return fail(Code::invalid, "the URL must not hold a user name or password");
  url.host = std::string(view.encoded_host());
  std::transform(url.host.begin(), url.host.end(), url.host.begin(), [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  switch (view.host_type()) {
    case boost::urls::host_type::ipv4: break;
    case boost::urls::host_type::ipv6: url.host = url.host.substr(1, url.host.size() - 2); break;
    case boost::urls::host_type::name:
      if (url.host.ends_with('.')) url.host.pop_back();
      if (url.host.empty() || url.host.size() > 253 || !std::all_of(url.host.begin(), url.host.end(), is_host_char)) return fail(Code::invalid, "the URL's host is not a host name");
      break;
    default: return fail(Code::invalid, "the URL has no usable host");
  }
  if (view.has_port() && !view.port().empty()) {
    if (view.port_number() == 0) return fail(Code::invalid, "the URL's port must be a number from 1 to 65535");
    url.port = view.port_number();
  } else {
    url.port = url.scheme == "https" ? 443 : 80;
  }
  const auto target = view.encoded_target();
  url.target = target.empty() || target[0] != '/' ? "/" + std::string(target) : std::string(target);
  return url;
}

std::string Url::authority() const {
  const std::string name = host.find(':') == std::string::npos ? host : "[" + host + "]";
  const bool usual = port == (scheme == "https" ? 443 : 80);
  return usual ? name : fmt::format("{}:{}", name, port);
}

std::string Url::endpoint() const {
  return fmt::format("{}://{}:{}", scheme, host.find(':') == std::string::npos ? host : "[" + host + "]", port);
}

}  // namespace agentauri::net
