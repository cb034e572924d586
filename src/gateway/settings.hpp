// What the gateway needs to know; src/app fills it from the environment.
#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "core/crypto/crypto.hpp"
#include "domain/ids.hpp"

namespace agentauri::gateway {

// A chain as the API tells of it.
struct PublicChain {
  domain::ChainId id = 0;
  std::string name;                      // for people
  std::string key;                       // ethereumSepolia, …
  std::vector<std::string> registries;   // of identity, reputation, validation: those that have a contract there
};

// Whom the documents below /.well-known name; checked by src/app.
struct DiscoverySettings {
  std::string contact_email = "support@agentauri.ai";
  std::string contact_github = "https://github.com/agentauri/api.agentauri.ai";
  std::string documentation_url = "https://docs.agentauri.ai";
  std::string security_email = "security@agentauri.ai";
  std::string security_url = "https://github.com/agentauri/api.agentauri.ai/security/advisories";
  std::string security_policy_url = "https://github.com/agentauri/api.agentauri.ai/security/policy";
  std::string security_acknowledgments_url = "https://github.com/agentauri/api.agentauri.ai/security/advisories";
  std::string security_hiring_url;   // empty: not said
};

struct GatewaySettings {
  crypto::Secret<std::string> jwt_secret;              // at least 32 characters
  crypto::Secret<std::string> jwt_secret_previous;     // empty, or still accepted for verification
  std::string base_url = "https://api.agentauri.ai";   // `iss` and `aud` of access tokens; in the agent card
  std::string frontend_url;                            // its origin may use cookies too; empty: none
  bool production = false;                             // Secure cookies, https origins only
  enum class PasswordPolicy : std::uint8_t { standard, strict } password_policy = PasswordPolicy::standard;
  // Who may make an account: everybody, whoever holds an invitation, nobody (but an operator).
  enum class Registration : std::uint8_t { open, invited, closed } registration = Registration::open;
  // The first to register becomes an administrator: only where nobody but the machine's own users can be first.
  bool first_user_is_admin = false;
  std::vector<std::string>
      allowed_origins;   // as configured: filtered here by http-api.md 2.4; empty: the default list
  // Addresses or CIDRs; empty: the default list of http-api.md 2.5. Entries that do not parse are refused by src/app.
  std::vector<std::string> trusted_proxies;
  enum class RateLimitMode : std::uint8_t { enforcing, shadow } rate_limit_mode = RateLimitMode::enforcing;
  std::int64_t register_per_minute = 3;
  crypto::Secret<std::string> monitoring_token;   // empty: no bypass
  bool hsts = true;
  std::int64_t hsts_max_age = 31'536'000;
  // What wallets sign (EIP-4361): authorities, the URI, chains, and whether addresses must carry their EIP-55 checksum.
  std::vector<std::string> siwe_domains{"agentauri.ai"};   // the first is issued, each is accepted
  std::string siwe_uri = "https://agentauri.ai";
  std::vector<domain::ChainId> siwe_chain_ids{1, 8453, 11155111, 84532, 59141};   // to sign in
  bool siwe_strict_checksum = true;
  std::map<domain::ChainId, std::string> chain_names;   // for reports; a chain that is not named shows its stored name
  std::vector<PublicChain> public_chains;               // the configured ones
  DiscoverySettings discovery;
  std::string console_dir;   // empty: the console that was compiled in
  std::string version = "0.1.0";
};

}   // namespace agentauri::gateway
