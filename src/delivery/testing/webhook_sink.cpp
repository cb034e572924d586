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

}   // namespace agentauri::delivery::testing
