#include "delivery/redaction.hpp"

#include <algorithm>

#include "core/json/json.hpp"

namespace agentauri::delivery {
namespace {

constexpr std::string_view kMask = "***";
// Shorter ones are found in every text, and stars in every word would show them all the better.
constexpr std::size_t kMinSecretBytes = 4;
// Of a part of a secret. `Bearer`, `Basic`, `token` and the like are shorter and stay readable.
constexpr std::size_t kMinWordBytes = 8;
constexpr std::string_view kBetweenWords = " \t,;:=\"'";

std::string in_html(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        out += c;
    }
  }
  return out;
}

std::string in_json(std::string_view text) {
  const std::string quoted = json::dump(json::Value(json::String(text)));
  return quoted.substr(1, quoted.size() - 2);
}

// PHP and others write `/` as `\/`.
std::string with_escaped_slashes(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '/') out += '\\';
    out += c;
  }
  return out;
}

char printable(char c) {
  if (c == '\n' || c == '\t') return ' ';
  return c >= 0x20 && c < 0x7f ? c : '?';
}

}   // namespace

void Redaction::add_forms(std::string_view secret) {
  const auto add_one = [this](std::string form) {
    if (std::find(needles_.begin(), needles_.end(), form) == needles_.end()) needles_.push_back(std::move(form));
  };
  const std::string json = in_json(secret);
  add_one(std::string(secret));
  add_one(json);
  add_one(with_escaped_slashes(json));
  add_one(in_html(secret));
}

void Redaction::add(std::string_view secret) {
  if (secret.size() < kMinSecretBytes) return;
  add_forms(secret);
  for (std::size_t at = 0; at < secret.size();) {
    const std::size_t end = std::min(secret.find_first_of(kBetweenWords, at), secret.size());
    if (end - at >= kMinWordBytes) add_forms(secret.substr(at, end - at));
    at = end + 1;
  }
  std::sort(needles_.begin(), needles_.end(), [](const auto& a, const auto& b) { return a.size() > b.size(); });
}

std::string Redaction::excerpt(std::string_view body, std::size_t limit) const {
  std::string out;
  while (!body.empty() && out.size() < limit) {
    const auto found = std::find_if(needles_.begin(), needles_.end(),
                                    [body](const std::string& needle) { return body.starts_with(needle); });
    if (found != needles_.end()) {
      out += kMask;
      body.remove_prefix(found->size());
    } else {
      out += printable(body.front());
      body.remove_prefix(1);
    }
  }
  out.resize(std::min(out.size(), limit));
  return out;
}

}   // namespace agentauri::delivery
