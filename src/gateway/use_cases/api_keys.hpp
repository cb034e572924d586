// API keys of organizations: who may make, change, revoke and rotate them, and what is written of it.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "gateway/refusal.hpp"
#include "gateway/use_cases/organization_context.hpp"
#include "gateway/use_cases/triggers.hpp"
#include "store/api_keys.hpp"

namespace agentauri::gateway {

inline constexpr std::int64_t kMaxApiKeysPerOrganization = 1000;   // that are not revoked
inline constexpr std::size_t kMaxPermissions = 16;
inline constexpr std::int64_t kMaxRateLimitOverride = 100'000;

struct NewApiKey {
  std::string name, environment, key_type = "standard";
  std::vector<std::string> permissions{"read"};
  std::optional<std::int64_t> rate_limit_override;
  std::optional<Time> expires_at;
};
struct ApiKeyDraft {
  std::optional<std::string> name;   // absent: stays
  std::optional<Time> expires_at;
};
// The one answer that holds the key itself.
struct MadeApiKey {
  store::ApiKey key;
  std::string text;
};
struct RotatedApiKey {
  MadeApiKey made;
  domain::ApiKeyId old;
};

// `organization`: of the path or the query; nullopt when the query names none.
Outcome<MadeApiKey> create_api_key(store::Tx& tx, const Caller& caller, const std::optional<std::string>& organization,
                                   const NewApiKey& wanted);
Outcome<store::ApiKeyPage> list_api_keys(store::Tx& tx, const Caller& caller,
                                         const std::optional<std::string>& organization, bool include_revoked,
                                         const PageBounds& page);
Outcome<store::ApiKeyStats> read_api_key_stats(store::Tx& tx, const Caller& caller, std::string_view organization);
// Revoked ones too.
Outcome<store::ApiKey> find_api_key(store::Tx& tx, const Caller& caller, std::string_view id);
Outcome<store::ApiKey> update_api_key(store::Tx& tx, const Caller& caller, std::string_view id,
                                      const ApiKeyDraft& draft);
Outcome<store::ApiKey> revoke_api_key(store::Tx& tx, const Caller& caller, std::string_view id,
                                      const std::optional<std::string>& reason);
// The old key is void at once.
Outcome<RotatedApiKey> rotate_api_key(store::Tx& tx, const Caller& caller, std::string_view id,
                                      const ApiKeyDraft& draft);

}   // namespace agentauri::gateway
