// What a provider means when it refuses: words and codes of the common nodes and services, as tables. Pure.
#pragma once

#include <cstdint>
#include <string_view>

#include "core/base/result.hpp"

namespace agentauri::chain {

struct Refusal {
  int http_status = 200;       // 200: an error inside an answer
  std::int64_t rpc_code = 0;   // 0: there is none
  std::string_view message;    // or the beginning of a body that is no JSON
};

// too_large: ask for less; not_found: the node does not have the block (yet); unsupported: the method is not offered
// here; rate_limited: come back later; unavailable: everything else, a trouble of the provider.
Code meaning_of(const Refusal& refusal);

// Says something about the question: asking again, or counting it against the provider, is no use.
bool is_about_question(Code code);

}   // namespace agentauri::chain
