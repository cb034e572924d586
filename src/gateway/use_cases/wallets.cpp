#include "gateway/use_cases/wallets.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "core/base/text.hpp"
#include "core/crypto/crypto.hpp"
#include "gateway/auth/passwords.hpp"
#include "gateway/use_cases/registration.hpp"

namespace agentauri::gateway {
namespace {

using store::Tx;

constexpr std::string_view kStatement = "Sign in to AgentAuri";
constexpr std::size_t kNameDigits = 8, kAddressDigits = 40, kRandomBytes = 16;

std::unexpected<Refusal> bad_nonce(std::string_view why) {
  return unauthenticated("invalid_nonce", "Invalid or expired nonce", why);
}

std::unexpected<Refusal> bad_text(const Error& error) {
  auto out = refuse(400, "invalid_message", "Message is not a valid EIP-4361 message");
  out.error().details.push_back({"message", "eip4361", error.field + ": " + error.text});
  return out;
}

bool is_served(const GatewaySettings& settings, domain::ChainId chain) {
  return std::find(settings.siwe_chain_ids.begin(), settings.siwe_chain_ids.end(), chain) !=
         settings.siwe_chain_ids.end();
}

std::string identity_of(const LoginText& login, bool by_contract) {
  const std::string address = to_hex_0x(login.address);
  return by_contract ? fmt::format("eip155:{}:{}", login.chain_id, address) : address;
}

Outcome<bool> is_free(Tx& tx, const std::string& username, const std::string& email) {
  auto by_name = store::find_account_by_username(tx, fold_case(username));
  if (!by_name) return broken(by_name);
  auto by_email = store::find_account_by_email(tx, fold_case(email));
  if (!by_email) return broken(by_email);
  return !*by_name && !*by_email;
}

// The first digits of the address, as many as it takes: anybody may have taken the name before.
Outcome<void> name_account(Tx& tx, std::string_view address_digits, store::Account& account) {
  for (std::size_t digits = kNameDigits; digits <= kAddressDigits + 1; ++digits) {
    const std::string name = digits <= kAddressDigits ? std::string(address_digits.substr(0, digits))
                                                      : to_hex(crypto::random_bytes(kRandomBytes));
    account.username = "wallet_" + name;
    account.email = name + "@wallet.agentauri.local";
    auto free = is_free(tx, account.username, account.email);
    if (!free) return pass(free);
    if (*free) return {};
  }
  return {};   // the unique index decides
}

Outcome<store::Account> make_account(Tx& tx, const LoginText& login, bool by_contract, const GatewaySettings& settings,
                                     Time now) {
  auto may = check_may_register(tx, settings.registration, login.invitation, {}, now);
  if (!may) return pass(may);
  const std::string address = to_hex_0x(login.address);
  const std::string digits = address.substr(2);
  store::Account account;
  account.id = domain::AccountId::make(now);
  account.name = fmt::format("{}...{}", address.substr(0, 6), address.substr(address.size() - 4));
  account.created_at = account.updated_at = now;
  if (auto named = name_account(tx, digits, account); !named) return pass(named);
  if (settings.first_user_is_admin) {
    auto any = store::has_any_account(tx);
    if (!any) return broken(any);
    account.is_admin = !*any;
  }
  auto inserted = store::insert_account(tx, account, fold_case(account.username), fold_case(account.email));
  if (!inserted) return broken(inserted);
  auto made = make_personal_organization(tx, account, *account.name + "'s Personal",
                                         digits.substr(0, kNameDigits) + "-personal", now);
  if (!made) return pass(made);
  const store::Identity identity{.id = make_uuid_v7(now),
                                 .account_id = account.id,
                                 .provider = std::string(store::kWalletProvider),
                                 .provider_user_id = identity_of(login, by_contract),
                                 .wallet_address = address,
                                 .chain_id = login.chain_id,
                                 .display_name = account.name,
                                 .created_at = now};
  if (auto linked = store::insert_identity(tx, identity); !linked) return broken(linked);
  auto used = use_up_invitation(tx, settings.registration, login.invitation, account.id, now);
  if (!used) return pass(used);
  return account;
}

// Looks for the account; nullopt: this wallet is here for the first time.
Outcome<std::optional<store::Account>> find_account_of(Tx& tx, const std::string& identity, Time now) {
  auto id = store::find_identity(tx, store::kWalletProvider, identity);
  if (!id) return broken(id);
  if (!*id) return std::nullopt;
  auto account = store::hold_account(tx, **id);   // a session is opened for it
  if (!account) return broken(account);
  if (!*account) return refuse(500, "user_not_found", "Linked user not found");
  // A lock is about guessed passwords, which do not matter here.
  if (!(*account)->is_active) return refuse(403, "account_disabled", "Account is disabled");
  if (auto noted = store::touch_identity(tx, store::kWalletProvider, identity, now); !noted) return broken(noted);
  return std::move(*account);
}

}   // namespace

Outcome<Address> read_wallet_address(std::string_view text) {
  const auto address = parse_address(text);
  if (!address) return refuse(400, "invalid_address", "Invalid wallet address format");
  return *address;
}

SiweMessage make_siwe_message(const GatewaySettings& settings, const Address& address, domain::ChainId chain,
                              const Uuid& nonce, Time now, Time expires_at) {
  SiweMessage out;
  out.domain = settings.siwe_domains.front();
  out.address = crypto::checksum_address(address);
  out.uri = settings.siwe_uri;
  out.chain_id = static_cast<std::uint64_t>(chain);
  out.nonce = to_hex(nonce.view());
  out.issued_at = now;
  out.expiration_time = expires_at;
  out.request_id = to_string(nonce);
  return out;
}

Outcome<IssuedText> issue_login_text(Tx& tx, const GatewaySettings& settings, const Address& address,
                                     domain::ChainId chain, Time now) {
  if (!is_served(settings, chain))
    return refuse(400, "unsupported_chain", fmt::format("Chain {} is not supported", chain));
  const Uuid nonce = make_uuid_v4();
  const Time expires_at = now + kLoginNonceLife;
  auto message = make_siwe_message(settings, address, chain, nonce, now, expires_at);
  message.statement = kStatement;
  IssuedText out{nonce, message.format(), expires_at};
  const store::Nonce row{.nonce = nonce,
                         .purpose = std::string(kLoginPurpose),
                         .address = to_hex_0x(address),
                         .chain_id = chain,
                         .message = out.message,
                         .created_at = now,
                         .expires_at = expires_at};
  if (auto inserted = store::insert_nonce(tx, row); !inserted) return broken(inserted);
  return out;
}

std::optional<Uuid> read_nonce(std::string_view digits) {
  const auto bytes = from_hex(digits);
  return bytes ? Uuid::from(*bytes) : parse_uuid(digits);
}

Outcome<LoginText> read_login_text(const GatewaySettings& settings, const Address& address, std::string_view text,
                                   Time now) {
  if (!text.starts_with("Nonce: ") && !text.contains("\nNonce: "))
    return refuse(400, "invalid_message", "Could not extract nonce from message");
  const auto message = SiweMessage::parse(text);
  if (!message) return bad_text(message.error());
  const auto nonce = read_nonce(message->nonce);

  SiweExpectation expected;
  expected.domains = settings.siwe_domains;
  expected.uri = settings.siwe_uri;
  for (const auto chain : settings.siwe_chain_ids) expected.chain_ids.push_back(static_cast<std::uint64_t>(chain));
  expected.statement = std::string(kStatement);
  expected.address = address;
  expected.strict_checksum = settings.siwe_strict_checksum;
  // What only the nonce's row knows is asked there.
  expected.chain_id = message->chain_id;
  expected.nonce = message->nonce;
  expected.request_id = nonce ? to_string(*nonce) : std::string();
  if (const auto fault = check_siwe(*message, expected, now)) return refuse(400, fault->code, fault->text);
  if (!nonce) return bad_nonce("it is none of ours");
  return LoginText{address, static_cast<domain::ChainId>(message->chain_id), *nonce, std::nullopt};
}

Outcome<void> check_login_nonce(Tx& tx, const LoginText& login, Time now) {
  auto row = store::find_nonce(tx, login.nonce, kLoginPurpose);
  if (!row) return broken(row);
  if (!*row) return bad_nonce("there is no such nonce");
  const auto& nonce = **row;
  if (nonce.used_at) return bad_nonce("the nonce was used before");
  if (nonce.expires_at <= now) return bad_nonce("the nonce has expired");
  if (nonce.attempts >= store::kNonceAttempts) return bad_nonce("the nonce is void after too many bad signatures");
  if (nonce.address != to_hex_0x(login.address)) return bad_nonce("the nonce was issued for another address");
  if (nonce.chain_id != login.chain_id)
    return refuse(400, "unsupported_chain", "The chain is not the one that the message was issued for");
  return {};
}

Outcome<SignedIn> sign_in_with_wallet(Tx& tx, const LoginText& login, bool by_contract, const GatewaySettings& settings,
                                      const SessionIssuer& issuer, Time now, const ClientInfo& client) {
  auto mine = store::consume_nonce(tx, login.nonce, now);
  if (!mine) return broken(mine);
  if (!*mine)
    return unauthenticated("invalid_nonce", "Nonce has already been used", "another request was first, or it expired");
  auto known = find_account_of(tx, identity_of(login, by_contract), now);
  if (!known) return pass(known);
  SignedIn out;
  if (*known) {
    out.account = std::move(**known);
    if (auto noted = store::record_login(tx, out.account.id, now); !noted) return broken(noted);
  } else {
    auto made = make_account(tx, login, by_contract, settings, now);
    if (!made) return pass(made);
    out.account = std::move(*made);
  }
  auto tokens = issuer.open(tx, out.account, now, out.revoked, client);
  if (!tokens) return pass(tokens);
  out.tokens = std::move(*tokens);
  return out;
}

}   // namespace agentauri::gateway
