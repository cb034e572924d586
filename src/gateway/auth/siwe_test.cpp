#include "gateway/auth/siwe.hpp"

#include <gtest/gtest.h>

#include "core/crypto/ethereum_signature.hpp"

namespace agentauri::gateway {
namespace {

const std::string kAddress = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266";
const std::string kWants = " wants you to sign in with your Ethereum account:\n" + kAddress + "\n\n";
const std::string kUuid = "3f0e6a52-6f7b-4c1d-9a53-0d5b8a1c2e44";

const std::string kSignIn = "app.agentauri.ai" + kWants +
                            "Sign in to AgentAuri\n\nURI: https://app.agentauri.ai\nVersion: 1\nChain ID: 1\n"
                            "Nonce: k7Qm2ZxT9bLw4RfHs0Ny\nIssued At: 2026-01-15T10:00:00.000Z\n"
                            "Expiration Time: 2026-01-15T10:10:00.000Z";
const std::string kEveryField =
    "https://app.agentauri.ai:8443" + kWants +
    "Sign in to AgentAuri\n\nURI: https://app.agentauri.ai/login\nVersion: 1\nChain ID: 11155111\nNonce: 32891756\n"
    "Issued At: 2026-01-15T10:00:00Z\nExpiration Time: 2026-01-15T10:10:00Z\nNot Before: 2026-01-15T09:59:00Z\n"
    "Request ID: req-7f3a\nResources:\n- https://app.agentauri.ai/terms\n- urn:agentauri:session";
const std::string kNoStatement = "app.agentauri.ai" + kWants +
                                 "\nURI: https://app.agentauri.ai\nVersion: 1\nChain ID: 1\n"
                                 "Nonce: k7Qm2ZxT9bLw4RfHs0Ny\nIssued At: 2026-01-15T10:00:00.000Z";
const std::string kLink = "app.agentauri.ai" + kWants +
                          "Link ERC-8004 agent 42 to AgentAuri organization 7c9e6679-7425-40de-944b-e07fc1f90ae7\n\n"
                          "URI: https://app.agentauri.ai\nVersion: 1\nChain ID: 11155111\nNonce: Zq81LmX0cVt5Ew7RbU2k\n"
                          "Issued At: 2026-01-15T10:00:00.000Z\nExpiration Time: 2026-01-15T10:05:00.000Z\nResources:\n"
                          "- urn:agentauri:link:eip155:11155111:0x8004a6090cd10a7288092483047b097295fb8847:42\n"
                          "- urn:agentauri:org:7c9e6679-7425-40de-944b-e07fc1f90ae7";
const std::string kIssued = "agentauri.ai" + kWants +
                            "Sign in to AgentAuri\n\nURI: https://agentauri.ai\nVersion: 1\nChain ID: 1\n"
                            "Nonce: 3f0e6a526f7b4c1d9a530d5b8a1c2e44\nIssued At: 2026-01-15T10:00:00.000Z\n"
                            "Expiration Time: 2026-01-15T10:10:00.000Z\nRequest ID: " +
                            kUuid;

std::string digest(const std::string& text) {
  return to_hex(crypto::personal_message_hash(text).view());
}
std::string replaced(std::string text, std::string_view what, std::string_view by) {
  const std::size_t at = text.find(what);
  EXPECT_NE(at, std::string::npos) << what;
  return text.replace(at, what.size(), by);
}

TEST(Siwe, TheTextsOfTheVectorsAreReadAndWrittenBack) {
  EXPECT_EQ(digest(kSignIn), "c7ec9f69f6e73e9951f1ffa7a9467f6b38651e20dffd4d8e7224cfc9af1dad30");
  EXPECT_EQ(digest(kEveryField), "dea22c0b61ec05f978ce43121b3134e390de0718a89e5dfa1230ef09e22c948a");
  EXPECT_EQ(digest(kNoStatement), "5560f2c24a0a4edf7f14dc4b5fa6f64d0be0349f80cd5b865a1e3ac72f7c2cc0");
  EXPECT_EQ(digest(kLink), "90466045f195e96f0f597ab2f6edd8411d414cedeaf7e7db6524c80a9421356c");
  EXPECT_EQ(digest(kIssued), "9eed9e0586a4538042e9af91c755913b50a6a609eeae80d9c8770a47d7d53713");
  for (const auto& text : {kSignIn, kNoStatement, kLink, kIssued}) {
    const auto message = SiweMessage::parse(text);
    ASSERT_TRUE(message) << message.error().field << ": " << message.error().text;
    EXPECT_EQ(message->format(), text);
  }
  const auto every = SiweMessage::parse(kEveryField);
  ASSERT_TRUE(every) << every.error().text;
  EXPECT_EQ(every->scheme, "https");
  EXPECT_EQ(every->domain, "app.agentauri.ai:8443");
  EXPECT_EQ(every->chain_id, 11155111U);
  EXPECT_EQ(every->request_id, "req-7f3a");
  EXPECT_EQ(every->resources, (std::vector<std::string>{"https://app.agentauri.ai/terms", "urn:agentauri:session"}));
  EXPECT_EQ(every->not_before, parse_rfc3339("2026-01-15T09:59:00Z"));
}

TEST(Siwe, WhatTheGrammarDoesNotAllow) {
  std::string carriage;
  for (const char c : kSignIn) carriage += c == '\n' ? "\r\n" : std::string(1, c);
  const std::vector<std::string> bad{
      "",
      "app.agentauri.ai",
      carriage,
      kSignIn + "\n",
      kSignIn + "\nExtra: line",
      replaced(kSignIn, "Version: 1", "Version: 2"),
      replaced(kSignIn, "k7Qm2ZxT9bLw4RfHs0Ny", "k7Qm2Zx"),
      replaced(kSignIn, "k7Qm2ZxT9bLw4RfHs0Ny", "k7Qm2ZxT-bLw4RfHs0Ny"),
      replaced(kSignIn, "Issued At: 2026-01-15T10:00:00.000Z\n", ""),
      replaced(kSignIn, "Version: 1\nChain ID: 1\n", "Chain ID: 1\nVersion: 1\n"),
      replaced(kSignIn, "Chain ID: 1\n", "Chain ID: 01x\n"),
      replaced(kSignIn, "Chain ID: 1\n", "Chain ID: 18446744073709551616\n"),
      replaced(kSignIn, "URI: https://app.agentauri.ai", "URI: app.agentauri.ai/ with space"),
      replaced(kSignIn, kAddress, kAddress.substr(1)),
      replaced(kSignIn, "app.agentauri.ai wants", " wants"),
      replaced(kSignIn, "Sign in to AgentAuri", "Sign in \"now\""),
      replaced(kSignIn, "Sign in to AgentAuri", "Sign in \xc3\xa9"),
      kSignIn + "\nResources:\nhttps://example.org",
      kSignIn + "\nResources:\n- not a uri",
      "app.agentauri.ai" + kWants + std::string(5000, 'x'),
  };
  for (const auto& text : bad) EXPECT_FALSE(SiweMessage::parse(text)) << text;
}

struct Checked : ::testing::Test {
  Checked() {
    expected.domains = {"agentauri.ai"};
    expected.uri = "https://agentauri.ai";
    expected.chain_ids = {1, 11155111};
    expected.statement = "Sign in to AgentAuri";
    expected.nonce = "3f0e6a526f7b4c1d9a530d5b8a1c2e44";
    expected.address = *parse_address(kAddress);
    expected.request_id = kUuid;
  }
  std::string code(const std::string& text) const {
    const auto message = SiweMessage::parse(text);
    if (!message) return "unparsable: " + message.error().text;
    const auto fault = check_siwe(*message, expected, now);
    return fault ? fault->code : "ok";
  }
  std::string code_of(std::string_view what, std::string_view by) const { return code(replaced(kIssued, what, by)); }

  SiweExpectation expected;
  Time now = *parse_rfc3339("2026-01-15T10:01:00Z");
};

TEST_F(Checked, TheIssuedTextIsAcceptedAndEveryChangeIsNot) {
  EXPECT_EQ(code(kIssued), "ok");
  EXPECT_EQ(code("https://" + kIssued), "ok");
  EXPECT_EQ(code("http://" + kIssued), "invalid_message");
  EXPECT_EQ(code_of("agentauri.ai wants", "evil.example wants"), "domain_mismatch");
  EXPECT_EQ(code_of("https://agentauri.ai", "https://evil.example"), "uri_mismatch");
  EXPECT_EQ(code_of("Chain ID: 1\n", "Chain ID: 11155111\n"), "unsupported_chain");
  EXPECT_EQ(code_of("Sign in to AgentAuri", "Sign in to something else"), "invalid_message");
  EXPECT_EQ(code_of("\nSign in to AgentAuri\n", "\n"), "invalid_message");
  EXPECT_EQ(code_of("3f0e6a526f7b", "3f0e6a526f7c"), "invalid_nonce");
  EXPECT_EQ(code_of(kUuid, "4" + kUuid.substr(1)), "invalid_message");
  EXPECT_EQ(code_of(kAddress, "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"), "invalid_message");
  EXPECT_EQ(code(kIssued + "\nResources:\n- https://example.org"), "invalid_message");
}

TEST_F(Checked, AddressesAreWrittenWithTheirChecksum) {
  const std::string lower = "0xf39fd6e51aad88f6f4ce6ab8827279cfffb92266";
  EXPECT_EQ(code_of(kAddress, lower), "invalid_message");
  EXPECT_EQ(code_of(kAddress, "0xF39fd6e51aad88f6f4ce6ab8827279cfffb92266"), "invalid_message");
  expected.strict_checksum = false;
  EXPECT_EQ(code_of(kAddress, lower), "ok");
  EXPECT_EQ(code_of(kAddress, "0xF39fd6e51aad88f6f4ce6ab8827279cfffb92266"), "invalid_message");
}

TEST_F(Checked, Times) {
  now = *parse_rfc3339("2026-01-15T10:09:59Z");
  EXPECT_EQ(code(kIssued), "ok");
  now = *parse_rfc3339("2026-01-15T10:10:00Z");
  EXPECT_EQ(code(kIssued), "message_expired");
  now = *parse_rfc3339("2026-01-15T09:59:00Z");
  EXPECT_EQ(code(kIssued), "ok") << "a clock may be a minute ahead";
  now = *parse_rfc3339("2026-01-15T09:58:59Z");
  EXPECT_EQ(code(kIssued), "message_not_yet_valid");
  now = *parse_rfc3339("2026-01-15T10:01:00Z");
  EXPECT_EQ(code_of("\nRequest ID", "\nNot Before: 2026-01-15T10:02:00Z\nRequest ID"), "message_not_yet_valid");
}

TEST_F(Checked, ALinkNamesWhatItLinks) {
  const auto link = SiweMessage::parse(kLink);
  ASSERT_TRUE(link);
  expected = {};
  expected.domains = {"app.agentauri.ai"};
  expected.uri = "https://app.agentauri.ai";
  expected.chain_ids = {11155111};
  expected.chain_id = 11155111;
  expected.statement = link->statement;
  expected.nonce = link->nonce;
  expected.address = *parse_address(kAddress);
  expected.resources = link->resources;
  expected.resources_required = true;
  EXPECT_EQ(code(kLink), "ok");
  EXPECT_EQ(code(replaced(kLink, "fb8847:42", "fb8847:43")), "invalid_message");
  EXPECT_EQ(code(replaced(kLink, "\n- urn:agentauri:org:7c9e6679-7425-40de-944b-e07fc1f90ae7", "")), "invalid_message");
}

}   // namespace
}   // namespace agentauri::gateway
