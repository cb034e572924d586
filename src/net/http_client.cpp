#include "net/http_client.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>

#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>

#include "core/telemetry/log.hpp"
#include "net/idle_pool.hpp"
#include "net/resolver.hpp"
#include "net/tls_context.hpp"

namespace agentauri::net {
namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using boost::system::error_code;
using tcp = asio::ip::tcp;
using SteadyClock = std::chrono::steady_clock;
using Kind = ClientError::Kind;

namespace {

constexpr int kMaxInterimAnswers = 16;   // 100, 103: a peer that sends nothing else is cut

using TlsStream = beast::ssl_stream<beast::tcp_stream>;

// Keeps at most `bound` bytes. Unlike Beast's string_body it reserves nothing for a length that a peer only claims.
struct BoundedBody {
  struct value_type {
    std::string text;
    std::size_t bound = 0;
    bool over = false;   // there was more
  };

  class reader {
   public:
    template <bool IsRequest, class Fields>
    reader(http::header<IsRequest, Fields>&, value_type& body) : body_(body) {}

    void init(const boost::optional<std::uint64_t>&, error_code& error) { error = {}; }
    template <class Buffers>
    std::size_t put(const Buffers& buffers, error_code& error) {
      error = {};
      std::size_t total = 0;
      for (auto it = asio::buffer_sequence_begin(buffers); it != asio::buffer_sequence_end(buffers); ++it) {
        const asio::const_buffer piece(*it);
        const std::size_t kept = std::min(piece.size(), body_.bound - body_.text.size());
        body_.text.append(static_cast<const char*>(piece.data()), kept);
        body_.over = body_.over || kept < piece.size();
        total += piece.size();
      }
      return total;
    }
    void finish(error_code& error) { error = {}; }

   private:
    value_type& body_;
  };
};

// One connection, plain or TLS; `buffer` holds what was read past a head.
struct Connection {
  std::unique_ptr<beast::tcp_stream> plain;
  std::unique_ptr<TlsStream> tls;
  beast::flat_buffer buffer;
  bool reused = false;

  beast::tcp_stream& tcp_layer() { return tls ? beast::get_lowest_layer(*tls) : *plain; }
};

std::unexpected<ClientError> failed(Kind kind, bool sent, std::string text) {
  return std::unexpected(ClientError{kind, sent, std::move(text)});
}

Kind kind_of(const error_code& error, Kind otherwise) {
  if (error == beast::error::timeout) return Kind::timed_out;
  if (error == asio::error::operation_aborted) return Kind::cancelled;
  return otherwise;
}

// The connection is ours no more: nothing is to be tried on it.
bool is_final(const error_code& error) {
  return error == beast::error::timeout || error == asio::error::operation_aborted;
}

ClientError read_failure(const error_code& error) {
  if (error == http::error::end_of_stream || error == asio::error::eof)
    return {Kind::reset, true, "closed without an answer"};
  if (error == http::error::partial_message) return {Kind::reset, true, "closed within the answer"};
  if (error.category() == http::make_error_code(http::error::bad_version).category())
    return {Kind::protocol, true, "the answer is not HTTP: " + error.message()};
  return {kind_of(error, Kind::reset), true, error.message()};
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

std::string pool_key(const Url& url, const IpAddress& address) {
  return fmt::format("{}|{}|{}|{}", url.scheme, url.host, to_string(address), url.port);
}

// An idle connection that the peer closed, or that holds bytes nobody asked for, is of no use.
bool is_quiet(beast::tcp_stream& stream) {
  char byte = 0;
  const ssize_t got = ::recv(stream.socket().native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
}

bool is_own_field(std::string_view name) {
  for (const std::string_view own : {"Host", "Content-Length", "Transfer-Encoding", "Connection"}) {
    if (equal_ignoring_case(name, own)) return true;
  }
  return false;
}

// Why the request cannot be written; empty when it can.
std::string fault_of(const ClientRequest& request) {
  if (!is_token(request.method)) return "the method is not a token";
  const auto visible = [](char c) { return c > 0x20 && c < 0x7f; };
  if (!request.url.target.starts_with('/') ||
      !std::all_of(request.url.target.begin(), request.url.target.end(), visible))
    return "the target is not a path";
  for (const auto& [name, value] : request.headers.all()) {
    if (!is_token(name)) return "a header field has no proper name";
    if (value.find_first_of(std::string_view("\r\n\0", 3)) != std::string::npos)
      return fmt::format("the header field {} holds a line break or NUL", name);
  }
  return {};
}

std::string render(const ClientRequest& request) {
  std::string out =
      fmt::format("{} {} HTTP/1.1\r\nHost: {}\r\n", request.method, request.url.target, request.url.authority());
  for (const auto& [name, value] : request.headers.all()) {
    if (is_own_field(name)) continue;
    out += name;
    out += ": ";
    out += value;
    out += "\r\n";
  }
  const bool carries =
      !request.body.empty() || request.method == "POST" || request.method == "PUT" || request.method == "PATCH";
  if (carries) out += fmt::format("Content-Length: {}\r\n", request.body.size());
  out += "\r\n";
  out += request.body;
  return out;
}

}   // namespace

std::string_view to_string(ClientError::Kind kind) {
  switch (kind) {
    case Kind::refused:
      return "refused";
    case Kind::resolve:
      return "resolve";
    case Kind::no_such_host:
      return "no_such_host";
    case Kind::connect:
      return "connect";
    case Kind::tls:
      return "tls";
    case Kind::timed_out:
      return "timed_out";
    case Kind::reset:
      return "reset";
    case Kind::protocol:
      return "protocol";
    case Kind::too_large:
      return "too_large";
    case Kind::cancelled:
      return "cancelled";
  }
  return "connect";
}

struct HttpClient::Impl : std::enable_shared_from_this<HttpClient::Impl> {
  using Answer = std::expected<ClientResponse, ClientError>;
  using Opened = std::expected<std::unique_ptr<Connection>, ClientError>;
  using Addresses = std::expected<std::vector<IpAddress>, ClientError>;

  Impl(Executor ex, Settings s);

  Task<Answer> send(ClientRequest request);
  Task<Addresses> find_addresses(const ClientRequest& request);
  Task<Opened> open(const ClientRequest& request, const std::vector<IpAddress>& addresses,
                    SteadyClock::time_point deadline);
  Task<Opened> connect(const Url& url, const IpAddress& address, SteadyClock::time_point deadline);
  std::unique_ptr<Connection> take_idle(const Url& url, const std::vector<IpAddress>& addresses);
  void put_idle(const Url& url, std::unique_ptr<Connection> connection);
  void sweep_later(SteadyClock::time_point when);
  template <class Stream>
  Task<Answer> exchange(Stream& stream, Connection& connection, const ClientRequest& request, bool& keep);
  template <class Stream>
  Task<Answer> read_answer(Stream& stream, Connection& connection, const ClientRequest& request, bool& keep);

  Executor executor;
  Settings settings;
  Resolver& resolver;
  std::string tls_problem;
  asio::ssl::context tls;
  IdlePool<Connection> idle;
  asio::steady_timer sweeper;   // closes idle connections in time also when nothing is sent any more
  bool sweeping = false;
  bool closed = false;   // the client is gone, exchanges in hand may still end
};

HttpClient::Impl::Impl(Executor ex, Settings s)
    : executor(std::move(ex)),
      settings(std::move(s)),
      resolver(settings.resolver ? *settings.resolver
               : settings.guard  ? resolver_for_users()
                                 : resolver_for_operator()),
      tls(make_client_tls(settings.ca_file, tls_problem)),
      idle(settings.idle_per_endpoint, settings.idle_total, settings.idle_time),
      sweeper(executor) {
  static const Log log("http_client");
  if (!tls_problem.empty())
    log.error("certificate authorities could not be loaded", {{"file", settings.ca_file}, {"why", tls_problem}});
}

// --- the pool --------------------------------------------------------------------------------------------------------

std::unique_ptr<Connection> HttpClient::Impl::take_idle(const Url& url, const std::vector<IpAddress>& addresses) {
  for (const IpAddress& address : addresses) {
    const std::string key = pool_key(url, address);
    while (auto connection = idle.take(key, SteadyClock::now())) {
      if (!is_quiet(connection->tcp_layer())) continue;
      connection->reused = true;
      return connection;
    }
  }
  return nullptr;
}

void HttpClient::Impl::put_idle(const Url& url, std::unique_ptr<Connection> connection) {
  error_code error;
  const auto peer = connection->tcp_layer().socket().remote_endpoint(error);
  if (error || closed) return;
  connection->tcp_layer().expires_never();
  const auto now = SteadyClock::now();
  idle.put(pool_key(url, to_ip(peer.address())), std::move(connection), now);
  if (const auto next = idle.drop_expired(now); next && !sweeping) sweep_later(*next);
}

void HttpClient::Impl::sweep_later(SteadyClock::time_point when) {
  sweeping = true;
  sweeper.expires_at(when);
  sweeper.async_wait([weak = weak_from_this()](const error_code&) {
    const auto self = weak.lock();
    if (!self) return;
    self->sweeping = false;
    if (const auto next = self->idle.drop_expired(SteadyClock::now())) self->sweep_later(*next);
  });
}

// --- reaching the peer -----------------------------------------------------------------------------------------------

Task<HttpClient::Impl::Addresses> HttpClient::Impl::find_addresses(const ClientRequest& request) {
  const Url& url = request.url;
  if (settings.guard) {
    if (const auto allowed = settings.guard->check_name(url.scheme, url.host, url.port); !allowed)
      co_return failed(Kind::refused, false, allowed.error().text);
  }
  auto found = co_await resolver.resolve(url.host, std::min(request.timeout, request.connect_timeout));
  if (co_await cancelled()) co_return failed(Kind::cancelled, false, "cancelled");
  if (!found) {
    const bool unknown = found.error() == Resolver::Failure::no_such_host;
    co_return failed(unknown ? Kind::no_such_host : Kind::resolve, false,
                     fmt::format("the name {} {}", url.host, unknown ? "does not exist" : "could not be resolved"));
  }
  if (settings.guard) {
    // One bad address refuses the name: a rebinding answer mixes them.
    for (const auto& address : *found) {
      if (const auto allowed = settings.guard->check_address(url.host, address, url.port); !allowed)
        co_return failed(Kind::refused, false, allowed.error().text);
    }
  }
  co_return std::move(*found);
}

// Connects to the first checked address that answers.
Task<HttpClient::Impl::Opened> HttpClient::Impl::open(const ClientRequest& request,
                                                      const std::vector<IpAddress>& addresses,
                                                      SteadyClock::time_point deadline) {
  ClientError last{Kind::timed_out, false, "no time left to connect"};
  for (const IpAddress& address : addresses) {
    const auto now = SteadyClock::now();
    if (now >= deadline) break;
    auto opened = co_await connect(request.url, address, std::min(deadline, now + request.connect_timeout));
    if (opened) co_return opened;
    last = std::move(opened.error());
    // Another address of the same name would show the same certificate.
    if (last.kind == Kind::cancelled || last.kind == Kind::tls || last.kind == Kind::refused) break;
  }
  co_return std::unexpected(std::move(last));
}

Task<HttpClient::Impl::Opened> HttpClient::Impl::connect(const Url& url, const IpAddress& address,
                                                         SteadyClock::time_point deadline) {
  auto connection = std::make_unique<Connection>();
  connection->plain = std::make_unique<beast::tcp_stream>(executor);
  beast::tcp_stream& stream = *connection->plain;
  stream.expires_at(deadline);
  error_code error;
  co_await stream.async_connect(to_endpoint(address, url.port), asio::redirect_error(asio::use_awaitable, error));
  if (error)
    co_return failed(kind_of(error, Kind::connect), false, fmt::format("{}: {}", to_string(address), error.message()));
  if (settings.guard) {
    const auto peer = stream.socket().remote_endpoint(error);
    if (error) co_return failed(Kind::connect, false, fmt::format("{}: {}", to_string(address), error.message()));
    if (const auto allowed = settings.guard->check_address(url.host, to_ip(peer.address()), url.port); !allowed)
      co_return failed(Kind::refused, false, allowed.error().text);
  }
  error_code ignored;
  stream.socket().set_option(tcp::no_delay(true), ignored);
  if (url.scheme == "http") co_return connection;

  connection->tls = std::make_unique<TlsStream>(std::move(stream), tls);
  connection->plain.reset();
  const bool is_name = !parse_ip(url.host).has_value();
  if (is_name && SSL_set_tlsext_host_name(connection->tls->native_handle(), url.host.c_str()) != 1)
    co_return failed(Kind::tls, false, "TLS: the host name is not usable");
  connection->tls->set_verify_callback(asio::ssl::host_name_verification(url.host), error);
  if (error) co_return failed(Kind::tls, false, "TLS: " + error.message());
  connection->tcp_layer().expires_at(deadline);
  co_await connection->tls->async_handshake(asio::ssl::stream_base::client,
                                            asio::redirect_error(asio::use_awaitable, error));
  if (error) co_return failed(kind_of(error, Kind::tls), false, "TLS: " + error.message());
  co_return connection;
}

// --- the exchange ----------------------------------------------------------------------------------------------------

template <class Stream>
Task<HttpClient::Impl::Answer> HttpClient::Impl::exchange(Stream& stream, Connection& connection,
                                                          const ClientRequest& request, bool& keep) {
  const std::string text = render(request);
  error_code error;
  std::size_t written = 0;
  while (written < text.size() && !error) {
    written += co_await stream.async_write_some(asio::buffer(text.data() + written, text.size() - written),
                                                asio::redirect_error(asio::use_awaitable, error));
  }
  if (error) {
    // TLS may have sent a record that it does not report; a pooled connection counts as sent anyway.
    const bool sent = written > 0 || connection.reused || connection.tls != nullptr;
    if (!sent || is_final(error)) co_return failed(kind_of(error, Kind::reset), sent, error.message());
    // A peer may answer before it has read everything, and close (413).
  }
  bool reusable = false;
  Answer answer = co_await read_answer(stream, connection, request, reusable);
  keep = reusable && !error;
  co_return answer;
}

template <class Stream>
Task<HttpClient::Impl::Answer> HttpClient::Impl::read_answer(Stream& stream, Connection& connection,
                                                             const ClientRequest& request, bool& keep) {
  for (int interim = 0; interim < kMaxInterimAnswers; ++interim) {
    http::response_parser<BoundedBody> parser;
    parser.header_limit(static_cast<std::uint32_t>(settings.max_head_bytes));
    parser.body_limit(boost::none);   // counted here, so that a long answer keeps its status
    parser.skip(request.method == "HEAD");
    parser.get().body().bound = request.max_body_bytes;
    error_code error;
    co_await http::async_read_header(stream, connection.buffer, parser,
                                     asio::redirect_error(asio::use_awaitable, error));
    if (error) co_return std::unexpected(read_failure(error));
    const int status = static_cast<int>(parser.get().result_int());
    if (status == 101) co_return failed(Kind::protocol, true, "the peer changed the protocol unasked");
    if (status < 200) continue;

    auto& body = parser.get().body();
    while (!error && !parser.is_done() && !body.over) {
      co_await http::async_read_some(stream, connection.buffer, parser,
                                     asio::redirect_error(asio::use_awaitable, error));
    }
    // Many servers end a body without a length by closing TLS in disorder: it may be cut, the status stands.
    const bool cut = error == asio::ssl::error::stream_truncated && parser.need_eof();
    if (error && !cut) co_return std::unexpected(read_failure(error));
    if (body.over && !request.truncate_body)
      co_return failed(Kind::too_large, true,
                       fmt::format("the answer is larger than {} bytes", request.max_body_bytes));
    ClientResponse response;
    response.status = status;
    response.truncated = cut || body.over;
    for (const auto& field : parser.get())
      response.headers.add(std::string(field.name_string()), std::string(field.value()));
    keep = !cut && parser.is_done() && parser.get().keep_alive() && connection.buffer.size() == 0;
    response.body = std::move(body.text);
    co_return response;
  }
  co_return failed(Kind::protocol, true, "the peer sends nothing but interim answers");
}

Task<HttpClient::Impl::Answer> HttpClient::Impl::send(ClientRequest request) {
  if (co_await cancelled()) co_return failed(Kind::cancelled, false, "cancelled");
  if (auto fault = fault_of(request); !fault.empty()) co_return failed(Kind::protocol, false, std::move(fault));
  const auto deadline = SteadyClock::now() + request.timeout;
  auto addresses = co_await find_addresses(request);
  if (!addresses) co_return std::unexpected(std::move(addresses.error()));
  auto connection = take_idle(request.url, *addresses);
  if (!connection) {
    auto opened = co_await open(request, *addresses, deadline);
    if (!opened) co_return std::unexpected(std::move(opened.error()));
    connection = std::move(*opened);
  }
  if (co_await cancelled()) co_return failed(Kind::cancelled, false, "cancelled");
  connection->tcp_layer().expires_at(deadline);
  bool keep = false;
  Answer answer = connection->tls ? co_await exchange(*connection->tls, *connection, request, keep)
                                  : co_await exchange(*connection->plain, *connection, request, keep);
  if (keep) put_idle(request.url, std::move(connection));
  co_return answer;
}

HttpClient::HttpClient(Executor executor, Settings settings)
    : impl_(std::make_shared<Impl>(std::move(executor), std::move(settings))) {}

HttpClient::~HttpClient() {
  impl_->closed = true;
  close_idle();
}

Task<std::expected<ClientResponse, ClientError>> HttpClient::send(ClientRequest request) {
  const auto impl = impl_;   // outlives a client that is destroyed meanwhile
  co_return co_await impl->send(std::move(request));
}

void HttpClient::close_idle() {
  impl_->idle.clear();
  impl_->sweeper.cancel();
}

}   // namespace agentauri::net
