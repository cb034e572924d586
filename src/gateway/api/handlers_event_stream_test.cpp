#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gateway/api/routes.hpp"
#include "gateway/event_feed.hpp"
#include "gateway/limits/open_streams.hpp"
#include "gateway/testing/gateway_fixture.hpp"
#include "gateway/testing/test_chain.hpp"

namespace agentauri::gateway {
namespace {

using testing::Call;
using ::testing::ElementsAre;
using testing::Harness;
using testing::HeaderList;
using ::testing::IsEmpty;
using testing::TestChain;
using namespace std::chrono_literals;

const std::string kStream = "/api/v1/events/stream";

struct Frame {
  std::string id, event, data;
};

// Takes the pieces of a stream as a client does (WHATWG HTML, 9.2.6), and is gone after so many events.
class Reader final : public net::BodyStream {
 public:
  explicit Reader(std::size_t wanted) : wanted_(wanted) {}

  Task<bool> write(std::string_view piece) override {
    has_begun = true;
    text_ += piece;
    for (std::size_t end = text_.find("\n\n"); end != std::string::npos; end = text_.find("\n\n")) {
      take(text_.substr(0, end + 1));
      text_.erase(0, end + 2);
    }
    co_return frames.size() < wanted_;
  }
  std::vector<Frame> frames;
  std::string last_id;
  bool has_begun = false;

 private:
  void take(const std::string& block) {
    if (frames.size() == wanted_) return;   // cut while the rest was under way
    Frame frame;
    for (std::size_t start = 0; start < block.size(); start = block.find('\n', start) + 1) {
      const auto line = block.substr(start, block.find('\n', start) - start);
      if (line.starts_with("id: ")) last_id = line.substr(4);
      if (line.starts_with("event: ")) frame.event = line.substr(7);
      if (line.starts_with("data: ")) frame.data += line.substr(6);
    }
    frame.id = last_id;
    if (frame.data.empty()) return;
    frames.push_back(std::move(frame));
  }
  std::size_t wanted_;
  std::string text_;
};

class EventStreamApi : public testing::EngineHarness {
 protected:
  net::HttpResponse open(HeaderList headers, const std::string& query = {}) {
    net::HttpResponse out;
    run_blocking([&]() -> Task<void> {
      out = co_await h.gateway_->handle(testing::make_request({"GET", kStream + query, std::nullopt, headers}));
    });
    return out;
  }
  // Runs the stream beside `meanwhile` until the reader has had enough.
  void run(const net::HttpResponse& response, Reader& reader, std::function<void()> meanwhile = {}) {
    ASSERT_TRUE(response.stream) << response.status << response.body;
    run_blocking([&]() -> Task<void> {
      TaskGroup group(co_await this_executor());
      group.spawn("stream", [&]() -> Task<void> { co_await response.stream(reader); });
      if (meanwhile) meanwhile();
      EXPECT_TRUE(co_await group.wait_for(30s)) << "the stream does not end";
      co_await group.cancel_and_wait();
    });
  }
  static std::vector<std::string> told(const Reader& reader) {
    std::vector<std::string> out;
    for (const auto& frame : reader.frames) {
      const auto id = json::parse(frame.data)->at("id");
      out.push_back((frame.event == "retracted" ? "-" : "+") + std::string(json::view(id.get_string())));
    }
    return out;
  }
  static HeaderList with(HeaderList headers, std::string name, std::string value) {
    headers.emplace_back(std::move(name), std::move(value));
    return headers;
  }

  HeaderList user = h.signed_in("ada");
  TestChain chain{h.db(), 31337};
};

TEST_P(EventStreamApi, TellsWhatHappensFromNowOn) {
  chain.grow(2);
  const auto response = open(user);
  ASSERT_EQ(response.status, 200);
  EXPECT_EQ(*response.headers.find("Content-Type"), "text/event-stream");
  EXPECT_EQ(*response.headers.find("Cache-Control"), "no-cache");
  EXPECT_EQ(*response.headers.find("X-Accel-Buffering"), "no");
  EXPECT_EQ(response.headers.find("ETag"), nullptr) << "nobody has the whole of it";
  Reader reader(4);
  chain.told.clear();
  run(response, reader, [&] {
    chain.grow(2);
    chain.rewind(1);
    h.db().notify("block_log");
  });
  EXPECT_EQ(told(reader), chain.told);
  // Each event is what the list shows.
  const auto listed = h.get("/api/v1/events?limit=1", user);
  Reader again(1);
  run(open(with(user, "Last-Event-ID", "31337:0")), again);
  const auto event = *json::parse(again.frames.at(0).data);
  for (const auto* member : {"chain_id", "block_number", "tx_hash", "event_type", "registry", "timestamp", "data"})
    EXPECT_NE(event.as_object().if_contains(member), nullptr) << member;
  EXPECT_EQ(event.as_object().size(), listed.find("data.0")->as_object().size());
}

TEST_P(EventStreamApi, GoesOnBehindTheLastEventThatTheClientSaw) {
  chain.grow(3);
  chain.grow(70);
  Reader first(2), second(71);
  run(open(user, "?last_event_id=-"), first);
  run(open(with(user, "Last-Event-ID", first.last_id), "?last_event_id=-"), second);   // the header is the newer one
  auto all = told(first);
  const auto rest = told(second);
  all.insert(all.end(), rest.begin(), rest.end());
  EXPECT_EQ(all, chain.told);
}

TEST_P(EventStreamApi, FiltersAndMovesOn) {
  chain.grow(4);
  Reader reader(1);
  run(open(user, "?agentId=003&eventType=Transfer&chainId=31337&last_event_id=-"), reader);
  EXPECT_THAT(told(reader), ElementsAre(chain.told[3]));
}

TEST_P(EventStreamApi, BadRequestsAreToldBeforeItBegins) {
  const auto refused = [&](HeaderList headers, const std::string& query = {}) {
    return h.call({"GET", kStream + query, std::nullopt, std::move(headers)});
  };
  EXPECT_EQ(refused({}).status, 401);
  EXPECT_EQ(refused(user, "?chainId=x").at("error"), "bad_request");
  EXPECT_EQ(refused(with(user, "X-Organization-ID", "nonsense")).status, 403);
  const auto malformed = refused(with(user, "Last-Event-ID", "12"));
  EXPECT_EQ(malformed.status, 400);
  EXPECT_EQ(malformed.at("error"), "validation_error");
  EXPECT_EQ(malformed.at("details.0.field"), "Last-Event-ID");
  EXPECT_EQ(malformed.at("details.0.code"), "unknown_position");
  EXPECT_EQ(refused(user, "?last_event_id=31337:9").at("details.0.code"), "unknown_position");
}

TEST_P(EventStreamApi, EndsWhenTheSessionDoes) {
  const auto response = open(user);
  Reader reader(1);
  run_blocking([&]() -> Task<void> {
    TaskGroup group(co_await this_executor());
    group.spawn("stream", [&]() -> Task<void> { co_await response.stream(reader); });
    while (!reader.has_begun && co_await sleep_for(1ms)) {
    }
    // By this gateway itself, which therefore knows at once.
    const auto out = co_await h.gateway_->handle(testing::make_request({"POST", "/api/v1/auth/logout", {}, user}));
    EXPECT_EQ(out.status, 200);
    EXPECT_TRUE(co_await group.wait_for(30s)) << "the stream does not end";
    co_await group.cancel_and_wait();
  });
  chain.grow(1);
  run(response, reader);
  EXPECT_THAT(reader.frames, IsEmpty()) << "not one event for a session that is over";
}

TEST_P(EventStreamApi, TheFeedLooksByItself) {
  EventFeed feed(h.db());
  run_blocking([&]() -> Task<void> {
    TaskGroup group(co_await this_executor());
    const auto grown = feed.listen(co_await this_executor());
    group.spawn("feed", [&]() -> Task<void> { co_await feed.run(); });
    chain.grow(1);   // and nobody gives a hint
    EXPECT_TRUE(co_await grown->wait_for(30s));
    chain.grow(0);
    EXPECT_FALSE(co_await grown->wait_for(3 * kEventFeedPoll)) << "a block without events is no news";
    co_await group.cancel_and_wait();
  });
}

TEST_P(EventStreamApi, NobodyHasAllTheStreams) {
  std::vector<net::HttpResponse> open_ones;
  for (std::size_t i = 0; i < kOpenStreamsOfOwner; ++i) {
    open_ones.push_back(open(user));
    ASSERT_EQ(open_ones.back().status, 200);
  }
  const auto refused = h.get(kStream, user);
  EXPECT_EQ(refused.status, 429);
  EXPECT_EQ(refused.at("error"), "rate_limited");
  EXPECT_EQ(refused.header("Retry-After"), "10");
  EXPECT_EQ(open(h.signed_in("eve")).status, 200) << "somebody else has their own";
  open_ones.pop_back();
  EXPECT_EQ(open(user).status, 200);
}

INSTANTIATE_TEST_SUITE_P(Engines, EventStreamApi, store::testing::kEngines, store::testing::engine_name);

}   // namespace
}   // namespace agentauri::gateway
