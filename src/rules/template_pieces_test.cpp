#include "rules/template_pieces.hpp"

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "rules/templates.hpp"

namespace agentauri::rules {
namespace {

std::string repeated(std::string_view text, std::size_t bytes) {
  std::string out;
  while (out.size() < bytes) out += text;
  return out;
}

// Every piece, a placeholder as <name>.
std::string pieces_of(std::string_view text) {
  std::string out;
  for_each_piece(text, [&out](const Piece& piece) {
    out += piece.is_placeholder() ? "<" + std::string(piece.name) + ">" : std::string(piece.literal);
  });
  return out;
}

TEST(TemplatePieces, NothingIsLostBetweenBraces) {
  EXPECT_EQ(pieces_of("a{{score}}b{{ tx_hash }}"), "a<score>b<transaction_hash>");
  EXPECT_EQ(pieces_of("{{{{score}}}}"), "{{<score>}}");
  EXPECT_EQ(pieces_of("{{{score}}}"), "{{{score}}}");
  EXPECT_EQ(pieces_of("}}{{score}}{{}}{{ {{tag1}}"), "}}<score>{{}}{{ <tag1>");
  EXPECT_EQ(pieces_of("{{{{{{"), "{{{{{{");
  EXPECT_EQ(pieces_of("{{score}} {{score"), "<score> {{score");
  EXPECT_EQ(pieces_of(""), "");
}

TEST(TemplatePieces, APlaceholderHasABound) {
  const std::string most(kMaxPlaceholderBytes - 5, ' ');
  EXPECT_EQ(pieces_of("{{" + most + "score}}"), "<score>");
  EXPECT_EQ(pieces_of("{{" + most + " score}}"), "{{" + most + " score}}");
}

// Counted, not timed: a search that begins anew at each brace costs hundreds of thousands of times the text.
TEST(TemplatePieces, TheSearchIsLinearWhateverTheTextHolds) {
  constexpr std::size_t kBytes = 1024 * 1024;
  std::vector<std::string> texts;
  for (const char* unit : {"{{", "{{a", "{{ ", "{{}}", "}}", "{{score}}", "{{ {{ }}", "{", "{{score}"})
    texts.push_back(repeated(unit, kBytes));
  texts.push_back(repeated("{{", kBytes) + "}}");
  texts.push_back(repeated("{{", kBytes / 2) + repeated("}}", kBytes / 2));
  texts.push_back(repeated("{{ ", kBytes / 2) + std::string(kBytes / 2, ' ') + "}}");
  texts.push_back(repeated(repeated("{{", kMaxPlaceholderBytes) + "}}", kBytes));
  for (const auto& text : texts) {
    PieceReader reader(text);
    while (reader.next()) {
    }
    EXPECT_LE(reader.bytes_searched(), text.size() * (kMaxPlaceholderBytes / 2 + 2)) << text.substr(0, 20);
  }
}

// Each goes over the whole text several times: they would not come back if one of them were not linear.
TEST(TemplatePieces, AMegabyteOfBracesIsSoonRead) {
  const std::string braces = repeated("{{", 1024 * 1024) + "}}";
  EXPECT_FALSE(is_only_placeholders(braces));
  EXPECT_FALSE(check_template(braces));
  EXPECT_FALSE(render_json(json::String(braces), {}, false));
}

}   // namespace
}   // namespace agentauri::rules
