#include "gateway/api/origin.hpp"

#include <gtest/gtest.h>

namespace agentauri::gateway {
namespace {

net::HttpRequest from(std::string peer, std::vector<std::pair<std::string, std::string>> headers) {
  net::HttpRequest request;
  request.peer = std::move(peer);
  for (auto& [name, value] : headers) request.headers.add(name, value);
  return request;
}

TEST(ClientAddress, IsBelievedFromTrustedProxiesOnly) {
  const auto trusted = trusted_ranges({});
  struct Case {
    std::string peer, forwarded, real, expected;
  };
  const Case cases[] = {
      {"203.0.113.9", "198.51.100.1", "", "203.0.113.9"},   // not a proxy of ours
      {"127.0.0.1", "", "", "127.0.0.1"},
      {"127.0.0.1", "198.51.100.1", "", "198.51.100.1"},
      {"10.1.2.3", "6.6.6.6, 198.51.100.1, 10.9.9.9", "",
       "198.51.100.1"},   // what the client wrote itself is left of it
      {"127.0.0.1", "198.51.100.1:4711", "", "198.51.100.1"},
      {"127.0.0.1", "[2001:db8::1]:443", "", "2001:db8::1"},
      {"127.0.0.1", "[2001:db8::1]", "", "2001:db8::1"},
      {"127.0.0.1", "2001:db8::1", "", "2001:db8::1"},
      {"127.0.0.1", "198.51.100.1, unknown, ,", "", "198.51.100.1"},            // unparsable entries are skipped
      {"127.0.0.1", "10.0.0.1, 192.168.1.1", "198.51.100.2", "198.51.100.2"},   // nobody in the list
      {"127.0.0.1", "garbage", "garbage", "127.0.0.1"},
      {"::1", "198.51.100.1", "", "198.51.100.1"},
      {"::ffff:127.0.0.1", "198.51.100.1", "", "198.51.100.1"},
  };
  for (const auto& c : cases) {
    std::vector<std::pair<std::string, std::string>> headers;
    if (!c.forwarded.empty()) headers.emplace_back("X-Forwarded-For", c.forwarded);
    if (!c.real.empty()) headers.emplace_back("X-Real-IP", c.real);
    headers.emplace_back("Forwarded", "for=9.9.9.9");
    EXPECT_EQ(client_address(from(c.peer, headers), trusted), c.expected) << c.peer << " | " << c.forwarded;
  }
  EXPECT_EQ(client_address(
                from("127.0.0.1", {{"X-Forwarded-For", "198.51.100.1"}, {"X-Forwarded-For", "198.51.100.2"}}), trusted),
            "198.51.100.2");
  EXPECT_EQ(client_address(from("127.0.0.1", {{"X-Forwarded-For", "198.51.100.1"}}), trusted_ranges({"192.0.2.0/24"})),
            "127.0.0.1");
}

GatewaySettings with_origins(std::vector<std::string> origins, bool production = false) {
  GatewaySettings settings;
  settings.allowed_origins = std::move(origins);
  settings.production = production;
  return settings;
}

TEST(Cors, TheListOfOriginsIsFiltered) {
  const Cors cors(with_origins({" https://a.example ", "*", "ftp://x", "http://b.example"}));
  EXPECT_TRUE(cors.allows("https://a.example"));
  EXPECT_TRUE(cors.allows("http://b.example"));
  for (const char* no : {"*", "ftp://x", "", "https://a.example/", "https://a.example:444", "https://A.example", "null",
                         "http://localhost:3000"})
    EXPECT_FALSE(cors.allows(no)) << no;
  EXPECT_FALSE(Cors(with_origins({"http://b.example"}, true)).allows("http://b.example"));
  EXPECT_TRUE(Cors(with_origins({})).allows("http://localhost:3000"));
  EXPECT_FALSE(Cors(with_origins({}, true)).allows("http://localhost:3000"));
}

TEST(Cors, CookiesAreTakenFromListedPagesOnly) {
  auto settings = with_origins({"https://a.example"});
  settings.frontend_url = "https://front.example/app/index.html";
  const Cors cors(settings);
  const auto allowed = [&](std::vector<std::string> origins) {
    net::Headers headers;
    for (auto& origin : origins) headers.add("Origin", origin);
    return cors.allows_cookie(headers);
  };
  EXPECT_TRUE(allowed({"https://a.example"}));
  EXPECT_TRUE(allowed({"https://front.example"}));
  EXPECT_FALSE(allowed({}));
  EXPECT_FALSE(allowed({"https://evil.example"}));
  EXPECT_FALSE(allowed({"null"}));
  EXPECT_FALSE(allowed({"https://a.example", "https://a.example"}));
}

TEST(Cors, CookiesAreTakenFromPagesOfTheHostItself) {
  const auto allowed = [](std::string origin, std::vector<std::string> hosts, bool production = false) {
    net::Headers headers;
    headers.add("Origin", std::move(origin));
    for (auto& host : hosts) headers.add("Host", host);
    return Cors(with_origins({"https://a.example"}, production)).allows_cookie(headers);
  };
  EXPECT_TRUE(allowed("http://127.0.0.1:8080", {"127.0.0.1:8080"}));
  EXPECT_TRUE(allowed("https://Console.example", {"console.example"}));
  EXPECT_TRUE(allowed("https://console.example", {"console.example"}, true));
  EXPECT_FALSE(allowed("http://console.example", {"console.example"}, true));
  for (const char* no : {"http://127.0.0.1:8081", "http://127.0.0.1", "http://evil.example", "null", "http", "http://",
                         "", "ftp://127.0.0.1:8080", "http://127.0.0.1:8080/", "http://evil.example@127.0.0.1:8080"})
    EXPECT_FALSE(allowed(no, {"127.0.0.1:8080"})) << no;
  EXPECT_FALSE(allowed("http://a", {})) << "no host";
  EXPECT_FALSE(allowed("http://", {""})) << "an empty host";
  EXPECT_FALSE(allowed("http://a", {"a", "a"})) << "two hosts";
}

}   // namespace
}   // namespace agentauri::gateway
