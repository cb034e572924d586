// What becomes of the server when memory runs out at an awkward place: `new[]` of this program can be told to fail.
#include <gtest/gtest.h>

#include <atomic>
#include <new>
#include <thread>

#include "net/http_connection.hpp"
#include "net/http_server.hpp"
#include "net/testing/raw_socket.hpp"

namespace {
std::atomic<std::size_t> failing_size{0};   // arrays of so many bytes cannot be had
std::atomic<int> failures{0};
}   // namespace

void* operator new[](std::size_t size) {
  if (size == failing_size) {
    ++failures;
    throw std::bad_alloc();
  }
  return ::operator new(size);
}
void operator delete[](void* memory) noexcept {
  ::operator delete(memory);
}
void operator delete[](void* memory, std::size_t) noexcept {
  ::operator delete(memory);
}

namespace agentauri::net {
namespace {

TEST(HttpServerWithoutMemory, GoesOnWhenAConnectionCannotBeTaken) {
  IoThread thread("io");
  HttpServer server(
      {thread.executor()}, {}, [](HttpRequest) -> Task<HttpResponse> { co_return HttpResponse{}; },
      [](int status, std::string_view, const HttpRequest&) { return HttpResponse{.status = status}; });
  ASSERT_TRUE(server.start());
  failing_size = HttpConnection::kReadBytes;
  auto lost = testing::RawSocket::connect(server.port());
  EXPECT_TRUE(lost.closes_within(testing::kPatience));
  failing_size = 0;
  EXPECT_EQ(failures, 1);
  auto next = testing::RawSocket::connect(server.port());
  next.send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
  EXPECT_TRUE(next.read_response().starts_with("HTTP/1.1 200 "));
  run_blocking([&server]() -> Task<void> { co_await server.stop(std::chrono::seconds(1)); });
}

}   // namespace
}   // namespace agentauri::net
