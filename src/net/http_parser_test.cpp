#include "net/http_parser.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <vector>

namespace agentauri::net {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::Pair;
using State = HttpParser::State;

HttpServerLimits small_limits() {
  HttpServerLimits limits;
  limits.head_bytes = 512;
  limits.header_fields = 8;
  limits.target_bytes = 64;
  limits.body_bytes = 32;
  return limits;
}

// What came of a byte stream: requests one after the other until an error or the end.
struct Outcome {
  std::vector<HttpRequest> requests;
  std::vector<bool> keeps;
  State last = State::head;
  int error = 0;
  std::string text;
};

Outcome parse(std::string_view bytes, const HttpServerLimits& limits, std::size_t piece) {
  Outcome out;
  HttpParser parser(limits);
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    std::string_view rest = bytes.substr(at, piece);
    while (!rest.empty() && parser.state() != State::error) {
      const std::size_t used = parser.feed(rest);
      rest.remove_prefix(used);
      if (parser.state() == State::complete) {
        out.keeps.push_back(parser.keep_alive());
        out.requests.push_back(std::move(parser.request()));
        parser.reset();
      }
    }
    if (parser.state() == State::error) break;
  }
  out.last = parser.state();
  out.error = parser.error_status();
  out.text = parser.error_text();
  return out;
}

Outcome parse(std::string_view bytes) {
  return parse(bytes, small_limits(), bytes.size());
}

std::string with_field(std::string_view field) {
  return "GET / HTTP/1.1\r\nHost: a\r\n" + std::string(field) + "\r\n\r\n";
}

TEST(HttpParser, TakesARequestApart) {
  const auto out =
      parse("POST /a/b?c=d%20e HTTP/1.1\r\nHost: example.org:8080\r\nX-One:  v 1 \t\r\nContent-Length: 5\r\n\r\nhello");
  ASSERT_EQ(out.requests.size(), 1U);
  const auto& request = out.requests[0];
  EXPECT_EQ(request.method, "POST");
  EXPECT_EQ(request.target, "/a/b?c=d%20e");
  EXPECT_EQ(request.path, "/a/b");
  EXPECT_EQ(request.query, "c=d%20e");
  EXPECT_THAT(request.headers.all(),
              ElementsAre(Pair("Host", "example.org:8080"), Pair("X-One", "v 1"), Pair("Content-Length", "5")));
  EXPECT_EQ(request.body, "hello");
  EXPECT_EQ(request.head_bytes, 88U);
  EXPECT_THAT(out.keeps, ElementsAre(true));
}

// Same outcome wherever the bytes were cut: at every byte in two, and one byte at a time.
class EverySplit : public testing::TestWithParam<const char*> {};

TEST_P(EverySplit, GivesTheSameOutcome) {
  const std::string bytes = GetParam();
  const auto limits = small_limits();
  const auto whole = parse(bytes, limits, bytes.size());
  const auto describe = [](const Outcome& out) {
    std::string text = std::to_string(out.error) + out.text + std::to_string(static_cast<int>(out.last));
    for (const auto& request : out.requests) {
      text +=
          "|" + request.method + " " + request.target + " " + std::to_string(request.head_bytes) + " " + request.body;
      for (const auto& [name, value] : request.headers.all()) text += "," + name + "=" + value;
    }
    return text;
  };
  EXPECT_EQ(describe(parse(bytes, limits, 1)), describe(whole));
  for (std::size_t cut = 1; cut < bytes.size(); ++cut) {
    EXPECT_EQ(describe(parse(bytes, limits, cut)), describe(whole)) << "pieces of " << cut;
  }
}

INSTANTIATE_TEST_SUITE_P(
    Corpus, EverySplit,
    testing::Values(
        "GET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "\r\n\r\nGET /x HTTP/1.1\r\nHost: a\r\n\r\nPOST /y HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabcGET /z "
        "HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5;x=y\r\nhello\r\nA\r\n0123456789\r\n0\r\nT: "
        "1\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloX\r\n0\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: "
        "chunked\r\n\r\n14\r\n01234567890123456789\r\n14\r\n01234567890123456789\r\n0\r\n\r\n",
        "GET http://example.org/p?q HTTP/1.1\r\nHost: b\r\n\r\n",
        "GET "
        "/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
        "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa HTTP/1.1\r\n\r\n",
        "GET / HTTP/1.1\nHost: a\n\n", "GET / HTTP/1.1\r\nHost: a\r\nX: y\rz\r\n\r\n",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 33\r\n\r\n",
        "HEAD / HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET / HTTP/1.0\r\n\r\n", "GET / HTTP/1.1\r\nHost: a\r\n"));

struct Refused {
  const char* why;
  std::string bytes;
  int status;
};
void PrintTo(const Refused& refused, std::ostream* out) {
  *out << refused.why;
}

class Refusal : public testing::TestWithParam<Refused> {};

TEST_P(Refusal, HasItsStatus) {
  for (const std::size_t piece : {GetParam().bytes.size(), std::size_t{1}, std::size_t{7}}) {
    const auto out = parse(GetParam().bytes, small_limits(), piece);
    EXPECT_EQ(out.error, GetParam().status) << out.text;
    EXPECT_TRUE(out.requests.empty());
    EXPECT_FALSE(out.text.empty());
  }
}

const std::string kPost = "POST / HTTP/1.1\r\nHost: a\r\n";
const std::string kChunked = kPost + "Transfer-Encoding: chunked\r\n\r\n";

INSTANTIATE_TEST_SUITE_P(
    Smuggling, Refusal,
    testing::Values(
        Refused{"both lengths", kPost + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", 400},
        Refused{"both lengths, coding first",
                kPost + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", 400},
        Refused{"two equal lengths", kPost + "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", 400},
        Refused{"two different lengths", kPost + "Content-Length: 5\r\ncontent-length: 6\r\n\r\nhello", 400},
        Refused{"a list of lengths", kPost + "Content-Length: 5, 5\r\n\r\nhello", 400},
        Refused{"a signed length", kPost + "Content-Length: +5\r\n\r\nhello", 400},
        Refused{"a negative length", kPost + "Content-Length: -5\r\n\r\nhello", 400},
        Refused{"a hexadecimal length", kPost + "Content-Length: 0x5\r\n\r\nhello", 400},
        Refused{"a length with a space inside", kPost + "Content-Length: 1 1\r\n\r\nhello", 400},
        Refused{"an empty length", kPost + "Content-Length:\r\n\r\n", 400},
        Refused{"a length beyond 64 bits", kPost + "Content-Length: 18446744073709551621\r\n\r\n", 400},
        Refused{"space before the colon", kPost + "Content-Length : 5\r\n\r\nhello", 400},
        Refused{"tab before the colon", kPost + "Transfer-Encoding\t: chunked\r\n\r\n0\r\n\r\n", 400},
        Refused{"another coding", kPost + "Transfer-Encoding: gzip\r\n\r\n", 501},
        Refused{"coding list", kPost + "Transfer-Encoding: gzip, chunked\r\n\r\n", 501},
        Refused{"identity", kPost + "Transfer-Encoding: identity\r\n\r\n", 501},
        Refused{"chunked with a parameter", kPost + "Transfer-Encoding: chunked;a=b\r\n\r\n", 501},
        Refused{"misspelt chunked", kPost + "Transfer-Encoding: xchunked\r\n\r\n", 501},
        Refused{"quoted chunked", kPost + "Transfer-Encoding: \"chunked\"\r\n\r\n", 501},
        Refused{"vertical tab before chunked", kPost + "Transfer-Encoding: \vchunked\r\n\r\n", 400},
        Refused{"empty coding", kPost + "Transfer-Encoding:\r\n\r\n", 501},
        Refused{"chunked twice", kPost + "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n", 400},
        Refused{"chunked, then identity", kPost + "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n\r\n",
                400},
        Refused{"chunked in HTTP/1.0", "POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
                400},
        Refused{"folded field", kPost + "X: a\r\n b\r\n\r\n", 400},
        Refused{"folded with a tab", kPost + "X: a\r\n\tb\r\n\r\n", 400},
        Refused{"first field folded", "GET / HTTP/1.1\r\n Host: a\r\n\r\n", 400},
        Refused{"bare CR in a value", kPost + "X: a\rTransfer-Encoding: chunked\r\n\r\n", 400},
        Refused{"bare LF ends a line", kPost + "X: a\nY: b\r\n\r\n", 400},
        Refused{"bare LF ends the head", "GET / HTTP/1.1\r\nHost: a\r\n\n", 400},
        Refused{"CR CR LF", kPost + "X: a\r\r\n\r\n", 400},
        Refused{"NUL in a value", kPost + std::string("X: a\0b\r\n\r\n", 10), 400},
        Refused{"NUL in a name", kPost + std::string("X\0: a\r\n\r\n", 9), 400},
        Refused{"field without a colon", kPost + "Content-Length 5\r\n\r\n", 400},
        Refused{"field without a name", kPost + ": 5\r\n\r\n", 400}, Refused{"no Host", "GET / HTTP/1.1\r\n\r\n", 400},
        Refused{"two Hosts", "GET / HTTP/1.1\r\nHost: a\r\nHost: a\r\n\r\n", 400},
        Refused{"Host with a space", "GET / HTTP/1.1\r\nHost: a b\r\n\r\n", 400},
        Refused{"Host with userinfo", "GET / HTTP/1.1\r\nHost: u@a\r\n\r\n", 400},
        Refused{"Host with a path", "GET / HTTP/1.1\r\nHost: a/b\r\n\r\n", 400},
        Refused{"chunk size with a sign", kChunked + "+5\r\nhello\r\n0\r\n\r\n", 400},
        Refused{"chunk size with 0x", kChunked + "0x5\r\nhello\r\n0\r\n\r\n", 400},
        Refused{"chunk size with a space", kChunked + "5 \r\nhello\r\n0\r\n\r\n", 400},
        Refused{"empty chunk size", kChunked + "\r\nhello\r\n0\r\n\r\n", 400},
        Refused{"chunk size beyond 64 bits", kChunked + "10000000000000005\r\nhello\r\n0\r\n\r\n", 400},
        Refused{"bare LF after a chunk size", kChunked + "5\nhello\r\n0\r\n\r\n", 400},
        Refused{"bare LF after chunk data", kChunked + "5\r\nhello\n0\r\n\r\n", 400},
        Refused{"chunk longer than its size", kChunked + "4\r\nhello\r\n0\r\n\r\n", 400},
        Refused{"bare CR in an extension", kChunked + "5;a\rb\r\nhello\r\n0\r\n\r\n", 400},
        Refused{"NUL in an extension", kChunked + std::string("5;\0\r\nhello\r\n0\r\n\r\n", 17), 400},
        Refused{"endless extension", kChunked + "5;" + std::string(300, 'x') + "\r\nhello\r\n0\r\n\r\n", 400},
        Refused{"trailer without a colon", kChunked + "0\r\nGET / HTTP/1.1\r\n\r\n", 400},
        Refused{"folded trailer", kChunked + "0\r\nX: y\r\n z\r\n\r\n", 400}));

INSTANTIATE_TEST_SUITE_P(
    RequestLine, Refusal,
    testing::Values(Refused{"no version", "GET /\r\nHost: a\r\n\r\n", 400},
                    Refused{"two spaces", "GET  / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
                    Refused{"space in the target", "GET /a b HTTP/1.1\r\nHost: a\r\n\r\n", 400},
                    Refused{"trailing space", "GET / HTTP/1.1 \r\nHost: a\r\n\r\n", 400},
                    Refused{"leading space", " GET / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
                    Refused{"tab for a space", "GET\t/\tHTTP/1.1\r\nHost: a\r\n\r\n", 400},
                    Refused{"method with a bracket", "G(T / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
                    Refused{"endless method", std::string(33, 'G') + " / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
                    Refused{"CONNECT", "CONNECT a:443 HTTP/1.1\r\nHost: a\r\n\r\n", 501},
                    Refused{"HTTP/2 preface", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 505},
                    Refused{"HTTP/1.2", "GET / HTTP/1.2\r\nHost: a\r\n\r\n", 505},
                    Refused{"lower-case version", "GET / http/1.1\r\nHost: a\r\n\r\n", 400},
                    Refused{"version without digits", "GET / HTTP/x.y\r\nHost: a\r\n\r\n", 400},
                    Refused{"fragment", "GET /a#b HTTP/1.1\r\nHost: a\r\n\r\n", 400},
                    Refused{"control character", "GET /\x01 HTTP/1.1\r\nHost: a\r\n\r\n", 400},
                    Refused{"DEL", "GET /\x7f HTTP/1.1\r\nHost: a\r\n\r\n", 400},
                    Refused{"byte above ASCII", "GET /\xc3\xa4 HTTP/1.1\r\nHost: a\r\n\r\n", 400},
                    Refused{"relative target", "GET a HTTP/1.1\r\nHost: a\r\n\r\n", 400},
                    Refused{"bare query", "GET ?a HTTP/1.1\r\nHost: a\r\n\r\n", 400},
                    Refused{"star for GET", "GET * HTTP/1.1\r\nHost: a\r\n\r\n", 400},
                    Refused{"absolute without a host", "GET http:///a HTTP/1.1\r\nHost: a\r\n\r\n", 400},
                    Refused{"absolute with userinfo", "GET http://u:p@b/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
                    Refused{"another scheme", "GET ftp://b/ HTTP/1.1\r\nHost: a\r\n\r\n", 400},
                    Refused{"a TLS hello", std::string("\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\n", 12), 400},
                    Refused{"five empty lines", "\r\n\r\n\r\n\r\n\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n", 400},
                    Refused{"another expectation", with_field("Expect: 200-ok"), 417}));

TEST(HttpParser, TakesAnAbsoluteTargetForItsPathAndItsHost) {
  const auto out = parse("GET HTTP://example.org?x=1 HTTP/1.1\r\nHost: other\r\n\r\n");
  ASSERT_EQ(out.requests.size(), 1U) << out.text;
  EXPECT_EQ(out.requests[0].target, "/?x=1");
  EXPECT_EQ(out.requests[0].path, "/");
  EXPECT_EQ(*out.requests[0].headers.find("host"), "example.org");
  EXPECT_EQ(out.requests[0].headers.count("host"), 1U);
}

TEST(HttpParser, TakesTheStarOfOptions) {
  const auto out = parse("OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n");
  ASSERT_EQ(out.requests.size(), 1U);
  EXPECT_EQ(out.requests[0].path, "*");
}

TEST(HttpParser, JoinsChunksAndDropsTrailers) {
  const auto out =
      parse(kChunked + "000005;a=b;c\r\nhello\r\n1\r\n \r\n5\r\nworld\r\n0;last\r\nContent-Length: 99\r\n\r\n");
  ASSERT_EQ(out.requests.size(), 1U) << out.text;
  EXPECT_EQ(out.requests[0].body, "hello world");
  EXPECT_EQ(out.requests[0].headers.find("Content-Length"), nullptr);
}

TEST(HttpParser, KeepsAliveAsTheVersionAndTheConnectionFieldSay) {
  const auto keeps = [](std::string_view version, std::string_view field) {
    const auto out = parse("GET / " + std::string(version) + "\r\nHost: a\r\n" + std::string(field) + "\r\n");
    return out.keeps.size() == 1 && out.keeps[0];
  };
  EXPECT_TRUE(keeps("HTTP/1.1", ""));
  EXPECT_FALSE(keeps("HTTP/1.1", "Connection: close\r\n"));
  EXPECT_FALSE(keeps("HTTP/1.1", "Connection: foo ,CLOSE\r\n"));
  EXPECT_FALSE(keeps("HTTP/1.0", ""));
  EXPECT_TRUE(keeps("HTTP/1.0", "Connection: Keep-Alive\r\n"));
  EXPECT_FALSE(keeps("HTTP/1.0", "Connection: close\r\nConnection: keep-alive\r\n"));
}

// Each bound: what just fits passes, one more is refused.
TEST(HttpParser, HoldsTheBoundOfTheTarget) {
  const auto request = [](std::size_t n) { return "GET /" + std::string(n - 1, 'a') + " HTTP/1.1\r\nHost: a\r\n\r\n"; };
  EXPECT_EQ(parse(request(64)).requests.size(), 1U);
  EXPECT_EQ(parse(request(65)).error, 414);
  EXPECT_EQ(parse(request(5000)).error, 414);
  EXPECT_EQ(parse("GET /" + std::string(5000, 'a')).error, 414);   // without waiting for its end
}

TEST(HttpParser, HoldsTheBoundOfTheHead) {
  const std::string frame = "GET / HTTP/1.1\r\nHost: a\r\nX: \r\n\r\n";
  const auto request = [&frame](std::size_t bytes) {
    std::string out = frame;
    return out.insert(out.size() - 4, bytes - frame.size(), 'v');
  };
  EXPECT_EQ(parse(request(512)).requests.size(), 1U);
  EXPECT_EQ(parse(request(513)).error, 431);
  EXPECT_EQ(parse("GET / HTTP/1.1\r\nX: " + std::string(600, 'a')).error, 431);
}

TEST(HttpParser, HoldsTheNumberOfFields) {
  const auto request = [](int n) {
    std::string out = "GET / HTTP/1.1\r\nHost: a\r\n";
    for (int i = 1; i < n; ++i) out += "A: b\r\n";
    return out + "\r\n";
  };
  EXPECT_EQ(parse(request(8)).requests.size(), 1U);
  EXPECT_EQ(parse(request(9)).error, 431);
}

TEST(HttpParser, HoldsTheBoundOfADeclaredBodyBeforeReadingIt) {
  EXPECT_EQ(parse(kPost + "Content-Length: 32\r\n\r\n" + std::string(32, 'b')).requests.size(), 1U);
  const auto out = parse(kPost + "Content-Length: 33\r\n\r\n");
  EXPECT_EQ(out.error, 413);
  EXPECT_EQ(out.text, "JSON payload (33 bytes) is larger than allowed (limit: 32 bytes).");
}

TEST(HttpParser, HoldsTheBoundOfAChunkedBody) {
  EXPECT_EQ(parse(kChunked + "10\r\n0123456789abcdef\r\n10\r\n0123456789abcdef\r\n0\r\n\r\n").requests.size(), 1U);
  const auto out = parse(kChunked + "10\r\n0123456789abcdef\r\n11\r\n");
  EXPECT_EQ(out.error, 413);
  EXPECT_EQ(out.text, "JSON payload has exceeded limit (32 bytes).");
  EXPECT_EQ(parse(kChunked + "FFFFFFFFFFFFFFFF\r\n").error, 413);
}

TEST(HttpParser, HoldsTheBoundOfATrailer) {
  std::string trailer;
  for (int i = 0; i < 7; ++i) trailer += "T: " + std::string(80, 't') + "\r\n";
  const auto out = parse(kChunked + "0\r\n" + trailer + "\r\n");
  EXPECT_EQ(out.error, 431);
}

TEST(HttpParser, HoldsTheSumOfChunkExtensions) {
  HttpServerLimits limits;
  std::string body;
  for (int i = 0; i < 20; ++i) body += "1;" + std::string(249, 'x') + "\r\nb\r\n";
  const std::string bytes = kChunked + body + "0\r\n\r\n";
  EXPECT_EQ(parse(bytes, limits, bytes.size()).error, 400);
}

TEST(HttpParser, AsksForTheBodyOnlyWhenTheClientWaits) {
  const auto limits = small_limits();
  HttpParser parser(limits);
  parser.feed(kPost + "Expect: 100-Continue\r\nContent-Length: 3\r\n\r\n");
  EXPECT_EQ(parser.state(), State::body);
  EXPECT_TRUE(parser.wants_continue());

  HttpParser old(limits);
  old.feed("POST / HTTP/1.0\r\nExpect: 100-continue\r\nContent-Length: 3\r\n\r\n");
  EXPECT_EQ(old.state(), State::body);
  EXPECT_FALSE(old.wants_continue());
}

}   // namespace
}   // namespace agentauri::net
