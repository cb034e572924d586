#include "app/discovery_settings.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "app/chain_roles.hpp"
#include "app/chain_settings.hpp"
#include "gateway/auth/passwords.hpp"
#include "net/url.hpp"

namespace agentauri::app {
namespace {

// These stand in a text of lines, so nothing that ends one.
bool is_printable(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c > 0x20 && c < 0x7F; });
}

void read_url(Environment& env, std::string_view name, std::string_view scheme, std::string& out) {
  const auto text = env.text(name);
  if (!text) return;
  if (!is_printable(*text) || !text->starts_with(scheme) || !net::parse_url(*text))
    env.fault(name,
              fmt::format("must be a URL that starts with {}", scheme == "http" ? "http:// or https://" : scheme));
  out = *text;
}

void read_email(Environment& env, std::string_view name, std::string& out) {
  const auto text = env.text(name);
  if (!text) return;
  if (!is_printable(*text) || !gateway::is_email(*text))
    env.fault(name, "must be an e-mail address, such as security@example.org");
  out = *text;
}

}   // namespace

gateway::DiscoverySettings read_discovery(Environment& env) {
  gateway::DiscoverySettings out;
  read_email(env, "CONTACT_EMAIL", out.contact_email);
  read_url(env, "CONTACT_GITHUB", "http", out.contact_github);
  read_url(env, "DOCUMENTATION_URL", "http", out.documentation_url);
  read_email(env, "SECURITY_CONTACT_EMAIL", out.security_email);
  // RFC 9116 wants https of every address on the web.
  read_url(env, "SECURITY_CONTACT_URL", "https://", out.security_url);
  read_url(env, "SECURITY_POLICY_URL", "https://", out.security_policy_url);
  read_url(env, "SECURITY_ACKNOWLEDGMENTS_URL", "https://", out.security_acknowledgments_url);
  read_url(env, "SECURITY_HIRING_URL", "https://", out.security_hiring_url);
  return out;
}

gateway::PublicChain public_chain(const ChainSetting& chain) {
  gateway::PublicChain out{chain.id, chain_name(chain.id), chain_key(chain.id), {}};
  const auto contracts = contracts_of(chain);
  const auto add = [&out](const std::optional<Address>& address, std::string_view registry) {
    if (address && !address->is_zero()) out.registries.emplace_back(registry);   // the zero address: not deployed
  };
  add(contracts.identity, "identity");
  add(contracts.reputation, "reputation");
  add(contracts.validation, "validation");
  return out;
}

}   // namespace agentauri::app
