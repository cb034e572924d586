// Secrets inside an action's configuration: encrypted at rest, bound to their row, shown as `***`.
//
// A secret is any string at or below a member that is_secret_member() names, at any depth and inside arrays. A string
// of nothing but placeholders is none: `{"token_uri": "{{token_uri}}"}` stands for what the chain says. Numbers there
// are shown as `***` too, but stored as they are: the encrypted form of a number would be a string to those who render
// bodies without keys.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.hpp"
#include "core/crypto/crypto.hpp"
#include "core/json/json.hpp"
#include "domain/ids.hpp"

namespace agentauri::rules {

inline constexpr std::string_view kMask = "***";

std::string config_aad(domain::ActionId action);
std::string signing_secret_aad(domain::ActionId action);

// Values that are encrypted already stay as they are.
json::Object encrypt_config(json::Object config, domain::ActionId action, const crypto::DataKeys& keys);
// Code::corrupt when a value does not decrypt.
Result<json::Object> decrypt_config(json::Object config, domain::ActionId action, const crypto::DataKeys& keys);
json::Object mask_config(json::Object config);
// The secrets of a configuration or body in clear, for those who must not show them.
std::vector<std::string> secret_texts(const json::Value& clear);
// A body that was rendered from a stored configuration, without keys: its encrypted members in clear, with their
// placeholders filled. What does not decrypt was not encrypted here and stays: chain text may look like it. Equal bytes
// for equal bodies, so that every attempt sends the same.
Result<std::string> open_body(std::string body, domain::ActionId action, const crypto::DataKeys& keys,
                              const json::Object& event_data);
// `***` in `fresh` takes the value that `stored` has at the same place, which in an array is the same index. Where
// there is none, Code::invalid with the place as field: `config.list[1].token`.
Result<json::Object> merge_masked(json::Object fresh, const json::Object& stored);

// The place of the first secret that looks encrypted: what users send may not.
std::optional<std::string> find_encrypted(const json::Object& config);
// Each encrypted secret becomes as many letters as its clear text has bytes: what limits of sizes are meant for.
json::Value in_clear_sizes(json::Value value);

}   // namespace agentauri::rules
