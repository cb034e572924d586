#include "chain/evm/eth_call.hpp"

#include <algorithm>

#include "core/base/text.hpp"

namespace agentauri::chain {
namespace {

constexpr std::string_view kNobody = "0x00000000000000000000000061757269a9e27a01";
constexpr std::int64_t kReverted = 3, kVmError = -32015;   // the second of Nethermind and its kin

// Words of a contract's failure, in lower case.
constexpr std::string_view kFailures[] = {"revert",      "invalid opcode",     "invalid jump", "stack underflow",
                                          "stack limit", "vm execution error", "out of gas",   "bad instruction",
                                          "bad jump",    "write protection",   "invalid code", "code size"};

// Hardhat nests it, Nethermind puts a word before it.
std::optional<Bytes> revert_data(const json::Value* data) {
  if (data == nullptr) return std::nullopt;
  if (const auto* object = data->if_object()) return revert_data(json::find(*object, "data"));
  if (!data->is_string()) return std::nullopt;
  std::string_view text = json::view(data->get_string());
  if (const auto at = text.find("0x"); at != std::string_view::npos) text.remove_prefix(at);
  return from_hex_0x(text);
}

Result<Bytes> parse_bytes(const json::Value& value) {
  auto bytes = value.is_string() ? from_hex_0x(json::view(value.get_string())) : std::nullopt;
  if (!bytes) return fail(Code::protocol, "result", "the answer is not 0x and whole bytes");
  return std::move(*bytes);
}

}   // namespace

RpcCall eth_call(const std::optional<Address>& to, ByteView data) {
  json::Object transaction;
  transaction["from"] = json::String(kNobody);
  if (to) transaction["to"] = to_hex_0x(*to);
  transaction["data"] = to_hex_0x(data);
  RpcCall out{"eth_call", json::Array({std::move(transaction), json::String("latest")})};
  out.may_revert = true;
  return out;
}

RpcCall eth_get_code(const Address& address) {
  return {"eth_getCode", json::Array({json::String(to_hex_0x(address)), json::String("latest")})};
}

bool is_revert(const json::Object& error) {
  const auto* code = json::find(error, "code");
  const std::int64_t number = code != nullptr && code->is_int64() ? code->get_int64() : 0;
  if (number == kReverted || number == kVmError) return true;
  const auto* message = json::find(error, "message");
  if (message == nullptr || !message->is_string()) return false;
  const std::string text = to_lower(json::view(message->get_string()));
  return std::any_of(std::begin(kFailures), std::end(kFailures),
                     [&text](std::string_view words) { return text.contains(words); });
}

Result<CallResult> parse_call_result(const json::Value& value) {
  if (const auto* error = value.if_object())
    return CallResult{true, revert_data(json::find(*error, "data")).value_or(Bytes())};
  auto bytes = parse_bytes(value);
  if (!bytes) return fail(bytes);
  return CallResult{false, std::move(*bytes)};
}

Result<Bytes> parse_code(const json::Value& value) {
  return parse_bytes(value);
}

}   // namespace agentauri::chain
