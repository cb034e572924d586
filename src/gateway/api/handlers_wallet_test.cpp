#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <set>

#include "core/crypto/ethereum_signature.hpp"
#include "core/crypto/testing/test_wallet.hpp"
#include "gateway/auth/contract_signature.hpp"
#include "gateway/testing/gateway_fixture.hpp"
#include "gateway/use_cases/registration.hpp"
#include "store/wallets.hpp"

namespace agentauri::gateway {
namespace {

using crypto::testing::TestWallet;
using testing::Answer;
using ::testing::ElementsAre;
using testing::Harness;
using ::testing::HasSubstr;
using namespace std::chrono_literals;

const std::string kNonce = "/api/v1/auth/nonce", kWallet = "/api/v1/auth/wallet";
const std::string kContract = "0x5FbDB2315678afecb367f032d93F642f64180aa3";

std::string replaced(std::string text, std::string_view what, std::string_view by) {
  const std::size_t at = text.find(what);
  EXPECT_NE(at, std::string::npos) << what;
  return at == std::string::npos ? text : text.replace(at, what.size(), by);
}

class WalletApi : public testing::EngineHarness {
 protected:
  const TestWallet ada = TestWallet::first(), eve = TestWallet::second();

  Answer issue(const std::string& address, int chain = 1) {
    json::Object body;
    body["address"] = address;
    body["chain_id"] = chain;
    return h.post(kNonce, json::dump(body));
  }
  std::string text_for(const std::string& address, int chain = 1) {
    const auto issued = issue(address, chain);
    EXPECT_EQ(issued.status, 200) << issued.text;
    return issued.at("message");
  }
  static std::string form(const std::string& address, const std::string& signature, const std::string& message) {
    json::Object body;
    body["address"] = address;
    body["signature"] = signature;
    body["message"] = message;
    return json::dump(body);
  }
  Answer log_in(const std::string& address, const std::string& signature, const std::string& message) {
    return h.post(kWallet, form(address, signature, message));
  }
  Answer log_in(const TestWallet& wallet, const std::string& message) {
    return log_in(wallet.text(), wallet.personal_sign(message), message);
  }
  Answer log_in(const TestWallet& wallet) { return log_in(wallet, text_for(wallet.text())); }
  static void expect(const Answer& answer, int status, std::string_view code, std::string_view message) {
    EXPECT_EQ(answer.status, status) << answer.text;
    EXPECT_EQ(answer.at("error"), code) << answer.text;
    EXPECT_EQ(answer.at("message"), message);
  }
  std::int64_t count(const store::Query& query) { return h.db().query_blocking(query)->i64(0, 0); }
};

// A first sign-in is a registration; who has an account signs in whatever the setting.
TEST_P(WalletApi, AFirstSignInNeedsWhatRegistrationNeeds) {
  ASSERT_EQ(log_in(ada).status, 200);
  h.settings_.registration = GatewaySettings::Registration::closed;
  h.gateway_ = h.another();
  expect(log_in(eve), 403, "registration_closed", "Registration is closed");
  EXPECT_EQ(log_in(ada).status, 200);

  h.settings_.registration = GatewaySettings::Registration::invited;
  h.gateway_ = h.another();
  expect(log_in(eve), 403, "invitation_required", "An invitation is needed to register");
  const auto made =
      h.db().transact_blocking<std::string>(store::Priority::interactive, [&](store::Tx& tx) -> Result<std::string> {
        return invite(tx, {std::nullopt, kDefaultInvitationDays, std::nullopt}, h.clock_.now())->text;
      });
  const auto text = text_for(eve.text());
  auto body = *json::parse(form(eve.text(), eve.personal_sign(text), text));
  body.get_object()["invitation"] = *made;
  EXPECT_EQ(h.post(kWallet, json::dump(body)).status, 200);
  const store::Query kUsed{"test_used_invitations", "SELECT count(*) FROM invitations WHERE used_at IS NOT NULL"};
  EXPECT_EQ(count(kUsed), 1);
}

TEST_P(WalletApi, TheFirstSignInMakesAnAccountAndTheNextFindsIt) {
  const auto issued = issue("0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266");
  ASSERT_EQ(issued.status, 200) << issued.text;
  const std::string nonce = issued.at("nonce");
  std::string digits = nonce;
  std::erase(digits, '-');
  EXPECT_EQ(
      issued.at("message"),
      "agentauri.ai wants you to sign in with your Ethereum account:\n"
      "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266\n\nSign in to AgentAuri\n\nURI: https://agentauri.ai\n"
      "Version: 1\nChain ID: 1\nNonce: " +
          digits +
          "\nIssued At: 2026-01-01T00:10:12.345Z\nExpiration Time: 2026-01-01T00:20:12.345Z\nRequest ID: " + nonce);
  EXPECT_EQ(issued.at("expires_at"), "2026-01-01T00:20:12.345678Z");

  const auto first = log_in(ada, issued.at("message"));
  ASSERT_EQ(first.status, 200) << first.text;
  EXPECT_EQ(first.at("user.username"), "wallet_f39fd6e5");
  EXPECT_EQ(first.at("user.email"), "f39fd6e5@wallet.agentauri.local");
  EXPECT_EQ(first.at("user.name"), "0xf39f...2266");
  EXPECT_EQ(first.at("user.last_login_at"), "null");
  const auto cookies = first.all("Set-Cookie");
  ASSERT_EQ(cookies.size(), 2U);
  EXPECT_THAT(cookies[0], HasSubstr("auth-token=" + first.at("token")));
  EXPECT_THAT(cookies[1], HasSubstr("refresh-token=" + first.at("refresh_token")));

  const auto me = h.get("/api/v1/auth/me", Harness::bearer(first));
  EXPECT_EQ(me.at("wallets"), R"([{"address":"0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266","chain_id":1}])");
  EXPECT_EQ(me.at("providers"), "[]");
  EXPECT_EQ(me.at("organizations.0.name"), "0xf39f...2266's Personal");
  EXPECT_EQ(me.at("organizations.0.slug"), "f39fd6e5-personal");
  EXPECT_EQ(me.at("organizations.0.role"), "owner");

  h.clock_.advance(5s);
  // On another chain the same key is the same account.
  const auto second = log_in(ada, text_for(ada.text(), 8453));
  ASSERT_EQ(second.status, 200) << second.text;
  EXPECT_EQ(second.at("user.id"), first.at("user.id"));
  const auto third = log_in(ada);
  EXPECT_EQ(third.at("user.last_login_at"), "2026-01-01T00:10:17.345678Z");
  EXPECT_NE(log_in(eve).at("user.id"), first.at("user.id"));
  EXPECT_EQ(h.chains_.asked, 0) << "keys need no chain";
}

TEST_P(WalletApi, WhatANonceIsIssuedFor) {
  json::Object alias;
  alias["wallet_address"] = ada.text();
  EXPECT_EQ(h.post(kNonce, json::dump(alias)).status, 200);
  EXPECT_EQ(h.post(kNonce, "{}").at("error"), "bad_request");
  EXPECT_EQ(h.post(kNonce, R"({"address":1})").at("error"), "bad_request");
  EXPECT_EQ(issue("0x123").at("error"), "validation_error");
  EXPECT_EQ(issue("0x123").at("details.0.field"), "address");
  expect(issue("0x" + std::string(40, 'g')), 400, "invalid_address", "Invalid wallet address format");
  EXPECT_EQ(issue(ada.text(), 0).at("error"), "bad_request");
  expect(issue(ada.text(), 2), 400, "unsupported_chain", "Chain 2 is not supported");
}

TEST_P(WalletApi, ANonceServesOneSignIn) {
  const auto text = text_for(ada.text());
  EXPECT_EQ(log_in(ada, text).status, 200);
  expect(log_in(ada, text), 401, "invalid_nonce", "Invalid or expired nonce");
  const auto digits = text.substr(text.find("Nonce: ") + 7, 32);
  auto unknown = replaced(text, digits, std::string(32, '0'));
  unknown = unknown.substr(0, unknown.find("\nRequest ID"));
  expect(log_in(ada, unknown), 401, "invalid_nonce", "Invalid or expired nonce");

  const auto of_eve = replaced(text_for(eve.text()), eve.text(), ada.text());
  expect(log_in(ada, of_eve), 401, "invalid_nonce", "Invalid or expired nonce");
  const auto other_chain = replaced(text_for(ada.text()), "Chain ID: 1\n", "Chain ID: 8453\n");
  EXPECT_EQ(log_in(ada, other_chain).at("error"), "unsupported_chain");
}

TEST_P(WalletApi, OfManyWithOneNonceOneWins) {
  const auto text = text_for(ada.text());
  const testing::Call call{"POST", kWallet, form(ada.text(), ada.personal_sign(text), text), {}, "203.0.113.7"};
  const auto answers = h.call_all(std::vector<testing::Call>(8, call));
  EXPECT_EQ(std::count_if(answers.begin(), answers.end(), [](const auto& a) { return a.status == 200; }), 1);
  EXPECT_EQ(
      std::count_if(answers.begin(), answers.end(), [](const auto& a) { return a.at("error") == "invalid_nonce"; }), 7);
}

TEST_P(WalletApi, ManyFirstSignInsOfOneWalletMakeOneAccount) {
  std::vector<testing::Call> calls;
  for (int i = 0; i < 5; ++i) {
    const auto text = text_for(ada.text());
    calls.push_back({"POST", kWallet, form(ada.text(), ada.personal_sign(text), text), {}, "203.0.113.7"});
  }
  std::set<std::string> users;
  for (const auto& answer : h.call_all(calls)) {
    EXPECT_EQ(answer.status, 200) << answer.text;
    users.insert(answer.at("user.id"));
  }
  EXPECT_EQ(users.size(), 1U);
  static const store::Query accounts{store::Query::Unlisted{}, "test_accounts", "SELECT count(*) FROM accounts"};
  static const store::Query organizations{store::Query::Unlisted{}, "test_organizations",
                                          "SELECT count(*) FROM organizations"};
  EXPECT_EQ(count(accounts), 1);
  EXPECT_EQ(count(organizations), 1);
}

TEST_P(WalletApi, ABadSignatureLeavesTheNonceAndTheFifthEndsIt) {
  const auto text = text_for(ada.text());
  const std::string by_eve = eve.personal_sign(text);
  for (int i = 0; i < 4; ++i)
    expect(log_in(ada.text(), by_eve, text), 400, "signature_mismatch", "Signature does not match claimed address");
  EXPECT_EQ(log_in(ada, text).status, 200);

  const auto again = text_for(ada.text());
  expect(log_in(ada.text(), "0x12", again), 400, "invalid_signature", "Invalid signature format");
  expect(log_in(ada.text(), "zz", again), 400, "invalid_signature", "Invalid signature format");
  // r is no point of the curve.
  expect(log_in(ada.text(), "0x" + std::string(63, '0') + "5" + std::string(63, '0') + "11b", again), 400,
         "signature_recovery_failed", "Failed to recover address from signature");
  for (int i = 0; i < 2; ++i) EXPECT_EQ(log_in(ada.text(), by_eve, again).at("error"), "signature_mismatch");
  expect(log_in(ada, again), 401, "invalid_nonce", "Invalid or expired nonce");
}

TEST_P(WalletApi, WhatTheTextMustSay) {
  const auto code = [&](const std::string& text) { return log_in(ada, text).at("error"); };
  const auto text = text_for(ada.text());
  expect(log_in(ada, "hello"), 400, "invalid_message", "Could not extract nonce from message");
  const auto grammar = log_in(ada, replaced(text, "Version: 1", "Version: 2"));
  expect(grammar, 400, "invalid_message", "Message is not a valid EIP-4361 message");
  EXPECT_EQ(grammar.at("details.0.message"), "Version: `Version: 1`");
  EXPECT_EQ(code(replaced(text, "agentauri.ai wants", "evil.example wants")), "domain_mismatch");
  EXPECT_EQ(code(replaced(text, "URI: https://agentauri.ai", "URI: https://evil.example")), "uri_mismatch");
  EXPECT_EQ(code(replaced(text, "Chain ID: 1\n", "Chain ID: 2\n")), "unsupported_chain");
  EXPECT_EQ(code(replaced(text, "Sign in to", "Send all to")), "invalid_message");
  EXPECT_EQ(code(replaced(text, ada.text(), eve.text())), "invalid_message");
  EXPECT_EQ(code(replaced(text, ada.text(), "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266")), "invalid_message");
  EXPECT_EQ(code(text + "\nResources:\n- https://example.org"), "invalid_message");
  EXPECT_EQ(code(text + std::string(5000, 'x')), "invalid_message");
  EXPECT_EQ(log_in("0x12", "0x12", text).at("error"), "validation_error");
  EXPECT_EQ(log_in("0x" + std::string(40, 'z'), "0x12", text).at("error"), "invalid_address");
  EXPECT_EQ(h.post(kWallet, R"({"address":"x"})").at("error"), "bad_request");
  // Made by the client, with the nonce of the server.
  EXPECT_EQ(log_in(ada, replaced(text, "agentauri.ai wants", "https://agentauri.ai wants")).status, 200);

  const auto late = text_for(ada.text());
  h.clock_.advance(9min);
  EXPECT_EQ(log_in(ada, late).status, 200);
  const auto later = text_for(ada.text());
  h.clock_.advance(10min);
  EXPECT_EQ(code(later), "message_expired");
  EXPECT_EQ(code(replaced(replaced(later, "Issued At: 2026-01-01T00:19:12.345Z", "Issued At: 2026-01-01T00:29:12.345Z"),
                          "\nExpiration Time: 2026-01-01T00:29:12.345Z", "")),
            "invalid_nonce")
      << "the nonce ends whatever the text says";
}

TEST_P(WalletApi, NamesThatAreTakenGetLonger) {
  h.registered("wallet_f39fd6e5");
  EXPECT_EQ(log_in(ada).at("user.username"), "wallet_f39fd6e51");
}

TEST_P(WalletApi, ADisabledAccountStaysOut) {
  static const store::Query disable{store::Query::Unlisted{}, "test_disable", "UPDATE accounts SET is_active = :no"};
  EXPECT_EQ(log_in(ada).status, 200);
  ASSERT_TRUE(h.db().transact_blocking<store::Rows>(store::Priority::interactive, [](store::Tx& tx) {
    return tx.run(disable, store::Params().boolean("no", false));
  }));
  expect(log_in(ada), 403, "account_disabled", "Account is disabled");
}

// --- contracts -------------------------------------------------------------------------------------------------------

class ContractWalletApi : public WalletApi {
 protected:
  static constexpr int kChain = 8453;
  const Address contract = *parse_address(kContract);

  ContractWalletApi() {
    h.chains_.chains[kChain] = {};
    h.chains_.chains[1] = {};
    h.chains_.answers = [this](domain::ChainId chain, const ChainCall& call) -> Result<ChainAnswer> {
      EXPECT_EQ(chain, kChain);
      last = call;
      return answer;
    };
  }
  void deploy() { h.chains_.chains[kChain].code[contract] = {0x60, 0x80}; }
  void says_yes() {
    answer.data = Bytes(32, 0);
    std::copy_n(from_hex("1626ba7e")->begin(), 4, answer.data.begin());
  }
  ChainCall last;
  ChainAnswer answer;
};

TEST_P(ContractWalletApi, AContractIsAskedOnTheChainOfTheText) {
  deploy();
  says_yes();
  const auto text = text_for(kContract, kChain);
  const auto first = log_in(kContract, "0x1234", text);
  ASSERT_EQ(first.status, 200) << first.text;
  EXPECT_EQ(last.to, contract);
  EXPECT_EQ(last.data, is_valid_signature_call(crypto::personal_message_hash(text), Bytes{0x12, 0x34}));
  EXPECT_EQ(h.get("/api/v1/auth/me", Harness::bearer(first)).at("wallets.0.chain_id"), "8453");
  EXPECT_EQ(log_in(kContract, ada.personal_sign("x"), text_for(kContract, kChain)).at("user.id"), first.at("user.id"));

  // Nobody is there on the other chain, and none can be asked on the third.
  EXPECT_EQ(log_in(kContract, "0x1234", text_for(kContract, 1)).at("error"), "invalid_signature");
  EXPECT_EQ(log_in(kContract, ada.personal_sign("x"), text_for(kContract, 1)).at("error"), "signature_mismatch");
  EXPECT_EQ(log_in(kContract, "0x1234", text_for(kContract, 84532)).at("error"), "invalid_signature");
}

TEST_P(ContractWalletApi, WhatIsNoYesIsNo) {
  deploy();
  const auto no = [&](ChainAnswer said) {
    answer = std::move(said);
    return log_in(kContract, "0x1234", text_for(kContract, kChain)).at("error");
  };
  EXPECT_EQ(no({}), "signature_mismatch");
  EXPECT_EQ(no({false, Bytes(32, 0)}), "signature_mismatch");
  EXPECT_EQ(no({false, Bytes(32, 0xff)}), "signature_mismatch");
  EXPECT_EQ(no({false, *from_hex("1626ba7e")}), "signature_mismatch");
  says_yes();
  EXPECT_EQ(no({true, answer.data}), "signature_mismatch");
}

TEST_P(ContractWalletApi, AChainThatIsAwaySaysNothing) {
  deploy();
  says_yes();
  const auto text = text_for(kContract, kChain);
  h.chains_.down = true;
  for (int i = 0; i < 6; ++i) {
    const auto away = log_in(kContract, "0x1234", text);
    expect(away, 503, "verification_unavailable", "Could not verify the signature on chain");
    EXPECT_EQ(away.header("Retry-After"), "30");
  }
  EXPECT_EQ(log_in(ada, text_for(ada.text(), kChain)).status, 200) << "a key needs no chain";
  h.chains_.down = false;
  EXPECT_EQ(log_in(kContract, "0x1234", text).status, 200) << "the nonce is as good as before";
}

TEST_P(ContractWalletApi, AKeyWithADelegationIsTheKeyFirst) {
  h.chains_.chains[kChain].code[ada.address()] = *from_hex("ef0100" + std::string(40, '1'));
  const auto by_key = log_in(ada, text_for(ada.text(), kChain));
  ASSERT_EQ(by_key.status, 200) << by_key.text;
  EXPECT_EQ(h.chains_.asked, 0);
  EXPECT_EQ(log_in(ada.text(), "0x1234", text_for(ada.text(), kChain)).at("error"), "signature_mismatch");
  says_yes();
  const auto by_code = log_in(ada.text(), "0x1234", text_for(ada.text(), kChain));
  ASSERT_EQ(by_code.status, 200);
  EXPECT_NE(by_code.at("user.id"), by_key.at("user.id")) << "whom the code lets in is not who holds the key";
}

TEST_P(ContractWalletApi, AContractThatIsNotThereYet) {
  const std::string wrapped = "0x" + std::string(24, '0') + "4e59b44847b379578588920ca78fbf26c0b4956c" +   // factory
                              std::string(62, '0') + "60" + std::string(62, '0') + "a0" +      // where the two begin
                              std::string(63, '0') + "3" + "abcdef" + std::string(58, '0') +   // its call
                              std::string(63, '0') + "2" + "1234" +
                              std::string(60, '0') +   // what the contract shall see
                              "6492649264926492649264926492649264926492649264926492649264926492";
  answer.data = Bytes(32, 0);
  EXPECT_EQ(log_in(kContract, wrapped, text_for(kContract, kChain)).at("error"), "signature_mismatch");
  answer.data.back() = 1;
  const auto text = text_for(kContract, kChain);
  const auto first = log_in(kContract, wrapped, text);
  ASSERT_EQ(first.status, 200) << first.text;
  EXPECT_EQ(last.to, std::nullopt);
  const WrappedSignature expected{
      *parse_address("0x4e59b44847b379578588920ca78fbf26c0b4956c"), {0xab, 0xcd, 0xef}, {0x12, 0x34}};
  EXPECT_EQ(last.data, deploy_and_check_program(contract, crypto::personal_message_hash(text), expected));
  // Once it is there it is the same account.
  deploy();
  says_yes();
  EXPECT_EQ(log_in(kContract, "0x1234", text_for(kContract, kChain)).at("user.id"), first.at("user.id"));

  EXPECT_EQ(log_in(kContract, wrapped, text_for(kContract, 84532)).at("error"), "unsupported_signature");
  for (const auto& broken : {wrapped.substr(0, 2) + wrapped.substr(66), replaced(wrapped, "abcdef", "ab"),
                             "0x1" + wrapped.substr(3), replaced(wrapped, "000060", "ffff60")})
    EXPECT_EQ(log_in(kContract, broken, text_for(kContract, kChain)).at("error"), "invalid_signature") << broken;
}

INSTANTIATE_TEST_SUITE_P(Engines, WalletApi, store::testing::kEngines, store::testing::engine_name);
INSTANTIATE_TEST_SUITE_P(Engines, ContractWalletApi, store::testing::kEngines, store::testing::engine_name);

}   // namespace
}   // namespace agentauri::gateway
