// JSON-RPC 2.0 requests and what belongs to them in an answer. No socket.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.hpp"
#include "core/json/json.hpp"

namespace agentauri::chain {

struct RpcCall {
  std::string_view method;   // lives as long as the program
  json::Array params;
};

// One object for one call, else a batch; ids are the places, from 0.
std::string render_calls(const std::vector<RpcCall>& calls);

// The results in the order of the calls, which come in any order. Fails whole: with the refusal of the first member
// that has one (rpc_refusal.hpp), with that of an answer without id (the request itself was refused), or as
// Code::protocol when an id is missing, foreign or there twice. Texts are what the provider said, bounded.
Result<std::vector<json::Value>> match_answers(json::Value answer, const std::vector<RpcCall>& calls);

}   // namespace agentauri::chain
