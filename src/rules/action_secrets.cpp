#include "rules/action_secrets.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "rules/action_config.hpp"

namespace agentauri::rules {
namespace {

constexpr std::string_view kEncrypted = "enc:v1:";
// http-api.md 7.11: a member whose name holds one of these, in any case and with `-` for `_`.
constexpr std::string_view kSecretWords[] = {"api_key",       "apikey", "token",  "secret",      "password",
                                             "authorization", "bearer", "cookie", "private_key", "credential"};

template <class Change>
Result<void> for_each_secret(json::Object& object, Change change) {
  for (auto& member : object) {
    auto& value = member.value();
    if (value.is_object()) {
      if (auto done = for_each_secret(value.get_object(), change); !done) return done;
    } else if (value.is_array()) {
      for (auto& item : value.get_array()) {
        if (!item.is_object()) continue;
        if (auto done = for_each_secret(item.get_object(), change); !done) return done;
      }
    } else if (value.is_string() && is_secret_member(std::string_view(member.key().data(), member.key().size()))) {
      if (auto done = change(value); !done) return done;
    }
  }
  return {};
}

std::string text_of(const json::Value& value) {
  return std::string(json::view(value.get_string()));
}

}   // namespace

bool is_secret_member(std::string_view key) {
  std::string name;
  for (const char c : key)
    name.push_back(c == '-' ? '_' : static_cast<char>(std::tolower(static_cast<unsigned char>(c))));
  return std::any_of(std::begin(kSecretWords), std::end(kSecretWords),
                     [&name](std::string_view word) { return name.find(word) != std::string::npos; });
}

std::string config_aad(domain::ActionId action) {
  return fmt::format("trigger_actions:config:{}", action);
}
std::string signing_secret_aad(domain::ActionId action) {
  return fmt::format("trigger_actions:signing_secret:{}", action);
}

json::Object encrypt_config(json::Object config, domain::ActionId action, const crypto::DataKeys& keys) {
  (void)for_each_secret(config, [&](json::Value& value) -> Result<void> {
    const std::string text = text_of(value);
    if (!text.starts_with(kEncrypted)) value = json::String(keys.encrypt(text, config_aad(action)));
    return {};
  });
  return config;
}

Result<json::Object> decrypt_config(json::Object config, domain::ActionId action, const crypto::DataKeys& keys) {
  auto done = for_each_secret(config, [&](json::Value& value) -> Result<void> {
    const std::string text = text_of(value);
    if (!text.starts_with(kEncrypted)) return {};
    auto plain = keys.decrypt(text, config_aad(action));
    if (!plain) return fail(plain);
    value = json::String(*plain);
    return {};
  });
  if (!done) return fail(done);
  return config;
}

json::Object mask_config(json::Object config) {
  (void)for_each_secret(config, [](json::Value& value) -> Result<void> {
    value = json::String(kMask);
    return {};
  });
  return config;
}

Result<json::Object> merge_masked(json::Object fresh, const json::Object& stored) {
  for (auto& member : fresh) {
    auto& value = member.value();
    const auto* old = stored.if_contains(member.key());
    if (value.is_object()) {
      auto merged = merge_masked(std::move(value.get_object()),
                                 old != nullptr && old->is_object() ? old->get_object() : json::Object());
      if (!merged) return fail(merged);
      value = std::move(*merged);
    } else if (value.is_string() && text_of(value) == kMask &&
               is_secret_member(std::string_view(member.key().data(), member.key().size()))) {
      if (old == nullptr || !old->is_string())
        return fail(Code::invalid, fmt::format("config.{}", std::string_view(member.key().data(), member.key().size())),
                    "\"***\" keeps the stored value, and there is none");
      value = *old;
    }
  }
  return fresh;
}

}   // namespace agentauri::rules
