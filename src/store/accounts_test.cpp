#include "store/accounts.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <thread>

#include "store/testing/temp_database.hpp"

namespace agentauri::store {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;
using namespace std::chrono_literals;

class Accounts : public testing::EngineTest {
 protected:
  const Time now = from_unix_seconds(1'767'225'600);

  Account made(const std::string& name) {
    Account account;
    account.id = domain::AccountId::make(now);
    account.username = name;
    account.email = name + "@Example.org";
    account.password_hash = "$argon2id$…";
    account.created_at = account.updated_at = now;
    EXPECT_TRUE(insert(account));
    return account;
  }
  Result<void> insert(const Account& account) {
    return in_tx<void>([=](Tx& tx) { return insert_account(tx, account, account.username, account.email); });
  }
  Session session_of(const Account& account, Time at) {
    Session session{domain::SessionId::make(at), account.id, at, at, at + 24h, std::nullopt, "agent", "203.0.113.7"};
    EXPECT_TRUE(in_tx<void>([=](Tx& tx) { return insert_session(tx, session); }));
    return session;
  }
};

TEST_P(Accounts, AreFoundByTheirKeys) {
  const auto account = made("orbit7");
  auto found = in_tx<std::optional<Account>>([&](Tx& tx) { return find_account_by_username(tx, "orbit7"); });
  ASSERT_TRUE(found && *found);
  EXPECT_EQ((*found)->id, account.id);
  EXPECT_EQ((*found)->email, "orbit7@Example.org");
  EXPECT_EQ((*found)->password_hash, account.password_hash);
  EXPECT_EQ((*found)->created_at, now);
  EXPECT_EQ((*found)->last_login_at, std::nullopt);
  EXPECT_FALSE(*in_tx<std::optional<Account>>([&](Tx& tx) { return find_account_by_email(tx, "nobody"); }));
}

TEST_P(Accounts, AreUniqueAndTheErrorNamesTheKey) {
  made("orbit7");
  Account twin;
  twin.id = domain::AccountId::make(now);
  twin.username = "orbit7";
  twin.email = "other";
  twin.created_at = now;
  const auto same_name = insert(twin);
  ASSERT_FALSE(same_name);
  EXPECT_EQ(same_name.error().code, Code::conflict);
  EXPECT_THAT(same_name.error().field, ::testing::HasSubstr("username"));
  twin.username = "other";
  twin.email = "orbit7@Example.org";
  const auto same_mail = insert(twin);
  ASSERT_FALSE(same_mail);
  EXPECT_THAT(same_mail.error().field, ::testing::HasSubstr("email"));
}

TEST_P(Accounts, FailedLoginsAreCountedExactlyByManyAtOnce) {
  const auto account = made("orbit7");
  std::vector<std::int64_t> counts(20);
  {
    std::vector<std::jthread> threads;
    for (auto& count : counts) {
      threads.emplace_back([&] {
        auto counted = in_tx<std::int64_t>([&](Tx& tx) { return count_failed_login(tx, account.id, now); });
        count = counted ? *counted : -1;
      });
    }
  }
  std::sort(counts.begin(), counts.end());
  for (std::size_t i = 0; i < counts.size(); ++i) EXPECT_EQ(counts[i], static_cast<std::int64_t>(i) + 1);
  ASSERT_TRUE(in_tx<void>([&](Tx& tx) { return lock_account(tx, account.id, now + 15min); }));
  EXPECT_EQ((*in_tx<std::optional<Account>>([&](Tx& tx) { return find_account(tx, account.id); }))->locked_until,
            now + 15min);
  ASSERT_TRUE(in_tx<void>([&](Tx& tx) { return record_login(tx, account.id, now + 1s); }));
  const auto after = *in_tx<std::optional<Account>>([&](Tx& tx) { return find_account(tx, account.id); });
  EXPECT_EQ(after->failed_logins, 0);
  EXPECT_EQ(after->locked_until, std::nullopt);
  EXPECT_EQ(after->last_login_at, now + 1s);
}

TEST_P(Accounts, OrganizationsHaveTheirOwner) {
  const auto account = made("orbit7");
  Organization organization{domain::OrganizationId::make(now),
                            "orbit7's Personal",
                            "orbit7-personal",
                            std::nullopt,
                            account.id,
                            "free",
                            true,
                            now,
                            now};
  ASSERT_TRUE(
      in_tx<void>([&](Tx& tx) { return insert_organization(tx, organization, domain::MembershipId::make(now)); }));
  EXPECT_EQ(*in_tx<std::optional<domain::Role>>([&](Tx& tx) { return find_role(tx, organization.id, account.id); }),
            domain::Role::owner);
  const auto other = made("other");
  EXPECT_EQ(*in_tx<std::optional<domain::Role>>([&](Tx& tx) { return find_role(tx, organization.id, other.id); }),
            std::nullopt);
  const auto memberships = *in_tx<std::vector<Membership>>([&](Tx& tx) { return list_memberships(tx, account.id); });
  ASSERT_EQ(memberships.size(), 1U);
  EXPECT_EQ(memberships[0].slug, "orbit7-personal");
}

TEST_P(Accounts, SessionsAreRevokedOnceAndInOrder) {
  const auto account = made("orbit7");
  const auto a = session_of(account, now), b = session_of(account, now + 1s);
  const auto start = *in_tx<std::int64_t>([](Tx& tx) { return newest_revocation(tx); });
  EXPECT_TRUE(*in_tx<bool>([&](Tx& tx) { return revoke_session(tx, b.id, "logout", now); }));
  EXPECT_FALSE(*in_tx<bool>([&](Tx& tx) { return revoke_session(tx, b.id, "logout", now); }));
  EXPECT_FALSE(*in_tx<bool>([&](Tx& tx) { return touch_session(tx, b.id, now); }));
  EXPECT_TRUE(*in_tx<bool>([&](Tx& tx) { return touch_session(tx, a.id, now); }));
  EXPECT_TRUE(*in_tx<bool>([&](Tx& tx) { return revoke_session(tx, a.id, "logout", now); }));
  const auto rows = *in_tx<std::vector<Revocation>>([&](Tx& tx) { return read_revocations(tx, start, 10); });
  ASSERT_EQ(rows.size(), 2U);
  EXPECT_EQ(rows[0].id, b.id.uuid);
  EXPECT_EQ(rows[1].id, a.id.uuid);
  EXPECT_EQ(rows[1].seq, start + 2);
  EXPECT_THAT(*in_tx<std::vector<Revocation>>([&](Tx& tx) { return read_revocations(tx, start + 2, 10); }), IsEmpty());
  const auto view = *in_tx<std::optional<SessionView>>([&](Tx& tx) { return find_session(tx, a.id); });
  ASSERT_TRUE(view);
  EXPECT_EQ(view->username, "orbit7");
  EXPECT_EQ(view->session.revoked_at, now);
  EXPECT_EQ(view->personal_organization, std::nullopt);
}

TEST_P(Accounts, LiveSessionsAreOldestFirst) {
  const auto account = made("orbit7");
  const auto b = session_of(account, now + 2s), a = session_of(account, now + 1s),
             dead = session_of(account, now - 48h);
  EXPECT_THAT(*in_tx<std::vector<domain::SessionId>>([&](Tx& tx) { return live_sessions(tx, account.id, now); }),
              ElementsAre(a.id, b.id));
}

TEST_P(Accounts, DeadRowsAreForgottenAndLiveOnesStay) {
  const auto account = made("orbit7");
  const auto live = session_of(account, now), gone = session_of(account, now - 100h);
  const auto add = [&](const Session& session, std::string hash, Time at) {
    RefreshToken token{make_uuid_v7(at), session.id,   std::move(hash), at,
                       at + 1000h,       std::nullopt, std::nullopt,    std::nullopt};
    EXPECT_TRUE(in_tx<void>([&](Tx& tx) { return insert_refresh_token(tx, token); }));
    return token;
  };
  const auto first = add(live, "first", now), second = add(live, "second", now + 1s),
             third = add(live, "third", now + 2s);
  add(gone, "gone", now - 100h);
  // The second was used long ago, so the first can only be a replay; the second may still be asked for.
  ASSERT_TRUE(in_tx<void>([&](Tx& tx) { return mark_refresh_token_used(tx, second.id, now + 1s); }));
  ASSERT_TRUE(in_tx<std::int64_t>([&](Tx& tx) { return delete_dead_sessions(tx, now + 10s, 100); }));
  const auto exists = [&](const std::string& hash) {
    return in_tx<std::optional<RefreshToken>>([&](Tx& tx) { return find_refresh_token(tx, hash); })->has_value();
  };
  EXPECT_FALSE(exists("first"));
  EXPECT_TRUE(exists("second"));
  EXPECT_TRUE(exists("third"));
  EXPECT_FALSE(exists("gone"));
  EXPECT_TRUE(in_tx<std::optional<SessionView>>([&](Tx& tx) { return find_session(tx, live.id); })->has_value());
  EXPECT_FALSE(in_tx<std::optional<SessionView>>([&](Tx& tx) { return find_session(tx, gone.id); })->has_value());
}

INSTANTIATE_TEST_SUITE_P(Engines, Accounts, testing::kEngines, testing::engine_name);

}   // namespace
}   // namespace agentauri::store
