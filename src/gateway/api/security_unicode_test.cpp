// Names that look alike. The rule (http-api.md 7.2.1): a user name is any text of 3 to 50 characters, stored as it came
// and compared without case, by code point; an e-mail address is one too, of an ASCII box and a host that can be seen.
// So two accounts are one only when they differ in case alone: what merely looks the same is somebody else, and never
// gets the other's session.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <set>

#include "gateway/testing/gateway_fixture.hpp"

namespace agentauri::gateway {
namespace {

using testing::Answer;
using testing::Harness;

class Unicode : public ::testing::TestWithParam<std::string> {
 protected:
  Harness h{[](GatewaySettings& s) { s.rate_limit_mode = GatewaySettings::RateLimitMode::shadow; },
            GetParam() == "sqlite" ? store::testing::make_temp_sqlite() : store::testing::make_temp_postgres()};
  int serial = 0;

  Answer enroll(const std::string& username, const std::string& email) {
    json::Object body;
    body["username"] = json::String(username);
    body["email"] = json::String(email);
    body["password"] = json::String(testing::kPassword);
    return h.post("/api/v1/auth/register", json::dump(body));
  }
  Answer named(const std::string& username) { return enroll(username, fmt::format("u{}@example.org", ++serial)); }
};

TEST_P(Unicode, LookAlikesAreSomebodyElse) {
  const std::vector<std::string> names{
      "admin",
      "\u0430dmin",    // Cyrillic a
      "adm\u0456n",    // Cyrillic i
      "\uFF41dmin",    // fullwidth a
      "ad\u200Bmin",   // zero-width space
      "admin\u200D",   // zero-width joiner
      "\uFEFFadmin",   // byte order mark
      "ad\u00ADmin",   // soft hyphen
      "\u202Enimda",   // right-to-left override
      "admin ",        // white space behind
      "admin\u00A0",
      "adm\u0131n",   // dotless i
      "caf\u00E9",    // NFC
      "cafe\u0301",   // NFD
      "ca\uFB01",     // a ligature
      "cafi",
      "\u212Aelvin",   // Kelvin sign
      "kelvin",
      "\u017Fam",   // long s
      "sam",         "stra\u00DFe", "strasse", "\U0001F600abc",
      "\u2126hm",   // Ohm sign
      "\u03C9hm",
  };
  std::map<std::string, std::string> ids;
  for (const auto& name : names) {
    const auto made = named(name);
    ASSERT_EQ(made.status, 201) << name << made.text;
    EXPECT_EQ(made.at("user.username"), name) << "stored as it came";
    ids[name] = made.at("user.id");
  }
  std::set<std::string> distinct;
  for (const auto& [name, id] : ids) {
    distinct.insert(id);
    const auto in = h.log_in(name, testing::kPassword);
    EXPECT_EQ(in.status, 200) << name;
    EXPECT_EQ(in.at("user.id"), id) << name;
    EXPECT_EQ(named(name).at("error"), "username_exists") << name;
  }
  EXPECT_EQ(distinct.size(), names.size());
}

TEST_P(Unicode, CaseAloneMakesNoSecondAccount) {
  const std::vector<std::pair<std::string, std::string>> pairs{
      {"orbit7", "ORBIT7"},
      {"\u00C9lan", "\u00E9lan"},
      {"\u0416\u0443\u043A", "\u0436\u0423\u041A"},
      {"\u03A3\u03AF\u03C3\u03C5\u03C6\u03BF\u03C2", "\u03C3\u03AF\u03C3\u03C5\u03C6\u03BF\u03C3"},
      {"\u0141\u00F3d\u017A", "\u0142\u00D3D\u0179"},
      {"\u0531\u0562\u0563", "\u0561\u0532\u0533"},
  };
  for (const auto& [name, other] : pairs) {
    const auto made = named(name);
    ASSERT_EQ(made.status, 201) << made.text;
    EXPECT_EQ(named(other).at("error"), "username_exists") << other;
    EXPECT_EQ(h.log_in(other, testing::kPassword).at("user.id"), made.at("user.id")) << other;
  }
}

// The name of the box is ASCII; its host may be in any script, but has nothing that cannot be seen.
TEST_P(Unicode, AnAddressIsWhatItLooksLike) {
  ASSERT_EQ(enroll("victim", "victim@example.org").status, 201);
  for (const char* address :
       {"v\u0456ctim@example.org", "victim@ex\u00ADample.org", "victim@\u202Eexample.org", "victim\uFF20example.org",
        "victim\u200B@example.org", "\uFF56ictim@example.org", "victim@example.org\u200B", "victim@example\u3002org",
        "victim@example.org\n", "victim@example.org\r\nBcc: x@y.z", "victim@example.org ", " victim@example.org",
        "\"victim\"@example.org", "victim@example.org@evil.example", "victim@evil.example,victim@example.org",
        "<victim@example.org>", "victim%00@example.org\u0001", "@example.org", "victim@"}) {
    const auto made = enroll(fmt::format("eve{}", ++serial), address);
    EXPECT_EQ(made.status, 400) << address << made.text;
    EXPECT_EQ(made.at("error"), "validation_error") << address;
  }
  for (const char* address : {"VICTIM@example.org", "victim@EXAMPLE.ORG", "ViCtIm@ExAmPlE.oRg"})
    EXPECT_EQ(enroll(fmt::format("eve{}", ++serial), address).at("error"), "email_exists") << address;
  // Different boxes, whatever some providers make of them.
  for (const char* address : {"victim+1@example.org", "vic.tim@example.org", "victim@xn--exmple-4nf.org",
                              "victim@ex\u0430mple.org", "victim@\u65E5\u672C.example"}) {
    const auto made = enroll(fmt::format("eve{}", ++serial), address);
    EXPECT_EQ(made.status, 201) << address << made.text;
    EXPECT_EQ(h.log_in(address, testing::kPassword).at("user.id"), made.at("user.id")) << address;
  }
}

// A login with an `@` means an address: a name that is spelled like one opens nothing of its owner.
TEST_P(Unicode, ANameThatIsAnothersAddressIsNotThem) {
  const auto victim = enroll("victim", "victim@example.org");
  const auto eve = enroll("victim@example.org", "eve@example.org");
  ASSERT_EQ(eve.status, 201) << eve.text;
  json::Object body;
  body["password"] = json::String(testing::kPassword);
  for (const char* member : {"username_or_email", "username", "email"}) {
    json::Object login = body;
    login[member] = json::String("victim@example.org");
    EXPECT_EQ(h.post("/api/v1/auth/login", json::dump(login)).at("user.id"), victim.at("user.id")) << member;
  }
  EXPECT_EQ(h.log_in("eve@example.org", testing::kPassword).at("user.id"), eve.at("user.id"));
}

// Lengths are of characters; what is no Unicode is refused, not mended.
TEST_P(Unicode, CountsCharactersAndTakesNoHalves) {
  const auto repeat = [](std::string_view unit, int times) {
    std::string out;
    for (int i = 0; i < times; ++i) out += unit;
    return out;
  };
  EXPECT_EQ(named(repeat("\U0001F600", 50)).status, 201);
  EXPECT_EQ(named(repeat("\U0001F600", 51)).status, 400);
  EXPECT_EQ(named(repeat("\u00E9", 3)).status, 201);
  EXPECT_EQ(named(repeat("\U0001F600", 2)).status, 400);
  for (const char* text : {"\xC3", "\xC0\xAF", "\xED\xA0\x80", "\xF5\x80\x80\x80", "\x80", "\xE2\x82"}) {
    const auto made =
        h.post("/api/v1/auth/register",
               fmt::format(R"({{"username":"abc{}","email":"a@b.c","password":"a quiet river 77"}})", text));
    EXPECT_EQ(made.status, 400) << made.text;
    EXPECT_EQ(made.at("error"), "bad_request");
  }
  EXPECT_EQ(named(std::string("ab\0cd", 5)).status, 400);
}

INSTANTIATE_TEST_SUITE_P(Engines, Unicode, store::testing::kEngines, store::testing::engine_name);

}   // namespace
}   // namespace agentauri::gateway
