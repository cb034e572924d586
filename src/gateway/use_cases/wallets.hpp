// Signing in with a wallet (protocols.md 1.1-1.5): texts are issued here, come back signed, and name an account that is
// made at its first sign-in. Plain functions over a transaction; that a signature is good is for the caller to find out
// in between (auth/wallet_signature.hpp).
#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "gateway/auth/siwe.hpp"
#include "gateway/settings.hpp"
#include "gateway/use_cases/accounts.hpp"
#include "store/wallets.hpp"

namespace agentauri::gateway {

inline constexpr std::chrono::minutes kLoginNonceLife{10};
inline constexpr std::string_view kLoginPurpose = "login";

struct IssuedText {
  Uuid nonce;
  std::string message;
  Time expires_at;
};
// 42 characters are asked for before; 400 invalid_address.
Outcome<Address> read_wallet_address(std::string_view text);
// With everything that is common to the texts of this server: domain, URI, times, nonce (its 32 digits as `Nonce:`, the
// UUID as `Request ID:`).
SiweMessage make_siwe_message(const GatewaySettings& settings, const Address& address, domain::ChainId chain,
                              const Uuid& nonce, Time now, Time expires_at);
// 400 unsupported_chain for one that nobody signs in on.
Outcome<IssuedText> issue_login_text(store::Tx& tx, const GatewaySettings& settings, const Address& address,
                                     domain::ChainId chain, Time now);

struct LoginText {
  Address address;
  domain::ChainId chain_id = 1;
  Uuid nonce;
  std::optional<std::string> invitation;   // for a first sign-in where registration asks for one
};
// Everything about the text but its nonce: the first broken rule of protocols.md 1.4.
Outcome<LoginText> read_login_text(const GatewaySettings& settings, const Address& address, std::string_view text,
                                   Time now);
// The value of the first line `Nonce: …`, as UUID; the hyphens may be missing. nullopt: no UUID.
std::optional<Uuid> read_nonce(std::string_view digits);
// 401 invalid_nonce unless it was issued for this address, and is neither used, expired nor void; 400 unsupported_chain
// when it was issued for another chain.
Outcome<void> check_login_nonce(store::Tx& tx, const LoginText& login, Time now);

// The nonce is used up, whatever comes then. An account of a key is found by its address, one of a contract by chain
// and address, since the same contract address may have another owner elsewhere. An error with the cause Code::conflict
// says that somebody signed in for the first time at the same moment: running it again finds what that one made.
// A first sign-in is a registration (registration.hpp), with its refusals.
Outcome<SignedIn> sign_in_with_wallet(store::Tx& tx, const LoginText& login, bool by_contract,
                                      const GatewaySettings& settings, const SessionIssuer& issuer, Time now,
                                      const ClientInfo& client);

}   // namespace agentauri::gateway
