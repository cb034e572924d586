// The web console as files: what console/ builds is compiled into the program, precompressed, and served from here. Its
// paths are `/` (which leads to /console/), /console and everything below it; they meet no path of the API.
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/embedded.hpp"
#include "gateway/refusal.hpp"
#include "net/http_server.hpp"

namespace agentauri::gateway {

// Immutable: any thread may ask.
class Console {
 public:
  // `directory`: served from there, uncompressed, and read anew for each request, which blocks the I/O thread: for work
  // on the console only. Empty: the files that were compiled in.
  explicit Console(std::string directory);
  // Names are relative (`index.html`, `assets/main-1a2b3c.js`, `assets/main-1a2b3c.js.br`); the files outlive it.
  explicit Console(const std::vector<embedded::EmbeddedFile>& files);

  static bool owns(std::string_view path);
  // GET and HEAD alike, the body included. Page addresses that no file has get the index, so that they can be loaded
  // anew. 404 for a missing asset. Headers are those of the file and its Content-Security-Policy.
  Outcome<net::HttpResponse> answer(const net::HttpRequest& request) const;

 private:
  std::optional<std::string> read(const std::string& name) const;
  net::HttpResponse serve(const std::string& name, std::string plain, const net::HttpRequest& request) const;

  std::string directory_;
  const std::vector<embedded::EmbeddedFile>* files_ = nullptr;   // nullptr: of directory_
};

}   // namespace agentauri::gateway
