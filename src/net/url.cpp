#include "net/url.hpp"

#include <boost/url/parse.hpp>
#include <boost/url/url_view.hpp>

#include <fmt/format.h>

#include <algorithm>

#include "core/base/text.hpp"
#include "net/address_guard.hpp"

namespace agentauri::net {
namespace {

constexpr std::size_t kMaxUrlBytes = 8 * 1024;

constexpr std::size_t kMaxNameBytes = 253;
constexpr std::size_t kMaxLabelBytes = 63;

bool is_label_char(char c) {
  return (c >= 'a' && c <= 'z') || is_digit(c) || c == '-' || c == '_';
}

// Labels of letters, digits, hyphens and underscores. A last label that is a number would be read as an IPv4 address by
// the system's resolver, in spellings that nobody else understands (0x7f.1, 2130706433).
bool is_host_name(std::string_view name) {
  if (name.empty() || name.size() > kMaxNameBytes) return false;
  std::string_view label;
  for (std::string_view rest = name;;) {
    const std::size_t dot = rest.find('.');
    label = rest.substr(0, dot);
    if (label.empty() || label.size() > kMaxLabelBytes || !std::all_of(label.begin(), label.end(), is_label_char))
      return false;
    if (dot == std::string_view::npos) break;
    rest.remove_prefix(dot + 1);
  }
  return !std::all_of(label.begin(), label.end(), is_digit) && !label.starts_with("0x");
}

std::string bracketed(const std::string& host) {
  return host.find(':') == std::string::npos ? host : "[" + host + "]";
}

}   // namespace

Result<Url> parse_url(std::string_view text) {
  if (text.size() > kMaxUrlBytes)
    return fail(Code::too_large, fmt::format("the URL is longer than {} bytes", kMaxUrlBytes));
  const auto parsed = boost::urls::parse_uri(boost::urls::string_view(text.data(), text.size()));
  if (!parsed) return fail(Code::invalid, "the URL does not parse");
  const boost::urls::url_view view = *parsed;
  // Boost 1.81 reads what cannot belong to the authority as a path: `http://a:80x/`, `http://1.2.3.4.5/`.
  if (!view.encoded_path().empty() && view.encoded_path().front() != '/')
    return fail(Code::invalid, "the URL's host or port is malformed");
  Url url;
  url.scheme = to_lower(std::string_view(view.scheme().data(), view.scheme().size()));
  if (url.scheme != "http" && url.scheme != "https")
    return fail(Code::invalid, "the URL must start with http:// or https://");
  if (view.has_userinfo()) return fail(Code::invalid, "the URL must not hold a user name or password");
  url.host = to_lower(std::string_view(view.encoded_host().data(), view.encoded_host().size()));
  switch (view.host_type()) {
    case boost::urls::host_type::ipv4:
      break;
    case boost::urls::host_type::ipv6: {
      const auto address = parse_ip(std::string_view(url.host).substr(1, url.host.size() - 2));
      if (!address) return fail(Code::invalid, "the URL's host is not an IPv6 address");
      url.host = to_string(*address);   // one spelling for each address
      break;
    }
    case boost::urls::host_type::name:
      if (url.host.ends_with('.')) url.host.pop_back();
      if (!is_host_name(url.host))
        return fail(Code::invalid, "the URL's host is neither a host name nor an IP address");
      break;
    default:
      return fail(Code::invalid, "the URL has no usable host");
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
  const bool usual = port == (scheme == "https" ? 443 : 80);
  return usual ? bracketed(host) : fmt::format("{}:{}", bracketed(host), port);
}

std::string Url::endpoint() const {
  return fmt::format("{}://{}:{}", scheme, bracketed(host), port);
}

}   // namespace agentauri::net
