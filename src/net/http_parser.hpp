// A request parser without I/O: bytes in at any split, a request or an error out. RFC 9112, strictly: what two parsers
// could read differently (bare CR or LF, folded fields, both lengths, doubled lengths, odd codings) is refused.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "net/http_server.hpp"

namespace agentauri::net {

class HttpParser {
 public:
  enum class State : std::uint8_t { head, body, complete, error };

  explicit HttpParser(const HttpServerLimits& limits) : limits_(limits) {}

  // Takes from the front of `input`; returns how many bytes were used. Stops when the head is complete, when the request
  // is complete and at an error; call again until it uses nothing.
  std::size_t feed(std::string_view input);

  State state() const { return state_; }
  // Valid from State::body on; body from State::complete on.
  HttpRequest& request() { return request_; }
  bool keep_alive() const { return keep_alive_; }
  bool wants_continue() const { return wants_continue_; }
  // Any byte of this request seen.
  bool started() const { return started_; }

  int error_status() const { return error_status_; }
  std::string_view error_text() const { return error_text_; }

  // For the next request of the connection.
  void reset();

 private:
  enum class Chunk : std::uint8_t { size, data, data_end, trailer };

  std::size_t feed_head(std::string_view input);
  std::size_t feed_length(std::string_view input);
  std::size_t feed_chunked(std::string_view input);
  void parse_head();
  bool parse_request_line(std::string_view line);
  bool parse_field(std::string_view line);
  void finish_head();
  void parse_chunk_size(std::string_view line);
  void set_error(int status, std::string_view text);

  const HttpServerLimits& limits_;
  State state_ = State::head;
  HttpRequest request_;
  std::string head_;            // of this request, while it is incomplete; later a chunk line
  bool started_ = false;
  bool keep_alive_ = true;
  bool http10_ = false;
  bool chunked_ = false;
  bool wants_continue_ = false;
  bool has_length_ = false;
  bool has_host_ = false;
  std::size_t length_left_ = 0;
  Chunk chunk_ = Chunk::size;
  std::size_t trailer_bytes_ = 0;
  int error_status_ = 0;
  std::string_view error_text_;
};

}  // namespace agentauri::net
