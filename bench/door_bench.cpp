// What the door costs: checking an access token and an API key as every request does, against the bare cryptography
// that neither can do without, and the decisions of the limiter. Everything is cached and nothing waits, so it is
// measured in CPU time of one thread.
//
//   door_bench [folder] [CPU seconds for each]     the folder takes a temporary store
#include <fmt/format.h>
#include <stdlib.h>
#include <time.h>

#include <cstdlib>
#include <filesystem>
#include <functional>

#include "core/async/task.hpp"
#include "core/json/json.hpp"
#include "core/telemetry/log.hpp"
#include "gateway/auth/authenticate.hpp"
#include "gateway/auth/jwt.hpp"
#include "gateway/auth/revocation_feed.hpp"
#include "gateway/gateway.hpp"
#include "gateway/limits/rate_limiter.hpp"
#include "report.hpp"
#include "store/cache/memory_cache.hpp"
#include "store/sqlite/sqlite_database.hpp"

namespace agentauri::bench {
namespace {

using gateway::Authenticator;
using gateway::Credential;

constexpr std::size_t kSlices = 5;         // of the time given; medians are shown
constexpr std::size_t kCallers = 10'000;   // of the limiter, in turn

double cpu_seconds() {
  timespec spent{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &spent);
  return static_cast<double>(spent.tv_sec) + static_cast<double>(spent.tv_nsec) * 1e-9;
}

void check(bool good, std::string_view text) {
  if (good) return;
  fmt::print(stderr, "door_bench: {}\n", text);
  std::exit(1);
}

// How often a second of a core does it.
Task<double> rate(double seconds, std::function<Task<bool>()> once) {
  std::vector<double> rates;
  for (std::size_t slice = 0; slice < kSlices; ++slice) {
    std::size_t count = 0;
    const double started = cpu_seconds();
    while (cpu_seconds() - started < seconds / kSlices) {
      for (int i = 0; i < 64; ++i) check(co_await once(), "a check failed");
      count += 64;
    }
    rates.push_back(static_cast<double>(count) / (cpu_seconds() - started));
  }
  co_return median(rates);
}

class NoChains final : public gateway::ChainReader {
 public:
  bool serves(domain::ChainId) const override { return false; }
  std::optional<Address> identity_registry(domain::ChainId) const override { return std::nullopt; }
  Task<Result<Bytes>> code_at(domain::ChainId, Address, Deadline) override {
    co_return fail(Code::unsupported, "no chain");
  }
  Task<Result<gateway::ChainAnswer>> call(domain::ChainId, gateway::ChainCall, Deadline) override {
    co_return fail(Code::unsupported, "no chain");
  }
};

struct Credentials {
  std::string token, key;
};

Task<json::Value> post(gateway::Gateway& door, std::string path, std::string body, const std::string& token) {
  net::HttpRequest request;
  request.method = "POST";
  request.path = request.target = std::move(path);
  request.body = std::move(body);
  request.peer = "127.0.0.1";
  request.headers.add("Content-Type", "application/json");
  if (!token.empty()) request.headers.add("Authorization", "Bearer " + token);
  const auto response = co_await door.handle(std::move(request));
  check(response.status == 201, response.body);
  co_return *json::parse(response.body);
}

// A user with a session and a key, made as everybody makes them.
Task<Credentials> join(gateway::Gateway& door) {
  const auto member = [](const json::Value& value, std::string_view name) {
    return std::string(json::view(value.as_object().at(name).as_string()));
  };
  const auto user =
      co_await post(door, "/api/v1/auth/register",
                    R"({"username":"bench","email":"bench@example.org","password":"a quiet river 77"})", {});
  Credentials out{.token = member(user, "token"), .key = {}};
  const auto organization =
      co_await post(door, "/api/v1/organizations", R"({"name":"Bench","slug":"bench"})", out.token);
  const auto id = member(organization.as_object().at("data"), "id");
  const auto key = co_await post(door, "/api/v1/organizations/" + id + "/api-keys",
                                 R"({"name":"bench","environment":"live","permissions":["read"]})", out.token);
  out.key = member(key.as_object().at("data"), "key");
  co_return out;
}

Task<void> measure(store::Database& db, double seconds) {
  const SystemClock clock;
  Metrics metrics;
  NoChains chains;
  store::MemoryCache cache;
  gateway::GatewaySettings settings;
  settings.jwt_secret = crypto::Secret<std::string>("0123456789abcdefghijklmnopqrstuvwxyzABCDEF");
  const auto secret = std::string(settings.jwt_secret.reveal());
  gateway::Gateway door(db, clock, metrics, settings, crypto::DataKeys::derive(secret, ""),
                        net::AddressGuard::make({}, false).value(), chains, cache);
  const auto own = co_await join(door);

  gateway::SessionCache sessions(db);
  gateway::KeyCache keys(db);
  gateway::RevocationFeed feed(db, {&sessions.revocable(), &keys.revocable()});
  Authenticator authenticator(settings, clock, sessions, keys);
  // What is cached is believed for a second after each look at what was revoked.
  auto looked_at = std::chrono::steady_clock::time_point();
  const auto authenticate = [&](Credential credential) -> Task<bool> {
    if (std::chrono::steady_clock::now() - looked_at > gateway::kRevocationPoll) {
      check((co_await feed.poll()).has_value(), "revocations cannot be read");
      looked_at = std::chrono::steady_clock::now();
    }
    std::optional<gateway::KeyVerdict> refused;
    co_return (co_await authenticator.authenticate(std::move(credential), refused)).has_value();
  };

  const auto signed_part = own.token.substr(0, own.token.rfind('.'));
  volatile std::uint8_t sink = 0;   // so that what is computed is used
  const double hmac = co_await rate(seconds, [&]() -> Task<bool> {
    sink = crypto::hmac_sha256(as_bytes(secret), as_bytes(signed_part)).data[0];
    co_return true;
  });
  const double token =
      co_await rate(seconds, [&] { return authenticate({.kind = Credential::Kind::bearer_token, .text = own.token}); });
  const double sha = co_await rate(seconds, [&]() -> Task<bool> {
    sink = crypto::sha256(as_bytes(own.key)).data[0];
    co_return true;
  });
  const double key =
      co_await rate(seconds, [&] { return authenticate({.kind = Credential::Kind::api_key, .text = own.key}); });

  note("HMAC-SHA256 of a token's bytes (reference)", hmac, "per core s");
  note("access token -> principal", token, "per core s");
  note("access token / HMAC-SHA256", token / hmac, "x");
  note("SHA-256 of a key's bytes (reference)", sha, "per core s");
  report("API key -> principal", key, "per core s", Goal::at_least, 50'000);
  note("API key / SHA-256", key / sha, "x");

  gateway::RateLimiter limiter(settings, clock, metrics, cache);
  std::vector<std::string> callers;
  for (std::size_t i = 0; i < kCallers; ++i) callers.push_back(fmt::format("198.18.{}.{}", i / 250, i % 250));
  std::size_t next = 0;
  const double decisions = co_await rate(seconds, [&]() -> Task<bool> {
    gateway::Allowance allowance;
    // Whether it is allowed is not asked: a refusal is a decision too.
    (void)co_await limiter.take(gateway::kAnonymousRead, callers[next++ % kCallers], allowance);
    co_return !allowance.empty();
  });
  note(fmt::format("decisions of the limiter, {} addresses", kCallers), decisions, "per core s");
}

}   // namespace
}   // namespace agentauri::bench

int main(int argc, char** argv) {
  using namespace agentauri;
  std::string folder = (argc > 1 ? std::string(argv[1]) : std::string("/var/tmp")) + "/door-bench-XXXXXX";
  if (::mkdtemp(folder.data()) == nullptr) return 1;
  {
    store::SqliteSettings settings;
    settings.data_dir = folder;
    auto db = store::make_sqlite_database(settings);
    bench::check(db.has_value(), "the store cannot be opened");
    configure_log({.level = Level::warn});
    run_blocking([&]() -> Task<void> { co_await bench::measure(**db, argc > 2 ? std::atof(argv[2]) : 1); });
    (*db)->stop();
  }
  std::filesystem::remove_all(folder);
  return 0;
}
