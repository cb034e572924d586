// A request parser without I/O: bytes in at any split, a request or an error out. RFC 9112, strictly: what two parsers
// could read differently (bare CR or LF, folded fields, both lengths, doubled lengths, odd codings) is refused.
//
// The outcome depends on the bytes alone, never on how they were split (http_parser_fuzz.cpp).
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <string_view>

#include "net/http_server.hpp"

namespace agentauri::net {

class HttpParser {
 public:
  enum class State : std::uint8_t { head, body, complete, error };

  explicit HttpParser(const HttpServerLimits& limits) : limits_(limits) {}

  // Takes from the front of `input`; returns how many bytes were used. Stops when the head is complete, when the
  // request is complete and at an error; call again while state() is head or body and there is input.
  std::size_t feed(std::string_view input);

  State state() const { return state_; }
  // Valid from State::body on; body from State::complete on. In State::error what was read until then.
  HttpRequest& request() { return request_; }
  bool keep_alive() const { return keep_alive_ && !close_; }
  bool is_http10() const { return http10_; }
  bool wants_continue() const { return wants_continue_; }
  // Any byte of this request seen.
  bool started() const { return started_; }

  // 400, 413, 414, 417, 431, 501 or 505.
  int error_status() const { return error_status_; }
  const std::string& error_text() const { return error_text_; }

  // For the next request of the connection.
  void reset();

 private:
  enum class Chunk : std::uint8_t { size, data, data_end, trailer };
  enum class Line : std::uint8_t { incomplete, complete, malformed, too_long };

  Line take_line(std::string_view input, std::size_t bound, std::size_t& used, std::string_view& line);
  std::size_t feed_head(std::string_view input);
  std::size_t feed_length(std::string_view input);
  std::size_t feed_chunked(std::string_view input);
  std::size_t feed_chunk_line(std::string_view input);
  void take_head_line(std::string_view line);
  bool parse_request_line(std::string_view line);
  bool parse_version(std::string_view version);
  bool parse_target(std::string_view target);
  bool parse_field(std::string_view line);
  bool parse_framing_field(std::string_view name, std::string_view value);
  bool parse_length(std::string_view value);
  void finish_head();
  void parse_chunk_size(std::string_view line);
  void take_trailer(std::string_view line);
  bool refuse(int status, std::string text);   // false, so that a parse function can return it

  const HttpServerLimits& limits_;
  State state_ = State::head;
  HttpRequest request_;
  std::string line_;        // the part of a line that came before; empty when lines come whole
  std::string authority_;   // of an absolute-form target: stands above the Host field
  bool started_ = false;
  bool has_request_line_ = false;
  bool keep_alive_ = true;
  bool close_ = false;
  bool http10_ = false;
  bool chunked_ = false;
  bool wants_continue_ = false;
  bool has_length_ = false;
  bool has_host_ = false;
  std::size_t empty_lines_ = 0;
  std::size_t fields_ = 0;
  std::size_t length_left_ = 0;
  Chunk chunk_ = Chunk::size;
  std::size_t extension_bytes_ = 0;
  std::size_t trailer_bytes_ = 0;
  int error_status_ = 0;
  std::string error_text_;
};

}   // namespace agentauri::net
