#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <map>

#include "gateway/testing/gateway_fixture.hpp"
#include "gateway/use_cases/members.hpp"
#include "store/revisions.hpp"

namespace agentauri::gateway {
namespace {

using testing::Answer;
using ::testing::HasSubstr;
using testing::HeaderList;
using namespace std::chrono_literals;

const std::string kOrganizations = "/api/v1/organizations";
const std::string kNobody = "01936b1e-7a00-7000-8000-00000000000a";

class OrganizationsApi : public testing::EngineHarness {
 protected:
  HeaderList owner = h.signed_in("ada"), other = h.signed_in("grace"), stranger = h.signed_in("eve");

  // Later than the personal organizations, which come first in every list for that reason.
  std::string made(const std::string& slug = "acme") {
    h.clock_.advance(1s);
    const auto answer = h.post(kOrganizations, fmt::format(R"({{"name":"Acme","slug":"{}"}})", slug), owner);
    EXPECT_EQ(answer.status, 201) << answer.text;
    return kOrganizations + "/" + answer.at("data.id");
  }
  Answer join(const std::string& path, const HeaderList& who, std::string_view role) {
    return h.post(path + "/members", fmt::format(R"({{"user_id":"{}","role":"{}"}})", h.user_id(who), role), owner);
  }
  Answer set_role(const std::string& path, const HeaderList& who, std::string_view role) {
    return h.put(path + "/members/" + h.user_id(who), fmt::format(R"({{"role":"{}"}})", role), owner);
  }
  static void expect(const Answer& answer, int status, std::string_view code, std::string_view message) {
    EXPECT_EQ(answer.status, status) << answer.text;
    EXPECT_EQ(answer.at("error"), code);
    EXPECT_EQ(answer.at("message"), message);
  }
};

TEST_P(OrganizationsApi, CreateReadUpdateDelete) {
  const auto created = h.post(kOrganizations, R"({"name":"Acme","slug":"acme","description":"d"})", owner);
  ASSERT_EQ(created.status, 201) << created.text;
  EXPECT_EQ(created.at("data.plan"), "free");
  EXPECT_EQ(created.at("data.is_personal"), "false");
  EXPECT_EQ(created.at("data.owner_id"), h.user_id(owner));
  EXPECT_EQ(created.find("data.my_role"), nullptr);
  const std::string path = kOrganizations + "/" + created.at("data.id");
  EXPECT_EQ(h.get(path, owner).at("data.my_role"), "owner");

  h.clock_.advance(5s);
  const auto updated = h.put(path, R"({"name":"Acme Agents"})", owner);
  ASSERT_EQ(updated.status, 200) << updated.text;
  EXPECT_EQ(updated.at("data.name"), "Acme Agents");
  EXPECT_EQ(updated.at("data.description"), "d");
  EXPECT_EQ(updated.at("data.slug"), "acme");
  EXPECT_EQ(updated.at("data.updated_at"), "2026-01-01T00:10:17.345678Z");
  EXPECT_EQ(updated.find("data.my_role"), nullptr);
  h.clock_.advance(5s);
  EXPECT_EQ(h.put(path, "{}", owner).at("data.updated_at"), "2026-01-01T00:10:22.345678Z");

  const auto page = h.get(kOrganizations, owner);
  EXPECT_EQ(page.at("pagination.total"), "2");
  EXPECT_EQ(page.at("data.0.name"), "Acme Agents");
  EXPECT_EQ(page.at("data.1.is_personal"), "true");
  EXPECT_EQ(page.at("data.1.my_role"), "owner");
  const auto second = h.get(kOrganizations + "?limit=1&offset=1", owner);
  EXPECT_EQ(second.at("data.0.is_personal"), "true");
  EXPECT_EQ(second.at("pagination.has_more"), "false");
  EXPECT_EQ(h.get(kOrganizations + "?limit=1", owner).at("pagination.has_more"), "true");
  EXPECT_EQ(h.get(kOrganizations + "?limit=0", owner).at("error"), "validation_error");

  EXPECT_EQ(h.erase(path, owner).status, 204);
  expect(h.get(path, owner), 404, "not_found", "Organization not found");
  expect(h.erase(path, owner), 404, "not_found", "Organization not found");
}

TEST_P(OrganizationsApi, WhatANewOneMustBe) {
  const auto fault = [&](const std::string& body) { return h.post(kOrganizations, body, owner); };
  EXPECT_EQ(fault(R"({"name":"x"})").at("error"), "bad_request");
  EXPECT_EQ(fault(R"({"name":1,"slug":"x"})").at("error"), "bad_request");
  const auto both = fault(R"({"name":"","slug":"Acme"})");
  expect(both, 400, "validation_error", both.at("message"));
  EXPECT_EQ(both.at("details.0.field"), "name");
  EXPECT_EQ(both.at("details.1.message"), "Slug must be lowercase alphanumeric with hyphens");
  for (const std::string slug : {"-a", "a-", "a_b", "", "\xc3\xa9", "a b"})
    EXPECT_EQ(fault(fmt::format(R"({{"name":"x","slug":"{}"}})", slug)).at("error"), "validation_error") << slug;
  EXPECT_EQ(fault(fmt::format(R"({{"name":"x","slug":"{}"}})", std::string(101, 'a'))).at("details.0.field"), "slug");
  EXPECT_EQ(fault(fmt::format(R"({{"name":"{}","slug":"a"}})", std::string(256, 'a'))).at("details.0.field"), "name");
  EXPECT_EQ(fault(fmt::format(R"({{"name":"x","slug":"a","description":"{}"}})", std::string(1001, 'a')))
                .at("details.0.field"),
            "description");
  for (const std::string& slug : {std::string("a"), std::string("0"), std::string("a-b--c"), std::string(100, 'z')})
    EXPECT_EQ(fault(fmt::format(R"({{"name":"{}","slug":"{}"}})", std::string(255, 'a'), slug)).status, 201) << slug;
  const auto path = made();
  EXPECT_EQ(h.put(path, R"({"name":""})", owner).at("error"), "validation_error");
  // Validation comes before the question whose it is.
  EXPECT_EQ(h.put(path, R"({"name":""})", stranger).at("error"), "validation_error");
}

TEST_P(OrganizationsApi, OneSlugForEachOwner) {
  made();
  expect(h.post(kOrganizations, R"({"name":"x","slug":"acme"})", owner), 400, "slug_exists",
         "You already have an organization with this slug. Please choose a different one.");
  EXPECT_EQ(h.post(kOrganizations, R"({"name":"x","slug":"acme"})", other).status, 201);
  const testing::Call call{"POST", kOrganizations, R"({"name":"x","slug":"race"})", owner, "203.0.113.7"};
  const auto answers = h.call_all(std::vector<testing::Call>(8, call));
  EXPECT_EQ(std::count_if(answers.begin(), answers.end(), [](const auto& a) { return a.status == 201; }), 1);
  EXPECT_EQ(std::count_if(answers.begin(), answers.end(), [](const auto& a) { return a.at("error") == "slug_exists"; }),
            7);
}

TEST_P(OrganizationsApi, StrangersFindNothing) {
  const auto path = made();
  const std::string member = path + "/members/" + h.user_id(owner);
  const std::string role = R"({"role":"viewer"})", add = R"({"user_id":"x","role":"viewer"})";
  for (const auto& where : {path, kOrganizations + "/" + kNobody, kOrganizations + "/nonsense"}) {
    for (const auto& answer : {h.get(where, stranger), h.put(where, "{}", stranger), h.erase(where, stranger),
                               h.post(where + "/transfer", R"({"new_owner_id":"x"})", stranger),
                               h.post(where + "/members", add, stranger), h.get(where + "/members", stranger),
                               h.put(where + "/members/x", role, stranger), h.erase(where + "/members/x", stranger),
                               h.get(where + "/api-keys", stranger), h.get(where + "/api-keys/stats", stranger),
                               h.post(where + "/api-keys", R"({"name":"k","environment":"live"})", stranger)})
      expect(answer, 404, "not_found", "Organization not found");
  }
  EXPECT_EQ(h.erase(member, stranger).status, 404);
}

TEST_P(OrganizationsApi, RolesDecide) {
  const auto path = made();
  const std::string nobody = path + "/members/" + kNobody;
  ASSERT_EQ(join(path, other, "viewer").status, 201);
  const std::map<std::string, std::vector<int>> expected{
      // update, add, set role, remove, delete, transfer, read, members, key
      {"viewer", {403, 403, 403, 403, 403, 403, 200, 200, 403}},
      {"member", {403, 403, 403, 403, 403, 403, 200, 200, 403}},
      {"admin", {200, 404, 403, 404, 403, 403, 200, 200, 201}}};
  for (const auto& [role, statuses] : expected) {
    ASSERT_EQ(set_role(path, other, role).at("data.role"), role);
    const std::vector<Answer> answers{
        h.put(path, "{}", other),
        h.post(path + "/members", fmt::format(R"({{"user_id":"{}","role":"viewer"}})", kNobody), other),
        h.put(nobody, R"({"role":"viewer"})", other),
        h.erase(nobody, other),
        h.erase(path, other),
        h.post(path + "/transfer", R"({"new_owner_id":"x"})", other),
        h.get(path, other),
        h.get(path + "/members", other),
        h.post(path + "/api-keys", R"({"name":"k","environment":"live"})", other)};
    for (std::size_t i = 0; i < answers.size(); ++i)
      EXPECT_EQ(answers[i].status, statuses[i]) << role << " " << i << " " << answers[i].text;
    EXPECT_EQ(answers[6].at("data.my_role"), role);
  }
  expect(h.erase(path, other), 403, "forbidden", "Only the owner can delete an organization");
  expect(h.put(nobody, R"({"role":"viewer"})", other), 403, "forbidden", "Only the owner can update member roles");
  expect(h.post(path + "/transfer", R"({"new_owner_id":"x"})", other), 403, "forbidden",
         "Only the owner can transfer ownership");
  ASSERT_EQ(set_role(path, other, "viewer").status, 200);
  expect(h.put(path, "{}", other), 403, "forbidden", "Insufficient permissions to update organization");
  expect(h.post(path + "/members", R"({"user_id":"x","role":"viewer"})", other), 403, "forbidden",
         "Insufficient permissions to add members");
  expect(h.erase(nobody, other), 403, "forbidden", "Insufficient permissions to remove members");
}

TEST_P(OrganizationsApi, DeletingTakesTheTriggersAlong) {
  const auto path = made();
  auto in_it = owner;
  in_it.emplace_back("X-Organization-ID", path.substr(kOrganizations.size() + 1));
  ASSERT_EQ(h.post("/api/v1/triggers", R"({"name":"t","registry":"identity"})", in_it).status, 201);
  ASSERT_EQ(h.erase(path, owner).status, 204);
  const auto log = *h.db().snapshot_blocking<std::vector<store::Revision>>(
      [](store::Tx& tx) { return store::read_revisions(tx, 0, 100); });
  ASSERT_EQ(log.size(), 2U);
  EXPECT_TRUE(log[1].deleted);
  expect(h.get("/api/v1/triggers", in_it), 403, "forbidden", "Not a member of the specified organization");
  expect(h.erase(kOrganizations + "/" + h.organization_id(owner), owner), 400, "bad_request",
         "Personal organizations cannot be deleted");
}

TEST_P(OrganizationsApi, ATransferChecksInOrder) {
  const auto path = made();
  const auto transfer = [&](const std::string& to, const HeaderList& who, const std::string& where) {
    return h.post(where + "/transfer", fmt::format(R"({{"new_owner_id":"{}"}})", to), who);
  };
  EXPECT_EQ(transfer("", owner, path).at("error"), "validation_error");
  expect(transfer(h.user_id(stranger), stranger, path), 400, "bad_request", "Cannot transfer ownership to yourself");
  expect(transfer(h.user_id(other), stranger, path), 404, "not_found", "Organization not found");
  for (const auto& to : {h.user_id(other), kNobody, std::string("nonsense")})
    expect(transfer(to, owner, path), 400, "bad_request", "New owner must be a member of the organization");
  ASSERT_EQ(join(path, other, "viewer").status, 201);
  const std::string personal = kOrganizations + "/" + h.organization_id(owner);
  ASSERT_EQ(join(personal, other, "admin").status, 201);
  expect(transfer(h.user_id(other), owner, personal), 400, "bad_request",
         "Personal organizations cannot be transferred");
  ASSERT_EQ(h.post(kOrganizations, R"({"name":"x","slug":"taken"})", other).status, 201);
  const auto taken = made("taken");
  ASSERT_EQ(join(taken, other, "viewer").status, 201);
  expect(transfer(h.user_id(other), owner, taken), 400, "slug_exists",
         "The new owner already has an organization with this slug");

  const auto moved = transfer(h.user_id(other), owner, path);
  ASSERT_EQ(moved.status, 200) << moved.text;
  EXPECT_EQ(moved.at("data.owner_id"), h.user_id(other));
  EXPECT_EQ(h.get(path, owner).at("data.my_role"), "admin");
  EXPECT_EQ(h.get(path, other).at("data.my_role"), "owner");
  expect(transfer(h.user_id(other), owner, path), 403, "forbidden", "Only the owner can transfer ownership");
}

TEST_P(OrganizationsApi, AddingAMemberChecksInOrder) {
  const auto path = made();
  const auto add = [&](const std::string& user, const std::string& role) {
    return h.post(path + "/members", fmt::format(R"({{"user_id":"{}","role":"{}"}})", user, role), owner);
  };
  const auto wrong = add("", "boss");
  EXPECT_EQ(wrong.at("error"), "validation_error");
  EXPECT_EQ(wrong.at("details.1.message"), "Role must be one of: owner, admin, member, viewer");
  expect(add("x", "owner"), 400, "bad_request", "Cannot add a member as owner");
  expect(add(kNobody, "member"), 404, "not_found", "User not found");
  expect(add("nonsense", "member"), 404, "not_found", "User not found");
  const auto added = add(h.user_id(other), "member");
  ASSERT_EQ(added.status, 201) << added.text;
  EXPECT_EQ(added.at("data.email"), "grace@example.org");
  EXPECT_EQ(added.at("data.username"), "grace");
  EXPECT_EQ(added.at("data.role"), "member");
  expect(add(h.user_id(other), "viewer"), 409, "conflict", "User is already a member of this organization");
  const testing::Call call{"POST", path + "/members",
                           fmt::format(R"({{"user_id":"{}","role":"viewer"}})", h.user_id(stranger)), owner,
                           "203.0.113.7"};
  const auto answers = h.call_all(std::vector<testing::Call>(8, call));
  EXPECT_EQ(std::count_if(answers.begin(), answers.end(), [](const auto& a) { return a.status == 201; }), 1);
  EXPECT_EQ(std::count_if(answers.begin(), answers.end(), [](const auto& a) { return a.status == 409; }), 7);
}

TEST_P(OrganizationsApi, ChangingAndRemovingMembersChecksInOrder) {
  const auto path = made();
  ASSERT_EQ(join(path, other, "admin").status, 201);
  const std::string owner_row = path + "/members/" + h.user_id(owner);
  expect(set_role(path, other, "owner"), 400, "bad_request", "Cannot change role to owner");
  EXPECT_EQ(set_role(path, other, "boss").at("error"), "validation_error");
  expect(h.put(path + "/members/" + kNobody, R"({"role":"viewer"})", owner), 404, "not_found", "Member not found");
  expect(h.put(path + "/members/x", R"({"role":"viewer"})", owner), 404, "not_found", "Member not found");
  expect(h.put(owner_row, R"({"role":"viewer"})", owner), 400, "bad_request", "Cannot change the owner's role");
  expect(h.erase(path + "/members/" + kNobody, owner), 404, "not_found", "Member not found");
  expect(h.erase(owner_row, other), 400, "bad_request", "Cannot remove the owner from the organization");
  // An admin may remove another; anybody may leave, and sees nothing any more at once, wherever the answer comes from.
  ASSERT_EQ(join(path, stranger, "admin").status, 201);
  EXPECT_EQ(h.erase(path + "/members/" + h.user_id(stranger), other).status, 204);
  EXPECT_EQ(h.get(path, stranger).status, 404);
  ASSERT_EQ(set_role(path, other, "viewer").status, 200);
  const auto second = h.another();
  const testing::Call read{"GET", path, std::nullopt, other, "203.0.113.7"};
  EXPECT_EQ(testing::call_gateway(*second, read).status, 200);
  EXPECT_EQ(h.erase(path + "/members/" + h.user_id(other), other).status, 204);
  EXPECT_EQ(testing::call_gateway(*second, read).status, 404);
}

TEST_P(OrganizationsApi, AddressesAreMasked) {
  const auto path = made();
  h.clock_.advance(1s);   // members stand in the order in which they joined
  ASSERT_EQ(join(path, other, "member").status, 201);
  const auto seen = h.get(path + "/members", other);
  ASSERT_EQ(seen.at("pagination.total"), "2");
  EXPECT_EQ(seen.at("data.0.email"), "a***@e***.org");
  EXPECT_EQ(seen.at("data.0.role"), "owner");
  EXPECT_EQ(seen.at("data.1.email"), "grace@example.org");   // one's own
  ASSERT_EQ(set_role(path, other, "admin").status, 200);
  EXPECT_EQ(h.get(path + "/members", other).at("data.0.email"), "ada@example.org");
  EXPECT_EQ(h.get(path + "/members?limit=1", owner).at("pagination.has_more"), "true");
  EXPECT_EQ(h.get(path + "/members?limit=101", owner).at("error"), "validation_error");
}

TEST(Members, MaskOfAnAddress) {
  EXPECT_EQ(mask_email("john@example.com"), "j***@e***.com");
  EXPECT_EQ(mask_email("j@e.com"), "*@***.com");
  EXPECT_EQ(mask_email("@.com"), "*@***.com");
  EXPECT_EQ(mask_email("john@localhost"), "j***@***");
  EXPECT_EQ(mask_email("john@mail.example.co.uk"), "j***@m***.uk");
  EXPECT_EQ(mask_email("\xc3\xa9lan@example.com"), "\xc3\xa9***@e***.com");
  EXPECT_EQ(mask_email("nobody"), "***@***");
}

INSTANTIATE_TEST_SUITE_P(Engines, OrganizationsApi, store::testing::kEngines, store::testing::engine_name);

}   // namespace
}   // namespace agentauri::gateway
