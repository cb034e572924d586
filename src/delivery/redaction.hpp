// What receivers say back is kept and shown: without the secrets that they were sent.
#pragma once

#include <string>
#include <string_view>
#include <vector>

namespace agentauri::delivery {

// The secrets of one request, as they may appear in an answer. Pure.
class Redaction {
 public:
  // Also the words of it, so that `Bearer abc…` is found without its scheme, and the forms that JSON and HTML give it.
  void add(std::string_view secret);

  // Printable text of `body` with `***` for each secret, at most `limit` bytes. Secrets are looked for in the whole
  // body and before anything is cut or replaced: none shows half of itself at the end.
  std::string excerpt(std::string_view body, std::size_t limit) const;

 private:
  void add_forms(std::string_view secret);
  std::vector<std::string> needles_;   // the longest first
};

}   // namespace agentauri::delivery
