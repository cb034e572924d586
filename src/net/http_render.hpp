// Answers as bytes. No socket; the Date line is made once a second for each thread.
#pragma once

#include <string>
#include <string_view>

#include "net/http_server.hpp"

namespace agentauri::net {

struct RenderOptions {
  bool head_only = false;   // the answer to HEAD: no body, but its length
  bool keep_alive = true;
  bool http10 = false;   // must be told that the connection stays
};

// Head and body of an answer, appended to what is already waiting.
void append_response(std::string& out, const HttpResponse& response, const RenderOptions& options);
// The head of a streamed answer: chunked, or to the end of the connection for HTTP/1.0 (options.keep_alive is false
// then).
void append_stream_head(std::string& out, const HttpResponse& response, const RenderOptions& options);
void append_chunk(std::string& out, std::string_view piece);

}   // namespace agentauri::net
