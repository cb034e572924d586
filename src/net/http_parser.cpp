#include "net/http_parser.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <cstring>

#include "core/base/text.hpp"

namespace agentauri::net {
namespace {

constexpr std::size_t kMaxMethodBytes = 32;
constexpr std::size_t kRequestLineExtra = kMaxMethodBytes + sizeof("  HTTP/1.1\r\n");   // beside the target
constexpr std::size_t kUsualFields = 8;
constexpr std::size_t kMaxEmptyLines = 4;          // before a request line (RFC 9112, 2.2)
constexpr std::size_t kMaxChunkLine = 256;         // size and extensions
constexpr std::size_t kMaxExtensionBytes = 4096;   // of all chunks of a body: nobody uses them
constexpr std::size_t kMaxReserve = 64 * 1024;     // a declared length alone must not cost memory

using CharSet = std::array<bool, 256>;

constexpr CharSet kAuthorityChars = [] {   // RFC 3986, 3.2 without userinfo
  CharSet out{};
  for (char c = '0'; c <= '9'; ++c) out[static_cast<unsigned char>(c)] = true;
  for (char c = 'a'; c <= 'z'; ++c) out[static_cast<unsigned char>(c)] = true;
  for (char c = 'A'; c <= 'Z'; ++c) out[static_cast<unsigned char>(c)] = true;
  for (const char c : std::string_view("-._~!$&'()*+,;=%:[]")) out[static_cast<unsigned char>(c)] = true;
  return out;
}();
constexpr CharSet kValueChars = [] {   // visible, space, tab, above ASCII
  CharSet out{};
  for (std::size_t c = 0x20; c < 256; ++c) out[c] = c != 0x7f;
  out['\t'] = true;
  return out;
}();
constexpr CharSet kTargetChars = [] {   // visible ASCII but the fragment mark
  CharSet out{};
  for (std::size_t c = 0x21; c < 0x7f; ++c) out[c] = c != '#';
  return out;
}();

bool all_in(const CharSet& set, std::string_view text) {
  return std::all_of(text.begin(), text.end(), [&set](char c) { return set[static_cast<unsigned char>(c)]; });
}

// Whether a comma list holds the word.
bool list_holds(std::string_view list, std::string_view word) {
  while (!list.empty()) {
    const std::string_view item = list.substr(0, list.find(','));
    list.remove_prefix(std::min(list.size(), item.size() + 1));
    if (equal_ignoring_case(trim(item), word)) return true;
  }
  return false;
}

}   // namespace

void HttpParser::reset() {
  state_ = State::head;
  // Member by member: cheaper than a new request when the old one was moved away.
  for (auto* text :
       {&request_.method, &request_.target, &request_.path, &request_.query, &request_.body, &request_.peer})
    text->clear();
  request_.headers.clear();
  request_.head_bytes = 0;
  line_.clear();
  authority_.clear();
  started_ = has_request_line_ = close_ = http10_ = chunked_ = wants_continue_ = has_length_ = has_host_ = false;
  keep_alive_ = true;
  empty_lines_ = fields_ = length_left_ = extension_bytes_ = trailer_bytes_ = 0;
  chunk_ = Chunk::size;
  error_status_ = 0;
}

bool HttpParser::refuse(int status, std::string text) {
  state_ = State::error;
  error_status_ = status;
  error_text_ = std::move(text);
  return false;
}

std::size_t HttpParser::feed(std::string_view input) {
  if (input.empty()) return 0;
  switch (state_) {
    case State::head:
      return feed_head(input);
    case State::body:
      return chunked_ ? feed_chunked(input) : feed_length(input);
    default:
      return 0;
  }
}

// One line without its CR LF. `bound` counts the whole line; the verdict falls at the same byte for every split. The
// line stands in `input` or in line_, so it is used up before the next call and line_ cleared by the caller.
HttpParser::Line HttpParser::take_line(std::string_view input, std::size_t bound, std::size_t& used,
                                       std::string_view& line) {
  const std::size_t room = bound - std::min(bound, line_.size());
  const std::string_view window = input.substr(0, room);
  const std::size_t newline = window.find('\n');
  if (newline == std::string_view::npos) {
    used = window.size();
    if (input.size() > room) return Line::too_long;
    line_.append(window);
    return Line::incomplete;
  }
  used = newline + 1;
  line = window.substr(0, used);
  if (!line_.empty()) line = line_.append(line);
  if (line.size() < 2 || line[line.size() - 2] != '\r') return Line::malformed;
  line.remove_suffix(2);
  return line.find('\r') == std::string_view::npos ? Line::complete : Line::malformed;
}

// --- head ------------------------------------------------------------------------------------------------------------

std::size_t HttpParser::feed_head(std::string_view input) {
  std::size_t total = 0;
  while (state_ == State::head && total < input.size()) {
    started_ = true;
    const std::size_t head_left = limits_.head_bytes - request_.head_bytes;
    const bool long_target = !has_request_line_ && limits_.target_bytes + kRequestLineExtra <= head_left;
    std::size_t used = 0;
    std::string_view line;
    const Line result =
        take_line(input.substr(total), long_target ? limits_.target_bytes + kRequestLineExtra : head_left, used, line);
    total += used;
    switch (result) {
      case Line::incomplete:
        return total;
      case Line::too_long:
        long_target ? refuse(414, "the request line is too long") : refuse(431, "the request head is too large");
        break;
      case Line::malformed:
        refuse(400, "lines end with CR LF and hold no other CR");
        break;
      case Line::complete:
        request_.head_bytes += line.size() + 2;
        take_head_line(line);
        break;
    }
    line_.clear();
  }
  return total;
}

void HttpParser::take_head_line(std::string_view line) {
  if (!has_request_line_) {
    if (line.empty()) {
      if (++empty_lines_ > kMaxEmptyLines) refuse(400, "the request begins with too many empty lines");
      started_ = false;
      request_.head_bytes = 0;
      return;
    }
    has_request_line_ = parse_request_line(line);
    request_.headers.reserve(kUsualFields);
    return;
  }
  if (line.empty()) return finish_head();
  if (++fields_ > limits_.header_fields) {
    refuse(431, "the request has too many header fields");
    return;
  }
  parse_field(line);
}

bool HttpParser::parse_request_line(std::string_view line) {
  const std::size_t first = line.find(' ');
  const std::size_t last = line.rfind(' ');
  if (first == std::string_view::npos || first == last)
    return refuse(400, "the request line is not `method target version`");
  const std::string_view method = line.substr(0, first);
  if (!is_token(method) || method.size() > kMaxMethodBytes) return refuse(400, "the method is not a token");
  request_.method = method;
  if (!parse_version(line.substr(last + 1))) return false;
  if (method == "CONNECT") return refuse(501, "CONNECT is not offered");
  return parse_target(line.substr(first + 1, last - first - 1));
}

bool HttpParser::parse_version(std::string_view version) {
  if (version == "HTTP/1.1") return true;
  if (version == "HTTP/1.0") {
    http10_ = true;
    keep_alive_ = false;
    return true;
  }
  const bool well_formed = version.size() == 8 && version.starts_with("HTTP/") && is_digit(version[5]) &&
                           version[6] == '.' && is_digit(version[7]);
  return well_formed ? refuse(505, "only HTTP/1.0 and HTTP/1.1 are spoken") : refuse(400, "the version is malformed");
}

bool HttpParser::parse_target(std::string_view target) {
  if (target.size() > limits_.target_bytes) return refuse(414, "the request target is too long");
  if (target.empty() || !all_in(kTargetChars, target))
    return refuse(400, "the request target holds a character that must be encoded");
  std::string reduced;
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (!equal_ignoring_case(target.substr(0, scheme.size()), scheme)) continue;
    const std::size_t path = std::min(target.find_first_of("/?", scheme.size()), target.size());
    const std::string_view authority = target.substr(scheme.size(), path - scheme.size());
    if (authority.empty() || !all_in(kAuthorityChars, authority))
      return refuse(400, "the request target has no proper host");
    authority_ = authority;
    reduced = target.substr(path);
    if (!reduced.starts_with('/')) reduced.insert(0, 1, '/');
    target = reduced;
    break;
  }
  if (target == "*" && request_.method != "OPTIONS") return refuse(400, "the target * is for OPTIONS");
  if (target != "*" && target[0] != '/') return refuse(400, "the request target is not a path");
  const std::size_t mark = target.find('?');
  request_.target = target;
  request_.path = target.substr(0, mark);
  if (mark != std::string_view::npos) request_.query = target.substr(mark + 1);
  return true;
}

bool HttpParser::parse_field(std::string_view line) {
  if (line[0] == ' ' || line[0] == '\t') return refuse(400, "folded header fields are not taken");
  const std::size_t colon = line.find(':');
  const std::string_view name = line.substr(0, colon);
  if (colon == std::string_view::npos || !is_token(name)) return refuse(400, "a header field has no proper name");
  const std::string_view value = trim(line.substr(colon + 1));
  if (!all_in(kValueChars, value)) return refuse(400, "a header field holds a control character");
  if (!parse_framing_field(name, value)) return false;
  request_.headers.add(std::string(name), std::string(value));
  return true;
}

// The fields that decide where a message ends and what becomes of the connection.
bool HttpParser::parse_framing_field(std::string_view name, std::string_view value) {
  switch (name.size()) {
    case 4:
      if (!equal_ignoring_case(name, "host")) return true;
      if (has_host_) return refuse(400, "Host is given twice");
      if (!all_in(kAuthorityChars, value)) return refuse(400, "Host is not a host");
      has_host_ = true;
      return true;
    case 6:
      if (!equal_ignoring_case(name, "expect")) return true;
      if (!equal_ignoring_case(value, "100-continue")) return refuse(417, "the only expectation is 100-continue");
      wants_continue_ = !http10_;
      return true;
    case 10:
      if (!equal_ignoring_case(name, "connection")) return true;
      close_ = close_ || list_holds(value, "close");
      keep_alive_ = keep_alive_ || list_holds(value, "keep-alive");
      return true;
    case 14:
      return !equal_ignoring_case(name, "content-length") || parse_length(value);
    case 17:
      if (!equal_ignoring_case(name, "transfer-encoding")) return true;
      if (chunked_) return refuse(400, "Transfer-Encoding is given twice");
      if (!equal_ignoring_case(value, "chunked")) return refuse(501, "the only transfer coding is chunked");
      chunked_ = true;
      return true;
    default:
      return true;
  }
}

bool HttpParser::parse_length(std::string_view value) {
  if (has_length_) return refuse(400, "Content-Length is given twice");
  const bool digits = !value.empty() && std::all_of(value.begin(), value.end(), is_digit);
  if (!digits || std::from_chars(value.data(), value.data() + value.size(), length_left_).ec != std::errc{}) {
    return refuse(400, "Content-Length is not a number");
  }
  has_length_ = true;
  return true;
}

void HttpParser::finish_head() {
  const auto stop = [this](int status, std::string text) { refuse(status, std::move(text)); };
  if (!has_host_ && !http10_) return stop(400, "Host is missing");
  if (chunked_ && has_length_) return stop(400, "Content-Length and Transfer-Encoding exclude each other");
  if (chunked_ && http10_) return stop(400, "HTTP/1.0 has no transfer codings");
  if (length_left_ > limits_.body_bytes) {
    return stop(413, fmt::format("JSON payload ({} bytes) is larger than allowed (limit: {} bytes).", length_left_,
                                 limits_.body_bytes));
  }
  if (!authority_.empty()) request_.headers.set("Host", authority_);   // RFC 9112, 3.2.2
  request_.received = std::chrono::steady_clock::now();
  state_ = chunked_ || length_left_ > 0 ? State::body : State::complete;
}

// --- body ------------------------------------------------------------------------------------------------------------

std::size_t HttpParser::feed_length(std::string_view input) {
  const std::size_t taken = std::min(length_left_, input.size());
  if (request_.body.empty()) request_.body.reserve(std::min(length_left_, kMaxReserve));
  request_.body.append(input.substr(0, taken));
  length_left_ -= taken;
  if (length_left_ == 0) state_ = State::complete;
  return taken;
}

std::size_t HttpParser::feed_chunked(std::string_view input) {
  std::size_t total = 0;
  while (state_ == State::body && total < input.size()) {
    if (chunk_ != Chunk::data) {
      total += feed_chunk_line(input.substr(total));
      continue;
    }
    const std::size_t taken = std::min(length_left_, input.size() - total);
    request_.body.append(input.substr(total, taken));
    length_left_ -= taken;
    total += taken;
    if (length_left_ == 0) chunk_ = Chunk::data_end;
  }
  return total;
}

std::size_t HttpParser::feed_chunk_line(std::string_view input) {
  const std::size_t bound = chunk_ == Chunk::trailer    ? limits_.head_bytes - trailer_bytes_
                            : chunk_ == Chunk::data_end ? 2
                                                        : kMaxChunkLine;
  std::size_t used = 0;
  std::string_view line;
  const Line result = take_line(input, bound, used, line);
  if (result == Line::incomplete) return used;
  if (result == Line::too_long) {
    if (chunk_ == Chunk::trailer)
      refuse(431, "the trailer is too large");
    else
      refuse(400, chunk_ == Chunk::data_end ? "a chunk is longer than its size" : "a chunk line is too long");
  } else if (result == Line::malformed) {
    refuse(400, "lines end with CR LF and hold no other CR");
  } else if (chunk_ == Chunk::size) {
    parse_chunk_size(line);
  } else if (chunk_ == Chunk::data_end) {
    chunk_ = Chunk::size;
  } else {
    take_trailer(line);
  }
  line_.clear();
  return used;
}

void HttpParser::parse_chunk_size(std::string_view line) {
  const std::string_view digits = line.substr(0, line.find(';'));
  std::size_t size = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), size, 16);
  if (digits.empty() || error != std::errc{} || end != digits.data() + digits.size()) {
    refuse(400, "a chunk size is malformed");
    return;
  }
  extension_bytes_ += line.size() - digits.size();
  if (!all_in(kValueChars, line) || extension_bytes_ > kMaxExtensionBytes) {
    refuse(400, "a chunk extension is malformed or too long");
    return;
  }
  if (size > limits_.body_bytes - request_.body.size()) {
    refuse(413, fmt::format("JSON payload has exceeded limit ({} bytes).", limits_.body_bytes));
    return;
  }
  length_left_ = size;
  chunk_ = size == 0 ? Chunk::trailer : Chunk::data;
}

// Trailer fields are read, checked and dropped: nothing here asks for any.
void HttpParser::take_trailer(std::string_view line) {
  trailer_bytes_ += line.size() + 2;
  if (line.empty()) {
    state_ = State::complete;
  } else if (++fields_ > limits_.header_fields) {
    refuse(431, "the request has too many header fields");
  } else if (const std::size_t colon = line.find(':'); colon == std::string_view::npos ||
                                                       !is_token(line.substr(0, colon)) ||
                                                       !all_in(kValueChars, line.substr(colon + 1))) {
    refuse(400, "a trailer field is malformed");
  }
}

}   // namespace agentauri::net
