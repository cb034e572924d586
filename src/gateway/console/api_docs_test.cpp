#include "gateway/console/api_docs.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "core/compress/compress.hpp"
#include "gateway/testing/gateway_fixture.hpp"

namespace agentauri::gateway {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

const std::string kPage = "<html>the page</html>";
const std::string kPackedPage = gzip(kPage, Effort::thorough);
const std::string kPackedScript = gzip("start()", Effort::thorough);
const std::vector<embedded::EmbeddedFile> kFiles{{"index.html.gz", kPackedPage}, {"start.js.gz", kPackedScript}};

Outcome<net::HttpResponse> ask(std::string path, std::string encodings = "", std::string known = "") {
  net::HttpRequest request;
  request.method = "GET";
  request.path = std::move(path);
  if (!encodings.empty()) request.headers.add("Accept-Encoding", std::move(encodings));
  if (!known.empty()) request.headers.add("If-None-Match", std::move(known));
  return ApiDocs(kFiles).answer(request);
}

std::string header(const net::HttpResponse& response, std::string_view name) {
  const auto* value = response.headers.find(name);
  return value != nullptr ? *value : "";
}

TEST(ApiDocs, OwnsWhatIsBelowItsFolder) {
  EXPECT_TRUE(ApiDocs::owns("/api-docs/"));
  EXPECT_TRUE(ApiDocs::owns("/api-docs/swagger-ui.css"));
  for (const char* no : {"/api-doc/", "/api-docsx/", "/api/v1/openapi.json", "/"})
    EXPECT_FALSE(ApiDocs::owns(no)) << no;
}

TEST(ApiDocs, FilesAreKeptPackedAndUnpackedForWhoCannot) {
  const auto packed = ask("/api-docs/", "br, gzip");
  ASSERT_TRUE(packed);
  EXPECT_EQ(header(*packed, "Content-Encoding"), "gzip");
  EXPECT_EQ(packed->body, kPackedPage);
  for (const auto* encodings : {"", "identity", "br", "gzip;q=0"}) {
    const auto plain = ask("/api-docs/index.html", encodings);
    ASSERT_TRUE(plain);
    EXPECT_EQ(plain->body, kPage) << encodings;
    EXPECT_EQ(header(*plain, "Content-Encoding"), "");
    EXPECT_EQ(header(*plain, "Content-Type"), "text/html; charset=utf-8");
    EXPECT_NE(header(*plain, "ETag"), header(*packed, "ETag"));
  }
  EXPECT_EQ(header(*ask("/api-docs/start.js"), "Content-Type"), "text/javascript; charset=utf-8");
  EXPECT_EQ(header(*packed, "Vary"), "Accept-Encoding");
  const auto again = ask("/api-docs/", "gzip", header(*packed, "ETag"));
  EXPECT_EQ(again->status, 304);
  EXPECT_EQ(again->body, "");
  EXPECT_EQ(header(*again, "Cache-Control"), "no-cache");
  EXPECT_EQ(ask("/api-docs/", "", header(*packed, "ETag"))->status, 200);
}

TEST(ApiDocs, NothingElseIsThere) {
  for (const auto* lost :
       {"/api-docs/start.js.gz", "/api-docs/x", "/api-docs//", "/api-docs/../index.html", "/api-docs/.gz"}) {
    const auto answer = ask(lost);
    ASSERT_FALSE(answer) << lost;
    EXPECT_EQ(answer.error().status, 404);
  }
}

TEST(ApiDocs, ThePolicyTakesNoInlineCodeAndNoOtherHost) {
  const auto policy = header(*ask("/api-docs/"), "Content-Security-Policy");
  EXPECT_THAT(policy, HasSubstr("default-src 'none'"));
  EXPECT_THAT(policy, HasSubstr("script-src 'self';"));
  EXPECT_THAT(policy, Not(HasSubstr("unsafe")));
  EXPECT_THAT(policy, Not(HasSubstr("http")));
}

TEST(ApiDocs, AreNeitherLimitedNorServedToWrites) {
  testing::Harness h;
  const auto write = h.post("/api-docs/", "{}");
  EXPECT_EQ(write.status, 405);
  EXPECT_EQ(write.header("Allow"), "GET, HEAD");
  EXPECT_EQ(write.header("X-RateLimit-Limit"), "");
  EXPECT_EQ(h.get("/api-docs/no-such-file").status, 404);
  EXPECT_EQ(h.get("/api-docs/no-such-file").header("X-RateLimit-Limit"), "");
  EXPECT_EQ(h.get("/api-docs").status, 404) << "without the slash";
  EXPECT_EQ(h.get("/api-docs").header("X-RateLimit-Limit"), "");
}

}   // namespace
}   // namespace agentauri::gateway
