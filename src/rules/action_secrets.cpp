#include "rules/action_secrets.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <vector>

#include "rules/action_config.hpp"
#include "rules/templates.hpp"

namespace agentauri::rules {
namespace {

constexpr std::string_view kEncrypted = "enc:v1:";
constexpr std::size_t kSealBytes = 12 + 16;   // iv and tag around a ciphertext
// http-api.md 7.11: a member whose name holds one of these, in any case and with `-` for `_`.
constexpr std::string_view kSecretWords[] = {"api_key",       "apikey", "token",  "secret",      "password",
                                             "authorization", "bearer", "cookie", "private_key", "credential"};

std::string_view text_of(const json::Value& value) {
  return json::view(value.get_string());
}
bool is_encrypted(const json::Value& value) {
  return value.is_string() && text_of(value).starts_with(kEncrypted);
}
bool is_secret(const json::Value& value) {
  return value.is_number() || (value.is_string() && !is_only_placeholders(text_of(value)));
}

// Where a value lies: `config.list[1].token`. A chain of steps, written out only when somebody asks: names may be long,
// and there are as many places as values.
struct Place {
  const Place* above = nullptr;   // nullptr: the configuration itself
  bool is_member = false;         // of an object, else an item of an array
  std::string_view member;
  std::size_t index = 0;

  std::string text() const {
    std::vector<const Place*> steps;
    for (const auto* step = this; step->above != nullptr; step = step->above) steps.push_back(step);
    std::string out = "config";
    for (auto step = steps.rbegin(); step != steps.rend(); ++step)
      out += (*step)->is_member ? fmt::format(".{}", (*step)->member) : fmt::format("[{}]", (*step)->index);
    return out;
  }
  Place below(std::string_view name) const { return {this, true, name, 0}; }
  Place below(std::size_t i) const { return {this, false, {}, i}; }
};

// Calls `visit(value, place)` for each secret until one fails. `Value` is json::Value, const or not; `covered`: it lies
// below a secret member.
template <class Value, class Visit>
Result<void> for_each_secret(Value& value, const Place& place, bool covered, Visit& visit) {
  if (value.is_object()) {
    for (auto& member : value.get_object()) {
      const std::string_view name(member.key().data(), member.key().size());
      auto done = for_each_secret(member.value(), place.below(name), covered || is_secret_member(name), visit);
      if (!done) return done;
    }
  } else if (value.is_array()) {
    auto& items = value.get_array();
    for (std::size_t i = 0; i < items.size(); ++i) {
      if (auto done = for_each_secret(items[i], place.below(i), covered, visit); !done) return done;
    }
  } else if (covered && is_secret(value)) {
    return visit(value, place);
  }
  return {};
}

// The same for a whole configuration, whose secrets `change(value)` changes.
template <class Change>
Result<json::Value> changed(json::Value config, Change change) {
  auto visit = [&change](json::Value& value, const Place&) -> Result<void> { return change(value); };
  if (auto done = for_each_secret(config, Place(), false, visit); !done) return fail(done);
  return config;
}

Result<void> merge(json::Value& fresh, const json::Value* stored, const Place& place, bool covered) {
  if (fresh.is_object()) {
    for (auto& member : fresh.get_object()) {
      const std::string_view name(member.key().data(), member.key().size());
      const auto* old = stored != nullptr && stored->is_object() ? json::find(stored->get_object(), name) : nullptr;
      auto done = merge(member.value(), old, place.below(name), covered || is_secret_member(name));
      if (!done) return done;
    }
  } else if (fresh.is_array()) {
    auto& items = fresh.get_array();
    for (std::size_t i = 0; i < items.size(); ++i) {
      const auto* old = stored != nullptr && stored->is_array() ? stored->get_array().if_contains(i) : nullptr;
      if (auto done = merge(items[i], old, place.below(i), covered); !done) return done;
    }
  } else if (covered && fresh.is_string() && text_of(fresh) == kMask) {
    if (stored == nullptr || stored->is_null())
      return fail(Code::invalid, place.text(), "\"***\" keeps the stored value, and there is none at this place");
    fresh = *stored;
  }
  return {};
}

std::size_t clear_bytes(std::string_view encrypted) {
  const std::size_t digits = encrypted.size() - encrypted.rfind(':') - 1;   // of base64url without padding
  const std::size_t sealed = digits * 3 / 4;
  return sealed > kSealBytes ? sealed - kSealBytes : 0;
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
  auto out = changed(std::move(config), [&](json::Value& value) -> Result<void> {
    if (value.is_string() && !is_encrypted(value))
      value = json::String(keys.encrypt(text_of(value), config_aad(action)));
    return {};
  });
  return std::move(out->get_object());
}

Result<json::Object> decrypt_config(json::Object config, domain::ActionId action, const crypto::DataKeys& keys) {
  auto out = changed(std::move(config), [&](json::Value& value) -> Result<void> {
    if (!is_encrypted(value)) return {};
    auto plain = keys.decrypt(text_of(value), config_aad(action));
    if (!plain) return fail(plain);
    value = json::String(*plain);
    return {};
  });
  if (!out) return fail(out);
  return std::move(out->get_object());
}

json::Object mask_config(json::Object config) {
  auto out = changed(std::move(config), [](json::Value& value) -> Result<void> {
    value = json::String(kMask);
    return {};
  });
  return std::move(out->get_object());
}

std::vector<std::string> secret_texts(const json::Value& clear) {
  std::vector<std::string> out;
  auto visit = [&out](const json::Value& value, const Place&) -> Result<void> {
    out.push_back(value.is_string() ? std::string(text_of(value)) : json::dump(value));
    return {};
  };
  (void)for_each_secret(clear, Place(), false, visit);
  return out;
}

Result<std::string> open_body(std::string body, domain::ActionId action, const crypto::DataKeys& keys,
                              const json::Object& event_data) {
  if (!body.contains(kEncrypted)) return body;
  auto parsed = json::parse(body);
  if (!parsed) return body;
  auto opened = changed(std::move(*parsed), [&](json::Value& value) -> Result<void> {
    if (!is_encrypted(value)) return {};
    const auto plain = keys.decrypt(text_of(value), config_aad(action));
    if (!plain) return {};
    auto rendered = render_text(*plain, event_data, Escape::none);
    if (!rendered) return fail(rendered);
    value = json::String(*rendered);
    return {};
  });
  if (!opened) return fail(opened);
  return json::dump(*opened);
}

Result<json::Object> merge_masked(json::Object fresh, const json::Object& stored) {
  json::Value out(std::move(fresh));
  const json::Value old(stored);
  if (auto merged = merge(out, &old, Place(), false); !merged) return fail(merged);
  return std::move(out.get_object());
}

std::optional<std::string> find_encrypted(const json::Object& config) {
  const json::Value whole(config);
  auto visit = [](const json::Value& value, const Place& place) -> Result<void> {
    if (is_encrypted(value)) return fail(Code::invalid, place.text(), "looks encrypted");
    return {};
  };
  const auto searched = for_each_secret(whole, Place(), false, visit);
  return searched ? std::nullopt : std::optional(searched.error().field);
}

json::Value in_clear_sizes(json::Value value) {
  auto out = changed(std::move(value), [](json::Value& secret) -> Result<void> {
    if (is_encrypted(secret)) secret = json::String(clear_bytes(text_of(secret)), 'x');
    return {};
  });
  return std::move(*out);
}

}   // namespace agentauri::rules
