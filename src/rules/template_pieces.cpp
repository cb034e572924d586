#include "rules/template_pieces.hpp"

#include <algorithm>

namespace agentauri::rules {
namespace {

constexpr auto kNone = std::string_view::npos;

struct Synonym {
  std::string_view spelling, name;
};
constexpr Synonym kSynonyms[] = {{"tx_hash", "transaction_hash"}, {"ema_score", "ema"}, {"count", "event_count"}};

bool is_name_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '.';
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

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

}   // namespace

std::size_t PieceReader::find(std::string_view braces, std::size_t from) {
  const std::size_t found = text_.find(braces, from);
  bytes_searched_ += std::min(found, text_.size()) - std::min(from, text_.size());
  return found;
}

Piece PieceReader::literal_up_to(std::size_t end) {
  Piece piece;
  piece.literal = text_.substr(from_, end - from_);
  from_ = end;
  return piece;
}

std::optional<Piece> PieceReader::next() {
  if (from_ >= text_.size()) return std::nullopt;
  const std::size_t open = close_ == kNone ? kNone : find("{{", from_);
  if (open == kNone) return literal_up_to(text_.size());
  if (close_ < open + 2) close_ = find("}}", open + 2);
  if (close_ == kNone) return literal_up_to(text_.size());
  const std::size_t inner_bytes = close_ - open - 2;
  std::optional<Piece> piece;
  if (inner_bytes <= kMaxPlaceholderBytes) {
    piece = read_placeholder(text_.substr(open + 2, inner_bytes));
    bytes_searched_ += inner_bytes;
  }
  if (!piece) return literal_up_to(open + 2);
  // The text before it first; the next call finds the same braces at once.
  if (open > from_) return literal_up_to(open);
  from_ = close_ + 2;
  return piece;
}

}   // namespace agentauri::rules
