#include "net/http_parser.hpp"

#include <algorithm>
#include <array>

namespace agentauri::net {
namespace {

constexpr std::size_t kMaxChunkLine = 256;   // size and extensions
constexpr std::size_t kMaxMethodBytes = 32;

// tchar of RFC 9110.
constexpr std::array<bool, 256> kTokenChars = [] {
  std::array<bool, 256> out{};
  for (char c = '0'; c <= '9'; ++c) out[static_cast<unsigned char>(c)] = true;
  for (char c = 'a'; c <= 'z'; ++c) out[static_cast<unsigned char>(c)] = true;
  for (char c = 'A'; c <= 'Z'; ++c) out[static_cast<unsigned char>(c)] = true;
  for (const char c : std::string_view("!#$%&'*+-.^_`|~")) out[static_cast<unsigned char>(c)] = true;
  return out;
}();

bool is_token(std::string_view text) {
  return !text.empty() && std::all_of(text.begin(), text.end(), [](char c) { return kTokenChars[static_cast<unsigned char>(c)]; });
}

// Visible characters, spaces, tabs and bytes above ASCII.
bool is_field_value(std::string_view text) {
  return std::all_of(text.begin(), text.end(), [](char c) {
    const auto byte = static_cast<unsigned char>(c);
    return byte == '\t' || (byte >= 0x20 && byte != 0x7f);
  });
}

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t')) text.remove_suffix(1);
  return text;
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

}  // namespace

void HttpParser::reset() {
  state_ = State::head;
  request_ = {};
  head_.clear();
  started_ = keep_alive_ = http10_ = chunked_ = wants_continue_ = has_length_ = has_host_ = false;
  keep_alive_ = true;
  length_left_ = 0;
  chunk_ = Chunk::size;
  trailer_bytes_ = 0;
  error_status_ = 0;
}

void HttpParser::set_error(int status, std::string_view text) {
  state_ = State::error;
  error_status_ = status;
  error_text_ = text;
}

std::size_t HttpParser::feed(std::string_view input) {
  if (input.empty()) return 0;
  switch (state_) {
    case State::head: return feed_head(input);
    case State::body: return chunked_ ? feed_chunked(input) : feed_length(input);
    default: return 0;
  }
}

std::size_t HttpParser::feed_head(std::string_view input) {
  std::size_t used = 0;
  // Empty lines before the request line are skipped (RFC 9112, 2.2), a bounded number of them.
  while (head_.empty() && used < input.size() && used < 8 && (input[used] == '\r' || input[used] == '\n')) ++used;
  input.remove_prefix(used);
  if (input.empty()) return used;
  started_ = true;
  // The end may stand across the border between what is kept and what is new.
  const std::size_t overlap = std::min<std::size_t>(3, head_.size());
  const std::size_t before = head_.size();
  const std::size_t room = limits_.head_bytes + 4 - std::min(before, limits_.head_bytes + 4);
  head_.append(input.substr(0, room));
  const std::size_t end = head_.find("\r\n\r\n", before - overlap);
  if (end == std::string::npos) {
    const std::size_t line = head_.find("\r\n");
    if (line == std::string::npos && head_.size() > limits_.target_bytes + kMaxMethodBytes + 16) {
      set_error(414, "the request line is too long");
    } else if (head_.size() > limits_.head_bytes) {
      set_error(431, "the request head is too large");
    } else if (head_.find('\n') != std::string::npos && head_.find('\n') != line + 1) {
      set_error(400, "lines end with CR LF");
    }
    return used + (head_.size() - before);
  }
  const std::size_t taken = end + 4 - before;
  head_.resize(end + 2);
  request_.head_bytes = end + 4;
  if (request_.head_bytes > limits_.head_bytes) {
    set_error(431, "the request head is too large");
  } else {
    parse_head();
  }
  head_.clear();
  return used + taken;
}

void HttpParser::parse_head() {
  std::string_view rest = head_;
  std::size_t fields = 0;
  for (bool first = true; !rest.empty(); first = false) {
    const std::size_t end = rest.find("\r\n");
    const std::string_view line = rest.substr(0, end);
    rest.remove_prefix(end + 2);
    if (line.find_first_of(std::string_view("\r\n\0", 3)) != std::string_view::npos) return set_error(400, "a line holds a bare CR, LF or NUL");
    if (first) {
      if (!parse_request_line(line)) return;
      continue;
    }
    if (++fields > limits_.header_fields) return set_error(431, "the request has too many header fields");
    if (!parse_field(line)) return;
  }
  finish_head();
}

bool HttpParser::parse_request_line(std::string_view line) {
  const std::size_t first = line.find(' ');
  const std::size_t last = line.rfind(' ');
  if (first == std::string_view::npos || first == last) return set_error(400, "the request line is not `method target version`"), false;
  const std::string_view method = line.substr(0, first);
  std::string_view target = line.substr(first + 1, last - first - 1);
  const std::string_view version = line.substr(last + 1);
  if (!is_token(method) || method.size() > kMaxMethodBytes) return set_error(400, "the method is not a token"), false;
  if (version == "HTTP/1.0") {
    http10_ = true;
    keep_alive_ = false;
  } else if (version != "HTTP/1.1") {
    const bool looks = version.size() == 8 && version.starts_with("HTTP/") && version[6] == '.';
    return looks ? set_error(505, "only HTTP/1.0 and HTTP/1.1 are spoken") : set_error(400, "the version is malformed"), false;
  }
  if (target.size() > limits_.target_bytes) return set_error(414, "the request target is too long"), false;
  const auto visible = [](char c) { return c > 0x20 && c < 0x7f; };
  if (target.empty() || !std::all_of(target.begin(), target.end(), visible) || target.find('#') != std::string_view::npos) {
    return set_error(400, "the request target holds a character that must be encoded"), false;
  }
  if (method == "CONNECT") return set_error(501, "CONNECT is not offered"), false;
  for (const std::string_view scheme : {"http://", "https://"}) {
    if (target.size() > scheme.size() && equal_ignoring_case(target.substr(0, scheme.size()), scheme)) {
      const std::size_t path = target.find_first_of("/?", scheme.size());
      target = path == std::string_view::npos ? "/" : target.substr(path);
      break;
    }
  }
  if (target != "*" && target[0] != '/' && target[0] != '?') return set_error(400, "the request target is not a path"), false;
  if (target == "*" && method != "OPTIONS") return set_error(400, "the target * is for OPTIONS"), false;
  request_.method = std::string(method);
  request_.target = target[0] == '?' ? "/" + std::string(target) : std::string(target);
  const std::size_t mark = request_.target.find('?');
  request_.path = request_.target.substr(0, mark);
  if (mark != std::string::npos) request_.query = request_.target.substr(mark + 1);
  return true;
}

bool HttpParser::parse_field(std::string_view line) {
  if (line.empty() || line[0] == ' ' || line[0] == '\t') return set_error(400, "folded header fields are not taken"), false;
  const std::size_t colon = line.find(':');
  const std::string_view name = line.substr(0, colon);
  if (colon == std::string_view::npos || !is_token(name)) return set_error(400, "a header field has no proper name"), false;
  const std::string_view value = trim(line.substr(colon + 1));
  if (!is_field_value(value)) return set_error(400, "a header field holds a control character"), false;

  if (equal_ignoring_case(name, "content-length")) {
    const auto is_digit = [](char c) { return c >= '0' && c <= '9'; };
    if (has_length_) return set_error(400, "Content-Length is given twice"), false;
    if (value.empty() || value.size() > 18 || !std::all_of(value.begin(), value.end(), is_digit)) return set_error(400, "Content-Length is not a number"), false;
    has_length_ = true;
    length_left_ = std::stoull(std::string(value));
  } else if (equal_ignoring_case(name, "transfer-encoding")) {
    if (chunked_) return set_error(400, "Transfer-Encoding is given twice"), false;
    if (!equal_ignoring_case(value, "chunked")) return set_error(501, "the only transfer coding is chunked"), false;
    chunked_ = true;
  } else if (equal_ignoring_case(name, "host")) {
    if (has_host_) return set_error(400, "Host is given twice"), false;
    has_host_ = true;
  } else if (equal_ignoring_case(name, "connection")) {
    if (list_holds(value, "close")) keep_alive_ = false;
    else if (http10_ && list_holds(value, "keep-alive")) keep_alive_ = true;
  } else if (equal_ignoring_case(name, "expect")) {
    if (!equal_ignoring_case(value, "100-continue")) return set_error(417, "the only expectation is 100-continue"), false;
    wants_continue_ = !http10_;
  }
  request_.headers.add(std::string(name), std::string(value));
  return true;
}

void HttpParser::finish_head() {
  if (!has_host_ && !http10_) return set_error(400, "Host is missing");
  if (chunked_ && has_length_) return set_error(400, "Content-Length and Transfer-Encoding exclude each other");
  if (chunked_ && http10_) return set_error(400, "HTTP/1.0 has no transfer codings");
  if (length_left_ > limits_.body_bytes) {
    // Known before a byte of the body: the caller answers at once. The number is in the request's own field.
    state_ = State::error;
    error_status_ = 413;
    error_text_ = "declared";
    return;
  }
  request_.received = std::chrono::steady_clock::now();
  state_ = chunked_ || length_left_ > 0 ? State::body : State::complete;
}

std::size_t HttpParser::feed_length(std::string_view input) {
  const std::size_t taken = std::min(length_left_, input.size());
  if (request_.body.empty()) request_.body.reserve(length_left_);
  request_.body.append(input.substr(0, taken));
  length_left_ -= taken;
  if (length_left_ == 0) state_ = State::complete;
  return taken;
}

void HttpParser::parse_chunk_size(std::string_view line) {
  const std::string_view digits = line.substr(0, line.find(';'));
  std::size_t size = 0;
  if (digits.empty() || digits.size() > 15) return set_error(400, "a chunk size is malformed");
  for (const char c : digits) {
    const char small = static_cast<char>(c | 0x20);
    const int value = c >= '0' && c <= '9' ? c - '0' : small >= 'a' && small <= 'f' ? small - 'a' + 10 : -1;
    if (value < 0) return set_error(400, "a chunk size is malformed");
    size = size * 16 + static_cast<std::size_t>(value);
  }
  if (!is_field_value(line)) return set_error(400, "a chunk extension holds a control character");
  if (size > limits_.body_bytes - request_.body.size()) return set_error(413, "streamed");
  length_left_ = size;
  chunk_ = size == 0 ? Chunk::trailer : Chunk::data;
}

// One step: a line, or as much of a chunk's data as there is.
std::size_t HttpParser::feed_chunked(std::string_view input) {
  if (chunk_ == Chunk::data) {
    const std::size_t taken = std::min(length_left_, input.size());
    request_.body.append(input.substr(0, taken));
    length_left_ -= taken;
    if (length_left_ == 0) chunk_ = Chunk::data_end;
    return taken;
  }
  const std::size_t newline = input.find('\n');
  const std::size_t taken = newline == std::string_view::npos ? input.size() : newline + 1;
  head_.append(input.substr(0, taken));
  const std::size_t bound = chunk_ == Chunk::trailer ? limits_.head_bytes : kMaxChunkLine;
  if (head_.size() > bound) return set_error(400, "a chunk line is too long"), taken;
  if (newline == std::string_view::npos) return taken;
  if (head_.size() < 2 || head_[head_.size() - 2] != '\r') return set_error(400, "lines end with CR LF"), taken;
  const std::string line = head_.substr(0, head_.size() - 2);
  head_.clear();
  if (line.find('\r') != std::string::npos) return set_error(400, "a line holds a bare CR"), taken;
  switch (chunk_) {
    case Chunk::size: parse_chunk_size(line); break;
    case Chunk::data_end:
      if (!line.empty()) return set_error(400, "a chunk is longer than its size"), taken;
      chunk_ = Chunk::size;
      break;
    case Chunk::trailer:
      // Trailer fields are read and dropped: nothing here asks for any.
      trailer_bytes_ += taken;
      if (trailer_bytes_ > limits_.head_bytes) return set_error(431, "the trailer is too large"), taken;
      if (line.empty()) state_ = State::complete;
      break;
    case Chunk::data: break;
  }
  return taken;
}

}  // namespace agentauri::net
