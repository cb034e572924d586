#include "net/http_client.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <openssl/ssl.h>

#include <atomic>
#include <latch>
#include <mutex>
#include <semaphore>
#include <thread>

#include "net/resolver.hpp"
#include "net/testing/raw_socket.hpp"
#include "net/testing/tls_peer.hpp"

namespace agentauri::net {
namespace {

using namespace std::chrono_literals;
using ::testing::HasSubstr;
using ::testing::Not;
using testing::RawPeer;
using testing::RawSocket;
using ::testing::StartsWith;
using testing::TestAuthority;
using testing::TlsSocket;
using Answer = std::expected<ClientResponse, ClientError>;
using Kind = ClientError::Kind;

ClientRequest get(const std::string& url) {
  return ClientRequest{.url = parse_url(url).value(), .timeout = 5s, .connect_timeout = 2s};
}
ClientRequest post(const std::string& url, std::string body) {
  auto request = get(url);
  request.method = "POST";
  request.body = std::move(body);
  return request;
}
std::string at(const RawPeer& peer, const std::string& path = "/", const std::string& host = "127.0.0.1") {
  return "http://" + host + ":" + std::to_string(peer.port()) + path;
}

Answer send_once(ClientRequest request, HttpClient::Settings settings = {}) {
  Answer out;
  run_blocking([&]() -> Task<void> {
    HttpClient client(co_await this_executor(), settings);
    out = co_await client.send(std::move(request));
  });
  return out;
}

// Answers every request of a connection with the same bytes.
std::function<void(RawSocket)> always(std::string answer) {
  return [answer = std::move(answer)](RawSocket socket) {
    while (!socket.read_request().empty() && socket.send(answer)) {
    }
  };
}
// Answers once and closes.
std::function<void(RawSocket)> once(std::string answer) {
  return [answer = std::move(answer)](RawSocket socket) {
    socket.read_request();
    socket.send(answer);
  };
}
const std::string kOk = "HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-A: b\r\n\r\nok";

constexpr Resolver::Times kNoCache{.answers = 0s, .failures = 0s};

// Names are answered from a table, so that no test asks a name server.
std::shared_ptr<Resolver> table(std::vector<std::pair<std::string, std::vector<std::string>>> names,
                                std::atomic<int>* asked = nullptr) {
  return std::make_shared<Resolver>(1, 16,
                                    [names = std::move(names), asked](const std::string& host) -> Resolver::Answer {
                                      if (asked != nullptr) ++*asked;
                                      for (const auto& [name, addresses] : names) {
                                        if (name != host) continue;
                                        std::vector<IpAddress> out;
                                        for (const auto& address : addresses) out.push_back(parse_ip(address).value());
                                        return out;
                                      }
                                      return std::unexpected(Resolver::Failure::no_such_host);
                                    });
}

void expect_failure(const Answer& answer, Kind kind, bool sent) {
  ASSERT_FALSE(answer.has_value()) << "answered " << answer->status;
  EXPECT_EQ(to_string(answer.error().kind), to_string(kind)) << answer.error().text;
  EXPECT_EQ(answer.error().sent, sent) << answer.error().text;
  EXPECT_FALSE(answer.error().text.empty());
}

// --- what goes out and what comes back -------------------------------------------------------------------------------

TEST(HttpClient, WritesOneRequestAndReadsItsAnswer) {
  std::string seen;
  RawPeer peer([&seen](RawSocket socket) {
    seen = socket.read_request();
    socket.send(kOk);
  });
  auto request = post(at(peer, "/hook?a=b"), "{}");
  request.headers.add("Content-Type", "application/json");
  for (const char* own : {"Host", "content-length", "Transfer-Encoding", "CONNECTION"}) request.headers.add(own, "7");
  const auto answer = send_once(request);
  ASSERT_TRUE(answer.has_value()) << answer.error().text;
  EXPECT_EQ(answer->status, 200);
  EXPECT_EQ(answer->body, "ok");
  EXPECT_EQ(*answer->headers.find("x-a"), "b");
  EXPECT_FALSE(answer->truncated);
  EXPECT_EQ(seen, "POST /hook?a=b HTTP/1.1\r\nHost: 127.0.0.1:" + std::to_string(peer.port()) +
                      "\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}");
}

TEST(HttpClient, WritesNothingThatCouldBeReadAsTwoRequests) {
  RawPeer peer(always(kOk));
  auto request = get(at(peer));
  request.headers.add("X-A", "b\r\nX-C: d");
  expect_failure(send_once(request), Kind::protocol, false);
  request = get(at(peer));
  request.headers.add("X A", "b");
  expect_failure(send_once(request), Kind::protocol, false);
  request = get(at(peer));
  request.method = "GET / HTTP/1.1\r\n\r\nGET";
  expect_failure(send_once(request), Kind::protocol, false);
  request = get(at(peer));
  request.url.target = "/ HTTP/1.1\r\n";
  expect_failure(send_once(request), Kind::protocol, false);
  EXPECT_EQ(peer.connections(), 0);
}

TEST(HttpClient, FollowsNoRedirect) {
  RawPeer peer(always("HTTP/1.1 302 Found\r\nLocation: /else\r\nContent-Length: 0\r\n\r\n"));
  const auto answer = send_once(get(at(peer)));
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->status, 302);
  EXPECT_EQ(peer.connections(), 1);
}

TEST(HttpClient, SkipsInterimAnswers) {
  RawPeer peer(always("HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n" + kOk));
  const auto answer = send_once(get(at(peer)));
  ASSERT_TRUE(answer.has_value()) << answer.error().text;
  EXPECT_EQ(answer->status, 200);
}

TEST(HttpClient, CutsAPeerThatSendsOnlyInterimAnswers) {
  RawPeer peer([](RawSocket socket) {
    socket.read_request();
    while (socket.send("HTTP/1.1 100 Continue\r\n\r\n")) {
    }
  });
  expect_failure(send_once(get(at(peer))), Kind::protocol, true);
}

TEST(HttpClient, RefusesAnotherProtocol) {
  RawPeer peer(once("HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\n\r\n"));
  expect_failure(send_once(get(at(peer))), Kind::protocol, true);
}

TEST(HttpClient, ReadsChunksAndBodiesThatEndWithTheConnection) {
  RawPeer chunked(once("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n"));
  EXPECT_EQ(send_once(get(at(chunked)))->body, "hello world");
  RawPeer closing(once("HTTP/1.1 200 OK\r\n\r\nhello"));
  EXPECT_EQ(send_once(get(at(closing)))->body, "hello");
}

TEST(HttpClient, ExpectsNoBodyWhereNoneBelongs) {
  RawPeer peer(always("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n"));
  auto request = get(at(peer));
  request.method = "HEAD";
  EXPECT_EQ(send_once(request)->body, "");
  RawPeer empty(always("HTTP/1.1 204 No Content\r\n\r\n"));
  EXPECT_EQ(send_once(get(at(empty)))->status, 204);
}

TEST(HttpClient, ReadsAnAnswerThatCameBeforeTheRequestWasTaken) {
  RawPeer peer([](RawSocket socket) {
    socket.read_until("\r\n\r\n");
    socket.send("HTTP/1.1 413 Content Too Large\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    socket.shutdown_write();
    socket.read_to_end();
  });
  const auto answer = send_once(post(at(peer), std::string(4'000'000, 'x')));
  ASSERT_TRUE(answer.has_value()) << answer.error().text;
  EXPECT_EQ(answer->status, 413);
}

// --- bounds ----------------------------------------------------------------------------------------------------------

TEST(HttpClient, KeepsTheStatusOfAnAnswerThatIsTooLong) {
  // The claim is not believed: nothing of that size is reserved.
  RawPeer peer(once("HTTP/1.1 200 OK\r\nContent-Length: 1000000000000\r\n\r\n" + std::string(100'000, 'x')));
  auto request = get(at(peer));
  request.max_body_bytes = 1000;
  const auto cut = send_once(request);
  ASSERT_TRUE(cut.has_value()) << cut.error().text;
  EXPECT_EQ(cut->status, 200);
  EXPECT_EQ(cut->body, std::string(1000, 'x'));
  EXPECT_TRUE(cut->truncated);
  request.truncate_body = false;
  expect_failure(send_once(request), Kind::too_large, true);
}

TEST(HttpClient, TakesABodyOfExactlyTheBound) {
  RawPeer peer(always(kOk));
  auto request = get(at(peer));
  request.truncate_body = false;
  request.max_body_bytes = 2;
  EXPECT_EQ(send_once(request)->truncated, false);
  request.max_body_bytes = 1;
  expect_failure(send_once(request), Kind::too_large, true);
}

TEST(HttpClient, EndsABodyWithoutEnd) {
  RawPeer peer([](RawSocket socket) {
    socket.read_request();
    socket.send("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n");
    while (socket.send("400\r\n" + std::string(1024, 'x') + "\r\n")) {
    }
  });
  const auto answer = send_once(get(at(peer)));
  ASSERT_TRUE(answer.has_value());
  EXPECT_EQ(answer->body.size(), std::size_t{64 * 1024});
  EXPECT_TRUE(answer->truncated);
}

TEST(HttpClient, EndsAHeadWithoutEnd) {
  RawPeer peer([](RawSocket socket) {
    socket.read_request();
    socket.send("HTTP/1.1 200 OK\r\n");
    while (socket.send("X: " + std::string(1000, 'x') + "\r\n")) {
    }
  });
  expect_failure(send_once(get(at(peer))), Kind::protocol, true);
}

// Sends `begin` and then `piece` without an end (the test's end is far above the bound), and closes.
std::function<void(RawSocket)> endless(std::string begin, std::string piece) {
  return [begin = std::move(begin), piece = std::move(piece)](RawSocket socket) {
    socket.read_request();
    socket.send(begin);
    std::string pieces;
    while (pieces.size() < 16 * 1024) pieces += piece;
    for (int i = 0; i < 256 && socket.send(pieces); ++i) {
    }
  };
}

TEST(HttpClient, EndsAChunkLineWithoutEnd) {
  RawPeer peer(endless("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", "1"));
  expect_failure(send_once(get(at(peer))), Kind::protocol, true);
}

TEST(HttpClient, EndsATrailerWithoutEnd) {
  RawPeer peer(
      endless("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n", "X-Trailer: value\r\n"));
  expect_failure(send_once(get(at(peer))), Kind::protocol, true);
}

TEST(HttpClient, KeepsTrailerFieldsOutOfTheHeaders) {
  RawPeer peer(
      once("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTrailer: Retry-After\r\nX-A: b\r\n\r\n"
           "2\r\nok\r\n0\r\nRetry-After: 999\r\nX-A: c\r\n\r\n"));
  const auto answer = send_once(get(at(peer)));
  ASSERT_TRUE(answer.has_value()) << answer.error().text;
  EXPECT_EQ(answer->body, "ok");
  EXPECT_EQ(answer->headers.count("Retry-After"), 0U);
  EXPECT_EQ(answer->headers.count("X-A"), 1U);
}

TEST(HttpClient, RefusesWhatIsNotHttp) {
  for (const char* text : {"hello\r\n\r\n", "HTTP/1.1 20 OK\r\n\r\n", "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
                           "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"}) {
    RawPeer peer(once(text));
    expect_failure(send_once(get(at(peer))), Kind::protocol, true);
  }
}

// --- whether bytes left ----------------------------------------------------------------------------------------------

std::uint16_t closed_port() {
  return RawPeer([](RawSocket) {}).port();
}

TEST(HttpClient, KnowsThatNothingWasSentWhenNobodyListens) {
  expect_failure(send_once(get("http://127.0.0.1:" + std::to_string(closed_port()) + "/")), Kind::connect, false);
}

TEST(HttpClient, KnowsThatNothingWasSentWhenTheNameDoesNotExist) {
  expect_failure(send_once(get("http://nowhere.test/"), {.resolver = table({})}), Kind::no_such_host, false);
}

TEST(HttpClient, KnowsThatNothingWasSentWhenTheNameServerIsSilent) {
  std::binary_semaphore answer_now{0};
  auto resolver = std::make_shared<Resolver>(1, 4, [&answer_now](const std::string&) -> Resolver::Answer {
    answer_now.acquire();
    return std::unexpected(Resolver::Failure::try_again);
  });
  auto request = get("http://slow.test/");
  request.connect_timeout = 30ms;
  expect_failure(send_once(request, {.resolver = resolver}), Kind::resolve, false);
  answer_now.release();
}

TEST(HttpClient, CountsAsSentWhatWasClosedOrResetWithoutAnAnswer) {
  RawPeer closing([](RawSocket socket) { socket.read_request(); });
  expect_failure(send_once(get(at(closing))), Kind::reset, true);
  RawPeer resetting([](RawSocket socket) {
    socket.read_request();
    socket.reset();
  });
  expect_failure(send_once(get(at(resetting))), Kind::reset, true);
  RawPeer half(once("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe"));
  expect_failure(send_once(get(at(half))), Kind::reset, true);
}

TEST(HttpClient, CountsAsSentWhatTimedOutWaitingForAnAnswer) {
  std::binary_semaphore done{0};
  RawPeer peer([&done](RawSocket socket) {
    socket.read_request();
    done.acquire();
  });
  auto request = get(at(peer));
  request.timeout = 100ms;
  const auto before = std::chrono::steady_clock::now();
  expect_failure(send_once(request), Kind::timed_out, true);
  EXPECT_GE(std::chrono::steady_clock::now() - before, 100ms);
  EXPECT_LT(std::chrono::steady_clock::now() - before, 3s);
  done.release();
}

// One deadline for everything: a peer that drips does not extend it.
TEST(HttpClient, EndsAnAnswerThatDrips) {
  RawPeer peer([](RawSocket socket) {
    socket.read_request();
    socket.send("HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n");
    while (socket.send("x")) std::this_thread::sleep_for(10ms);
  });
  auto request = get(at(peer));
  request.timeout = 150ms;
  expect_failure(send_once(request), Kind::timed_out, true);
}

TEST(HttpClient, CountsAPooledConnectionThatDiesAsSent) {
  // Answers the first request and resets at the second.
  RawPeer peer([](RawSocket socket) {
    socket.read_request();
    socket.send(kOk);
    socket.read_request();
    socket.reset();
  });
  run_blocking([&peer]() -> Task<void> {
    HttpClient client(co_await this_executor(), {});
    const auto first = co_await client.send(get(at(peer)));
    EXPECT_TRUE(first.has_value());
    const auto second = co_await client.send(get(at(peer)));
    expect_failure(second, Kind::reset, true);
  });
  EXPECT_EQ(peer.connections(), 1);
}

// --- keep-alive ------------------------------------------------------------------------------------------------------

int connections_for(const std::string& answer, int requests, HttpClient::Settings settings = {}) {
  RawPeer peer(always(answer));
  run_blocking([&]() -> Task<void> {
    HttpClient client(co_await this_executor(), settings);
    for (int i = 0; i < requests; ++i) {
      const auto got = co_await client.send(get(at(peer)));
      EXPECT_TRUE(got.has_value()) << got.error().text;
    }
  });
  return peer.connections();
}

TEST(HttpClient, UsesAConnectionAgain) {
  EXPECT_EQ(connections_for(kOk, 5), 1);
  EXPECT_EQ(connections_for("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n", 5), 1);
  EXPECT_EQ(connections_for("HTTP/1.1 204 No Content\r\n\r\n", 5), 1);
}

TEST(HttpClient, DoesNotUseAgainWhatMayNotBe) {
  EXPECT_EQ(connections_for("HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\nok", 3), 3);
  EXPECT_EQ(connections_for("HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nok", 3), 3);
  EXPECT_EQ(connections_for("HTTP/1.1 200 OK\r\nContent-Length: 300000\r\n\r\n" + std::string(300'000, 'x'), 3),
            3);   // not read to its end
  EXPECT_EQ(connections_for(kOk + "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil", 3),
            3);   // an answer nobody asked for
  EXPECT_EQ(connections_for(kOk, 3, {.idle_per_endpoint = 0}), 3);
  EXPECT_EQ(connections_for(kOk, 3, {.idle_time = 0ms}), 3);
}

TEST(HttpClient, OpensAnewWhenTheIdleConnectionWasClosed) {
  RawPeer peer(once(kOk));
  run_blocking([&peer]() -> Task<void> {
    HttpClient client(co_await this_executor(), {});
    for (int i = 0; i < 3; ++i) {
      const auto answer = co_await client.send(get(at(peer)));
      EXPECT_TRUE(answer.has_value()) << answer.error().text;
      co_await sleep_for(20ms);   // the close arrives
    }
  });
  EXPECT_EQ(peer.connections(), 3);
}

TEST(HttpClient, ClosesIdleConnectionsInTimeThoughNothingIsSent) {
  std::binary_semaphore closed{0};
  RawPeer peer([&closed](RawSocket socket) {
    socket.read_request();
    socket.send(kOk);
    socket.read_to_end();
    closed.release();
  });
  run_blocking([&]() -> Task<void> {
    HttpClient client(co_await this_executor(), {.idle_time = 50ms});
    const auto answer = co_await client.send(get(at(peer)));
    EXPECT_TRUE(answer.has_value());
    bool seen = false;
    for (int i = 0; i < 1000 && !seen; ++i) {
      co_await sleep_for(5ms);
      seen = closed.try_acquire();
    }
    EXPECT_TRUE(seen);
  });
}

// The pool belongs to a checked address, not to a name: after the name moved, the old address gets nothing more.
TEST(HttpClient, SendsToTheAddressTheNameHasNow) {
  RawPeer before(always("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nold"), "127.0.0.1");
  RawPeer after(always("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nnew"), "127.0.0.2", before.port());
  std::atomic<bool> moved{false};
  auto resolver = std::make_shared<Resolver>(
      1, 4,
      [&moved](const std::string&) -> Resolver::Answer {
        return std::vector<IpAddress>{parse_ip(moved ? "127.0.0.2" : "127.0.0.1").value()};
      },
      kNoCache);
  run_blocking([&]() -> Task<void> {
    HttpClient client(co_await this_executor(), {.resolver = resolver});
    const auto url = at(before, "/", "moving.test");
    EXPECT_EQ((co_await client.send(get(url)))->body, "old");
    moved = true;
    EXPECT_EQ((co_await client.send(get(url)))->body, "new");
    moved = false;
    EXPECT_EQ((co_await client.send(get(url)))->body, "old");
  });
  EXPECT_EQ(before.connections(), 1);
  EXPECT_EQ(after.connections(), 1);
}

TEST(HttpClient, TriesTheNextAddressWhenOneDoesNotAnswer) {
  RawPeer peer(always(kOk), "127.0.0.2");
  const auto answer =
      send_once(get(at(peer, "/", "two.test")), {.resolver = table({{"two.test", {"127.0.0.1", "127.0.0.2"}}})});
  ASSERT_TRUE(answer.has_value()) << answer.error().text;
  EXPECT_EQ(answer->status, 200);
}

// --- the guard -------------------------------------------------------------------------------------------------------

AddressGuard guard(const std::vector<std::string>& allow = {}) {
  return AddressGuard::make(allow, false).value();
}

TEST(HttpClient, RefusesLocalAddressesBeforeItConnects) {
  RawPeer peer(always(kOk));
  expect_failure(send_once(get(at(peer)), {.guard = guard()}), Kind::refused, false);
  expect_failure(send_once(get(at(peer, "/", "localhost")), {.guard = guard()}), Kind::refused, false);
  expect_failure(send_once(get(at(peer, "/", "inside.test")),
                           {.guard = guard(), .resolver = table({{"inside.test", {"127.0.0.1"}}})}),
                 Kind::refused, false);
  expect_failure(send_once(get(at(peer, "/", "[::ffff:127.0.0.1]")), {.guard = guard()}), Kind::refused, false);
  EXPECT_EQ(peer.connections(), 0);
}

TEST(HttpClient, RefusesANameWhenOneOfItsAddressesIsLocal) {
  RawPeer peer(always(kOk));
  const auto resolver = table({{"mixed.test", {"8.8.8.8", "127.0.0.1"}}});
  expect_failure(send_once(get(at(peer, "/", "mixed.test")), {.guard = guard(), .resolver = resolver}), Kind::refused,
                 false);
  EXPECT_EQ(peer.connections(), 0);
}

TEST(HttpClient, AsksNoNameServerForWhatItsNameForbids) {
  std::atomic<int> asked{0};
  const auto resolver = table({}, &asked);
  expect_failure(send_once(get("http://metadata.google.internal/"), {.guard = guard(), .resolver = resolver}),
                 Kind::refused, false);
  expect_failure(send_once(get("http://example.org:22/"), {.guard = guard(), .resolver = resolver}), Kind::refused,
                 false);
  EXPECT_EQ(asked, 0);
}

// A name that resolves to a public address once and to a local one the next time is judged each time.
TEST(HttpClient, ChecksTheNameAgainForEveryRequest) {
  RawPeer peer(always(kOk));
  std::atomic<int> asked{0};
  auto resolver = std::make_shared<Resolver>(
      1, 4,
      [&asked](const std::string&) -> Resolver::Answer {
        return std::vector<IpAddress>{parse_ip(asked++ == 0 ? "127.0.0.1" : "127.0.0.2").value()};
      },
      kNoCache);
  run_blocking([&]() -> Task<void> {
    HttpClient client(co_await this_executor(), {.guard = guard({"127.0.0.1"}), .resolver = resolver});
    const auto url = at(peer, "/", "rebinding.test");
    const auto first = co_await client.send(get(url));
    EXPECT_TRUE(first.has_value()) << first.error().text;
    const auto second = co_await client.send(get(url));
    expect_failure(second, Kind::refused, false);
  });
}

TEST(HttpClient, ReachesWhatTheAllowListOpens) {
  RawPeer peer(always(kOk));
  EXPECT_TRUE(send_once(get(at(peer)), {.guard = guard({"127.0.0.0/8"})}).has_value());
  EXPECT_TRUE(send_once(get(at(peer)), {.guard = guard({"127.0.0.1:" + std::to_string(peer.port())})}).has_value());
  EXPECT_FALSE(send_once(get(at(peer)), {.guard = guard({"127.0.0.1:1"})}).has_value());
}

// --- cancellation ----------------------------------------------------------------------------------------------------

// Cancels a request that waits for its answer; returns whether the peer saw the connection close.
TEST(HttpClient, CancelledCallsEndAndCloseTheirConnection) {
  std::binary_semaphore asked{0}, closed{0};
  RawPeer peer([&](RawSocket socket) {
    socket.read_request();
    asked.release();
    socket.read_to_end();
    closed.release();
  });
  run_blocking([&]() -> Task<void> {
    const auto executor = co_await this_executor();
    HttpClient client(executor, {});
    TaskGroup group(executor);
    bool ended = false;
    group.spawn("call", [&client, &peer, &ended]() -> Task<void> {
      const auto answer = co_await client.send(get(at(peer)));
      expect_failure(answer, Kind::cancelled, true);
      const auto next = co_await client.send(get(at(peer)));
      expect_failure(next, Kind::cancelled, false);
      ended = true;
    });
    while (!asked.try_acquire()) co_await sleep_for(1ms);
    group.cancel();
    co_await group.wait();
    EXPECT_TRUE(ended);
  });
  EXPECT_TRUE(closed.try_acquire_for(5s));
  EXPECT_EQ(peer.connections(), 1);
}

TEST(HttpClient, CancelledWhileItResolvesSendsNothing) {
  std::binary_semaphore entered{0}, answer_now{0};
  auto resolver = std::make_shared<Resolver>(1, 4, [&](const std::string&) -> Resolver::Answer {
    entered.release();
    answer_now.acquire();
    return std::vector<IpAddress>{parse_ip("127.0.0.1").value()};
  });
  RawPeer peer(always(kOk));
  run_blocking([&]() -> Task<void> {
    const auto executor = co_await this_executor();
    HttpClient client(executor, {.resolver = resolver});
    TaskGroup group(executor);
    group.spawn("call", [&client, &peer]() -> Task<void> {
      const auto answer = co_await client.send(get(at(peer, "/", "slow.test")));
      expect_failure(answer, Kind::cancelled, false);
    });
    while (!entered.try_acquire()) co_await sleep_for(1ms);
    group.cancel();
    co_await group.wait();
  });
  answer_now.release();
  EXPECT_EQ(peer.connections(), 0);
}

// The cancellation comes after `turns` turns of the event loop, so that it meets each step of the call once, also one
// that has completed and whose coroutine has not gone on yet: there it leaves no error behind.
void expect_quick_end_when_cancelled_after(int turns, const std::string& url, HttpClient::Settings settings,
                                           bool again) {
  run_blocking([&]() -> Task<void> {
    const auto executor = co_await this_executor();
    HttpClient client(executor, settings);
    TaskGroup group(executor);
    auto request = get(url);
    request.timeout = request.connect_timeout = 4s;
    group.spawn("call", [&client, request]() -> Task<void> {
      const auto answer = co_await client.send(request);
      EXPECT_FALSE(answer.has_value());
      if (!answer) EXPECT_EQ(to_string(answer.error().kind), "cancelled") << answer.error().text;
    });
    for (int i = 0; i < turns; ++i) co_await run_on(executor, []() -> Task<void> { co_return; });
    const auto before = std::chrono::steady_clock::now();
    if (again) {
      co_await group.cancel_and_wait();
    } else {
      group.cancel();
      co_await group.wait();
    }
    EXPECT_LT(std::chrono::steady_clock::now() - before, 2s) << "cancelled after " << turns << " turns";
  });
}

TEST(HttpClient, ACancellationIsSeenAtEveryStep) {
  std::latch done{1};
  RawPeer silent([&done](RawSocket) { done.wait(); });
  for (int turns = 0; turns < 12; ++turns) expect_quick_end_when_cancelled_after(turns, at(silent), {}, false);
  done.count_down();
}

TEST(HttpClient, MayBeDestroyedWhileACallIsInHand) {
  std::binary_semaphore asked{0}, answer_now{0};
  RawPeer peer([&](RawSocket socket) {
    socket.read_request();
    asked.release();
    answer_now.acquire();
    socket.send(kOk);
  });
  run_blocking([&]() -> Task<void> {
    const auto executor = co_await this_executor();
    auto client = std::make_shared<std::optional<HttpClient>>();
    client->emplace(executor, HttpClient::Settings{});
    TaskGroup group(executor);
    group.spawn("call", [client, &peer]() -> Task<void> {
      const auto answer = co_await (*client)->send(get(at(peer)));
      EXPECT_TRUE(answer.has_value()) << answer.error().text;
    });
    while (!asked.try_acquire()) co_await sleep_for(1ms);
    client->reset();
    answer_now.release();
    co_await group.wait();
  });
}

TEST(HttpClient, HoldsManyCallsAtOnce) {
  RawPeer peer(always(kOk));
  std::atomic<int> answered{0};
  run_blocking([&]() -> Task<void> {
    const auto executor = co_await this_executor();
    HttpClient client(executor, {.idle_per_endpoint = 4});
    TaskGroup group(executor);
    for (int i = 0; i < 50; ++i) {
      group.spawn("call", [&client, &peer, &answered]() -> Task<void> {
        for (int k = 0; k < 10; ++k) {
          const auto answer = co_await client.send(post(at(peer), "body"));
          if (answer && answer->body == "ok") ++answered;
        }
      });
    }
    co_await group.wait();
  });
  EXPECT_EQ(answered, 500);
}

// --- TLS -------------------------------------------------------------------------------------------------------------

struct TlsPeer {
  TlsPeer(const TestAuthority& authority, const std::string& names, int valid_days = 1, std::string answer = kOk,
          bool orderly = true)
      : context(authority.make_context(names, valid_days)),
        peer([this, answer = std::move(answer), orderly](RawSocket raw) {
          TlsSocket socket(std::move(raw), context.get());
          if (!socket.accept()) return;
          {
            const std::lock_guard lock(mutex);
            server_name = socket.server_name();
          }
          while (!socket.read_request().empty() && socket.send(answer)) {
            if (answer.find("Content-Length") == std::string::npos) break;
          }
          if (orderly) socket.shutdown();
        }) {}

  std::string url(const std::string& host) const { return "https://" + host + ":" + std::to_string(peer.port()) + "/"; }

  std::shared_ptr<SSL_CTX> context;
  std::mutex mutex;
  std::string server_name;
  RawPeer peer;
};

HttpClient::Settings trusting(const TestAuthority& authority) {
  return {.ca_file = authority.file(), .resolver = table({{"a.test", {"127.0.0.1"}}, {"b.test", {"127.0.0.1"}}})};
}

TEST(HttpClientTls, ChecksCertificateAndNameAndSaysTheName) {
  const TestAuthority authority;
  TlsPeer peer(authority, "DNS:a.test");
  const auto answer = send_once(get(peer.url("a.test")), trusting(authority));
  ASSERT_TRUE(answer.has_value()) << answer.error().text;
  EXPECT_EQ(answer->body, "ok");
  EXPECT_EQ(peer.server_name, "a.test");
}

TEST(HttpClientTls, UsesAConnectionAgain) {
  const TestAuthority authority;
  TlsPeer peer(authority, "DNS:a.test");
  run_blocking([&]() -> Task<void> {
    HttpClient client(co_await this_executor(), trusting(authority));
    for (int i = 0; i < 3; ++i) {
      const auto answer = co_await client.send(post(peer.url("a.test"), std::string(40'000, 'x')));
      EXPECT_TRUE(answer.has_value()) << answer.error().text;
    }
  });
  EXPECT_EQ(peer.peer.connections(), 1);
}

TEST(HttpClientTls, RefusesTheWrongName) {
  const TestAuthority authority;
  TlsPeer peer(authority, "DNS:a.test");
  expect_failure(send_once(get(peer.url("b.test")), trusting(authority)), Kind::tls, false);
  expect_failure(send_once(get(peer.url("127.0.0.1")), trusting(authority)), Kind::tls, false);
}

// A connection that was opened for one name must not carry requests for another.
TEST(HttpClientTls, SharesNoConnectionBetweenNames) {
  const TestAuthority authority;
  TlsPeer peer(authority, "DNS:a.test");
  run_blocking([&]() -> Task<void> {
    HttpClient client(co_await this_executor(), trusting(authority));
    const auto first = co_await client.send(get(peer.url("a.test")));
    EXPECT_TRUE(first.has_value()) << first.error().text;
    const auto second = co_await client.send(get(peer.url("b.test")));
    expect_failure(second, Kind::tls, false);
  });
}

TEST(HttpClientTls, TakesAnAddressThatTheCertificateNames) {
  const TestAuthority authority;
  TlsPeer peer(authority, "IP:127.0.0.1");
  const auto answer = send_once(get(peer.url("127.0.0.1")), trusting(authority));
  EXPECT_TRUE(answer.has_value()) << answer.error().text;
}

TEST(HttpClientTls, RefusesAnUnknownAuthority) {
  const TestAuthority authority, another;
  TlsPeer peer(authority, "DNS:a.test");
  expect_failure(send_once(get(peer.url("a.test")), trusting(another)), Kind::tls, false);
  auto system_only = trusting(authority);
  system_only.ca_file.clear();
  expect_failure(send_once(get(peer.url("a.test")), system_only), Kind::tls, false);
}

TEST(HttpClientTls, RefusesAnExpiredCertificate) {
  const TestAuthority authority;
  TlsPeer peer(authority, "DNS:a.test", -1);
  expect_failure(send_once(get(peer.url("a.test")), trusting(authority)), Kind::tls, false);
}

TEST(HttpClientTls, SpeaksNothingOlderThanTls12) {
  const TestAuthority authority;
  TlsPeer old(authority, "DNS:a.test");
  SSL_CTX_set_min_proto_version(old.context.get(), TLS1_VERSION);
  SSL_CTX_set_max_proto_version(old.context.get(), TLS1_1_VERSION);
  SSL_CTX_set_cipher_list(old.context.get(), "ALL:@SECLEVEL=0");
  expect_failure(send_once(get(old.url("a.test")), trusting(authority)), Kind::tls, false);
  TlsPeer usable(authority, "DNS:a.test");
  SSL_CTX_set_max_proto_version(usable.context.get(), TLS1_2_VERSION);
  EXPECT_TRUE(send_once(get(usable.url("a.test")), trusting(authority)).has_value());
}

TEST(HttpClientTls, EndsAHandshakeThatGetsNoAnswer) {
  std::binary_semaphore done{0};
  RawPeer silent([&done](RawSocket) { done.acquire(); });
  const TestAuthority authority;
  auto request = get("https://a.test:" + std::to_string(silent.port()) + "/");
  request.connect_timeout = 100ms;
  const auto before = std::chrono::steady_clock::now();
  expect_failure(send_once(request, trusting(authority)), Kind::timed_out, false);
  EXPECT_LT(std::chrono::steady_clock::now() - before, 3s);
  done.release();
}

// Within a handshake only the repetition reaches every step.
TEST(HttpClientTls, ACancellationIsSeenAtEveryStep) {
  std::latch done{1};
  RawPeer silent([&done](RawSocket) { done.wait(); });
  const TestAuthority authority;
  const std::string url = "https://127.0.0.1:" + std::to_string(silent.port()) + "/";
  for (int turns = 0; turns < 16; ++turns)
    expect_quick_end_when_cancelled_after(turns, url, {.ca_file = authority.file()}, true);
  done.count_down();
}

TEST(HttpClientTls, MarksABodyThatAnAttackerMayHaveCut) {
  const TestAuthority authority;
  TlsPeer orderly(authority, "DNS:a.test", 1, "HTTP/1.1 200 OK\r\n\r\nhello", true);
  const auto whole = send_once(get(orderly.url("a.test")), trusting(authority));
  ASSERT_TRUE(whole.has_value()) << whole.error().text;
  EXPECT_EQ(whole->body, "hello");
  EXPECT_FALSE(whole->truncated);
  TlsPeer cut(authority, "DNS:a.test", 1, "HTTP/1.1 200 OK\r\n\r\nhello", false);
  const auto part = send_once(get(cut.url("a.test")), trusting(authority));
  ASSERT_TRUE(part.has_value()) << part.error().text;
  EXPECT_EQ(part->status, 200);
  EXPECT_TRUE(part->truncated);
}

}   // namespace
}   // namespace agentauri::net
