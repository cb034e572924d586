#include "net/http_client.hpp"

#include <boost/asio/ssl/context.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/tcp_stream.hpp>

#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>

#include "core/telemetry/log.hpp"
#include "net/client_connection.hpp"
#include "net/idle_pool.hpp"
#include "net/resolver.hpp"
#include "net/tls_context.hpp"

namespace agentauri::net {
namespace asio = boost::asio;
namespace beast = boost::beast;
using boost::system::error_code;
using SteadyClock = std::chrono::steady_clock;
using Kind = ClientError::Kind;
using Connection = ClientConnection;

namespace {

std::string pool_key(const Url& url, const IpAddress& address) {
  return fmt::format("{}|{}|{}|{}", url.scheme, url.host, to_string(address), url.port);
}

// An idle connection that the peer closed, or that holds bytes nobody asked for, is of no use.
bool is_quiet(beast::tcp_stream& stream) {
  char byte = 0;
  const ssize_t got = ::recv(stream.socket().native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT);
  return got < 0 && (errno == EAGAIN || errno == EWOULDBLOCK);
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
  using Answer = ClientAnswer;
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
  if (closed) return;
  connection->tcp_layer().expires_never();
  const auto now = SteadyClock::now();
  auto key = pool_key(url, connection->address);
  idle.put(std::move(key), std::move(connection), now);
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
      co_return client_failure(Kind::refused, false, allowed.error().text);
  }
  auto found = co_await resolver.resolve(url.host, std::min(request.timeout, request.connect_timeout));
  if (co_await cancelled()) co_return client_failure(Kind::cancelled, false, "cancelled");
  if (!found) {
    const bool unknown = found.error() == Resolver::Failure::no_such_host;
    co_return client_failure(
        unknown ? Kind::no_such_host : Kind::resolve, false,
        fmt::format("the name {} {}", url.host, unknown ? "does not exist" : "could not be resolved"));
  }
  if (settings.guard) {
    // One bad address refuses the name: a rebinding answer mixes them.
    for (const auto& address : *found) {
      if (const auto allowed = settings.guard->check_address(url.host, address, url.port); !allowed)
        co_return client_failure(Kind::refused, false, allowed.error().text);
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
    if (co_await cancelled()) co_return client_failure(Kind::cancelled, false, "cancelled");
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
  auto connection = std::make_unique<Connection>(settings.max_head_bytes);
  const ConnectTarget target{.host = url.host,
                             .address = address,
                             .port = url.port,
                             .tls = url.scheme == "http" ? nullptr : &tls,
                             .guard = settings.guard ? &*settings.guard : nullptr};
  if (auto connected = co_await connect_to(target, executor, *connection, deadline); !connected)
    co_return std::unexpected(std::move(connected.error()));
  co_return connection;
}

Task<HttpClient::Impl::Answer> HttpClient::Impl::send(ClientRequest request) {
  if (co_await cancelled()) co_return client_failure(Kind::cancelled, false, "cancelled");
  if (auto fault = fault_of(request); !fault.empty()) co_return client_failure(Kind::protocol, false, std::move(fault));
  const auto deadline = SteadyClock::now() + request.timeout;
  auto addresses = co_await find_addresses(request);
  if (!addresses) co_return std::unexpected(std::move(addresses.error()));
  auto connection = take_idle(request.url, *addresses);
  if (!connection) {
    auto opened = co_await open(request, *addresses, deadline);
    if (!opened) co_return std::unexpected(std::move(opened.error()));
    connection = std::move(*opened);
  }
  if (co_await cancelled()) co_return client_failure(Kind::cancelled, false, "cancelled");
  connection->tcp_layer().expires_at(deadline);
  bool keep = false;
  Answer answer = co_await exchange(*connection, request, settings.max_head_bytes, keep);
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
