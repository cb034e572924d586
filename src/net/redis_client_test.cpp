#include "net/redis_client.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <thread>

#include "net/testing/temp_redis.hpp"
#include "net/testing/tls_peer.hpp"

namespace agentauri::net {
namespace {

using namespace std::chrono_literals;
using testing::RawPeer;
using testing::RawSocket;
using testing::TempRedis;
using Kind = RespValue::Kind;
using SteadyClock = std::chrono::steady_clock;

RedisSettings settings_for(std::uint16_t port) {
  RedisSettings out;
  out.host = "127.0.0.1";
  out.port = port;
  out.retry_after = 50ms;
  return out;
}

// A client that is served while the test lives.
class Served {
 public:
  explicit Served(RedisSettings settings) : client(thread_.executor(), std::move(settings), metrics_) {
    spawned_ = std::thread([this] {
      run_blocking([this]() -> Task<void> {
        co_await run_on(thread_.executor(), [this]() -> Task<void> {
          TaskGroup group(co_await this_executor());
          group.spawn("serve", [this]() -> Task<void> { co_await client.serve(); });
          while (!stopping_ && co_await sleep_for(1ms)) {
          }
          co_await group.cancel_and_wait();
        });
      });
    });
  }
  ~Served() {
    stopping_ = true;
    spawned_.join();
    thread_.stop();
  }

  Result<RespValue> run(std::vector<std::string> command) {
    Result<RespValue> out = fail(Code::internal, "");
    run_blocking([&]() -> Task<void> { out = co_await client.run(std::move(command)); });
    return out;
  }
  bool becomes(bool connected, std::chrono::milliseconds limit = 10s) {
    const auto end = SteadyClock::now() + limit;
    while (client.is_connected() != connected && SteadyClock::now() < end) std::this_thread::sleep_for(1ms);
    return client.is_connected() == connected;
  }

 private:
  Metrics metrics_;
  IoThread thread_{"redis"};
  std::atomic<bool> stopping_ = false;

 public:
  RedisClient client;

 private:
  std::thread spawned_;
};

Code check_code(RedisSettings settings) {
  Metrics metrics;
  Result<std::string> out = std::string();
  run_blocking([&]() -> Task<void> {
    RedisClient client(co_await this_executor(), settings, metrics);
    out = co_await client.check();
  });
  return out ? Code::internal : out.error().code;
}

TEST(RedisClient, AsksAndIsAnswered) {
  TempRedis redis;
  Served served(settings_for(redis.port()));
  ASSERT_TRUE(served.becomes(true));
  EXPECT_EQ(served.run({"SET", "a", "b c"})->text, "OK");
  EXPECT_EQ(served.run({"GET", "a"})->text, "b c");
  EXPECT_EQ(served.run({"GET", "nothing"})->kind, Kind::null);
  EXPECT_EQ(served.run({"INCRBY", "n", "41"})->integer, 41);
  EXPECT_TRUE(served.run({"INCRBY", "a", "1"})->is_error("ERR"));
  EXPECT_EQ(served.run({"NOSUCH"})->kind, Kind::error) << "an error is an answer, and the connection goes on";
  EXPECT_EQ(served.run({"GET", "n"})->text, "41");
}

TEST(RedisClient, ManyCallersShareOneConnection) {
  TempRedis redis;
  Served served(settings_for(redis.port()));
  ASSERT_TRUE(served.becomes(true));
  std::atomic<int> right = 0;
  {
    std::vector<std::jthread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([&, t] {
        run_blocking([&]() -> Task<void> {
          TaskGroup group(co_await this_executor());
          for (int i = 0; i < 250; ++i) {
            group.spawn("ask", [&, text = fmt::format("{}-{}", t, i)]() -> Task<void> {
              auto answer = co_await served.client.run({"ECHO", text});
              if (answer && answer->text == text) ++right;
            });
          }
          co_await group.wait();
        });
      });
    }
  }
  EXPECT_EQ(right, 1000);
  EXPECT_NE(served.run({"INFO", "clients"})->text.find("connected_clients:1\r\n"), std::string::npos);
}

TEST(RedisClient, SignsIn) {
  TempRedis redis({"--requirepass", "open sesame", "--user", "gate", "on", ">let-me-in", "~rl:*", "+@all"});
  auto settings = settings_for(redis.port());
  EXPECT_EQ(check_code(settings), Code::unauthorized);
  settings.password = crypto::Secret<std::string>("wrong");
  EXPECT_EQ(check_code(settings), Code::unauthorized);
  settings.password = crypto::Secret<std::string>("open sesame");
  EXPECT_EQ(check_code(settings), Code::internal) << "no error";
  settings.username = "gate";
  EXPECT_EQ(check_code(settings), Code::unauthorized);
  settings.password = crypto::Secret<std::string>("let-me-in");
  settings.database = 3;
  Served served(settings);
  ASSERT_TRUE(served.becomes(true));
  EXPECT_EQ(served.run({"ACL", "WHOAMI"})->text, "gate");
  EXPECT_TRUE(served.run({"GET", "other"})->is_error("NOPERM"));
  EXPECT_NE(served.run({"CLIENT", "INFO"})->text.find(" db=3 "), std::string::npos);
}

TEST(RedisClient, NobodyListens) {
  std::uint16_t port = 0;
  {
    TempRedis gone;
    port = gone.port();
  }
  EXPECT_EQ(check_code(settings_for(port)), Code::unavailable);
  Served served(settings_for(port));
  const auto begun = SteadyClock::now();
  EXPECT_EQ(served.run({"PING"}).error().code, Code::unavailable);
  EXPECT_LT(SteadyClock::now() - begun, 1s) << "who can do without does not wait";
}

TEST(RedisClient, ComesBackByItself) {
  TempRedis redis;
  Served served(settings_for(redis.port()));
  ASSERT_TRUE(served.becomes(true));
  redis.stop();
  EXPECT_TRUE(served.becomes(false));
  EXPECT_EQ(served.run({"PING"}).error().code, Code::unavailable);
  redis.start();
  EXPECT_TRUE(served.becomes(true, 5s));
  EXPECT_EQ(served.run({"PING"})->text, "PONG");
}

TEST(RedisClient, AFrozenRedisHoldsNobodyUp) {
  TempRedis redis;
  Served served(settings_for(redis.port()));
  ASSERT_TRUE(served.becomes(true));
  redis.freeze();
  const auto begun = SteadyClock::now();
  EXPECT_EQ(served.run({"PING"}).error().code, Code::timed_out);
  EXPECT_GE(SteadyClock::now() - begun, 250ms);
  EXPECT_LT(SteadyClock::now() - begun, 2s);
  ASSERT_TRUE(served.becomes(false));
  const auto again = SteadyClock::now();
  EXPECT_EQ(served.run({"PING"}).error().code, Code::unavailable);
  EXPECT_LT(SteadyClock::now() - again, 200ms) << "only the first one waited";
  redis.thaw();
  EXPECT_TRUE(served.becomes(true, 5s));
  EXPECT_EQ(served.run({"PING"})->text, "PONG");
}

TEST(RedisClient, NonsenseEndsTheConnection) {
  std::atomic<int> turn = 0;
  const RawPeer peer([&](RawSocket socket) {
    socket.read_until("0\r\n");   // SELECT 0
    ++turn;
    socket.send("+OK\r\n");
    socket.read_until("PING\r\n");
    socket.send(turn == 1 ? "HTTP/1.1 400 Bad Request\r\n\r\n" : "+PONG\r\n+AND MORE\r\n");
    socket.closes_within(5s);
  });
  Served served(settings_for(peer.port()));
  ASSERT_TRUE(served.becomes(true));
  EXPECT_EQ(served.run({"PING"}).error().code, Code::protocol);
  const auto end = SteadyClock::now() + 10s;
  while (turn < 2 && SteadyClock::now() < end) std::this_thread::sleep_for(1ms);
  ASSERT_TRUE(served.becomes(true));
  EXPECT_EQ(served.run({"PING"})->text, "PONG");
  EXPECT_TRUE(served.becomes(false)) << "an answer to nothing: who knows whose the next one would be";
}

TEST(RedisClient, WhatGreetsOtherwiseIsNotRedis) {
  for (const std::string hello : {"+HELLO\r\n", "SSH-2.0-OpenSSH\r\n", ":1\r\n"}) {
    const RawPeer peer([&](RawSocket socket) {
      socket.read_until("0\r\n");
      socket.send(hello);
      socket.closes_within(5s);
    });
    EXPECT_EQ(check_code(settings_for(peer.port())), Code::protocol) << hello;
  }
}

TEST(RedisClient, SpeaksTls) {
  const testing::TestAuthority authority;
  const auto context = authority.make_context("IP:127.0.0.1");
  const RawPeer peer([&](RawSocket socket) {
    testing::TlsSocket tls(std::move(socket), context.get());
    if (!tls.accept()) return;
    tls.send("+OK\r\n+PONG\r\n");
    tls.read_request();
  });
  auto settings = settings_for(peer.port());
  settings.tls = true;
  EXPECT_EQ(check_code(settings), Code::unavailable) << "an authority that nobody trusts";
  settings.ca_file = authority.file();
  EXPECT_EQ(check_code(settings), Code::internal) << "no error";
}

}   // namespace
}   // namespace agentauri::net
