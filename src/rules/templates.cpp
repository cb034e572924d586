#include "rules/templates.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "core/base/time.hpp"
#include "rules/template_pieces.hpp"

namespace agentauri::rules {
namespace {

constexpr std::size_t kMaxObjectBytes = 1000;   // of an object in text
constexpr std::size_t kMaxJsonDepth = 32;
constexpr std::size_t kShownChars = 60;                     // of an unknown name
constexpr std::int64_t kMaxExact = 9'007'199'254'740'991;   // 2^53 - 1
constexpr std::int64_t kMaxExactDigits = 15;                // that a double always keeps
constexpr std::int64_t kLastSecond = 253'402'300'799;       // of the year 9999

constexpr std::string_view kNames[] = {"event_id",
                                       "event_type",
                                       "chain_id",
                                       "chain_name",
                                       "seq",
                                       "block_number",
                                       "block_hash",
                                       "transaction_hash",
                                       "log_index",
                                       "timestamp",
                                       "timestamp_iso",
                                       "registry",
                                       "contract_address",
                                       "trigger_id",
                                       "trigger_name",
                                       "agent_id",
                                       "owner",
                                       "token_uri",
                                       "metadata_key",
                                       "metadata_value",
                                       "client_address",
                                       "feedback_index",
                                       "score",
                                       "value",
                                       "value_raw",
                                       "value_decimals",
                                       "tag1",
                                       "tag2",
                                       "tags",
                                       "endpoint",
                                       "file_uri",
                                       "file_hash",
                                       "validator_address",
                                       "responder",
                                       "request_hash",
                                       "request_uri",
                                       "response",
                                       "response_uri",
                                       "response_hash",
                                       "tag",
                                       "validation_tag",
                                       "ema",
                                       "event_count",
                                       "verified_file_content"};

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
// What a secret could be spelled with; spaces and punctuation between placeholders are not.
bool is_literal_letter(char c) {
  return is_letter(c) || is_digit(c) || static_cast<unsigned char>(c) >= 0x80;
}

std::string as_text(const json::Value& value) {
  switch (value.kind()) {
    case boost::json::kind::null:
      return "";
    case boost::json::kind::string:
      return std::string(json::view(value.get_string()));
    case boost::json::kind::double_:
      return fmt::format("{}", value.get_double());
    case boost::json::kind::object:
      return cut_text(json::dump(value), kMaxObjectBytes);
    case boost::json::kind::array: {
      std::string out;
      for (std::size_t i = 0; i < value.get_array().size(); ++i) {
        if (i > 0) out += ", ";
        out += as_text(value.get_array()[i]);
      }
      return out;
    }
    default:
      return json::dump(value);
  }
}

std::optional<Time> timestamp_of(const json::Object& data) {
  const auto* seconds = json::find(data, "timestamp");
  if (seconds == nullptr || !seconds->is_number()) return std::nullopt;
  boost::system::error_code error;
  const auto whole = seconds->to_number<std::int64_t>(error);
  if (error || whole < 0 || whole > kLastSecond) return std::nullopt;
  return from_unix_seconds(whole);
}

// 2026-01-15 10:00:00 UTC
std::string timestamp_text(Time time) {
  std::string out = to_rfc3339(time);
  out[10] = ' ';
  out.pop_back();
  return out + " UTC";
}

// The value that a placeholder stands for; null when there is none.
json::Value value_of(const json::Object& data, std::string_view name) {
  if (name == "timestamp" || name == "timestamp_iso") {
    if (const auto time = timestamp_of(data)) {
      return json::String(name == "timestamp" ? timestamp_text(*time) : to_rfc3339(*time));
    }
  }
  const auto* value = json::find(data, name);
  return value == nullptr ? json::Value() : *value;
}

std::string escape_markdown(std::string_view text) {
  constexpr std::string_view kReserved = "_*[]()~`>#+-=|{}.!\\";
  std::string out;
  for (const char c : text) {
    if (kReserved.find(c) != std::string_view::npos) out.push_back('\\');
    out.push_back(c);
  }
  return out;
}

std::string escape_html(std::string_view text) {
  std::string out;
  for (const char c : text) {
    if (c == '&')
      out += "&amp;";
    else if (c == '<')
      out += "&lt;";
    else if (c == '>')
      out += "&gt;";
    else if (c == '"')
      out += "&quot;";   // inside an attribute
    else
      out.push_back(c);
  }
  return out;
}

std::string escape_url(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain = is_letter(c) || is_digit(c) || c == '-' || c == '.' || c == '_' || c == '~';
    if (plain)
      out.push_back(c);
    else
      out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

std::string escaped(std::string text, Escape escape, bool raw) {
  // A header's line must not end early, whatever was asked for.
  if (escape == Escape::http_header) {
    std::erase_if(text, [](char c) { return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f; });
    return text;
  }
  if (raw) return text;
  switch (escape) {
    case Escape::markdown_v2:
      return escape_markdown(text);
    case Escape::html:
      return escape_html(text);
    case Escape::url_component:
      return escape_url(text);
    default:
      return text;
  }
}

Result<void> check_json(const json::Value& value, std::size_t depth) {
  if (depth > kMaxJsonDepth) return fail(Code::invalid, "the template is nested too deeply");
  if (value.is_string()) return check_template(json::view(value.get_string()));
  if (value.is_array()) {
    for (const auto& item : value.get_array()) {
      if (auto checked = check_json(item, depth + 1); !checked) return checked;
    }
  } else if (value.is_object()) {
    for (const auto& member : value.get_object()) {
      if (auto checked = check_json(member.value(), depth + 1); !checked) return checked;
    }
  }
  return {};
}

bool keeps_digits(const json::Value& number, std::string_view text) {
  if (number.is_int64()) return number.get_int64() <= kMaxExact && number.get_int64() >= -kMaxExact;
  return number.is_double() && std::count_if(text.begin(), text.end(), is_digit) <= kMaxExactDigits;
}

// Numbers, booleans and null only; an object in chain text stays text, and so does an id that no number holds.
json::Value coerced(const std::string& text) {
  auto parsed = json::parse(text);
  if (!parsed) return json::String(text);
  if (parsed->is_null() || parsed->is_bool()) return std::move(*parsed);
  return parsed->is_number() && keeps_digits(*parsed, text) ? std::move(*parsed) : json::Value(json::String(text));
}

// A document under way: what is written so far is counted, so that a small template cannot make a huge one.
class JsonRenderer {
 public:
  JsonRenderer(const json::Object& data, bool legacy_coercion) : data_(data), legacy_coercion_(legacy_coercion) {}

  Result<json::Value> render(const json::Value& value, std::size_t depth = 0) {
    if (depth > kMaxJsonDepth) return fail(Code::invalid, "the template is nested too deeply");
    if (value.is_string()) return render_string(json::view(value.get_string()));
    if (value.is_array()) return render_array(value.get_array(), depth);
    if (value.is_object()) return render_object(value.get_object(), depth);
    return counted(value);
  }

 private:
  Result<json::Value> counted(json::Value value) {
    left_ -= std::min(left_, size_of(value));
    if (left_ > 0) return value;
    return fail(Code::too_large, fmt::format("the rendered text is longer than {} bytes", kMaxRenderedBytes));
  }
  // At least; what a number takes is of no account.
  static std::size_t size_of(const json::Value& value) {
    if (value.is_string()) return value.get_string().size() + 2;
    return value.is_array() || value.is_object() ? json::dump(value).size() : 1;
  }

  Result<json::Value> render_string(std::string_view text) {
    if (auto checked = check_template(text); !checked) return fail(checked);
    std::size_t pieces = 0;
    Piece only;
    for_each_piece(text, [&](const Piece& piece) {
      ++pieces;
      only = piece;
    });
    if (pieces == 1 && only.is_placeholder()) {
      json::Value value = value_of(data_, only.name);
      if (legacy_coercion_ && value.is_string()) value = coerced(as_text(value));
      return counted(std::move(value));
    }
    auto rendered = render_text(text, data_, Escape::none);
    if (!rendered) return fail(rendered);
    return counted(legacy_coercion_ ? coerced(*rendered) : json::Value(json::String(*rendered)));
  }

  Result<json::Value> render_array(const json::Array& array, std::size_t depth) {
    json::Array out;
    for (const auto& item : array) {
      auto rendered = render(item, depth + 1);
      if (!rendered) return rendered;
      out.push_back(std::move(*rendered));
    }
    return json::Value(std::move(out));
  }

  Result<json::Value> render_object(const json::Object& object, std::size_t depth) {
    json::Object out;
    for (const auto& member : object) {
      left_ -= std::min(left_, std::size_t{member.key().size()} + 3);
      auto rendered = render(member.value(), depth + 1);
      if (!rendered) return rendered;
      out[member.key()] = std::move(*rendered);
    }
    return json::Value(std::move(out));
  }

  const json::Object& data_;
  const bool legacy_coercion_;
  std::size_t left_ = kMaxRenderedBytes + 1;   // bytes, and one: 0 is too many
};

}   // namespace

Result<void> check_template(std::string_view text) {
  if (text.size() > kMaxTemplateBytes) {
    return fail(Code::invalid, fmt::format("the template is longer than {} bytes", kMaxTemplateBytes));
  }
  std::optional<std::string> unknown;
  for_each_piece(text, [&unknown](const Piece& piece) {
    if (!piece.is_placeholder() || unknown) return;
    if (std::find(std::begin(kNames), std::end(kNames), piece.name) != std::end(kNames)) return;
    unknown = cut_text(std::string(piece.written), kShownChars);
  });
  if (unknown) return fail(Code::invalid, fmt::format("{{{{{}}}}} is not a field that templates know", *unknown));
  return {};
}

Result<void> check_json_template(const json::Value& value) {
  if (auto checked = check_json(value, 0); !checked) return checked;
  if (json::dump(value).size() <= kMaxTemplateBytes) return {};
  return fail(Code::invalid, fmt::format("the template is longer than {} bytes", kMaxTemplateBytes));
}

Result<std::string> render_text(std::string_view text, const json::Object& data, Escape escape) {
  if (auto checked = check_template(text); !checked) return fail(checked);
  std::string out;
  for_each_piece(text, [&](const Piece& piece) {
    if (out.size() > kMaxRenderedBytes) return;
    if (piece.is_placeholder())
      out += escaped(as_text(value_of(data, piece.name)), escape, piece.raw);
    else
      out += piece.literal;
  });
  if (out.size() <= kMaxRenderedBytes) return out;
  return fail(Code::too_large, fmt::format("the rendered text is longer than {} bytes", kMaxRenderedBytes));
}

Result<json::Value> render_json(const json::Value& value, const json::Object& data, bool legacy_coercion) {
  return JsonRenderer(data, legacy_coercion).render(value);
}

std::string fill_placeholders(std::string_view text, std::string_view value) {
  std::string out;
  for_each_piece(text, [&](const Piece& piece) { out += piece.is_placeholder() ? value : piece.literal; });
  return out;
}

bool is_only_placeholders(std::string_view text) {
  bool any = false, other = false;
  for_each_piece(text, [&](const Piece& piece) {
    any = any || piece.is_placeholder();
    other = other || std::any_of(piece.literal.begin(), piece.literal.end(), is_literal_letter);
  });
  return any && !other;
}

std::string cut_text(std::string text, std::size_t limit) {
  constexpr std::string_view kEnd = "...";
  if (text.size() <= limit) return text;
  std::size_t end = limit > kEnd.size() ? limit - kEnd.size() : 0;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  text.resize(end);
  return text.append(kEnd.substr(0, limit));
}

}   // namespace agentauri::rules
