#include "app/connection_url.hpp"

#include <charconv>

#include "net/http_message.hpp"

namespace agentauri::app {
namespace {

using Fault = std::unexpected<std::string>;

// `user:password`
std::optional<Fault> read_login(std::string_view text, ConnectionUrl& out) {
  const auto colon = text.find(':');
  if (!net::percent_decode(text.substr(0, colon), out.user)) return Fault("an escape in the user is malformed");
  if (colon == std::string_view::npos) return std::nullopt;
  std::string password;
  if (!net::percent_decode(text.substr(colon + 1), password)) return Fault("an escape in the password is malformed");
  out.password = crypto::Secret(std::move(password));
  return std::nullopt;
}

// `host:port`
std::optional<Fault> read_place(std::string_view text, ConnectionUrl& out) {
  if (const auto colon = text.rfind(':'); colon != std::string_view::npos && !text.ends_with(']')) {
    out.port = parse_port(text.substr(colon + 1));
    if (!out.port || *out.port == 0) return Fault("the port is not a number from 1 to 65535");
    text = text.substr(0, colon);
  }
  if (text.starts_with('[') && text.ends_with(']')) text = text.substr(1, text.size() - 2);
  if (!net::percent_decode(text, out.host)) return Fault("an escape in the host is malformed");
  return std::nullopt;
}

}   // namespace

std::optional<std::uint16_t> parse_port(std::string_view text) {
  std::uint16_t port = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), port);
  if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  return port;
}

bool is_service_link(std::string_view value) {
  return value.starts_with("tcp://");
}

std::expected<ConnectionUrl, std::string> parse_connection_url(std::string_view text) {
  ConnectionUrl out;
  const auto mark = text.find("://");
  if (mark == std::string_view::npos) return Fault("it has no scheme");
  out.scheme = text.substr(0, mark);
  text.remove_prefix(mark + 3);
  if (const auto query = text.find('?'); query != std::string_view::npos) {
    if (!net::parse_query(text.substr(query + 1), out.options)) return Fault("an escape in the query is malformed");
    text = text.substr(0, query);
  }
  const auto slash = text.find('/');
  if (slash != std::string_view::npos && !net::percent_decode(text.substr(slash + 1), out.path))
    return Fault("an escape in the path is malformed");
  std::string_view authority = text.substr(0, slash);
  if (const auto at = authority.rfind('@'); at != std::string_view::npos) {
    if (auto fault = read_login(authority.substr(0, at), out)) return *fault;
    authority = authority.substr(at + 1);
  }
  if (auto fault = read_place(authority, out)) return *fault;
  return out;
}

}   // namespace agentauri::app
