// Secrets inside an action's configuration: encrypted at rest, bound to their row, shown as `***`.
#pragma once

#include <string>

#include "core/base/result.hpp"
#include "core/crypto/crypto.hpp"
#include "core/json/json.hpp"
#include "domain/ids.hpp"

namespace agentauri::rules {

inline constexpr std::string_view kMask = "***";

std::string config_aad(domain::ActionId action);
std::string signing_secret_aad(domain::ActionId action);

// String members that is_secret_member() names, at any depth; values that are encrypted already stay as they are.
json::Object encrypt_config(json::Object config, domain::ActionId action, const crypto::DataKeys& keys);
// Code::corrupt when a value does not decrypt.
Result<json::Object> decrypt_config(json::Object config, domain::ActionId action, const crypto::DataKeys& keys);
json::Object mask_config(json::Object config);
// `***` in `fresh` takes the value that `stored` has at the same place; where there is none, Code::invalid.
Result<json::Object> merge_masked(json::Object fresh, const json::Object& stored);

}   // namespace agentauri::rules
