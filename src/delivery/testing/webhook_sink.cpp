#include "delivery/testing/webhook_sink.hpp"

#include <fmt/format.h>

namespace agentauri::delivery::testing {

net::HttpResponse answer_with(int status, std::string body) {
  net::HttpResponse out;
  out.status = status;
  out.body = std::move(body);
  return out;
}

WebhookSink::WebhookSink(Answer answer, bool keep) : answer_(std::move(answer)), keep_(keep) {
  net::HttpServer::Settings settings;
  settings.name = "sink";
  settings.limits.idle_time = std::chrono::seconds(30);
  server_ = std::make_unique<net::HttpServer>(
      std::vector<Executor>{thread_.executor()}, settings,
      [this](net::HttpRequest request) { return handle(std::move(request)); },
      [](int status, std::string_view text, const net::HttpRequest&) {
        return answer_with(status, std::string(text));
      });
  const auto started = server_->start();
  ENSURE(started.has_value(), "the sink could not listen");
}

WebhookSink::~WebhookSink() {
  release();
  run_blocking([this]() -> Task<void> { co_await server_->stop(std::chrono::milliseconds(200)); });
  thread_.stop();
}

std::string WebhookSink::url(const std::string& path) const {
  return fmt::format("http://127.0.0.1:{}{}", port(), path);
}
std::string WebhookSink::endpoint() const {
  return fmt::format("http://127.0.0.1:{}", port());
}

std::vector<WebhookSink::Seen> WebhookSink::seen() const {
  const std::lock_guard lock(mutex_);
  return seen_;
}

bool WebhookSink::wait_for(std::size_t n) {
  std::unique_lock lock(mutex_);
  return came_.wait_for(lock, std::chrono::seconds(20), [&] { return count_ >= n; });
}

Task<net::HttpResponse> WebhookSink::handle(net::HttpRequest request) {
  int n = 0;
  {
    const std::lock_guard lock(mutex_);
    n = static_cast<int>(++count_);
    if (keep_) seen_.push_back({request, std::chrono::steady_clock::now()});
  }
  came_.notify_all();
  while (held_ && co_await sleep_for(std::chrono::milliseconds(5))) {
  }
  co_return answer_ ? answer_(request, n) : answer_with(200, "ok");
}

// --- many ------------------------------------------------------------------------------------------------------------

Crowd::Crowd(std::size_t size, std::size_t silent) : silent_(silent), counts_(size) {
  net::HttpServer::Settings settings;
  settings.name = "crowd";
  for (std::size_t i = 0; i < size; ++i) {
    servers_.push_back(std::make_unique<net::HttpServer>(
        std::vector<Executor>{thread_.executor()}, settings, [this, i](net::HttpRequest) { return handle(i); },
        [](int status, std::string_view text, const net::HttpRequest&) {
          return answer_with(status, std::string(text));
        }));
    const auto started = servers_.back()->start();
    ENSURE(started.has_value(), "a receiver could not listen");
  }
}

Crowd::~Crowd() {
  ending_ = true;
  run_blocking([this]() -> Task<void> {
    TaskGroup stops(co_await this_executor());
    for (auto& server : servers_) {
      stops.spawn("stop", [&server]() -> Task<void> { co_await server->stop(std::chrono::milliseconds(200)); });
    }
    co_await stops.wait();
  });
  thread_.stop();
}

std::string Crowd::endpoint(std::size_t i) const {
  return fmt::format("http://127.0.0.1:{}", servers_[i]->port());
}

bool Crowd::wait_until_answered(std::size_t n) {
  std::unique_lock lock(mutex_);
  return came_.wait_for(lock, std::chrono::seconds(25), [&] { return answered_ >= n; });
}

Task<net::HttpResponse> Crowd::handle(std::size_t i) {
  ++counts_[i];
  while (i < silent_ && !ending_ && co_await sleep_for(std::chrono::milliseconds(50))) {
  }
  {
    const std::lock_guard lock(mutex_);
    ++answered_;
  }
  came_.notify_all();
  co_return answer_with(200, "ok");
}

}   // namespace agentauri::delivery::testing
