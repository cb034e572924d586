#include "gateway/auth/siwe.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "core/crypto/crypto.hpp"

namespace agentauri::gateway {
namespace {

constexpr std::string_view kWants = " wants you to sign in with your Ethereum account:";
constexpr std::size_t kShortestNonce = 8;
constexpr auto kClockSkew = std::chrono::seconds(60);
constexpr auto kOldest = std::chrono::seconds(600);

bool is_alpha(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// RFC 3986: unreserved, reserved (gen-delims and sub-delims), and the percent sign of an escape.
bool is_uri_character(char c) {
  return is_alpha(c) || is_digit(c) || std::string_view("-._~:/?#[]@!$&'()*+,;=%").contains(c);
}
bool is_uri(std::string_view text) {
  const std::size_t colon = text.find(':');
  return colon != 0 && colon != std::string_view::npos && is_alpha(text.front()) &&
         std::all_of(text.begin(), text.end(), is_uri_character);
}
bool is_statement(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) { return c == ' ' || (is_uri_character(c) && c != '%'); });
}

// Reads the message line by line.
class Lines {
 public:
  explicit Lines(std::string_view text) : rest_(text) {}

  bool at_end() const { return ended_; }
  std::size_t number() const { return number_; }
  std::string_view peek() const { return rest_.substr(0, rest_.find('\n')); }
  std::string_view next() {
    const std::string_view line = peek();
    ended_ = line.size() == rest_.size();
    rest_.remove_prefix(ended_ ? rest_.size() : line.size() + 1);
    ++number_;
    return line;
  }
  // The value of `Name: value`, when that is what the next line is.
  std::optional<std::string_view> field(std::string_view name) {
    if (ended_) return std::nullopt;
    const std::string_view line = peek();
    if (!line.starts_with(name) || !line.substr(name.size()).starts_with(": ")) return std::nullopt;
    next();
    return line.substr(name.size() + 2);
  }

 private:
  std::string_view rest_;
  std::size_t number_ = 0;
  bool ended_ = false;
};

std::unexpected<Error> wrong(std::string field, std::string rule) {
  return fail(Code::invalid, std::move(field), std::move(rule));
}

Result<void> read_head(Lines& lines, SiweMessage& out) {
  std::string_view first = lines.next();
  if (!first.ends_with(kWants)) return wrong("domain", "line 1 ends with the words of EIP-4361");
  first.remove_suffix(kWants.size());
  if (const std::size_t end = first.find("://"); end != std::string_view::npos) {
    out.scheme = std::string(first.substr(0, end));
    first.remove_prefix(end + 3);
  }
  const bool is_authority = !first.empty() && std::all_of(first.begin(), first.end(), [](char c) {
    return is_uri_character(c) && !std::string_view("/?#").contains(c);
  });
  if (!is_authority) return wrong("domain", "line 1 begins with a domain");
  out.domain = std::string(first);
  if (lines.at_end()) return wrong("address", "line 2 is an address");
  out.address = std::string(lines.next());
  if (!parse_address(out.address)) return wrong("address", "line 2 is 0x and 40 hexadecimal digits");
  if (lines.at_end() || !lines.next().empty()) return wrong("address", "an empty line follows the address");
  if (lines.at_end()) return wrong("statement", "a statement or an empty line follows");
  const std::string_view statement = lines.next();
  if (statement.empty()) return {};
  if (!is_statement(statement))
    return wrong("statement", "the statement holds characters that EIP-4361 does not allow");
  out.statement = std::string(statement);
  if (lines.at_end() || !lines.next().empty()) return wrong("statement", "an empty line follows the statement");
  return {};
}

Result<void> read_required(Lines& lines, SiweMessage& out) {
  const auto uri = lines.field("URI");
  if (!uri || !is_uri(*uri)) return wrong("URI", "`URI: ` and an RFC 3986 URI");
  out.uri = std::string(*uri);
  if (lines.field("Version") != "1") return wrong("Version", "`Version: 1`");
  const auto chain = lines.field("Chain ID");
  if (!chain) return wrong("Chain ID", "`Chain ID: ` and digits");
  const auto [end, error] = std::from_chars(chain->data(), chain->data() + chain->size(), out.chain_id);
  if (error != std::errc() || end != chain->data() + chain->size()) return wrong("Chain ID", "`Chain ID: ` and digits");
  const auto nonce = lines.field("Nonce");
  const bool is_nonce = nonce && nonce->size() >= kShortestNonce &&
                        std::all_of(nonce->begin(), nonce->end(), [](char c) { return is_alpha(c) || is_digit(c); });
  if (!is_nonce) return wrong("Nonce", "`Nonce: ` and at least 8 letters or digits");
  out.nonce = std::string(*nonce);
  const auto issued = lines.field("Issued At");
  const auto time = issued ? parse_rfc3339(*issued) : std::nullopt;
  if (!time) return wrong("Issued At", "`Issued At: ` and an RFC 3339 time");
  out.issued_at = *time;
  return {};
}

Result<void> read_optional(Lines& lines, SiweMessage& out) {
  const auto time = [&lines](std::string_view name, std::optional<Time>& to) -> Result<void> {
    const auto text = lines.field(name);
    if (!text) return {};
    to = parse_rfc3339(*text);
    if (!to) return wrong(std::string(name), "an RFC 3339 time");
    return {};
  };
  if (auto read = time("Expiration Time", out.expiration_time); !read) return read;
  if (auto read = time("Not Before", out.not_before); !read) return read;
  if (const auto id = lines.field("Request ID")) {
    const bool is_pchars = std::all_of(
        id->begin(), id->end(), [](char c) { return is_uri_character(c) && !std::string_view("/?#[]").contains(c); });
    if (!is_pchars) return wrong("Request ID", "characters of an RFC 3986 path segment");
    out.request_id = std::string(*id);
  }
  if (lines.at_end() || lines.peek() != "Resources:") return {};
  lines.next();
  while (!lines.at_end()) {
    const std::string_view line = lines.next();
    if (!line.starts_with("- ") || !is_uri(line.substr(2))) return wrong("Resources", "each line is `- ` and a URI");
    out.resources.emplace_back(line.substr(2));
  }
  return {};
}

std::string milliseconds(Time t) {
  const auto at = std::chrono::floor<std::chrono::milliseconds>(t);
  const auto second = std::chrono::floor<std::chrono::seconds>(at);
  std::string out = to_rfc3339(Time(second));
  out.pop_back();   // the Z
  return fmt::format("{}.{:03}Z", out, (at - second).count());
}

}   // namespace

Result<SiweMessage> SiweMessage::parse(std::string_view text) {
  if (text.size() > kMaxSiweBytes) return fail(Code::too_large, "message", "at most 4096 bytes");
  if (!std::all_of(text.begin(), text.end(), [](char c) { return c == '\n' || (c >= 0x20 && c < 0x7f); }))
    return wrong("message", "ASCII, with LF between the lines");
  Lines lines(text);
  SiweMessage out;
  if (auto read = read_head(lines, out); !read) return fail(read);
  if (auto read = read_required(lines, out); !read) return fail(read);
  if (auto read = read_optional(lines, out); !read) return fail(read);
  if (!lines.at_end()) return wrong("message", fmt::format("line {} is not expected there", lines.number() + 1));
  return out;
}

std::string SiweMessage::format() const {
  std::string out = scheme ? *scheme + "://" : std::string();
  out += domain + std::string(kWants) + "\n" + address + "\n\n";
  if (statement) out += *statement + "\n";
  out += fmt::format("\nURI: {}\nVersion: 1\nChain ID: {}\nNonce: {}\nIssued At: {}", uri, chain_id, nonce,
                     milliseconds(issued_at));
  if (expiration_time) out += "\nExpiration Time: " + milliseconds(*expiration_time);
  if (not_before) out += "\nNot Before: " + milliseconds(*not_before);
  if (request_id) out += "\nRequest ID: " + *request_id;
  if (!resources.empty()) out += "\nResources:";
  for (const auto& resource : resources) out += "\n- " + resource;
  return out;
}

std::optional<SiweFault> check_siwe(const SiweMessage& m, const SiweExpectation& expected, Time now) {
  const auto invalid = [](std::string text) { return SiweFault{"invalid_message", std::move(text)}; };
  const std::string_view scheme = std::string_view(expected.uri).substr(0, expected.uri.find(':'));
  if (m.scheme && *m.scheme != scheme) return invalid("The scheme is not that of this service");
  if (std::find(expected.domains.begin(), expected.domains.end(), m.domain) == expected.domains.end())
    return SiweFault{"domain_mismatch", "The message was made for another domain"};
  const auto address = *parse_address(m.address);
  const bool is_checksummed = m.address == crypto::checksum_address(address);
  const bool is_lower = std::none_of(m.address.begin(), m.address.end(), [](char c) { return c >= 'A' && c <= 'F'; });
  if (!is_checksummed && (expected.strict_checksum || !is_lower))
    return invalid("The address is not written as EIP-55 demands");
  if (address != expected.address) return invalid("The message names another address");
  if (expected.statement && m.statement != expected.statement) return invalid("The statement is not the issued one");
  if (m.uri != expected.uri) return SiweFault{"uri_mismatch", "The message was made for another URI"};
  if (std::find(expected.chain_ids.begin(), expected.chain_ids.end(), m.chain_id) == expected.chain_ids.end() ||
      m.chain_id != expected.chain_id)
    return SiweFault{"unsupported_chain", "The chain is not the one that the message was issued for"};
  if (m.nonce != expected.nonce) return SiweFault{"invalid_nonce", "Invalid or expired nonce"};
  if (m.issued_at > now + kClockSkew) return SiweFault{"message_not_yet_valid", "The message was issued in the future"};
  if (m.not_before && now < *m.not_before) return SiweFault{"message_not_yet_valid", "The message is not valid yet"};
  if (m.issued_at < now - kOldest || (m.expiration_time && now >= *m.expiration_time))
    return SiweFault{"message_expired", "The message has expired"};
  if (m.request_id && m.request_id != expected.request_id) return invalid("The request id is not the issued one");
  if (expected.resources_required
          ? m.resources != expected.resources
          : std::any_of(m.resources.begin(), m.resources.end(), [&](const auto& one) {
              return std::find(expected.resources.begin(), expected.resources.end(), one) == expected.resources.end();
            }))
    return invalid("The resources are not the issued ones");
  return std::nullopt;
}

}   // namespace agentauri::gateway
