// The page that shows openapi.json to people, at /api-docs/: Swagger UI, compiled in as packed files alone, about half
// a megabyte instead of two.
#pragma once

#include <string_view>
#include <vector>

#include "core/base/embedded.hpp"
#include "gateway/refusal.hpp"
#include "net/http_server.hpp"

namespace agentauri::gateway {

// Immutable: any thread may ask.
class ApiDocs {
 public:
  // The files that were compiled in: none when the program was configured before they were built.
  ApiDocs();
  // Names end in `.gz`; the files outlive it.
  explicit ApiDocs(const std::vector<embedded::EmbeddedFile>& files) : files_(&files) {}

  // Everything below /api-docs/, and `/api-docs`, where nothing is.
  static bool owns(std::string_view path);
  // GET and HEAD alike, the body included. 404 for what is no file. Who takes no gzip costs an unpacking, of at most
  // 2 MB (5 ms).
  Outcome<net::HttpResponse> answer(const net::HttpRequest& request) const;

 private:
  const std::vector<embedded::EmbeddedFile>* files_;
};

}   // namespace agentauri::gateway
