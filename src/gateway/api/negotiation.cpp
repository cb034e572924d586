#include "gateway/api/negotiation.hpp"

#include <algorithm>
#include <optional>

namespace agentauri::gateway {
namespace {

constexpr int kFullWeight = 1000;

bool is_blank(char c) {
  return c == ' ' || c == '\t';
}

std::string_view trimmed(std::string_view text) {
  while (!text.empty() && is_blank(text.front())) text.remove_prefix(1);
  while (!text.empty() && is_blank(text.back())) text.remove_suffix(1);
  return text;
}

// `0`, `0.5`, `1.000`: at most three digits behind the point, and nothing above one.
std::optional<int> read_weight(std::string_view text) {
  if (text.empty() || text.size() > 5 || (text[0] != '0' && text[0] != '1')) return std::nullopt;
  int out = (text[0] - '0') * kFullWeight;
  if (text.size() == 1) return out;
  if (text[1] != '.') return std::nullopt;
  int unit = kFullWeight;
  for (const char c : text.substr(2)) {
    if (c < '0' || c > '9') return std::nullopt;
    unit /= 10;
    out += (c - '0') * unit;
  }
  return out <= kFullWeight ? std::optional(out) : std::nullopt;
}

// What stands behind the coding: nothing, or `;q=` and a weight.
std::optional<int> weight_of(std::string_view parameters) {
  parameters = trimmed(parameters);
  if (parameters.empty()) return kFullWeight;
  parameters = trimmed(parameters.substr(1));   // the `;`
  if (parameters.size() < 2 || (parameters[0] != 'q' && parameters[0] != 'Q') || parameters[1] != '=')
    return std::nullopt;
  return read_weight(parameters.substr(2));
}

struct Named {
  std::optional<int> identity, gzip, br, others;
};

void read_item(std::string_view item, Named& out) {
  const std::size_t mark = std::min(item.find(';'), item.size());
  const std::string_view coding = trimmed(item.substr(0, mark));
  const auto is = [coding](std::string_view name) { return net::equal_ignoring_case(coding, name); };
  auto* place = is("gzip") || is("x-gzip") ? &out.gzip
                : is("br")                 ? &out.br
                : is("identity")           ? &out.identity
                : coding == "*"            ? &out.others
                                           : nullptr;
  if (place == nullptr || *place) return;
  *place = weight_of(item.substr(mark));
}

// One entity tag off the front: its opaque part with quotes. nullopt, and `rest` empty, at the end or where none
// stands.
std::optional<std::string_view> take_tag(std::string_view& rest) {
  while (!rest.empty() && (is_blank(rest.front()) || rest.front() == ',')) rest.remove_prefix(1);
  const std::size_t start = rest.starts_with("W/") ? 2 : 0;
  const std::size_t end =
      rest.size() > start && rest[start] == '"' ? rest.find('"', start + 1) : std::string_view::npos;
  if (end == std::string_view::npos) {
    rest = {};
    return std::nullopt;
  }
  const std::string_view tag = rest.substr(start, end + 1 - start);
  rest.remove_prefix(end + 1);
  return tag;
}

}   // namespace

std::string_view name_of(Coding coding) {
  return coding == Coding::br ? "br" : coding == Coding::gzip ? "gzip" : "";
}

AcceptedCodings accepted_codings(const net::Headers& headers) {
  Named named;
  for (const auto& [name, value] : headers.all()) {
    if (!net::equal_ignoring_case(name, "Accept-Encoding")) continue;
    for (std::string_view rest = value; !rest.empty();) {
      const std::string_view item = rest.substr(0, rest.find(','));
      rest.remove_prefix(std::min(rest.size(), item.size() + 1));
      read_item(item, named);
    }
  }
  AcceptedCodings out;
  out.gzip = named.gzip.value_or(named.others.value_or(0));
  out.br = named.br.value_or(named.others.value_or(0));
  // `*` refuses identity, but does not prefer it.
  out.identity = named.identity.value_or(named.others == 0 ? 0 : out.identity);
  return out;
}

Coding choose_coding(const AcceptedCodings& accepted, bool has_gzip, bool has_br) {
  const int gzip = has_gzip ? accepted.gzip : 0;
  const int br = has_br ? accepted.br : 0;
  if (br > 0 && br >= gzip && br >= accepted.identity) return Coding::br;
  if (gzip > 0 && gzip >= accepted.identity) return Coding::gzip;
  return Coding::identity;
}

bool names_tag(const net::Headers& headers, std::string_view tag) {
  for (const auto& [name, value] : headers.all()) {
    if (!net::equal_ignoring_case(name, "If-None-Match")) continue;
    if (trimmed(value) == "*") return true;
    for (std::string_view rest = value; !rest.empty();) {
      if (take_tag(rest) == tag) return true;
    }
  }
  return false;
}

}   // namespace agentauri::gateway
