#include "app/chain_settings.hpp"

#include <fmt/format.h>

#include <charconv>
#include <map>
#include <set>

#include "chain/chain_table.hpp"
#include "net/address_guard.hpp"
#include "net/http_client.hpp"

namespace agentauri::app {
namespace {

constexpr std::string_view kProviders[] = {"PUBLICNODE", "LLAMANODES", "ANKR",
                                           "ALCHEMY",    "INFURA",     "QUIKNODE"};   // in the order of preference

// The chain ids that CHAIN_<id>_… names, and the older prefixes of chains that are known.
std::set<domain::ChainId> mentioned_chains(Environment& env) {
  std::set<domain::ChainId> out;
  for (const auto& name : env.names_with_prefix("CHAIN_")) {
    domain::ChainId id = 0;
    const char* first = name.data() + 6;
    const char* last = name.data() + name.size();
    const auto [end, error] = std::from_chars(first, last, id);
    if (error == std::errc{} && end != last && *end == '_' && id > 0) out.insert(id);
  }
  for (const auto& chain : chain::known_chains()) {
    if (!chain.env_prefix.empty() && !env.names_with_prefix(fmt::format("{}_RPC_", chain.env_prefix)).empty())
      out.insert(chain.id);
  }
  return out;
}

// Plain http carries keys and answers in the clear: only to this machine and private networks.
bool may_be_plain(const std::string& host) {
  if (host == "localhost") return true;
  const auto ip = net::parse_ip(host);
  if (!ip) return host.find('.') == std::string::npos;   // a name of a private network: a container, a host of the LAN
  return !net::is_global_unicast(*ip);
}

void add_url(Environment& env, std::string_view name, const std::string& text, ChainSetting& chain) {
  const auto url = net::parse_url(text);
  if (!url) {
    env.fault(name, fmt::format("must be a list of https URLs: {}", url.error().text));
  } else if (url->scheme == "http" && !may_be_plain(url->host)) {
    env.fault(name, "must use https, except for loopback and private hosts");
  } else {
    chain.rpc_urls.emplace_back(text);
  }
}

// The first of several names that is set, and which one it was.
struct Found {
  std::string name, value;
};
std::optional<Found> first_set(Environment& env, const std::vector<std::string>& names) {
  std::optional<Found> found;
  for (const auto& name : names) {
    auto value = env.text(name);   // also of the later ones, so that they count as known
    if (value && !found) found = Found{name, *value};
  }
  return found;
}

std::vector<std::string> spellings(domain::ChainId id, std::string_view prefix, std::string_view suffix) {
  std::vector<std::string> out{fmt::format("CHAIN_{}_{}", id, suffix)};
  if (!prefix.empty()) out.push_back(fmt::format("{}_{}", prefix, suffix));
  return out;
}

void read_address(Environment& env, const std::vector<std::string>& names, std::optional<Address>& out) {
  const auto found = first_set(env, names);
  if (!found) return;
  const auto address = parse_address(found->value);
  if (!address)
    env.fault(found->name, "must be an address: 0x and 40 hex digits");
  else
    out = address;
}

ChainSetting read_chain(Environment& env, domain::ChainId id) {
  const auto* known = chain::find_known_chain(id);
  const std::string_view prefix = known == nullptr ? std::string_view{} : known->env_prefix;
  ChainSetting out;
  out.id = id;
  if (const auto urls = first_set(env, spellings(id, prefix, "RPC_URL"))) {
    for (const auto& url : split_list(urls->value)) add_url(env, urls->name, url, out);
  }
  if (!prefix.empty()) {
    for (const auto provider : kProviders) {
      const std::string name = fmt::format("{}_RPC_{}", prefix, provider);
      if (const auto url = env.text(name)) add_url(env, name, *url, out);
    }
  }
  if (const auto start = first_set(env, spellings(id, prefix, "START_BLOCK")))
    out.start_block = static_cast<std::uint64_t>(env.integer(start->name, 0, 0, INT64_MAX));
  const std::string confirmations = fmt::format("CHAIN_{}_CONFIRMATIONS", id);
  if (env.text(confirmations))
    out.confirmations = static_cast<std::uint32_t>(env.integer(confirmations, 0, 0, 100'000));
  const std::string poll = fmt::format("CHAIN_{}_POLL_INTERVAL_MS", id);
  if (env.text(poll)) out.poll_interval = std::chrono::milliseconds(env.integer(poll, 1000, 20, 60'000));
  read_address(env, spellings(id, prefix, "IDENTITY_ADDRESS"), out.identity);
  read_address(env, spellings(id, prefix, "REPUTATION_ADDRESS"), out.reputation);
  read_address(env, spellings(id, prefix, "VALIDATION_ADDRESS"), out.validation);
  if (known == nullptr && !out.rpc_urls.empty() && !out.identity && !out.reputation && !out.validation) {
    env.fault(
        fmt::format("CHAIN_{}_IDENTITY_ADDRESS", id),
        fmt::format(
            "must be given (or _REPUTATION_ADDRESS, _VALIDATION_ADDRESS): chain {} is not in the table of known chains",
            id));
  }
  return out;
}

}   // namespace

std::vector<ChainSetting> read_chains(Environment& env) {
  std::vector<ChainSetting> out;
  for (const auto id : mentioned_chains(env)) {
    auto chain = read_chain(env, id);
    if (!chain.rpc_urls.empty()) out.push_back(std::move(chain));
  }
  return out;
}

}   // namespace agentauri::app
