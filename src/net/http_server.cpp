#include "net/http_server.hpp"

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>

#include <fmt/format.h>

#include "net/http_lane.hpp"

namespace agentauri::net {
namespace asio = boost::asio;
using tcp = asio::ip::tcp;

struct HttpServer::Impl {
  std::shared_ptr<const HttpService> service;
  std::vector<std::shared_ptr<HttpLane>> lanes;
  std::uint16_t port = 0;
};

namespace {

std::string in_words(const tcp::endpoint& endpoint, const boost::system::error_code& why) {
  const bool v6 = endpoint.address().is_v6();
  const std::string where =
      fmt::format("{}{}{}:{}", v6 ? "[" : "", endpoint.address().to_string(), v6 ? "]" : "", endpoint.port());
  if (why == asio::error::address_in_use) return where + " is in use by another process";
  return fmt::format("{} cannot be listened on: {}", where, why.message());
}

}   // namespace

HttpServer::HttpServer(std::vector<Executor> executors, Settings settings, HttpHandler handler,
                       ErrorRenderer render_error)
    : impl_(std::make_shared<Impl>()) {
  ENSURE(!executors.empty(), "an HttpServer needs an executor");
  impl_->service = std::make_shared<const HttpService>(
      HttpService{std::move(settings), std::move(handler), std::move(render_error)});
  for (auto& executor : executors)
    impl_->lanes.push_back(std::make_shared<HttpLane>(std::move(executor), impl_->service));
}

HttpServer::~HttpServer() = default;

std::uint16_t HttpServer::port() const {
  return impl_->port;
}

Result<void> HttpServer::start() {
  const auto& settings = impl_->service->settings;
  boost::system::error_code error;
  const auto address = asio::ip::make_address(settings.host, error);
  if (error) return fail(Code::invalid, "SERVER_HOST", fmt::format("{} is not an address", settings.host));
  tcp::endpoint endpoint(address, settings.port);
  for (const auto& lane : impl_->lanes) {
    if (!error) error = lane->listen(endpoint, lane == impl_->lanes.front());
  }
  if (error) {
    for (const auto& lane : impl_->lanes) lane->close_acceptor();
    return fail(Code::unavailable, "SERVER_PORT", in_words(endpoint, error));
  }
  impl_->port = endpoint.port();
  for (const auto& lane : impl_->lanes) asio::post(lane->executor(), [lane] { lane->run(); });
  return {};
}

Task<void> HttpServer::stop(std::chrono::milliseconds grace) {
  const auto impl = impl_;
  const auto deadline = HttpLane::SteadyClock::now() + grace;
  for (const auto& lane : impl->lanes) {
    co_await run_on(lane->executor(), [lane]() -> Task<void> {
      lane->begin_stop();
      co_return;
    });
  }
  for (const auto& lane : impl->lanes) {
    co_await run_on(lane->executor(), [lane, deadline]() -> Task<void> { co_await lane->finish_stop(deadline); });
  }
}

}   // namespace agentauri::net
