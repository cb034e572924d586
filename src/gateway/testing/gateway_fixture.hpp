// A gateway on a database of its own, with a clock that the test moves. Every answer to a known route is held against
// openapi.yaml.
#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "core/base/time.hpp"
#include "core/json/json.hpp"
#include "core/telemetry/metrics.hpp"
#include "gateway/gateway.hpp"
#include "gateway/testing/fake_chains.hpp"
#include "store/cache/memory_cache.hpp"
#include "store/testing/temp_database.hpp"

namespace agentauri::gateway::testing {

struct Answer {
  int status = 0;
  net::Headers headers;
  json::Value body;   // null when there is none
  std::string text;   // unpacked

  // "" when the member is absent or no string; `path` is dotted: `data.actions.0.id`.
  std::string at(std::string_view path) const;
  const json::Value* find(std::string_view path) const;
  std::string header(std::string_view name) const;
  std::vector<std::string> all(std::string_view name) const;
};

using HeaderList = std::vector<std::pair<std::string, std::string>>;

struct Call {
  std::string method = "GET";
  std::string target;
  std::optional<std::string> body;   // with Content-Type: application/json
  HeaderList headers;
  std::string peer = "203.0.113.7";
};

inline constexpr std::string_view kPassword = "a quiet river 77";
inline constexpr std::string_view kJwtSecret = "0123456789abcdefghijklmnopqrstuvwxyzABCDEF";

class Harness {
 public:
  explicit Harness(std::function<void(GatewaySettings&)> change = {},
                   store::testing::TempDatabase temp = store::testing::make_temp_sqlite());

  Answer call(Call call);
  Answer get(std::string target, HeaderList headers = {}) {
    return call({"GET", std::move(target), std::nullopt, std::move(headers)});
  }
  Answer post(std::string target, std::string body, HeaderList headers = {}) {
    return call({"POST", std::move(target), std::move(body), std::move(headers)});
  }
  Answer put(std::string target, std::string body, HeaderList headers = {}) {
    return call({"PUT", std::move(target), std::move(body), std::move(headers)});
  }
  Answer patch(std::string target, std::string body, HeaderList headers = {}) {
    return call({"PATCH", std::move(target), std::move(body), std::move(headers)});
  }
  Answer erase(std::string target, HeaderList headers = {}) {
    return call({"DELETE", std::move(target), std::nullopt, std::move(headers)});
  }
  // All at once, on one event loop.
  std::vector<Answer> call_all(std::vector<Call> calls);

  // Registers from an address of its own, so that limits of addresses do not meet.
  Answer registered(const std::string& username);
  // {Authorization: Bearer …} of a new user.
  HeaderList signed_in(const std::string& username);
  static HeaderList bearer(const Answer& auth);
  static HeaderList with_key(std::string text) { return {{"X-API-Key", std::move(text)}}; }
  // Of the caller: the user's id, and the personal organization.
  std::string user_id(const HeaderList& who);
  std::string organization_id(const HeaderList& who);
  // A new user with a role in the personal organization of `owner`, which its requests then name.
  HeaderList joined(const std::string& username, const std::string& role, const HeaderList& owner);
  Answer log_in(const std::string& identifier, std::string_view password, std::string peer = "203.0.113.7");

  store::Database& db() { return *temp_.db; }
  // A second gateway on the same database.
  std::unique_ptr<Gateway> another();

  store::testing::TempDatabase temp_;
  FakeClock clock_{parse_rfc3339("2026-01-01T00:10:12.345678Z").value()};
  Metrics metrics_;
  GatewaySettings settings_;
  net::AddressGuard guard_ = net::AddressGuard::make({}, false).value();   // of gateways that are made from now on
  FakeChains chains_;
  store::MemoryCache cache_;   // shared, as by gateways over one Redis
  std::unique_ptr<Gateway> gateway_;

 private:
  int addresses_ = 0;
};

// The same test on both engines.
class EngineHarness : public ::testing::TestWithParam<std::string> {
 protected:
  Harness h{{}, GetParam() == "sqlite" ? store::testing::make_temp_sqlite() : store::testing::make_temp_postgres()};
};

net::HttpRequest make_request(const Call& call);
Answer read_answer(const Call& call, net::HttpResponse response);
Answer call_gateway(Gateway& gateway, Call call);

}   // namespace agentauri::gateway::testing
