// Files of the console as a browser and a cache meet them.
#include "gateway/console/console.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "gateway/testing/gateway_fixture.hpp"

namespace agentauri::gateway {
namespace {

using ::testing::HasSubstr;
using ::testing::IsEmpty;

const std::vector<embedded::EmbeddedFile> kFiles{{"assets/main-1a2b.js", "plain script"},
                                                 {"assets/main-1a2b.js.br", "br"},
                                                 {"assets/main-1a2b.js.gz", "gz"},
                                                 {"assets/small-3c4d.css", "css"},
                                                 {"icon.svg", "<svg/>"},
                                                 {"index.html", "<html>"},
                                                 {"index.html.gz", std::string_view("\x1f\x8b\x00\xff", 4)}};

Outcome<net::HttpResponse> ask(const Console& console, std::string path, std::string encodings = "",
                               std::string known = "") {
  net::HttpRequest request;
  request.method = "GET";
  request.path = std::move(path);
  if (!encodings.empty()) request.headers.add("Accept-Encoding", std::move(encodings));
  if (!known.empty()) request.headers.add("If-None-Match", std::move(known));
  return console.answer(request);
}

std::string header(const net::HttpResponse& response, std::string_view name) {
  const auto* value = response.headers.find(name);
  return value != nullptr ? *value : "";
}

TEST(Console, OwnsNoPathOfTheApi) {
  for (const char* yes : {"/", "/console", "/console/", "/console/triggers/x", "/console/assets/a.js"})
    EXPECT_TRUE(Console::owns(yes)) << yes;
  for (const char* no : {"", "//", "/api/v1/health", "/api", "/metrics", "/.well-known/x", "/api-docs", "/consoles",
                         "/consolex/", "/index.html", "*"})
    EXPECT_FALSE(Console::owns(no)) << no;
}

TEST(Console, PagesGetTheIndexAndMissingFilesDoNot) {
  const Console console(kFiles);
  for (const char* page : {"/console/", "/console/triggers", "/console/triggers/0190-ab", "/console/index.html"}) {
    const auto answer = ask(console, page);
    ASSERT_TRUE(answer) << page;
    EXPECT_EQ(answer->status, 200);
    EXPECT_EQ(answer->body, "<html>");
    EXPECT_EQ(header(*answer, "Content-Type"), "text/html; charset=utf-8");
    EXPECT_EQ(header(*answer, "Cache-Control"), "no-cache");
  }
  for (const char* lost :
       {"/console/assets/gone-1.js", "/console/assets/x", "/console/a.css", "/console/../index.html.x"}) {
    const auto answer = ask(console, lost);
    ASSERT_FALSE(answer) << lost;
    EXPECT_EQ(answer.error().status, 404);
  }
  for (const char* root : {"/", "/console"}) {
    const auto answer = ask(console, root);
    ASSERT_TRUE(answer);
    EXPECT_EQ(answer->status, 302);
    EXPECT_EQ(header(*answer, "Location"), "/console/");
  }
}

TEST(Console, TheBestEncodingThatIsTakenAndThere) {
  const Console console(kFiles);
  struct Case {
    std::string accepted, encoding, body;
  };
  const Case cases[] = {
      {"", "", "plain script"},     {"gzip, deflate, br", "br", "br"},       {"gzip", "gzip", "gz"},
      {"GZIP;q=0.5", "gzip", "gz"}, {"br;q=0, gzip", "gzip", "gz"},          {"br; q=0.000,gzip ;q=0.1", "gzip", "gz"},
      {"br;q=0.001", "br", "br"},   {"br;q=0,gzip;q=0", "", "plain script"}, {"zstd, brx", "", "plain script"}};
  for (const auto& c : cases) {
    const auto answer = ask(console, "/console/assets/main-1a2b.js", c.accepted);
    ASSERT_TRUE(answer) << c.accepted;
    EXPECT_EQ(header(*answer, "Content-Encoding"), c.encoding) << c.accepted;
    EXPECT_EQ(answer->body, c.body) << c.accepted;
    EXPECT_EQ(header(*answer, "Vary"), "Accept-Encoding");
    EXPECT_EQ(header(*answer, "Content-Type"), "text/javascript; charset=utf-8");
    EXPECT_EQ(header(*answer, "Cache-Control"), "public, max-age=31536000, immutable");
  }
  EXPECT_EQ(ask(console, "/console/", "br, gzip")->body.size(), 4U) << "bytes of any kind";
  EXPECT_EQ(header(*ask(console, "/console/assets/small-3c4d.css", "br"), "Content-Encoding"), "");
}

TEST(Console, WhatACacheHasIsNotSentAgain) {
  const Console console(kFiles);
  const std::string tag = header(*ask(console, "/console/", ""), "ETag");
  const std::string packed = header(*ask(console, "/console/", "gzip"), "ETag");
  EXPECT_NE(tag, packed) << "one tag for each encoding";
  for (const auto& known : {tag, "\"x\", W/" + tag, std::string("*")}) {
    const auto answer = ask(console, "/console/", "", known);
    EXPECT_EQ(answer->status, 304) << known;
    EXPECT_THAT(answer->body, IsEmpty());
    EXPECT_EQ(header(*answer, "ETag"), tag);
    EXPECT_EQ(header(*answer, "Cache-Control"), "no-cache");
    EXPECT_EQ(header(*answer, "Vary"), "Accept-Encoding");
    EXPECT_THAT(header(*answer, "Content-Security-Policy"), HasSubstr("script-src 'self'"));
  }
  EXPECT_EQ(ask(console, "/console/", "", packed)->status, 200);
}

TEST(Console, ABuildWithoutItSaysSo) {
  const std::vector<embedded::EmbeddedFile> none;
  const auto answer = ask(Console(none), "/console/triggers");
  ASSERT_TRUE(answer);
  EXPECT_EQ(answer->status, 404);
  EXPECT_EQ(header(*answer, "Content-Type"), "text/plain; charset=utf-8");
  EXPECT_THAT(answer->body, HasSubstr("no console"));
}

class ConsoleFolder : public ::testing::Test {
 protected:
  ConsoleFolder() {
    std::string name = ::testing::TempDir() + "console-XXXXXX";
    folder = ::mkdtemp(name.data());
    std::filesystem::create_directories(folder / "console/assets");
    write("secret.html", "secret");
    write("console/index.html", "<p>one</p>");
    write("console/assets/a.js", "let a");
    write("console/assets/a.js.gz", "of an earlier build");
    write("console/.hidden.txt", "hidden");
  }
  ~ConsoleFolder() override { std::filesystem::remove_all(folder); }
  void write(const std::string& name, std::string_view text) { std::ofstream(folder / name) << text; }

  std::filesystem::path folder;
};

TEST_F(ConsoleFolder, IsReadAnewAndNeverLeft) {
  const Console console((folder / "console").string());
  EXPECT_EQ(ask(console, "/console/")->body, "<p>one</p>");
  write("console/index.html", "<p>two</p>");
  EXPECT_EQ(ask(console, "/console/")->body, "<p>two</p>");
  const auto script = ask(console, "/console/assets/a.js", "gzip");
  EXPECT_EQ(script->body, "let a");
  EXPECT_EQ(header(*script, "Cache-Control"), "no-cache");
  for (const char* no : {"/console/../secret.html", "/console/assets/../../secret.html", "/console/.hidden.txt",
                         "/console//etc/passwd.txt", "/console/%2e%2e/secret.html", "/console/assets/../index.html"})
    EXPECT_FALSE(ask(console, no)) << no;
  EXPECT_FALSE(ask(console, "/console/assets/")) << "a folder";
}

TEST_F(ConsoleFolder, ThroughTheGateway) {
  testing::Harness h([this](GatewaySettings& settings) {
    settings.console_dir = (folder / "console").string();
    settings.hsts = true;
  });
  const auto call = [&h](std::string method, std::string path) {
    net::HttpResponse out;
    run_blocking([&]() -> Task<void> {
      out = co_await h.gateway_->handle(
          testing::make_request({std::move(method), std::move(path), std::nullopt, {}, "203.0.113.7"}));
    });
    return out;
  };
  const auto page = call("GET", "/console/triggers?x=1");
  EXPECT_EQ(page.status, 200);
  EXPECT_EQ(page.headers.count("Content-Security-Policy"), 1U);
  EXPECT_EQ(
      header(page, "Content-Security-Policy"),
      "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action "
      "'self'; base-uri 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'");
  EXPECT_EQ(header(page, "X-Content-Type-Options"), "nosniff");
  EXPECT_EQ(header(page, "X-Frame-Options"), "DENY");
  EXPECT_EQ(header(page, "Cross-Origin-Opener-Policy"), "same-origin");
  EXPECT_THAT(header(page, "Strict-Transport-Security"), HasSubstr("max-age="));
  EXPECT_FALSE(header(page, "X-Request-ID").empty());
  EXPECT_EQ(header(page, "X-RateLimit-Limit"), "");
  EXPECT_EQ(header(page, "Access-Control-Allow-Credentials"), "");
  EXPECT_EQ(header(page, "Content-Type"), "text/html; charset=utf-8");
  EXPECT_EQ(call("HEAD", "/console/").status, 200);
  const auto refused = call("POST", "/console/triggers");
  EXPECT_EQ(refused.status, 405);
  EXPECT_EQ(header(refused, "Allow"), "GET, HEAD");
  const auto lost = call("GET", "/console/assets/gone.js");
  EXPECT_EQ(lost.status, 404);
  EXPECT_EQ(header(lost, "Content-Type"), "application/json");
  EXPECT_EQ(header(lost, "Content-Security-Policy"), "default-src 'none'; frame-ancestors 'none'");
  EXPECT_EQ(header(call("GET", "/api/v1/nothing"), "Content-Type"), "application/json");
}

}   // namespace
}   // namespace agentauri::gateway
