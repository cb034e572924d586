// How a template is taken apart: one pass, whatever it holds.
#pragma once

#include <cstddef>
#include <optional>
#include <string_view>

namespace agentauri::rules {

// Between `{{` and `}}`: several times the longest name. More is literal text.
inline constexpr std::size_t kMaxPlaceholderBytes = 128;

// A piece of a template: literal text, or a placeholder. Views into the template.
struct Piece {
  std::string_view literal;
  std::string_view name;   // as resolved; empty: literal
  bool raw = false;
  std::string_view written;

  bool is_placeholder() const { return !name.empty(); }
};

// Pieces in order. `{{…}}` around anything but a name is literal text, as is an unclosed `{{`.
class PieceReader {
 public:
  explicit PieceReader(std::string_view text) : text_(text) {}

  std::optional<Piece> next();
  // What the search has cost so far: a template comes from a user and may be nothing but braces, so this must stay
  // within a small multiple of its size.
  std::size_t bytes_searched() const { return bytes_searched_; }

 private:
  std::size_t find(std::string_view braces, std::size_t from);
  Piece literal_up_to(std::size_t end);

  std::string_view text_;
  std::size_t from_ = 0;
  std::size_t close_ = 0;   // of the next `}}`, unless it lies behind; npos: there is none
  std::size_t bytes_searched_ = 0;
};

template <class Visit>
void for_each_piece(std::string_view text, Visit visit) {
  PieceReader reader(text);
  while (const auto piece = reader.next()) visit(*piece);
}

}   // namespace agentauri::rules
