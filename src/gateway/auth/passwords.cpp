#include "gateway/auth/passwords.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>

#include "net/address_guard.hpp"

namespace agentauri::gateway {
namespace {

constexpr std::size_t kMinLength = 8, kMinStrictLength = 12, kMaxLength = 128;
constexpr std::string_view kSpecial = "!@#$%^&*()_+-=[]{}|;':\",./<>?`~";

// A password that is one of these, in any case, is refused.
constexpr std::array<std::string_view, 60> kCommon{
    "password",   "12345678",    "123456789", "1234567890", "qwertyui",  "qwertyuiop",    "qwerty123", "password1",
    "password12", "password123", "iloveyou",  "11111111",   "00000000",  "88888888",      "12341234",  "11223344",
    "87654321",   "123123123",   "1q2w3e4r",  "1qaz2wsx",   "abcd1234",  "abcdefgh",      "asdfghjk",  "asdfasdf",
    "baseball",   "football",    "superman",  "starwars",   "sunshine",  "princess",      "trustno1",  "welcome1",
    "whatever",   "computer",    "internet",  "letmein1",   "michelle",  "jennifer",      "jordan23",  "liverpool",
    "passw0rd",   "p@ssw0rd",    "changeme",  "admin123",   "admin1234", "administrator", "dragon12",  "monkey12",
    "master12",   "shadow12",    "corvette",  "midnight",   "mercedes",  "maverick",      "samantha",  "victoria",
    "qazwsxedc",  "zaq12wsx",    "password!", "letmein123"};
// One that holds one of these is refused too.
constexpr std::array<std::string_view, 20> kCommonParts{
    "password123456", "123456password", "qwerty123456", "admin123456!", "letmein12345", "welcome12345", "monkey123456",
    "dragon123456",   "master123456",   "login1234567", "abc123456789", "password1234", "iloveyou1234", "sunshine1234",
    "princess1234",   "football1234",   "baseball1234", "trustno1234!", "shadow123456", "michael12345"};

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

bool is_label(std::string_view label) {
  if (label.empty() || label.size() > 63 || label.front() == '-' || label.back() == '-') return false;
  return std::all_of(label.begin(), label.end(),
                     [](char c) { return is_alnum(c) || c == '-' || (static_cast<unsigned char>(c) & 0x80) != 0; });
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

void check_password(std::string_view password, std::string_view username, std::string_view email,
                    GatewaySettings::PasswordPolicy policy, Validation& validation) {
  const bool strict = policy == GatewaySettings::PasswordPolicy::strict;
  const std::size_t least = strict ? kMinStrictLength : kMinLength;
  const std::size_t length = count_characters(password);
  const auto broken = [&](std::string_view code, std::string text) {
    validation.add("password", code, std::move(text));
  };
  if (length < least) broken("password_too_short", fmt::format("Password must be at least {} characters", least));
  if (length > kMaxLength)
    broken("password_too_long", fmt::format("Password must be at most {} characters", kMaxLength));
  const std::string folded = fold_case(password);
  const bool common = std::find(kCommon.begin(), kCommon.end(), folded) != kCommon.end() ||
                      std::any_of(kCommonParts.begin(), kCommonParts.end(),
                                  [&](std::string_view part) { return folded.contains(part); });
  if (common) broken("password_too_common", "Password is too common");
  if (folded == fold_case(username) || folded == fold_case(email))
    broken("password_is_identity", "Password must differ from user name and e-mail");
  if (!strict) return;
  if (!has(password, is_upper)) broken("password_no_uppercase", "Password must contain at least one uppercase letter");
  if (!has(password, is_lower)) broken("password_no_lowercase", "Password must contain at least one lowercase letter");
  if (!has(password, is_digit)) broken("password_no_digit", "Password must contain at least one digit");
  if (!has(password, [](char c) { return kSpecial.contains(c); }))
    broken("password_no_special", "Password must contain at least one special character");
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
