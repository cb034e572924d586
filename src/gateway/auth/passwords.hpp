// What may be a password (http-api.md 3.7), and how names and addresses are compared and checked.
#pragma once

#include <string>
#include <string_view>

#include "gateway/refusal.hpp"
#include "gateway/settings.hpp"

namespace agentauri::gateway {

// Adds one detail (field `password`) for each rule that is broken.
void check_password(std::string_view password, std::string_view username, std::string_view email,
                    GatewaySettings::PasswordPolicy policy, Validation& validation);

// The key under which user names and e-mail addresses are compared: case-folded for Latin, Greek, Cyrillic and Armenian
// letters, otherwise as written.
std::string fold_case(std::string_view utf8);

// The grammar of HTML forms, with IDN labels and bracketed IP literals (http-api.md 7.2.1).
bool is_email(std::string_view text);

// `<username in lower case, runs of other characters as one dash>-personal`
std::string personal_slug(std::string_view username);

}   // namespace agentauri::gateway
