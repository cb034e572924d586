// What may be a password (http-api.md 3.7), and how names and addresses are compared and checked.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "gateway/refusal.hpp"
#include "gateway/settings.hpp"

namespace agentauri::gateway {

// A policy, as a page shows it beside the field.
struct PasswordRules {
  struct Rule {
    std::string_view code;
    std::string text;
  };
  std::size_t min_length = 0, max_length = 0;   // characters
  bool needs_each_class = false;                // upper case, lower case, digit, special
  std::string_view special;                     // what counts as special
  std::vector<Rule> rules;                      // every one that applies, in the order in which they are checked
};
PasswordRules password_rules(GatewaySettings::PasswordPolicy policy);

// Adds one detail of `field` for each rule that is broken.
void check_password(std::string_view password, std::string_view username, std::string_view email,
                    GatewaySettings::PasswordPolicy policy, Validation& validation,
                    std::string_view field = "password");

// The key under which user names and e-mail addresses are compared: case-folded for Latin, Greek, Cyrillic and Armenian
// letters, otherwise as written.
std::string fold_case(std::string_view utf8);

// The grammar of HTML forms, with IDN labels and bracketed IP literals (http-api.md 7.2.1).
bool is_email(std::string_view text);

// `<username in lower case, runs of other characters as one dash>-personal`
std::string personal_slug(std::string_view username);

}   // namespace agentauri::gateway
