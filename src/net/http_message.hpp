// HTTP messages as data, shared by the server and the client. No socket, no Asio.
#pragma once

#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace agentauri::net {

// Field names compare without case; order and repetition are kept.
class Headers {
 public:
  void add(std::string name, std::string value) { fields_.emplace_back(std::move(name), std::move(value)); }
  void reserve(std::size_t fields) { fields_.reserve(fields); }
  void clear() { fields_.clear(); }
  // Replaces every field of that name.
  void set(std::string name, std::string value);
  // The first value; nullptr when absent.
  const std::string* find(std::string_view name) const;
  std::size_t count(std::string_view name) const;
  const std::vector<std::pair<std::string, std::string>>& all() const { return fields_; }

 private:
  std::vector<std::pair<std::string, std::string>> fields_;
};

bool equal_ignoring_case(std::string_view a, std::string_view b);
// A method or a field name (RFC 9110, 5.6.2).
bool is_token(std::string_view text);

std::string_view reason_phrase(int status);

// Splits `a=1&b=%20` into decoded pairs, in order; `+` is a space. false when an escape is malformed.
bool parse_query(std::string_view query, std::vector<std::pair<std::string, std::string>>& out);
// Percent-decodes a path segment; false when an escape is malformed.
bool percent_decode(std::string_view text, std::string& out);
// Percent-encodes everything but unreserved characters (RFC 3986): one query or path component.
std::string percent_encode(std::string_view text);

}   // namespace agentauri::net
