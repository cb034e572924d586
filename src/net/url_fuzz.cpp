// A URL that is taken can be written again and means the same; nothing in it could end a line or leave its host.
#include <algorithm>
#include <cstdlib>
#include <string>

#include "net/http_client.hpp"

namespace {

void require(bool holds) {
  if (!holds) std::abort();
}

}   // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace agentauri::net;
  const auto url = parse_url({reinterpret_cast<const char*>(data), size});
  if (!url) return 0;
  require(url->scheme == "http" || url->scheme == "https");
  require(url->port != 0 && url->target.starts_with('/'));
  require(std::all_of(url->target.begin(), url->target.end(), [](char c) { return c > 0x20 && c < 0x7f && c != '#'; }));
  require(!url->host.empty() && url->host.find_first_of("/?#@\\%[] ") == std::string::npos &&
          !url->host.ends_with('.'));

  const auto again = parse_url(url->scheme + "://" + url->authority() + url->target);
  require(again && again->scheme == url->scheme && again->host == url->host && again->port == url->port &&
          again->target == url->target);

  // An address in a URL is one that we judge ourselves, not one that only the system's resolver would see.
  const bool ends_in_digit = url->host.back() >= '0' && url->host.back() <= '9';
  const std::size_t dot = url->host.rfind('.');
  const std::string last = url->host.substr(dot == std::string::npos ? 0 : dot + 1);
  if (ends_in_digit && std::all_of(last.begin(), last.end(), [](char c) { return c >= '0' && c <= '9'; }))
    require(parse_ip(url->host).has_value());
  return 0;
}
