#include "store/organizations.hpp"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <thread>

#include "store/api_keys.hpp"
#include "store/jobs.hpp"
#include "store/revisions.hpp"
#include "store/testing/temp_database.hpp"
#include "store/triggers.hpp"

namespace agentauri::store {
namespace {

using domain::Role;
using ::testing::ElementsAre;
using ::testing::UnorderedElementsAre;
using namespace std::chrono_literals;

class Organizations : public testing::EngineTest {
 protected:
  const Time now = from_unix_seconds(1'767'225'600);

  domain::AccountId account(const std::string& name) {
    Account out;
    out.id = domain::AccountId::make(now);
    out.username = name;
    out.email = name + "@example.org";
    out.created_at = out.updated_at = now;
    EXPECT_TRUE(in_tx<void>([=](Tx& tx) { return insert_account(tx, out, out.username, out.email); }));
    return out.id;
  }
  Organization made(domain::AccountId owner, const std::string& slug, Time at) {
    Organization out{domain::OrganizationId::make(at), slug, slug, std::nullopt, owner, "free", false, at, at};
    EXPECT_TRUE(in_tx<void>([=](Tx& tx) { return insert_organization(tx, out, domain::MembershipId::make(at)); }));
    return out;
  }
  Result<void> join(const Organization& organization, domain::AccountId who, Role role, domain::AccountId by) {
    return in_tx<void>([=, this](Tx& tx) {
      return insert_member(tx, organization.id, {domain::MembershipId::make(now), who, {}, {}, role, now + 1s}, by);
    });
  }
  std::optional<Role> role(const Organization& organization, domain::AccountId who) {
    return *in_tx<std::optional<Role>>([=](Tx& tx) { return find_role(tx, organization.id, who); });
  }
  domain::ApiKeyId key(const Organization& organization, std::uint8_t seed) {
    ApiKey out;
    out.id = domain::ApiKeyId::make(now);
    out.organization_id = organization.id;
    out.name = "k";
    out.prefix = "sk_test_AAAAAAAA";
    out.environment = "test";
    out.key_type = "standard";
    out.permissions = {"read"};
    out.created_at = now;
    out.created_by = organization.owner_id;
    Hash32 hash;
    hash.data.fill(seed);
    EXPECT_TRUE(in_tx<void>([=](Tx& tx) { return insert_api_key(tx, out, hash); }));
    return out.id;
  }
};

TEST_P(Organizations, AreListedByTheirMembersNewestFirst) {
  const auto ada = account("ada"), grace = account("grace");
  const auto first = made(ada, "first", now), second = made(ada, "second", now + 1s);
  made(grace, "other", now + 2s);
  ASSERT_TRUE(join(second, grace, Role::viewer, ada));
  const auto page = *in_tx<OrganizationPage>([&](Tx& tx) { return list_organizations(tx, ada, 10, 0); });
  ASSERT_EQ(page.rows.size(), 2U);
  EXPECT_EQ(page.total, 2);
  EXPECT_EQ(page.rows[0].organization.id, second.id);
  EXPECT_EQ(page.rows[1].organization.id, first.id);
  EXPECT_EQ(page.rows[0].role, Role::owner);
  const auto of_grace = *in_tx<OrganizationPage>([&](Tx& tx) { return list_organizations(tx, grace, 1, 1); });
  ASSERT_EQ(of_grace.rows.size(), 1U);
  EXPECT_EQ(of_grace.total, 2);
  EXPECT_EQ(of_grace.rows[0].role, Role::viewer);
}

TEST_P(Organizations, SlugsAreUniqueForOneOwner) {
  const auto ada = account("ada"), grace = account("grace");
  const auto acme = made(ada, "acme", now);
  made(grace, "acme", now);
  const auto again = in_tx<void>([&](Tx& tx) {
    Organization twin = acme;
    twin.id = domain::OrganizationId::make(now);
    return insert_organization(tx, twin, domain::MembershipId::make(now));
  });
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, Code::conflict);
  EXPECT_THAT(again.error().field, ::testing::HasSubstr("slug"));
  // Nor can one be given to somebody who has that slug.
  ASSERT_TRUE(join(acme, grace, Role::viewer, ada));
  const auto moved = in_tx<void>([&](Tx& tx) { return transfer_organization(tx, acme, grace, now); });
  ASSERT_FALSE(moved);
  EXPECT_THAT(moved.error().field, ::testing::HasSubstr("slug"));
  EXPECT_EQ(role(acme, ada), Role::owner);
}

TEST_P(Organizations, ATransferLeavesOneOwner) {
  const auto ada = account("ada"), grace = account("grace");
  const auto acme = made(ada, "acme", now);
  ASSERT_TRUE(join(acme, grace, Role::viewer, ada));
  ASSERT_TRUE(in_tx<void>([&](Tx& tx) { return transfer_organization(tx, acme, grace, now + 5s); }));
  EXPECT_EQ(role(acme, ada), Role::admin);
  EXPECT_EQ(role(acme, grace), Role::owner);
  const auto after = *in_tx<std::optional<Organization>>([&](Tx& tx) { return find_organization(tx, acme.id); });
  EXPECT_EQ(after->owner_id, grace);
  EXPECT_EQ(after->updated_at, now + 5s);
}

TEST_P(Organizations, MembersAreListedOldestFirstAndAreMembersOnce) {
  const auto ada = account("ada"), grace = account("grace");
  const auto acme = made(ada, "acme", now);
  ASSERT_TRUE(join(acme, grace, Role::member, ada));
  const auto twice = join(acme, grace, Role::admin, ada);
  ASSERT_FALSE(twice);
  EXPECT_EQ(twice.error().code, Code::conflict);
  const auto page = *in_tx<MemberPage>([&](Tx& tx) { return list_members(tx, acme.id, 10, 0); });
  ASSERT_EQ(page.rows.size(), 2U);
  EXPECT_EQ(page.total, 2);
  EXPECT_EQ(page.rows[0].username, "ada");
  EXPECT_EQ(page.rows[1].email, "grace@example.org");
  EXPECT_EQ(page.rows[1].role, Role::member);
  ASSERT_TRUE(in_tx<void>([&](Tx& tx) { return set_member_role(tx, acme.id, grace, Role::admin); }));
  EXPECT_EQ(role(acme, grace), Role::admin);
  ASSERT_TRUE(in_tx<void>([&](Tx& tx) { return delete_member(tx, acme.id, grace); }));
  EXPECT_EQ(role(acme, grace), std::nullopt);
}

domain::Trigger trigger_of(const Organization& organization, Time now) {
  domain::Trigger out;
  out.id = domain::TriggerId::make(now);
  out.organization_id = organization.id;
  out.account_id = organization.owner_id;
  out.name = "t";
  out.created_at = out.updated_at = now;
  return out;
}

TEST_P(Organizations, WhatOneOwnsGoesWithItAndTheEngineHearsOfIt) {
  const auto ada = account("ada");
  const auto acme = made(ada, "acme", now), kept = made(ada, "kept", now);
  const auto a = trigger_of(acme, now), b = trigger_of(acme, now), other = trigger_of(kept, now);
  for (const auto& trigger : {a, b, other}) {
    ASSERT_TRUE(in_tx<void>([&](Tx& tx) { return insert_trigger(tx, trigger); }));
    ASSERT_TRUE(
        in_tx<domain::Trigger>([&](Tx& tx) { return commit_edit(tx, trigger.organization_id, trigger.id, now); }));
  }
  NewJob job;
  job.id.data.fill(7);
  job.organization_id = acme.id;
  job.trigger_id = a.id;
  job.event_data = job.explanation = "{}";
  ASSERT_TRUE(in_tx<std::int64_t>([&](Tx& tx) { return insert_jobs(tx, {job}, now); }));
  const auto first = key(acme, 1), second = key(acme, 2), foreign = key(kept, 3);
  ASSERT_TRUE(in_tx<void>([&](Tx& tx) { return revoke_api_key(tx, second, std::nullopt, now); }));
  const auto seq = *in_tx<std::int64_t>([](Tx& tx) { return newest_revocation(tx); });
  const auto revision = *in_tx<std::int64_t>([](Tx& tx) { return newest_revision(tx); });

  EXPECT_THAT(*in_tx<std::vector<domain::ApiKeyId>>([&](Tx& tx) { return delete_organization(tx, acme.id, now); }),
              ElementsAre(first));
  EXPECT_FALSE(*in_tx<bool>([&](Tx& tx) { return organization_exists(tx, acme.id); }));
  EXPECT_EQ(role(acme, ada), std::nullopt);
  const auto gone = *in_tx<std::vector<Revision>>([&](Tx& tx) { return read_revisions(tx, revision, 10); });
  ASSERT_EQ(gone.size(), 2U);
  EXPECT_TRUE(gone[0].deleted && gone[1].deleted);
  EXPECT_THAT((std::vector{gone[0].trigger.id, gone[1].trigger.id}), UnorderedElementsAre(a.id, b.id));
  const auto deliveries = *in_tx<DeliveryPage>([&](Tx& tx) { return list_deliveries(tx, a.id, 10, 0); });
  ASSERT_EQ(deliveries.rows.size(), 1U);
  EXPECT_EQ(deliveries.rows[0].state, "cancelled");
  const auto revoked = *in_tx<std::vector<Revocation>>([&](Tx& tx) { return read_revocations(tx, seq, 10); });
  ASSERT_EQ(revoked.size(), 1U);
  EXPECT_EQ(revoked[0].id, first.uuid);

  EXPECT_TRUE(*in_tx<bool>([&](Tx& tx) { return trigger_exists(tx, kept.id, other.id); }));
  EXPECT_EQ((*in_tx<std::optional<ApiKey>>([&](Tx& tx) { return find_api_key(tx, foreign); }))->revoked_at,
            std::nullopt);
}

// A trigger that is made at the same moment either goes with the organization or finds none.
TEST_P(Organizations, NoTriggerSlipsInWhileOneIsDeleted) {
  const auto ada = account("ada");
  for (int round = 0; round < 5; ++round) {
    const auto acme = made(ada, "acme" + std::to_string(round), now);
    std::vector<domain::Trigger> triggers;
    for (int i = 0; i < 8; ++i) triggers.push_back(trigger_of(acme, now));
    {
      std::vector<std::jthread> threads;
      for (const auto& trigger : triggers) {
        threads.emplace_back([&] {
          (void)in_tx<void>([&](Tx& tx) -> Result<void> {
            if (auto inserted = insert_trigger(tx, trigger); !inserted) return inserted;
            auto committed = commit_edit(tx, acme.id, trigger.id, now);
            return committed ? Result<void>() : Result<void>(std::unexpected(committed.error()));
          });
        });
      }
      threads.emplace_back([&] {
        EXPECT_TRUE(in_tx<std::vector<domain::ApiKeyId>>([&](Tx& tx) -> Result<std::vector<domain::ApiKeyId>> {
          if (auto held = lock_organization(tx, acme.id); !held) return fail(held);
          return delete_organization(tx, acme.id, now);
        }));
      });
    }
    const auto alive = *in_tx<std::vector<Revision>>(
        [&](Tx& tx) { return read_triggers_at(tx, *newest_revision(tx), domain::TriggerId{}, 1000); });
    EXPECT_THAT(alive, ::testing::IsEmpty()) << "the engine would go on with a trigger that nobody owns";
  }
}

INSTANTIATE_TEST_SUITE_P(Engines, Organizations, testing::kEngines, testing::engine_name);

}   // namespace
}   // namespace agentauri::store
