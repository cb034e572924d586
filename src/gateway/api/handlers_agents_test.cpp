#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>

#include "core/crypto/testing/test_wallet.hpp"
#include "gateway/auth/agent_owner.hpp"
#include "gateway/link_watch.hpp"
#include "gateway/testing/gateway_fixture.hpp"

namespace agentauri::gateway {
namespace {

using crypto::testing::TestWallet;
using testing::Answer;
using testing::Harness;
using testing::HeaderList;
using namespace std::chrono_literals;

const std::string kChallenge = "/api/v1/agents/link/challenge", kLink = "/api/v1/agents/link";
constexpr domain::ChainId kChain = 31337;
const std::string kRegistry = "0x8004a6090cd10a7288092483047b097295fb8847";
const std::string kHuge = "115792089237316195423570985008687907853269984665640564039457584007913129639935";

class AgentLinksApi : public testing::EngineHarness {
 protected:
  AgentLinksApi() {
    h.chains_.chains[kChain].registry = parse_address(kRegistry);
    h.chains_.chains[1] = {};
    h.chains_.answers = [this](domain::ChainId chain, const ChainCall& call) -> Result<ChainAnswer> {
      EXPECT_EQ(chain, kChain);
      EXPECT_EQ(call.to, parse_address(kRegistry));
      EXPECT_EQ(to_hex(call.data).substr(0, 8), "6352211e");
      asked_for = to_hex(call.data).substr(8);
      return answer;
    };
    owned_by(ada);
  }
  void owned_by(const TestWallet& wallet) {
    answer = {false, Bytes(12, 0)};
    const Address owner = wallet.address();
    answer.data.insert(answer.data.end(), owner.data.begin(), owner.data.end());
  }
  const TestWallet ada = TestWallet::first(), eve = TestWallet::second();
  HeaderList admin = h.signed_in("ada"), stranger = h.signed_in("eve");
  std::string organization = h.organization_id(admin), other = h.organization_id(stranger);
  ChainAnswer answer;
  std::string asked_for;

  json::Object wish(const std::string& agent = "42", const std::string& wallet = {}) {
    json::Object out;
    out["agent_id"] = agent.size() < 16 ? *json::parse(agent) : json::Value(json::String(agent));
    out["chain_id"] = kChain;
    out["organization_id"] = organization;
    out["wallet_address"] = wallet.empty() ? ada.text() : wallet;
    return out;
  }
  Answer issue(const json::Object& body) { return h.post(kChallenge, json::dump(body), admin); }
  std::string challenge(const json::Object& body) {
    const auto issued = issue(body);
    EXPECT_EQ(issued.status, 200) << issued.text;
    return issued.at("challenge");
  }
  Answer link(json::Object body, const std::string& text, const std::string& signature) {
    body["challenge"] = text;
    body["signature"] = signature;
    return h.post(kLink, json::dump(body), admin);
  }
  Answer link(const json::Object& body, const TestWallet& wallet) {
    const auto text = challenge(body);
    return link(body, text, wallet.personal_sign(text));
  }
  Answer link(const std::string& agent = "42") { return link(wish(agent), ada); }
  Answer unlink(const std::string& agent, const HeaderList& who, const std::string& of) {
    return h.erase(fmt::format("/api/v1/agents/{}/link?chain_id={}&organization_id={}", agent, kChain, of), who);
  }
  static void expect(const Answer& got, int status, std::string_view code, std::string_view message) {
    EXPECT_EQ(got.status, status) << got.text;
    EXPECT_EQ(got.at("error"), code) << got.text;
    EXPECT_EQ(got.at("message"), message);
  }
};

TEST_P(AgentLinksApi, LinkListUnlinkRelink) {
  const auto issued = issue(wish());
  ASSERT_EQ(issued.status, 200) << issued.text;
  std::string digits = issued.at("nonce");
  std::erase(digits, '-');
  EXPECT_EQ(issued.at("challenge"),
            fmt::format("agentauri.ai wants you to sign in with your Ethereum account:\n{}\n\n"
                        "Link ERC-8004 agent 42 to AgentAuri organization {}\n\nURI: https://agentauri.ai\nVersion: 1\n"
                        "Chain ID: 31337\nNonce: {}\nIssued At: 2026-01-01T00:10:12.345Z\n"
                        "Expiration Time: 2026-01-01T00:15:12.345Z\nRequest ID: {}\nResources:\n"
                        "- urn:agentauri:link:eip155:31337:{}:42\n- urn:agentauri:org:{}",
                        ada.text(), organization, digits, issued.at("nonce"), kRegistry, organization));
  EXPECT_EQ(issued.at("expires_at"), "2026-01-01T00:15:12.345678Z");

  const auto linked = link(wish(), issued.at("challenge"), ada.personal_sign(issued.at("challenge")));
  ASSERT_EQ(linked.status, 201) << linked.text;
  EXPECT_EQ(asked_for, "000000000000000000000000000000000000000000000000000000000000002a");
  EXPECT_EQ(linked.at("agent_id"), "42");
  EXPECT_EQ(linked.at("status"), "active");
  EXPECT_EQ(linked.at("wallet_address"), ada.text());
  EXPECT_EQ(linked.at("created_at"), "2026-01-01T00:10:12.345678+00:00");
  h.clock_.advance(1s);
  const auto huge = link(kHuge);
  ASSERT_EQ(huge.status, 201) << huge.text;
  EXPECT_EQ(huge.find("agent_id")->get_string(), kHuge.c_str());
  EXPECT_EQ(asked_for, std::string(64, 'f'));

  const auto list = h.get("/api/v1/agents/linked?organization_id=" + organization, admin);
  ASSERT_EQ(list.status, 200) << list.text;
  EXPECT_EQ(list.at("0.agent_id"), kHuge);
  EXPECT_EQ(list.at("1.id"), linked.at("id"));
  EXPECT_EQ(h.get("/api/v1/organizations/" + organization + "/agents", admin).text, list.text);
  EXPECT_EQ(h.get("/api/v1/agents/linked", admin).at("error"), "bad_request");
  EXPECT_EQ(h.get("/api/v1/agents/linked?organization_id=" + other, stranger).text, "[]");

  expect(link(), 409, "already_linked", "This agent is already linked to an organization");
  const auto gone = unlink("42", admin, organization);
  EXPECT_EQ(gone.status, 200);
  EXPECT_EQ(gone.at("data"), "Agent unlinked successfully");
  expect(unlink("42", admin, organization), 404, "not_found", "Agent link not found");
  EXPECT_EQ(link().status, 201);
}

TEST_P(AgentLinksApi, WhatAChallengeIsIssuedFor) {
  const auto with = [&](std::string_view key, json::Value value) {
    auto body = wish();
    body[key] = std::move(value);
    return issue(body);
  };
  EXPECT_EQ(issue({}).at("error"), "bad_request");
  for (const json::Value& agent : {json::Value(-1), json::Value(1.5), json::Value("x"), json::Value("-1"),
                                   json::Value(json::String(kHuge + "0")), json::Value(true)})
    EXPECT_EQ(with("agent_id", agent).at("error"), "bad_request") << json::dump(agent);
  EXPECT_EQ(with("agent_id", 0).status, 200) << "0 is a real agent";
  EXPECT_EQ(with("chain_id", 0).at("error"), "bad_request");
  EXPECT_EQ(with("wallet_address", "0x1").at("details.0.field"), "wallet_address");
  EXPECT_EQ(with("wallet_address", json::String("0x" + std::string(40, 'z'))).at("error"), "invalid_address");
  EXPECT_EQ(with("registry", "0x0").at("details.0.field"), "registry");
  EXPECT_EQ(with("registry", json::String(kRegistry)).status, 200);
  expect(with("chain_id", 5), 400, "unsupported_chain", "Chain 5 has no identity registry that this service knows");
  EXPECT_EQ(with("chain_id", 1).at("error"), "unsupported_chain") << "a chain without a registry";
  expect(with("organization_id", json::String(other)), 404, "not_found",
         "Organization not found or you are not a member");
}

TEST_P(AgentLinksApi, AChallengeIsForOneThingAlone) {
  const auto text = challenge(wish());
  const auto signature = ada.personal_sign(text);
  EXPECT_EQ(link(wish("43"), text, signature).at("error"), "invalid_challenge");
  EXPECT_EQ(link(wish("42", eve.text()), text, signature).at("error"), "invalid_challenge");
  expect(link(wish(), "hello", signature), 400, "invalid_challenge", "Nonce not found in challenge message");
  EXPECT_EQ(link(wish(), text + " ", signature).at("error"), "invalid_challenge");
  auto unknown = text;
  unknown.replace(unknown.find("Nonce: ") + 7, 32, std::string(32, '0'));
  EXPECT_EQ(link(wish(), unknown, signature).at("error"), "invalid_challenge");
  // A text to sign in with is none to link with.
  json::Object address;
  address["address"] = ada.text();
  const auto login = h.post("/api/v1/auth/nonce", json::dump(address)).at("message");
  EXPECT_EQ(link(wish(), login, ada.personal_sign(login)).at("error"), "invalid_challenge");
  // Nor the other way round.
  json::Object sign_in;
  sign_in["address"] = ada.text();
  sign_in["message"] = text;
  sign_in["signature"] = signature;
  EXPECT_EQ(h.post("/api/v1/auth/wallet", json::dump(sign_in)).status, 400);

  ASSERT_EQ(link(wish(), text, signature).status, 201);
  ASSERT_EQ(unlink("42", admin, organization).status, 200);
  expect(link(wish(), text, signature), 400, "nonce_reused",
         "This challenge has already been used. Please request a new one.");
  const auto late = challenge(wish());
  h.clock_.advance(5min);
  expect(link(wish(), late, ada.personal_sign(late)), 400, "challenge_expired",
         "Challenge has expired. Please request a new one.");
}

TEST_P(AgentLinksApi, OnlyTheOwnerLinks) {
  const auto text = challenge(wish());
  expect(link(wish(), text, eve.personal_sign(text)), 400, "invalid_signature",
         "Signature verification failed: Signature does not match claimed address");
  owned_by(eve);
  expect(link(wish(), text, ada.personal_sign(text)), 403, "not_owner", "Wallet address does not own this agent NFT");
  owned_by(ada);
  EXPECT_EQ(link(wish(), text, ada.personal_sign(text)).status, 201) << "neither used the challenge up";

  const auto five = challenge(wish("7"));
  for (int i = 0; i < 5; ++i) EXPECT_EQ(link(wish("7"), five, "0x00").at("error"), "invalid_signature");
  EXPECT_EQ(link(wish("7"), five, ada.personal_sign(five)).at("error"), "invalid_challenge");
}

TEST_P(AgentLinksApi, WhatTheChainSays) {
  const auto text = challenge(wish());
  const auto said = [&](ChainAnswer now) {
    answer = std::move(now);
    return link(wish(), text, ada.personal_sign(text));
  };
  const auto absent = said({true, *from_hex("7e273289" + std::string(62, '0') + "2a")});
  expect(absent, 404, "agent_not_found", "The identity registry knows no such agent");
  EXPECT_EQ(said({true, *from_hex("08c379a0")}).at("error"), "agent_not_found");
  EXPECT_EQ(said({false, Bytes(32, 0)}).at("error"), "agent_not_found");
  for (const auto& odd : {ChainAnswer{false, {}}, ChainAnswer{false, Bytes(31, 0)}, ChainAnswer{false, Bytes(32, 1)},
                          ChainAnswer{true, *from_hex("4e487b71")}}) {
    const auto unknown = said(odd);
    expect(unknown, 503, "verification_unavailable", "Could not verify on-chain ownership");
    EXPECT_EQ(unknown.header("Retry-After"), "30");
  }
  h.chains_.down = true;
  EXPECT_EQ(said({}).at("error"), "verification_unavailable");
  h.chains_.down = false;
  owned_by(ada);
  EXPECT_EQ(link(wish(), text, ada.personal_sign(text)).status, 201) << "the challenge is as good as before";
}

TEST_P(AgentLinksApi, OnlyAdminsLinkAndOthersFindNothing) {
  const auto join = h.post("/api/v1/organizations", R"({"name":"x","slug":"x"})", admin);
  const std::string shared = join.at("data.id");
  ASSERT_EQ(h.post("/api/v1/organizations/" + shared + "/members",
                   fmt::format(R"({{"user_id":"{}","role":"member"}})", h.user_id(stranger)), admin)
                .status,
            201);
  auto body = wish();
  body["organization_id"] = shared;
  expect(h.post(kChallenge, json::dump(body), stranger), 403, "forbidden",
         "Only admins can link agents to the organization");
  ASSERT_EQ(link(body, ada).status, 201);
  expect(unlink("42", stranger, shared), 403, "forbidden", "Only admins can unlink agents from the organization");
  EXPECT_EQ(h.get("/api/v1/organizations/" + shared + "/agents", stranger).at("0.agent_id"), "42");
  // Linked to somebody else, linked to nobody, no agent at all: all the same.
  for (const char* agent : {"42", "43", "x"})
    expect(unlink(agent, stranger, other), 404, "not_found", "Agent link not found");
  expect(unlink("42", stranger, organization), 404, "not_found", "Organization not found or you are not a member");
  EXPECT_EQ(h.erase("/api/v1/agents/42/link?chain_id=1", admin).at("error"), "bad_request");
}

TEST_P(AgentLinksApi, ANewOwnerTakesTheAgentOver) {
  ASSERT_EQ(link().status, 201);
  owned_by(eve);
  auto body = wish("42", eve.text());
  body["organization_id"] = other;
  const auto issued = h.post(kChallenge, json::dump(body), stranger);
  body["challenge"] = json::String(issued.at("challenge"));
  body["signature"] = eve.personal_sign(issued.at("challenge"));
  EXPECT_EQ(h.post(kLink, json::dump(body), stranger).status, 201);
  EXPECT_EQ(h.get("/api/v1/agents/linked?organization_id=" + organization, admin).text, "[]");
}

TEST_P(AgentLinksApi, LinksAreCheckedOnceADay) {
  ASSERT_EQ(link().status, 201);
  LinkWatch watch(h.db(), h.clock_, h.chains_);
  const auto ended = [&] {
    std::int64_t out = -1;
    run_blocking([&]() -> Task<void> { out = (co_await watch.check()).value_or(-1); });
    return out;
  };
  const auto is_linked = [&] {
    return h.get("/api/v1/agents/linked?organization_id=" + organization, admin).text != "[]";
  };
  const int before = h.chains_.asked;
  EXPECT_EQ(ended(), 0);
  EXPECT_EQ(h.chains_.asked, before) << "not before a day is over";
  h.clock_.advance(25h);
  admin = Harness::bearer(h.log_in("ada", testing::kPassword));
  EXPECT_EQ(ended(), 0);
  EXPECT_EQ(h.chains_.asked, before + 1);
  EXPECT_EQ(ended(), 0);
  EXPECT_EQ(h.chains_.asked, before + 1) << "and once is enough";
  owned_by(eve);
  EXPECT_TRUE(is_linked());
  h.clock_.advance(25h);
  admin = Harness::bearer(h.log_in("ada", testing::kPassword));
  h.chains_.down = true;
  EXPECT_EQ(ended(), 0);
  EXPECT_TRUE(is_linked()) << "a chain that is away ends nothing";
  h.chains_.down = false;
  EXPECT_EQ(ended(), 0) << "it is left alone for a moment";
  h.clock_.advance(1min);
  EXPECT_EQ(ended(), 1);
  EXPECT_FALSE(is_linked());
}

// Chain 2 is not served any more, and had more links than a round takes.
TEST_P(AgentLinksApi, LinksOfAnotherChainKeepNobodyWaiting) {
  ASSERT_EQ(link().status, 201);
  const auto account = *domain::AccountId::parse(h.get("/api/v1/auth/me", admin).at("id"));
  auto added = h.db().transact_blocking<void>(store::Priority::interactive, [&](store::Tx& tx) -> Result<void> {
    for (std::int64_t i = 0; i < kLinksOfOneRound + 1; ++i) {
      store::AgentLink one;
      one.id = make_uuid_v7(h.clock_.now());
      one.organization_id = *domain::OrganizationId::parse(organization);
      one.chain_id = 2;
      one.registry = "0x000000000000000000000000000000000000f00d";
      one.agent_id = std::to_string(i);
      one.wallet_address = ada.text();
      one.linked_by = account;
      one.signature = "0x00";
      one.created_at = h.clock_.now() - 1h;
      if (auto put = store::insert_agent_link(tx, one); !put) return fail(put);
    }
    return {};
  });
  ASSERT_TRUE(added) << added.error().text;
  LinkWatch watch(h.db(), h.clock_, h.chains_);
  owned_by(eve);
  h.clock_.advance(25h);
  std::int64_t ended = -1;
  run_blocking([&]() -> Task<void> { ended = (co_await watch.check()).value_or(-1); });
  EXPECT_EQ(ended, 1);
}

TEST_P(AgentLinksApi, OfManyLinksAtOnceOneStays) {
  std::vector<testing::Call> calls;
  for (int i = 0; i < 6; ++i) {
    auto body = wish();
    const auto text = challenge(body);
    body["challenge"] = text;
    body["signature"] = ada.personal_sign(text);
    calls.push_back({"POST", kLink, json::dump(body), admin, "203.0.113.7"});
  }
  const auto answers = h.call_all(calls);
  EXPECT_EQ(std::count_if(answers.begin(), answers.end(), [](const auto& a) { return a.status == 201; }), 1);
  EXPECT_EQ(
      std::count_if(answers.begin(), answers.end(), [](const auto& a) { return a.at("error") == "already_linked"; }),
      5);
}

TEST(AgentOwner, TheCallIsThatOfTheVectors) {
  EXPECT_EQ(to_hex_0x(owner_of_call(Uint256(42))),
            "0x6352211e000000000000000000000000000000000000000000000000000000000000002a");
  EXPECT_EQ(to_hex_0x(owner_of_call(*parse_uint256("18446744073709551616"))),
            "0x6352211e0000000000000000000000000000000000000000000000010000000000000000");
}

INSTANTIATE_TEST_SUITE_P(Engines, AgentLinksApi, store::testing::kEngines, store::testing::engine_name);

}   // namespace
}   // namespace agentauri::gateway
