#include "net/http_render.hpp"

#include <fmt/chrono.h>
#include <fmt/compile.h>
#include <fmt/format.h>

#include <ctime>
#include <iterator>

namespace agentauri::net {
namespace {

// RFC 9110, 5.6.7.
const std::string& date_line() {
  thread_local std::time_t made_for = -1;
  thread_local std::string text;
  const std::time_t now = std::time(nullptr);
  if (now != made_for) {
    made_for = now;
    std::tm parts{};
    ::gmtime_r(&now, &parts);
    text = fmt::format("Date: {:%a, %d %b %Y %H:%M:%S} GMT\r\n", parts);
  }
  return text;
}

// A handler's values must not end a line.
void append_value(std::string& out, std::string_view value) {
  const std::size_t at = out.size();
  out += value;
  for (std::size_t i = at; i < out.size(); ++i) {
    if (out[i] == '\r' || out[i] == '\n' || out[i] == '\0') out[i] = ' ';
  }
}

void append_number(std::string& out, std::size_t n) {
  char digits[24];
  const auto end = fmt::format_to(digits, FMT_COMPILE("{}"), n);
  out.append(digits, end);
}

// Everything but the framing and the empty line.
void append_head(std::string& out, const HttpResponse& response, const RenderOptions& options) {
  if (response.status == 200) {
    out += "HTTP/1.1 200 OK\r\n";
  } else {
    fmt::format_to(std::back_inserter(out), FMT_COMPILE("HTTP/1.1 {} {}\r\n"), response.status,
                   reason_phrase(response.status));
  }
  for (const auto& [name, value] : response.headers.all()) {
    out += name;
    out += ": ";
    append_value(out, value);
    out += "\r\n";
  }
  out += date_line();
  if (!options.keep_alive)
    out += "Connection: close\r\n";
  else if (options.http10)
    out += "Connection: keep-alive\r\n";
}

bool may_have_body(int status) {
  return status >= 200 && status != 204 && status != 304;
}

}   // namespace

void append_response(std::string& out, const HttpResponse& response, const RenderOptions& options) {
  append_head(out, response, options);
  const bool has_body = may_have_body(response.status);
  if (has_body) {
    out += "Content-Length: ";
    append_number(out, response.body.size());
    out += "\r\n";
  }
  out += "\r\n";
  if (has_body && !options.head_only) out += response.body;
}

void append_stream_head(std::string& out, const HttpResponse& response, const RenderOptions& options) {
  append_head(out, response, options);
  out += options.http10 ? "\r\n" : "Transfer-Encoding: chunked\r\n\r\n";
}

void append_chunk(std::string& out, std::string_view piece) {
  fmt::format_to(std::back_inserter(out), FMT_COMPILE("{:x}\r\n"), piece.size());
  out += piece;
  out += "\r\n";
}

}   // namespace agentauri::net
