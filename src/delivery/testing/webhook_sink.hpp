// A receiver of webhooks on a loopback port: keeps what it was sent, answers as it is told.
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "core/async/task.hpp"
#include "net/http_server.hpp"

namespace agentauri::delivery::testing {

class WebhookSink {
 public:
  struct Seen {
    net::HttpRequest request;
    std::chrono::steady_clock::time_point at;
  };
  // `n` counts the requests from 1. Runs on the sink's thread.
  using Answer = std::function<net::HttpResponse(const net::HttpRequest& request, int n)>;

  // `keep`: false keeps no requests, only their number (benches).
  explicit WebhookSink(Answer answer = {}, bool keep = true);
  ~WebhookSink();
  WebhookSink(const WebhookSink&) = delete;
  WebhookSink& operator=(const WebhookSink&) = delete;

  std::uint16_t port() const { return server_->port(); }
  std::string url(const std::string& path = "/hook") const;
  std::string endpoint() const;
  std::vector<Seen> seen() const;
  std::size_t count() const { return count_; }
  // false when `n` requests have not come within 20 s.
  bool wait_for(std::size_t n);
  // Answers wait until release().
  void hold() { held_ = true; }
  void release() { held_ = false; }

 private:
  Task<net::HttpResponse> handle(net::HttpRequest request);

  Answer answer_;
  const bool keep_;
  std::atomic<bool> held_{false};
  std::atomic<std::size_t> count_{0};
  mutable std::mutex mutex_;
  std::condition_variable came_;
  std::vector<Seen> seen_;
  IoThread thread_{"sink"};
  std::unique_ptr<net::HttpServer> server_;
};

net::HttpResponse answer_with(int status, std::string body = "");

}   // namespace agentauri::delivery::testing
