#include "net/client_connection.hpp"

#include <boost/asio/buffer.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/redirect_error.hpp>
#include <boost/asio/ssl/error.hpp>
#include <boost/asio/ssl/host_name_verification.hpp>
#include <boost/asio/use_awaitable.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/read.hpp>

#include <fmt/format.h>

#include <algorithm>

namespace agentauri::net {
namespace asio = boost::asio;
namespace beast = boost::beast;
namespace http = beast::http;
using boost::system::error_code;
using Kind = ClientError::Kind;

namespace {

constexpr int kMaxInterimAnswers = 16;   // 100, 103: a peer that sends nothing else is cut

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

asio::ip::tcp::endpoint to_endpoint(const IpAddress& address, std::uint16_t port) {
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

bool is_own_field(std::string_view name) {
  for (const std::string_view own : {"Host", "Content-Length", "Transfer-Encoding", "Connection"}) {
    if (equal_ignoring_case(name, own)) return true;
  }
  return false;
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

// A cancellation that meets an operation which has just completed leaves no error behind: it must be asked for before
// the next one is begun.
std::unexpected<ClientError> cancelled_after_sending() {
  return client_failure(Kind::cancelled, true, "cancelled");
}

template <class Stream>
Task<ClientAnswer> read_answer(Stream& stream, ClientConnection& connection, const ClientRequest& request,
                               std::size_t max_head_bytes, bool& keep) {
  for (int interim = 0; interim < kMaxInterimAnswers; ++interim) {
    http::response_parser<BoundedBody> parser;
    parser.header_limit(static_cast<std::uint32_t>(max_head_bytes));
    parser.body_limit(boost::none);   // counted here, so that a long answer keeps its status
    parser.skip(request.method == "HEAD");
    parser.get().body().bound = request.max_body_bytes;
    if (co_await cancelled()) co_return cancelled_after_sending();
    error_code error;
    co_await http::async_read_header(stream, connection.buffer, parser,
                                     asio::redirect_error(asio::use_awaitable, error));
    if (error) co_return std::unexpected(read_failure(error));
    const int status = static_cast<int>(parser.get().result_int());
    if (status == 101) co_return client_failure(Kind::protocol, true, "the peer changed the protocol unasked");
    if (status < 200) continue;
    ClientResponse response;
    response.status = status;
    // Before the body: its trailer would put its fields among these.
    for (const auto& field : parser.get())
      response.headers.add(std::string(field.name_string()), std::string(field.value()));

    auto& body = parser.get().body();
    while (!error && !parser.is_done() && !body.over) {
      if (co_await cancelled()) co_return cancelled_after_sending();
      co_await http::async_read_some(stream, connection.buffer, parser,
                                     asio::redirect_error(asio::use_awaitable, error));
    }
    // Many servers end a body without a length by closing TLS in disorder: it may be cut, the status stands.
    const bool cut = error == asio::ssl::error::stream_truncated && parser.need_eof();
    if (error && !cut) co_return std::unexpected(read_failure(error));
    if (body.over && !request.truncate_body)
      co_return client_failure(Kind::too_large, true,
                               fmt::format("the answer is larger than {} bytes", request.max_body_bytes));
    response.truncated = cut || body.over;
    keep = !cut && parser.is_done() && parser.get().keep_alive() && connection.buffer.size() == 0;
    response.body = std::move(body.text);
    co_return response;
  }
  co_return client_failure(Kind::protocol, true, "the peer sends nothing but interim answers");
}

template <class Stream>
Task<ClientAnswer> exchange_on(Stream& stream, ClientConnection& connection, const ClientRequest& request,
                               std::size_t max_head_bytes, bool& keep) {
  const std::string text = render(request);
  error_code error;
  std::size_t written = 0;
  while (written < text.size() && !error) {
    if (co_await cancelled()) co_return client_failure(Kind::cancelled, written > 0, "cancelled");
    written += co_await stream.async_write_some(asio::buffer(text.data() + written, text.size() - written),
                                                asio::redirect_error(asio::use_awaitable, error));
  }
  if (error) {
    // TLS may have sent a record that it does not report; a pooled connection counts as sent anyway.
    const bool sent = written > 0 || connection.reused || connection.tls != nullptr;
    if (!sent || is_final(error)) co_return client_failure(kind_of(error, Kind::reset), sent, error.message());
    // A peer may answer before it has read everything, and close (413).
  }
  bool reusable = false;
  ClientAnswer answer = co_await read_answer(stream, connection, request, max_head_bytes, reusable);
  keep = reusable && !error;
  co_return answer;
}

}   // namespace

std::unexpected<ClientError> client_failure(Kind kind, bool sent, std::string text) {
  return std::unexpected(ClientError{kind, sent, std::move(text)});
}

Kind kind_of(const error_code& error, Kind otherwise) {
  if (error == beast::error::timeout) return Kind::timed_out;
  if (error == asio::error::operation_aborted) return Kind::cancelled;
  return otherwise;
}

Task<std::expected<void, ClientError>> connect_to(const ConnectTarget& target, Executor executor,
                                                  ClientConnection& connection,
                                                  std::chrono::steady_clock::time_point deadline) {
  connection.plain = std::make_unique<beast::tcp_stream>(executor);
  beast::tcp_stream& stream = *connection.plain;
  stream.expires_at(deadline);
  error_code error;
  co_await stream.async_connect(to_endpoint(target.address, target.port),
                                asio::redirect_error(asio::use_awaitable, error));
  if (error)
    co_return client_failure(kind_of(error, Kind::connect), false,
                             fmt::format("{}: {}", to_string(target.address), error.message()));
  if (target.guard != nullptr) {
    const auto peer = stream.socket().remote_endpoint(error);
    if (error)
      co_return client_failure(Kind::connect, false, fmt::format("{}: {}", to_string(target.address), error.message()));
    if (const auto allowed = target.guard->check_address(target.host, to_ip(peer.address()), target.port); !allowed)
      co_return client_failure(Kind::refused, false, allowed.error().text);
  }
  connection.address = target.address;
  error_code ignored;
  stream.socket().set_option(asio::ip::tcp::no_delay(true), ignored);
  if (target.tls == nullptr) co_return std::expected<void, ClientError>();
  if (co_await cancelled()) co_return client_failure(Kind::cancelled, false, "cancelled");

  connection.tls = std::make_unique<ClientConnection::TlsStream>(std::move(stream), *target.tls);
  connection.plain.reset();
  const bool is_name = !parse_ip(target.host).has_value();
  if (is_name && SSL_set_tlsext_host_name(connection.tls->native_handle(), target.host.c_str()) != 1)
    co_return client_failure(Kind::tls, false, "TLS: the host name is not usable");
  connection.tls->set_verify_callback(asio::ssl::host_name_verification(target.host), error);
  if (error) co_return client_failure(Kind::tls, false, "TLS: " + error.message());
  connection.tcp_layer().expires_at(deadline);
  co_await connection.tls->async_handshake(asio::ssl::stream_base::client,
                                           asio::redirect_error(asio::use_awaitable, error));
  if (error) co_return client_failure(kind_of(error, Kind::tls), false, "TLS: " + error.message());
  co_return std::expected<void, ClientError>();
}

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

Task<ClientAnswer> exchange(ClientConnection& connection, const ClientRequest& request, std::size_t max_head_bytes,
                            bool& keep) {
  if (connection.tls) co_return co_await exchange_on(*connection.tls, connection, request, max_head_bytes, keep);
  co_return co_await exchange_on(*connection.plain, connection, request, max_head_bytes, keep);
}

}   // namespace agentauri::net
