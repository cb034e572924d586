// One connection of a client, and one HTTP exchange on it: writes the request, reads the answer within its bounds.
// Which address to connect to and what becomes of the connection afterwards is the client's.
#pragma once

#include <boost/asio/error.hpp>
#include <boost/asio/ssl/context.hpp>
#include <boost/beast/core/error.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/core/tcp_stream.hpp>
#include <boost/beast/ssl/ssl_stream.hpp>

#include <chrono>
#include <expected>
#include <memory>
#include <string>

#include "core/async/task.hpp"
#include "net/address_guard.hpp"
#include "net/http_client.hpp"

namespace agentauri::net {

struct ClientConnection {
  using TlsStream = boost::beast::ssl_stream<boost::beast::tcp_stream>;

  // Beast bounds heads and, through us, bodies, but neither a chunk's size line nor a trailer: both grow in `buffer`,
  // and so it must end somewhere. It also holds a body on its way, which Beast reads by 64 KiB.
  explicit ClientConnection(std::size_t max_head_bytes) : buffer(max_head_bytes + kReadAhead) {}

  boost::beast::tcp_stream& tcp_layer() { return tls ? boost::beast::get_lowest_layer(*tls) : *plain; }

  static constexpr std::size_t kReadAhead = 64 * 1024;

  std::unique_ptr<boost::beast::tcp_stream> plain;   // one of these two
  std::unique_ptr<TlsStream> tls;
  boost::beast::flat_buffer buffer;   // what was read past a head
  IpAddress address;                  // of the peer, once it is open
  bool reused = false;
};

// Where a connection goes: the one address that was chosen for the name.
struct ConnectTarget {
  std::string host;   // as TLS checks it
  IpAddress address;
  std::uint16_t port = 0;
  boost::asio::ssl::context* tls = nullptr;   // nullptr: without
  const AddressGuard* guard = nullptr;        // asked once more when the socket is open
};
// Opens the connection, the TLS handshake included. `target` is the caller's: awaited at once.
Task<std::expected<void, ClientError>> connect_to(const ConnectTarget& target, Executor executor,
                                                  ClientConnection& connection,
                                                  std::chrono::steady_clock::time_point deadline);

using ClientAnswer = std::expected<ClientResponse, ClientError>;

std::unexpected<ClientError> client_failure(ClientError::Kind kind, bool sent, std::string text);
// timed_out and cancelled where the error says so, `otherwise` where it does not.
ClientError::Kind kind_of(const boost::system::error_code& error, ClientError::Kind otherwise);
// Why the request cannot be written; empty when it can.
std::string fault_of(const ClientRequest& request);

// Within the deadline that stands on the connection. `keep` becomes true when the connection may serve another request.
Task<ClientAnswer> exchange(ClientConnection& connection, const ClientRequest& request, std::size_t max_head_bytes,
                            bool& keep);

}   // namespace agentauri::net
