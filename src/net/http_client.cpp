#include "net/http_client.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/http/string_body.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>

#include <fmt/format.h>
#include <sys/socket.h>

#include <list>
#include <unordered_map>

#include "net/resolver.hpp"

namespace agentauri::net {
namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using tcp = asio::ip::tcp;
using SteadyClock = std::chrono::steady_clock;
using Kind = ClientError::Kind;

namespace {

using TlsStream = beast::ssl_stream<beast::tcp_stream>;

// One connection, plain or TLS; `buffer` holds what was read past an answer.
struct Connection {
  std::unique_ptr<beast::tcp_stream> plain;
  std::unique_ptr<TlsStream> tls;
  beast::flat_buffer buffer;
  SteadyClock::time_point idle_since;
  bool reused = false;

  beast::tcp_stream& tcp_layer() { return tls ? beast::get_lowest_layer(*tls) : *plain; }
};

std::unexpected<ClientError> failed(Kind kind, bool sent, std::string text) {
  return std::unexpected(ClientError{kind, sent, std::move(text)});
}

Kind kind_of(const boost::system::error_code& error, Kind otherwise) {
  if (error == beast::error::timeout) return Kind::timed_out;
  if (error == asio::error::operation_aborted) return Kind::cancelled;
  return otherwise;
}

tcp::endpoint to_endpoint(const IpAddress& address, std::uint16_t port) {
  if (address.v6) return {asio::ip::address_v6(address.bytes), port};
  asio::ip::address_v4::bytes_type bytes;
  std::copy_n(address.bytes.begin(), 4, bytes.begin());
  return {asio::ip::address_v4(bytes), port};
}

IpAddress to_ip(const asio::ip::address& address) {
  IpAddress out;
  out.v6 = address.is_v6();
  if (out.v6) {
    out.bytes = address.to_v6().to_bytes();
  } else {
    const auto bytes = address.to_v4().to_bytes();
    std::copy(bytes.begin(), bytes.end(), out.bytes.begin());
  }
  return out;
}

// An idle connection that the peer closed, or that holds bytes nobody asked for, is of no use.
bool is_quiet(beast::tcp_stream& stream) {
  char byte = 0;
  const ssize_t got = ::recv(stream.socket().native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

std::string render(const ClientRequest& request) {
  std::string out = fmt::format("{} {} HTTP/1.1\r\nHost: {}\r\n", request.method, request.url.target, request.url.authority());
  for (const auto& [name, value] : request.headers.all()) {
    out += name;
    out += ": ";
    for (const char c : value) out.push_back(c == '\r' || c == '\n' || c == '\0' ? ' ' : c);
    out += "\r\n";
  }
  const bool carries = !request.body.empty() || request.method == "POST" || request.method == "PUT" || request.method == "PATCH";
  if (carries) out += fmt::format("Content-Length: {}\r\n", request.body.size());
  out += "\r\n";
  out += request.body;
  return out;
}

Resolver& shared_resolver() {
  static Resolver resolver;
  return resolver;
}

}  // namespace

std::string_view to_string(ClientError::Kind kind) {
  switch (kind) {
    case Kind::refused: return "refused";
    case Kind::resolve: return "resolve";
    case Kind::no_such_host: return "no_such_host";
    case Kind::connect: return "connect";
    case Kind::tls: return "tls";
    case Kind::timed_out: return "timed_out";
    case Kind::reset: return "reset";
    case Kind::protocol: return "protocol";
    case Kind::too_large: return "too_large";
    case Kind::cancelled: return "cancelled";
  }
  return "connect";
}

struct HttpClient::Impl {
  Impl(Executor ex, Settings s) : executor(std::move(ex)), settings(std::move(s)), tls(asio::ssl::context::tls_client) {
    tls.set_options(asio::ssl::context::default_workarounds | asio::ssl::context::no_tlsv1 | asio::ssl::context::no_tlsv1_1);
    boost::system::error_code ignored;
    tls.set_default_verify_paths(ignored);
    if (!settings.ca_file.empty()) tls.load_verify_file(settings.ca_file, ignored);
    tls.set_verify_mode(asio::ssl::verify_peer);
  }

  using Answer = std::expected<ClientResponse, ClientError>;
  using Opened = std::expected<std::unique_ptr<Connection>, ClientError>;

  std::unique_ptr<Connection> take_idle(const std::string& key);
  void put_idle(const std::string& key, std::unique_ptr<Connection> connection);
  Task<Opened> open(const Url& url, std::vector<IpAddress> addresses, SteadyClock::time_point deadline, std::chrono::milliseconds connect_timeout);
  Task<Answer> send(ClientRequest request);
  template <class Stream>
  Task<Answer> exchange(Stream& stream, Connection& connection, const ClientRequest& request, bool& keep);

  Executor executor;
  Settings settings;
  asio::ssl::context tls;
  std::unordered_map<std::string, std::list<std::unique_ptr<Connection>>> idle;
  std::size_t idle_count = 0;
};

std::unique_ptr<Connection> HttpClient::Impl::take_idle(const std::string& key) {
  const auto found = idle.find(key);
  if (found == idle.end()) return nullptr;
  std::unique_ptr<Connection> out;
  while (!found->second.empty() && !out) {
    auto connection = std::move(found->second.back());
    found->second.pop_back();
    --idle_count;
    if (SteadyClock::now() - connection->idle_since < settings.idle_time && is_quiet(connection->tcp_layer())) out = std::move(connection);
  }
  if (found->second.empty()) idle.erase(found);
  if (out) out->reused = true;
  return out;
}

void HttpClient::Impl::put_idle(const std::string& key, std::unique_ptr<Connection> connection) {
  auto& list = idle[key];
  if (list.size() >= settings.idle_per_endpoint || idle_count >= settings.idle_total) {
    if (list.empty()) idle.erase(key);
    return;
  }
  connection->idle_since = SteadyClock::now();
  connection->tcp_layer().expires_never();
  list.push_back(std::move(connection));
  ++idle_count;
}

// Connects to the first checked address that answers.
Task<HttpClient::Impl::Opened> HttpClient::Impl::open(const Url& url, std::vector<IpAddress> addresses, SteadyClock::time_point deadline,
                                                      std::chrono::milliseconds connect_timeout) {
  ClientError last{Kind::connect, false, "no address"};
  for (const IpAddress& address : addresses) {
    auto connection = std::make_unique<Connection>();
    auto stream = std::make_unique<beast::tcp_stream>(executor);
    stream->expires_at(std::min(deadline, SteadyClock::now() + connect_timeout));
    boost::system::error_code error;
    co_await stream->async_connect(to_endpoint(address, url.port), asio::redirect_error(asio::use_awaitable, error));
    if (error) {
      last = {kind_of(error, Kind::connect), false, fmt::format("{}: {}", to_string(address), error.message())};
      if (last.kind == Kind::cancelled || SteadyClock::now() >= deadline) break;
      continue;
    }
    stream->socket().set_option(tcp::no_delay(true), error);
    if (settings.guard) {
      const auto peer = stream->socket().remote_endpoint(error);
      const auto checked = settings.guard->check_address(url.host, to_ip(peer.address()), url.port);
      if (error || !checked) co_return failed(Kind::refused, false, error ? error.message() : checked.error().text);
    }
    if (url.scheme == "http") {
      connection->plain = std::move(stream);
      co_return connection;
    }
    connection->tls = std::make_unique<TlsStream>(std::move(*stream), tls);
    const bool is_name = !parse_ip(url.host).has_value();
    if (is_name) SSL_set_tlsext_host_name(connection->tls->native_handle(), url.host.c_str());
    connection->tls->set_verify_callback(asio::ssl::host_name_verification(url.host), error);
    connection->tcp_layer().expires_at(std::min(deadline, SteadyClock::now() + connect_timeout));
    co_await connection->tls->async_handshake(asio::ssl::stream_base::client, asio::redirect_error(asio::use_awaitable, error));
    if (!error) co_return connection;
    last = {kind_of(error, Kind::tls), false, fmt::format("TLS: {}", error.message())};
    break;   // another address of the same name would show the same certificate
  }
  co_return std::unexpected(std::move(last));
}

template <class Stream>
Task<HttpClient::Impl::Answer> HttpClient::Impl::exchange(Stream& stream, Connection& connection, const ClientRequest& request, bool& keep) {
  const std::string text = render(request);
  boost::system::error_code error;
  std::size_t sent = 0;
  while (sent < text.size() && !error) {
    sent += co_await stream.async_write_some(asio::buffer(text.data() + sent, text.size() - sent), asio::redirect_error(asio::use_awaitable, error));
  }
  // An answer may come before the whole request is taken (413); a broken write is looked at after reading.
  const auto write_error = error;
  if (write_error && sent == 0 && !connection.reused) co_return failed(kind_of(error, Kind::reset), false, error.message());

  for (;;) {
    http::response_parser<http::string_body> parser;
    parser.header_limit(static_cast<std::uint32_t>(settings.max_head_bytes));
    parser.body_limit(boost::none);   // counted here, so that a long answer keeps its status
    parser.skip(request.method == "HEAD");
    error = {};
    co_await http::async_read_header(stream, connection.buffer, parser, asio::redirect_error(asio::use_awaitable, error));
    if (error) {
      const Kind kind = error == http::error::end_of_stream || error == asio::error::eof ? Kind::reset : kind_of(error, Kind::reset);
      const bool malformed = error.category() == http::make_error_code(http::error::bad_version).category() && error != http::error::end_of_stream && error != http::error::partial_message;
      co_return failed(malformed ? Kind::protocol : kind, true, write_error ? write_error.message() : error.message());
    }
    if (parser.get().result_int() < 200) continue;   // 100, 103
    ClientResponse response;
    response.status = static_cast<int>(parser.get().result_int());
    while (!parser.is_done() && parser.get().body().size() <= request.max_body_bytes) {
      co_await http::async_read_some(stream, connection.buffer, parser, asio::redirect_error(asio::use_awaitable, error));
      if (error) break;
    }
    if (error && error != http::error::end_of_stream) {
      co_return failed(kind_of(error, Kind::reset), true, fmt::format("the answer broke off: {}", error.message()));
    }
    response.body = std::move(parser.get().body());
    response.truncated = response.body.size() > request.max_body_bytes || !parser.is_done();
    if (response.body.size() > request.max_body_bytes) {
      if (!request.truncate_body) co_return failed(Kind::too_large, true, fmt::format("the answer is larger than {} bytes", request.max_body_bytes));
      response.body.resize(request.max_body_bytes);
    }
    for (const auto& field : parser.get()) {
      response.headers.add(std::string(field.name_string()), std::string(field.value()));
    }
    keep = parser.is_done() && parser.get().keep_alive() && !write_error;
    co_return response;
  }
}

Task<HttpClient::Impl::Answer> HttpClient::Impl::send(ClientRequest request) {
  if (co_await cancelled()) co_return failed(Kind::cancelled, false, "stopping");
  const auto deadline = SteadyClock::now() + request.timeout;
  const Url& url = request.url;
  if (settings.guard) {
    if (auto allowed = settings.guard->check_name(url.scheme, url.host, url.port); !allowed) co_return failed(Kind::refused, false, allowed.error().text);
  }
  auto addresses = co_await shared_resolver().resolve(url.host, std::min(request.timeout, request.connect_timeout));
  if (!addresses) {
    const bool unknown = addresses.error() == Resolver::Failure::no_such_host;
    co_return failed(unknown ? Kind::no_such_host : Kind::resolve, false, unknown ? fmt::format("the name {} does not exist", url.host) : fmt::format("the name {} could not be resolved", url.host));
  }
  if (settings.guard) {
    // One bad address refuses the name: a rebinding answer mixes them.
    for (const auto& address : *addresses) {
      if (auto allowed = settings.guard->check_address(url.host, address, url.port); !allowed) co_return failed(Kind::refused, false, allowed.error().text);
    }
  }
  std::unique_ptr<Connection> connection;
  std::string key;
  for (const auto& address : *addresses) {
    key = fmt::format("{}|{}|{}|{}", url.scheme, url.host, to_string(address), url.port);
    connection = take_idle(key);
    if (connection) break;
  }
  if (!connection) {
    auto opened = co_await open(url, *addresses, deadline, request.connect_timeout);
    if (!opened) co_return std::unexpected(std::move(opened.error()));
    connection = std::move(*opened);
    boost::system::error_code ignored;
    key = fmt::format("{}|{}|{}|{}", url.scheme, url.host, to_string(to_ip(connection->tcp_layer().socket().remote_endpoint(ignored).address())), url.port);
  }
  connection->tcp_layer().expires_at(deadline);
  bool keep = false;
  Answer answer = connection->tls ? co_await exchange(*connection->tls, *connection, request, keep) : co_await exchange(*connection->plain, *connection, request, keep);
  if (keep) put_idle(key, std::move(connection));
  co_return answer;
}

HttpClient::HttpClient(Executor executor, Settings settings) : impl_(std::make_shared<Impl>(std::move(executor), std::move(settings))) {}
HttpClient::~HttpClient() = default;

Task<std::expected<ClientResponse, ClientError>> HttpClient::send(ClientRequest request) {
  const auto impl = impl_;   // outlives a client that is destroyed meanwhile
  co_return co_await impl->send(std::move(request));
}

void HttpClient::close_idle() {
  impl_->idle.clear();
  impl_->idle_count = 0;
}

}  // namespace agentauri::net
