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

// Many receivers on one thread, the first `silent` of which never answer.
class Crowd {
 public:
  Crowd(std::size_t size, std::size_t silent);
  ~Crowd();
  Crowd(const Crowd&) = delete;
  Crowd& operator=(const Crowd&) = delete;

  std::size_t size() const { return servers_.size(); }
  std::string endpoint(std::size_t i) const;
  std::size_t count(std::size_t i) const { return counts_[i]; }
  // Requests that were answered.
  std::size_t answered() const { return answered_; }
  // false when they are fewer than `n` after 25 s.
  bool wait_until_answered(std::size_t n);

 private:
  Task<net::HttpResponse> handle(std::size_t i);

  const std::size_t silent_;
  std::atomic<bool> ending_{false};
  std::vector<std::atomic<std::size_t>> counts_;
  std::atomic<std::size_t> answered_{0};
  std::mutex mutex_;
  std::condition_variable came_;
  IoThread thread_{"crowd"};
  std::vector<std::unique_ptr<net::HttpServer>> servers_;
};

net::HttpResponse answer_with(int status, std::string body = "");

}   // namespace agentauri::delivery::testing
