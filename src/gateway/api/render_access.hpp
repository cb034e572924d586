// The response models of organizations, members and API keys (http-api.md 8).
#pragma once

#include <optional>

#include "core/json/json.hpp"
#include "gateway/use_cases/api_keys.hpp"
#include "gateway/use_cases/triggers.hpp"
#include "store/organizations.hpp"

namespace agentauri::gateway {

// `my_role` only where the model has it.
json::Object render_organization(const store::Organization& organization,
                                 std::optional<domain::Role> my_role = std::nullopt);
json::Object render_member(const store::Member& member);

// Never the key, its hash, the last address or the reason of its revocation.
json::Object render_api_key(const store::ApiKey& key);
json::Object render_made_api_key(const MadeApiKey& made);
json::Object render_rotated_api_key(const RotatedApiKey& rotated);
json::Object render_api_key_page(const store::ApiKeyPage& page, const PageBounds& bounds);
json::Object render_api_key_stats(const store::ApiKeyStats& stats);

}   // namespace agentauri::gateway
