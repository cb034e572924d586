#include "rules/templates.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <optional>

#include "core/base/time.hpp"
#include "net/http_message.hpp"
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

// `text` in `bytes`, without a copy of what is left out.
std::string cut(std::string_view text, std::size_t bytes) {
  return text.size() <= bytes ? std::string(text) : cut_text(std::string(text.substr(0, bytes + 1)), bytes);
}

std::string as_text(const json::Value& value, std::size_t bytes) {
  switch (value.kind()) {
    case boost::json::kind::null:
      return "";
    case boost::json::kind::string:
      return cut(json::view(value.get_string()), bytes);
    case boost::json::kind::double_:
      return cut(fmt::format("{}", value.get_double()), bytes);
    case boost::json::kind::object:
      return cut(json::dump(value), std::min(bytes, kMaxObjectBytes));
    case boost::json::kind::array: {
      std::string out;
      for (std::size_t i = 0; i < value.get_array().size() && out.size() <= bytes; ++i) {
        if (i > 0) out += ", ";
        out += as_text(value.get_array()[i], bytes);
      }
      return cut(out, bytes);
    }
    default:
      return cut(json::dump(value), bytes);
  }
}

// The same with its type: what cannot be cut is null when it is longer.
json::Value as_json(const json::Value& value, std::size_t bytes) {
  if (value.is_string()) return json::String(cut(json::view(value.get_string()), bytes));
  if (value.is_array()) {
    json::Array out;
    for (const auto& item : value.get_array()) out.push_back(as_json(item, bytes));
    return out;
  }
  return json::dump(value).size() <= bytes ? value : json::Value();
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

// What a placeholder stands for; null when there is nothing. A view of `data`, or `scratch`.
const json::Value& value_of(const json::Object& data, std::string_view name, json::Value& scratch) {
  if (name == "timestamp" || name == "timestamp_iso") {
    if (const auto time = timestamp_of(data)) {
      scratch = json::String(name == "timestamp" ? timestamp_text(*time) : to_rfc3339(*time));
      return scratch;
    }
  }
  const auto* value = json::find(data, name);
  return value == nullptr ? scratch : *value;
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

// As it is, but for what no URL can hold behind its host: that would cost the whole alert.
std::string only_url_characters(std::string_view text) {
  constexpr std::string_view kAllowed = "-._~!$&'()*+,;=:@/?";
  const auto is_hex = [&](std::size_t i) {
    return i < text.size() && std::isxdigit(static_cast<unsigned char>(text[i])) != 0;
  };
  std::string out;
  for (std::size_t i = 0; i < text.size(); ++i) {
    const bool plain = is_letter(text[i]) || is_digit(text[i]) || kAllowed.contains(text[i]);
    if (plain || (text[i] == '%' && is_hex(i + 1) && is_hex(i + 2)))
      out.push_back(text[i]);
    else
      out += net::percent_encode(text.substr(i, 1));
  }
  return out;
}

bool is_header_control(char c) {
  return (static_cast<unsigned char>(c) < 0x20 && c != '\t') || c == 0x7f;
}

// The text of a placeholder, of at most `bytes` before it is escaped.
std::string placeholder_text(const Piece& piece, const json::Object& data, Escape escape, std::size_t bytes) {
  json::Value scratch;
  std::string text = as_text(value_of(data, piece.name, scratch), bytes);
  switch (escape) {
    case Escape::http_header:
      std::erase_if(text, is_header_control);   // the line must not end early, whatever was asked for
      return text;
    case Escape::url_component:
      return piece.raw ? only_url_characters(text) : net::percent_encode(text);
    case Escape::markdown_v2:
      return piece.raw ? text : escape_markdown(text);
    case Escape::html:
      return piece.raw ? text : escape_html(text);
    case Escape::none:
      return text;
  }
  return text;
}

// nullopt beyond `max_bytes`.
std::optional<std::string> render_with(std::string_view text, const json::Object& data, Escape escape,
                                       std::size_t max_bytes, std::size_t value_bytes) {
  std::string out;
  PieceReader reader(text);
  while (const auto piece = reader.next()) {
    if (piece->is_placeholder())
      out += placeholder_text(*piece, data, escape, value_bytes);
    else
      out += piece->literal;
    if (out.size() > max_bytes) return std::nullopt;
  }
  return out;
}

// Whoever is watched chooses what stands in an event: a long text must not keep the alert from being sent. The longest
// values are cut, all to the same length, the greatest with which `render(bytes)` fits; nullopt when it never does.
template <class T, class Render>
std::optional<T> with_cut_values(std::size_t max_bytes, Render render) {
  std::optional<T> best = render(max_bytes);
  if (best) return best;
  best = render(0);
  std::size_t fits = 0, too_many = max_bytes;
  while (best && too_many - fits > 1) {
    const std::size_t middle = fits + (too_many - fits) / 2;
    if (auto rendered = render(middle)) {
      best = std::move(rendered);
      fits = middle;
    } else {
      too_many = middle;
    }
  }
  return best;
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
  JsonRenderer(const json::Object& data, bool legacy_coercion, std::size_t max_bytes, std::size_t value_bytes)
      : data_(data), legacy_coercion_(legacy_coercion), value_bytes_(value_bytes), left_(max_bytes + 1) {}

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
    return too_large();
  }
  static std::unexpected<Error> too_large() { return fail(Code::too_large, "the rendered document is too long"); }
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
      json::Value scratch;
      json::Value value = as_json(value_of(data_, only.name, scratch), value_bytes_);
      if (legacy_coercion_ && value.is_string()) value = coerced(std::string(json::view(value.get_string())));
      return counted(std::move(value));
    }
    auto rendered = render_with(text, data_, Escape::none, left_, value_bytes_);
    if (!rendered) return too_large();
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
  const std::size_t value_bytes_;
  std::size_t left_;   // bytes, and one: 0 is too many
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

Result<std::string> render_text(std::string_view text, const json::Object& data, Escape escape, std::size_t max_bytes) {
  if (auto checked = check_template(text); !checked) return fail(checked);
  auto rendered = with_cut_values<std::string>(
      max_bytes, [&](std::size_t bytes) { return render_with(text, data, escape, max_bytes, bytes); });
  if (rendered) return std::move(*rendered);
  return fail(Code::too_large, fmt::format("the text is longer than {} bytes without any value", max_bytes));
}

Result<json::Value> render_json(const json::Value& value, const json::Object& data, bool legacy_coercion,
                                std::size_t max_bytes) {
  Error error{Code::too_large, "", fmt::format("the template is longer than {} bytes without any value", max_bytes)};
  auto rendered = with_cut_values<json::Value>(max_bytes, [&](std::size_t bytes) -> std::optional<json::Value> {
    auto out = JsonRenderer(data, legacy_coercion, max_bytes, bytes).render(value);
    if (!out && out.error().code != Code::too_large) error = std::move(out.error());
    if (!out || json::dump(*out).size() > max_bytes) return std::nullopt;
    return std::move(*out);
  });
  if (rendered) return std::move(*rendered);
  return std::unexpected(std::move(error));
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
