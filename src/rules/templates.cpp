#include "rules/templates.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "core/base/time.hpp"

namespace agentauri::rules {
namespace {

constexpr std::size_t kMaxObjectBytes = 1000;   // of an object in text
constexpr std::size_t kMaxJsonDepth = 32;

constexpr std::string_view kNames[] = {
    "event_id", "event_type", "chain_id", "chain_name", "seq", "block_number", "block_hash", "transaction_hash", "log_index", "timestamp", "timestamp_iso", "registry", "contract_address", "trigger_id",
    "trigger_name", "agent_id", "owner", "token_uri", "metadata_key", "metadata_value", "client_address", "feedback_index", "score", "value", "value_raw", "value_decimals", "tag1", "tag2", "tags", "endpoint",
    "file_uri", "file_hash", "validator_address", "responder", "request_hash", "request_uri", "response", "response_uri", "response_hash", "tag", "validation_tag", "ema", "event_count", "verified_file_content"};

struct Synonym {
  std::string_view spelling, name;
};
constexpr Synonym kSynonyms[] = {{"tx_hash", "transaction_hash"}, {"ema_score", "ema"}, {"count", "event_count"}};

bool is_name_char(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.'; }

std::string_view trim(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

// A piece of a template: literal text, or a placeholder.
struct Piece {
  std::string_view literal;
  std::string_view name;   // as resolved; empty: literal
  bool raw = false;
  std::string_view written;
};

// `{{…}}` around anything but a name is literal text, as is an unclosed `{{`.
std::optional<Piece> read_placeholder(std::string_view inner) {
  Piece piece;
  std::string_view name = trim(inner);
  if (name.starts_with("raw:")) {
    piece.raw = true;
    name = trim(name.substr(4));
  }
  if (name.empty() || !std::all_of(name.begin(), name.end(), is_name_char)) return std::nullopt;
  piece.written = name;
  if (name.starts_with("data.")) name.remove_prefix(5);
  for (const auto& synonym : kSynonyms) {
    if (synonym.spelling == name) name = synonym.name;
  }
  piece.name = name;
  return piece;
}

template <class Visit>
void for_each_piece(std::string_view text, Visit visit) {
  std::size_t from = 0;
  while (from < text.size()) {
    const std::size_t open = text.find("{{", from);
    const std::size_t close = open == std::string_view::npos ? open : text.find("}}", open + 2);
    if (close == std::string_view::npos) break;
    const auto piece = read_placeholder(text.substr(open + 2, close - open - 2));
    if (!piece) {
      visit(Piece{text.substr(from, open + 2 - from), {}, false, {}});
      from = open + 2;
      continue;
    }
    if (open > from) visit(Piece{text.substr(from, open - from), {}, false, {}});
    visit(*piece);
    from = close + 2;
  }
  if (from < text.size()) visit(Piece{text.substr(from), {}, false, {}});
}

std::string timestamp_text(std::int64_t seconds) {
  std::string out = to_rfc3339(from_unix_seconds(seconds));   // 2026-01-15T10:00:00Z
  out[10] = ' ';
  out.pop_back();
  return out + " UTC";
}

std::string cut(std::string text, std::size_t limit) {
  if (text.size() <= limit) return text;
  std::size_t end = limit - 3;
  while (end > 0 && (static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  return text.substr(0, end) + "...";
}

std::string as_text(const json::Value& value) {
  switch (value.kind()) {
    case boost::json::kind::null: return "";
    case boost::json::kind::string: return std::string(json::view(value.get_string()));
    case boost::json::kind::array: {
      std::string out;
      for (const auto& item : value.get_array()) {
        if (!out.empty()) out += ", ";
        out += as_text(item);
      }
      return out;
    }
    case boost::json::kind::object: return cut(json::dump(value), kMaxObjectBytes);
    default: return json::dump(value);
  }
}

// The value that a placeholder stands for. `text`: the timestamp is written for people.
json::Value value_of(const json::Object& data, std::string_view name) {
  if (name == "timestamp_iso") {
    const auto* seconds = json::find(data, "timestamp");
    return seconds != nullptr && seconds->is_int64() ? json::Value(json::String(to_rfc3339(from_unix_seconds(seconds->get_int64())))) : json::Value();
  }
  const auto* value = json::find(data, name);
  if (value == nullptr) return nullptr;
  if (name == "timestamp" && value->is_int64()) return json::String(timestamp_text(value->get_int64()));
  return *value;
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
    if (c == '&') out += "&amp;";
    else if (c == '<') out += "&lt;";
    else if (c == '>') out += "&gt;";
    else out.push_back(c);
  }
  return out;
}

std::string escape_url(std::string_view text) {
  std::string out;
  for (const char c : text) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '-' || c == '.' || c == '_' || c == '~';
    if (plain) out.push_back(c);
    else out += fmt::format("%{:02X}", static_cast<unsigned char>(c));
  }
  return out;
}

std::string escaped(std::string text, Escape escape, bool raw) {
  // A header's line must not end early, whatever was asked for.
  if (escape == Escape::http_header) {
    std::erase_if(text, [](char c) { return c == '\r' || c == '\n' || c == '\0'; });
    return text;
  }
  if (raw) return text;
  switch (escape) {
    case Escape::markdown_v2: return escape_markdown(text);
    case Escape::html: return escape_html(text);
    case Escape::url_component: return escape_url(text);
    default: return text;
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

json::Value coerced(std::string text) {
  // Numbers, booleans and null only; an object in chain text stays text.
  const auto parsed = json::parse(text);
  if (parsed && (parsed->is_null() || parsed->is_bool() || parsed->is_number())) return *parsed;
  return json::String(text);
}

Result<json::Value> render_string(std::string_view text, const json::Object& data, bool legacy_coercion) {
  std::size_t pieces = 0;
  Piece only;
  for_each_piece(text, [&](const Piece& piece) {
    ++pieces;
    only = piece;
  });
  if (pieces == 1 && !only.name.empty()) {
    json::Value value = value_of(data, only.name);
    return legacy_coercion && value.is_string() ? coerced(std::string(json::view(value.get_string()))) : value;
  }
  auto rendered = render_text(text, data, Escape::none);
  if (!rendered) return fail(rendered);
  if (legacy_coercion && pieces > 0) return coerced(std::move(*rendered));
  return json::Value(json::String(*rendered));
}

}  // namespace

Result<void> check_template(std::string_view text) {
  if (text.size() > kMaxTemplateBytes) return fail(Code::invalid, fmt::format("the template is longer than {} bytes", kMaxTemplateBytes));
  std::optional<std::string> unknown;
  for_each_piece(text, [&unknown](const Piece& piece) {
    if (piece.name.empty() || unknown) return;
    if (std::find(std::begin(kNames), std::end(kNames), piece.name) == std::end(kNames)) unknown = std::string(piece.written.substr(0, 60));
  });
  if (unknown) return fail(Code::invalid, fmt::format("{{{{{}}}}} is not a field that templates know", *unknown));
  return {};
}

Result<void> check_json_template(const json::Value& value) { return check_json(value, 0); }

Result<std::string> render_text(std::string_view text, const json::Object& data, Escape escape) {
  if (auto checked = check_template(text); !checked) return fail(checked);
  std::string out;
  for_each_piece(text, [&](const Piece& piece) {
    if (out.size() > kMaxRenderedBytes) return;
    if (piece.name.empty()) out += piece.literal;
    else out += escaped(as_text(value_of(data, piece.name)), escape, piece.raw);
  });
  if (out.size() > kMaxRenderedBytes) return fail(Code::too_large, fmt::format("the rendered text is longer than {} bytes", kMaxRenderedBytes));
  return out;
}

Result<json::Value> render_json(const json::Value& value, const json::Object& data, bool legacy_coercion) {
  if (value.is_string()) return render_string(json::view(value.get_string()), data, legacy_coercion);
  if (value.is_array()) {
    json::Array out;
    for (const auto& item : value.get_array()) {
      auto rendered = render_json(item, data, legacy_coercion);
      if (!rendered) return fail(rendered);
      out.push_back(std::move(*rendered));
    }
    return json::Value(std::move(out));
  }
  if (value.is_object()) {
    json::Object out;
    for (const auto& member : value.get_object()) {
      auto rendered = render_json(member.value(), data, legacy_coercion);
      if (!rendered) return fail(rendered);
      out[member.key()] = std::move(*rendered);
    }
    return json::Value(std::move(out));
  }
  return value;
}

}  // namespace agentauri::rules
