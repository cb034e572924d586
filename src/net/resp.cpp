#include "net/resp.hpp"

#include <charconv>

namespace agentauri::net {
namespace {

constexpr std::size_t kMaxLineBytes = 64 * 1024;   // an error's text may be long, a length is short
constexpr std::string_view kEnd = "\r\n";

bool to_number(std::string_view text, std::int64_t& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size();
}

}   // namespace

void append_command(std::string& out, const std::vector<std::string>& words) {
  out += '*' + std::to_string(words.size());
  out += kEnd;
  for (const auto& word : words) {
    out += '$' + std::to_string(word.size());
    out += kEnd;
    out += word;
    out += kEnd;
  }
}

RespReader::Step RespReader::read_line(std::size_t& at, std::string_view& out) const {
  const std::size_t end = buffer_.find('\r', at);
  if (end == std::string::npos || end + 1 == buffer_.size())
    return buffer_.size() - at > kMaxLineBytes ? Step::broken : Step::partial;
  if (buffer_[end + 1] != '\n' || end - at > kMaxLineBytes) return Step::broken;
  out = std::string_view(buffer_).substr(at, end - at);
  at = end + kEnd.size();
  return Step::whole;
}

RespReader::Step RespReader::read_bulk(std::size_t& at, std::string_view length, RespValue& out) const {
  std::int64_t size = 0;
  if (!to_number(length, size) || size < -1 || size > static_cast<std::int64_t>(bounds_.value_bytes))
    return Step::broken;
  if (size == -1) return Step::whole;   // null
  const auto bytes = static_cast<std::size_t>(size);
  if (buffer_.size() - at < bytes + kEnd.size()) return Step::partial;
  if (std::string_view(buffer_).substr(at + bytes, kEnd.size()) != kEnd) return Step::broken;
  out.kind = RespValue::Kind::text;
  out.text = buffer_.substr(at, bytes);
  at += bytes + kEnd.size();
  return Step::whole;
}

RespReader::Step RespReader::read_array(std::size_t& at, std::string_view length, RespValue& out, int depth) const {
  std::int64_t count = 0;
  if (!to_number(length, count) || count < -1 || count > static_cast<std::int64_t>(bounds_.items)) return Step::broken;
  if (count == -1) return Step::whole;   // null
  if (depth == bounds_.depth) return Step::broken;
  out.kind = RespValue::Kind::array;
  for (std::int64_t i = 0; i < count; ++i) {
    out.items.emplace_back();
    if (const auto step = read(at, out.items.back(), depth + 1); step != Step::whole) return step;
  }
  return Step::whole;
}

RespReader::Step RespReader::read(std::size_t& at, RespValue& out, int depth) const {
  if (at - start_ > bounds_.value_bytes) return Step::broken;
  if (at == buffer_.size()) return Step::partial;
  const char kind = buffer_[at];
  if (std::string_view("+-:$*").find(kind) == std::string_view::npos) return Step::broken;
  std::size_t next = at + 1;
  std::string_view line;
  auto step = read_line(next, line);
  if (step != Step::whole) return step;
  switch (kind) {
    case '+':
    case '-':
      out.kind = kind == '+' ? RespValue::Kind::text : RespValue::Kind::error;
      out.text = line;
      break;
    case ':':
      out.kind = RespValue::Kind::integer;
      if (!to_number(line, out.integer)) return Step::broken;
      break;
    case '$':
      step = read_bulk(next, line, out);
      break;
    default:
      step = read_array(next, line, out, depth);
  }
  if (step == Step::whole) at = next;
  return step;
}

Result<std::optional<RespValue>> RespReader::next() {
  RespValue out;
  std::size_t at = start_;
  const auto step = broken_ ? Step::broken : read(at, out, 0);
  if (step == Step::broken) {
    broken_ = true;
    buffer_.clear();
    start_ = 0;
    return fail(Code::protocol, "what came is not an answer of Redis");
  }
  if (step == Step::partial) {
    buffer_.erase(0, start_);
    start_ = 0;
    return std::nullopt;
  }
  start_ = at;
  if (start_ == buffer_.size()) {
    buffer_.clear();
    start_ = 0;
  }
  return out;
}

}   // namespace agentauri::net
