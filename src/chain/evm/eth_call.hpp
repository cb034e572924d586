// eth_call and eth_getCode on the newest block: how they are asked, and what their answers mean. Pure.
#pragma once

#include <optional>

#include "chain/evm/rpc_batch.hpp"
#include "core/base/bytes.hpp"
#include "core/json/json.hpp"

namespace agentauri::chain {

// `to` unset: `data` is creation code, which runs and is forgotten. The sender is an address of nobody, and not the
// zero address, whose calls some contracts take for simulations and answer otherwise.
RpcCall eth_call(const std::optional<Address>& to, ByteView data);
RpcCall eth_get_code(const Address& address);

struct CallResult {
  bool reverted = false;
  Bytes data;   // what it returned, or why it reverted (may be empty)
};
// Of a call whose `may_revert` is set.
Result<CallResult> parse_call_result(const json::Value& value);
Result<Bytes> parse_code(const json::Value& value);

// Whether an error object says that the contract failed, and not the node. Nodes agree on neither code nor words.
bool is_revert(const json::Object& error);

}   // namespace agentauri::chain
