#include "gateway/auth/passwords.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "core/base/utf8.hpp"
#include "gateway/auth/common_passwords.hpp"
#include "net/address_guard.hpp"

namespace agentauri::gateway {
namespace {

constexpr std::size_t kMinLength = 8, kMinStrictLength = 12, kMaxLength = 128;
constexpr std::string_view kSpecial = "!@#$%^&*()_+-=[]{}|;':\",./<>?`~";

bool is_upper(char c) {
  return c >= 'A' && c <= 'Z';
}
bool is_lower(char c) {
  return c >= 'a' && c <= 'z';
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_alnum(char c) {
  return is_upper(c) || is_lower(c) || is_digit(c);
}

template <class Test>
bool has(std::string_view text, Test test) {
  return std::any_of(text.begin(), text.end(), test);
}

struct Candidate {
  std::string_view password, username, email;
  std::string folded;
  std::size_t length, min_length;   // characters
};
// A row of http-api.md 3.7.
struct PasswordRule {
  std::string_view code;
  std::string_view text;   // `{}`: the least length
  bool only_strict;
  bool (*is_broken)(const Candidate&);
};
constexpr std::array kRules{
    PasswordRule{"password_too_short", "Password must be at least {} characters", false,
                 [](const Candidate& c) { return c.length < c.min_length; }},
    PasswordRule{"password_too_long", "Password must be at most 128 characters", false,
                 [](const Candidate& c) { return c.length > kMaxLength; }},
    PasswordRule{"password_too_common", "Password is too common", false,
                 [](const Candidate& c) { return is_common_password(c.folded); }},
    PasswordRule{
        "password_is_identity", "Password must differ from user name and e-mail", false,
        [](const Candidate& c) { return c.folded == fold_case(c.username) || c.folded == fold_case(c.email); }},
    PasswordRule{"password_no_uppercase", "Password must contain at least one uppercase letter", true,
                 [](const Candidate& c) { return !has(c.password, is_upper); }},
    PasswordRule{"password_no_lowercase", "Password must contain at least one lowercase letter", true,
                 [](const Candidate& c) { return !has(c.password, is_lower); }},
    PasswordRule{"password_no_digit", "Password must contain at least one digit", true,
                 [](const Candidate& c) { return !has(c.password, is_digit); }},
    PasswordRule{"password_no_special", "Password must contain at least one special character", true,
                 [](const Candidate& c) { return !has(c.password, [](char x) { return kSpecial.contains(x); }); }},
};

static_assert(kMaxLength == 128, "the text of password_too_long says so");

std::string text_of(const PasswordRule& rule, std::size_t min_length) {
  return fmt::format(fmt::runtime(rule.text), min_length);
}

// Simple case folding of the letters that differ by a fixed step, or lie in pairs.
char32_t fold(char32_t c) {
  if (c >= 'A' && c <= 'Z') return c + 32;
  if (c >= 0xC0 && c <= 0xDE && c != 0xD7) return c + 32;
  if (c == 0x178) return 0xFF;
  if ((c >= 0x100 && c <= 0x12F) || (c >= 0x132 && c <= 0x137) || (c >= 0x14A && c <= 0x177)) return c | 1;
  if ((c >= 0x139 && c <= 0x148) || (c >= 0x179 && c <= 0x17E)) return c % 2 == 1 ? c + 1 : c;
  if (c == 0x386) return 0x3AC;
  if (c >= 0x388 && c <= 0x38A) return c + 37;
  if (c == 0x38C) return 0x3CC;
  if (c == 0x38E || c == 0x38F) return c + 63;
  if (c >= 0x391 && c <= 0x3AB && c != 0x3A2) return c + 32;
  if (c == 0x3C2) return 0x3C3;
  if (c >= 0x400 && c <= 0x40F) return c + 80;
  if (c >= 0x410 && c <= 0x42F) return c + 32;
  if ((c >= 0x460 && c <= 0x481) || (c >= 0x48A && c <= 0x4BF) || (c >= 0x4D0 && c <= 0x52F)) return c | 1;
  if (c >= 0x531 && c <= 0x556) return c + 48;
  if (c >= 0x1E00 && c <= 0x1E95) return c | 1;
  if (c >= 0x1EA0 && c <= 0x1EFF) return c | 1;
  return c;
}

void append_utf8(std::string& out, char32_t c) {
  if (c < 0x80) {
    out.push_back(static_cast<char>(c));
  } else if (c < 0x800) {
    out.push_back(static_cast<char>(0xC0 | (c >> 6)));
    out.push_back(static_cast<char>(0x80 | (c & 0x3F)));
  } else {
    out.push_back(static_cast<char>(0xE0 | (c >> 12)));
    out.push_back(static_cast<char>(0x80 | ((c >> 6) & 0x3F)));
    out.push_back(static_cast<char>(0x80 | (c & 0x3F)));
  }
}

// What no name of a host holds: it cannot be seen, or is taken for a dot or an @. Two addresses that differ in such a
// character only would look the same everywhere.
bool is_unseen(char32_t c) {
  struct Range {
    char32_t first, last;
  };
  constexpr Range kUnseen[] = {{0x80, 0xA0},     {0xAD, 0xAD},      {0x180E, 0x180E}, {0x2000, 0x200F},
                               {0x2028, 0x202F}, {0x205F, 0x206F},  {0x3000, 0x3002}, {0xFE00, 0xFE0F},
                               {0xFEFF, 0xFEFF}, {0xFF0E, 0xFF0E},  {0xFF20, 0xFF20}, {0xFF61, 0xFF61},
                               {0xFFF9, 0xFFFF}, {0xE0000, 0xE0FFF}};
  return std::any_of(std::begin(kUnseen), std::end(kUnseen),
                     [c](const Range& r) { return c >= r.first && c <= r.last; });
}

bool is_label(std::string_view label) {
  if (label.empty() || label.size() > 63 || label.front() == '-' || label.back() == '-') return false;
  while (!label.empty()) {
    const std::size_t length = utf8_length(label);
    if (length == 0) return false;
    const bool is_fine =
        length == 1 ? is_alnum(label[0]) || label[0] == '-' : !is_unseen(utf8_character(label.substr(0, length)));
    if (!is_fine) return false;
    label.remove_prefix(length);
  }
  return true;
}

bool is_mail_domain(std::string_view domain) {
  if (domain.empty() || domain.size() > 255) return false;
  if (domain.front() == '[') {
    if (domain.back() != ']') return false;
    std::string_view literal = domain.substr(1, domain.size() - 2);
    if (literal.starts_with("IPv6:")) literal.remove_prefix(5);
    return net::parse_ip(literal).has_value();
  }
  while (true) {
    const std::size_t dot = domain.find('.');
    if (!is_label(domain.substr(0, dot))) return false;
    if (dot == std::string_view::npos) return true;
    domain.remove_prefix(dot + 1);
  }
}

}   // namespace

PasswordRules password_rules(GatewaySettings::PasswordPolicy policy) {
  const bool strict = policy == GatewaySettings::PasswordPolicy::strict;
  PasswordRules out{strict ? kMinStrictLength : kMinLength, kMaxLength, strict, kSpecial, {}};
  for (const auto& rule : kRules) {
    if (strict || !rule.only_strict) out.rules.push_back({rule.code, text_of(rule, out.min_length)});
  }
  return out;
}

void check_password(std::string_view password, std::string_view username, std::string_view email,
                    GatewaySettings::PasswordPolicy policy, Validation& validation, std::string_view field) {
  const bool strict = policy == GatewaySettings::PasswordPolicy::strict;
  const Candidate candidate{password,
                            username,
                            email,
                            fold_case(password),
                            count_characters(password),
                            strict ? kMinStrictLength : kMinLength};
  for (const auto& rule : kRules) {
    if ((strict || !rule.only_strict) && rule.is_broken(candidate))
      validation.add(field, rule.code, text_of(rule, candidate.min_length));
  }
}

std::string fold_case(std::string_view utf8) {
  std::string out;
  out.reserve(utf8.size());
  for (std::size_t i = 0; i < utf8.size();) {
    const auto lead = static_cast<unsigned char>(utf8[i]);
    const auto next = [&](std::size_t k) {
      return static_cast<char32_t>(static_cast<unsigned char>(utf8[i + k]) & 0x3F);
    };
    if (lead < 0x80) {
      append_utf8(out, fold(lead));
      i += 1;
    } else if (lead >= 0xC0 && lead < 0xE0 && i + 1 < utf8.size()) {
      append_utf8(out, fold((static_cast<char32_t>(lead & 0x1F) << 6) | next(1)));
      i += 2;
    } else if (lead >= 0xE0 && lead < 0xF0 && i + 2 < utf8.size()) {
      append_utf8(out, fold((static_cast<char32_t>(lead & 0x0F) << 12) | (next(1) << 6) | next(2)));
      i += 3;
    } else {
      out.push_back(utf8[i++]);
    }
  }
  return out;
}

bool is_email(std::string_view text) {
  const std::size_t at = text.rfind('@');
  if (at == std::string_view::npos || at == 0 || at > 64) return false;
  const auto is_local = [](char c) { return is_alnum(c) || std::string_view(".!#$%&'*+/=?^_`{|}~-").contains(c); };
  const std::string_view local = text.substr(0, at);
  return std::all_of(local.begin(), local.end(), is_local) && is_mail_domain(text.substr(at + 1));
}

std::string personal_slug(std::string_view username) {
  std::string out;
  for (const char c : username) {
    if (is_alnum(c))
      out.push_back(is_upper(c) ? static_cast<char>(c + 32) : c);
    else if (!out.empty() && out.back() != '-')
      out.push_back('-');
  }
  while (!out.empty() && out.back() == '-') out.pop_back();
  return out.empty() ? "personal" : out + "-personal";
}

}   // namespace agentauri::gateway
