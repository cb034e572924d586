#include "store/api_keys.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "store/accounts.hpp"
#include "store/testing/temp_database.hpp"

namespace agentauri::store {
namespace {

using ::testing::ElementsAre;
using namespace std::chrono_literals;

const Query kAudit{Query::Unlisted{}, "test_audit",
                   "SELECT event_type, details, ip FROM api_key_audit ORDER BY created_at, event_type"};
const Query kLastUse{Query::Unlisted{}, "test_last_use", "SELECT last_used_ip FROM api_keys"};

class ApiKeys : public testing::EngineTest {
 protected:
  const Time now = from_unix_seconds(1'767'225'600);
  Account creator;
  Organization acme;
  std::uint8_t seed = 0;

  ApiKeys() {
    creator.id = domain::AccountId::make(now);
    creator.username = "ada";
    creator.email = "ada@example.org";
    creator.created_at = now;
    acme = {domain::OrganizationId::make(now), "Acme", "acme", std::nullopt, creator.id, "pro", false, now, now};
    EXPECT_TRUE(in_tx<void>([this](Tx& tx) -> Result<void> {
      if (auto done = insert_account(tx, creator, "ada", "ada@example.org"); !done) return done;
      return insert_organization(tx, acme, domain::MembershipId::make(now));
    }));
  }
  static Hash32 hash(std::uint8_t seed) {
    Hash32 out;
    out.data.fill(seed);
    return out;
  }
  ApiKey made(const std::function<void(ApiKey&)>& change = {}) {
    ApiKey out;
    out.id = domain::ApiKeyId::make(now);
    out.organization_id = acme.id;
    out.name = "k";
    out.prefix = "sk_live_AAAAAAAA";
    out.environment = "live";
    out.key_type = "standard";
    out.permissions = {"read", "write", "read"};
    out.created_at = now + std::chrono::seconds(++seed);
    out.created_by = creator.id;
    if (change) change(out);
    EXPECT_TRUE(in_tx<void>([&](Tx& tx) { return insert_api_key(tx, out, hash(seed)); }));
    return out;
  }
  std::optional<ApiKey> read(domain::ApiKeyId id) {
    return *in_tx<std::optional<ApiKey>>([=](Tx& tx) { return find_api_key(tx, id); });
  }
};

TEST_P(ApiKeys, AreFoundByTheirHashAlone) {
  const auto key = made([&](ApiKey& k) {
    k.rate_limit_override = 7;
    k.expires_at = now + 1h;
  });
  const auto view = *in_tx<std::optional<ApiKeyView>>([&](Tx& tx) { return find_api_key_by_hash(tx, hash(seed)); });
  ASSERT_TRUE(view);
  EXPECT_EQ(view->key.id, key.id);
  EXPECT_EQ(view->plan, "pro");
  EXPECT_EQ(view->username, "ada");
  EXPECT_TRUE(view->is_active);
  EXPECT_THAT(view->key.permissions, ElementsAre("read", "write", "read"));
  EXPECT_EQ(view->key.rate_limit_override, 7);
  EXPECT_EQ(view->key.expires_at, now + 1h);
  EXPECT_FALSE(*in_tx<std::optional<ApiKeyView>>([](Tx& tx) { return find_api_key_by_hash(tx, hash(99)); }));
  const auto twin = in_tx<void>([&](Tx& tx) {
    ApiKey other = key;
    other.id = domain::ApiKeyId::make(now);
    return insert_api_key(tx, other, hash(seed));
  });
  ASSERT_FALSE(twin);
  EXPECT_EQ(twin.error().code, Code::conflict);
  EXPECT_THAT(twin.error().field, ::testing::HasSubstr("hash"));
}

TEST_P(ApiKeys, EveryChangeIsToldToTheOthers) {
  auto key = made();
  const auto start = *in_tx<std::int64_t>([](Tx& tx) { return newest_revocation(tx); });
  key.name = "renamed";
  key.expires_at = now + 1h;
  ASSERT_TRUE(in_tx<void>([&](Tx& tx) { return update_api_key(tx, key, now); }));
  EXPECT_EQ(read(key.id)->name, "renamed");
  ASSERT_TRUE(in_tx<void>([&](Tx& tx) { return revoke_api_key(tx, key.id, "lost", now + 2s); }));
  EXPECT_EQ(read(key.id)->revoked_at, now + 2s);
  const auto rows = *in_tx<std::vector<Revocation>>([&](Tx& tx) { return read_revocations(tx, start, 10); });
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0].id, key.id.uuid);
  EXPECT_EQ(rows[1].id, key.id.uuid);
}

TEST_P(ApiKeys, AreListedNewestFirst) {
  const auto a = made(), b = made(), c = made();
  ASSERT_TRUE(in_tx<void>([&](Tx& tx) { return revoke_api_key(tx, b.id, std::nullopt, now); }));
  const auto list = [&](bool all, std::int64_t limit, std::int64_t offset) {
    return *in_tx<ApiKeyPage>([&](Tx& tx) { return list_api_keys(tx, acme.id, all, limit, offset); });
  };
  const auto living = list(false, 10, 0);
  EXPECT_EQ(living.total, 2);
  ASSERT_EQ(living.rows.size(), 2U);
  EXPECT_EQ(living.rows[0].id, c.id);
  EXPECT_EQ(living.rows[1].id, a.id);
  const auto all = list(true, 1, 1);
  EXPECT_EQ(all.total, 3);
  ASSERT_EQ(all.rows.size(), 1U);
  EXPECT_EQ(all.rows[0].id, b.id);
  EXPECT_EQ(*in_tx<std::int64_t>([&](Tx& tx) { return count_live_api_keys(tx, acme.id, 1); }), 1);
}

TEST_P(ApiKeys, StatisticsCountEachKind) {
  const Time later = now + 100h;
  const auto used = made();
  made([&](ApiKey& k) { k.expires_at = later - 1h; });
  made([&](ApiKey& k) {
    k.expires_at = later + 24h;
    k.environment = "test";
    k.key_type = "admin";
  });
  made([&](ApiKey& k) {
    k.expires_at = later + 24h * 8;
    k.key_type = "restricted";
  });
  const auto dead = made();
  ASSERT_TRUE(in_tx<void>([&](Tx& tx) { return revoke_api_key(tx, dead.id, std::nullopt, now); }));
  const auto row = [&](std::string type, Time at) {
    return ApiKeyAudit{used.id, acme.id, std::move(type), {}, std::nullopt, std::nullopt, at};
  };
  ASSERT_TRUE(in_tx<void>([&](Tx& tx) -> Result<void> {
    if (auto noted = note_api_key_uses(tx, {{used.id, "203.0.113.7", now}}); !noted) return noted;
    return insert_api_key_audit(tx, {row("used", now), row("used", later - 1h), row("auth_failed", later - 1h),
                                     row("auth_failed", now), row("created", later)});
  }));
  const auto stats = *in_tx<ApiKeyStats>([&](Tx& tx) { return read_api_key_stats(tx, acme.id, later); });
  EXPECT_EQ(stats.total, 5);
  EXPECT_EQ(stats.active, 3);
  EXPECT_EQ(stats.expired, 1);
  EXPECT_EQ(stats.revoked, 1);
  EXPECT_EQ(stats.unused, 3);
  EXPECT_EQ(stats.expiring_soon, 1);
  EXPECT_EQ(stats.live, 3);
  EXPECT_EQ(stats.test, 1);
  EXPECT_EQ(stats.standard, 2);
  EXPECT_EQ(stats.restricted, 1);
  EXPECT_EQ(stats.admin, 1);
  EXPECT_EQ(stats.calls_total, 2);
  EXPECT_EQ(stats.calls_24h, 1);
  EXPECT_EQ(stats.failed_24h, 1);
  EXPECT_EQ(stats.rate_limited_24h, 0);
}

TEST_P(ApiKeys, TheLatestUseStaysAndOldRowsGo) {
  const auto key = made();
  const auto note = [&](std::string ip, Time at) {
    ASSERT_TRUE(in_tx<void>([&](Tx& tx) { return note_api_key_uses(tx, {{key.id, ip, at}}); }));
  };
  note("203.0.113.8", now + 2s);
  note("203.0.113.9", now + 1s);
  EXPECT_EQ(read(key.id)->last_used_at, now + 2s);
  EXPECT_EQ(db().query_blocking(kLastUse)->text(0, 0), "203.0.113.8");
  ASSERT_TRUE(in_tx<void>([&](Tx& tx) -> Result<void> {
    const RequestOrigin origin{"203.0.113.7", "curl", "/api/v1/triggers"};
    if (auto done =
            insert_api_key_audit(tx, {{key.id, acme.id, "used", origin, std::nullopt, std::nullopt, now},
                                      {key.id, acme.id, "updated", origin, creator.id, R"({"name":"n"})", now + 1h}});
        !done)
      return done;
    return insert_auth_failures(tx, {{"invalid_key", "sk_live_AAAAAAAA", origin, std::nullopt, now},
                                     {"invalid_format", "x", {}, R"({"key_length":1})", now + 1h}});
  }));
  EXPECT_EQ(*in_tx<std::int64_t>([&](Tx& tx) { return delete_old_audit(tx, now + 1min, 100); }), 2);
  const auto left = db().query_blocking(kAudit);
  ASSERT_EQ(left->size(), 1U);
  EXPECT_EQ(left->text(0, 0), "updated");
  EXPECT_EQ(left->text(0, 1), R"({"name":"n"})");
}

INSTANTIATE_TEST_SUITE_P(Engines, ApiKeys, testing::kEngines, testing::engine_name);

}   // namespace
}   // namespace agentauri::store
