#include "chain/evm/rpc_batch.hpp"

#include <fmt/format.h>

#include <optional>

#include "chain/evm/eth_call.hpp"
#include "chain/evm/rpc_refusal.hpp"

namespace agentauri::chain {
namespace {

constexpr std::size_t kMaxQuoted = 200;   // of what a provider says

json::Object request_object(const RpcCall& call, std::size_t id) {
  json::Object out;
  out["jsonrpc"] = "2.0";
  out["id"] = id;
  out["method"] = json::String(call.method);
  out["params"] = call.params;
  return out;
}

Result<json::Value> result_of(json::Object& answer, std::string_view method, bool may_revert) {
  if (const auto* error = json::find(answer, "error"); error != nullptr && !error->is_null()) {
    const auto* object = error->if_object();
    if (may_revert && object != nullptr && is_revert(*object)) return *error;
    const auto* code = object != nullptr ? json::find(*object, "code") : nullptr;
    const auto* message = object != nullptr ? json::find(*object, "message") : error;
    const std::int64_t number = code != nullptr && code->is_int64() ? code->get_int64() : 0;
    const std::string_view text = message != nullptr && message->is_string() ? json::view(message->get_string()) : "";
    return fail(meaning_of({.rpc_code = number, .message = text}),
                fmt::format("{}: error {}: {}", method, number, text.substr(0, kMaxQuoted)));
  }
  auto* result = answer.if_contains("result");
  if (result == nullptr)
    return fail(Code::protocol, fmt::format("{}: the answer has neither result nor error", method));
  return std::move(*result);
}

// The call that an answer names; nullopt when it names none of ours.
std::optional<std::size_t> place_of(const json::Object& answer, std::size_t calls) {
  const auto* id = json::find(answer, "id");
  if (id == nullptr || !id->is_int64() || id->get_int64() < 0) return std::nullopt;
  const auto place = static_cast<std::size_t>(id->get_int64());
  return place < calls ? std::optional(place) : std::nullopt;
}

}   // namespace

std::string render_calls(const std::vector<RpcCall>& calls) {
  if (calls.size() == 1) return json::dump(request_object(calls[0], 0));
  json::Array batch;
  for (std::size_t i = 0; i < calls.size(); ++i) batch.emplace_back(request_object(calls[i], i));
  return json::dump(batch);
}

Result<std::vector<json::Value>> match_answers(json::Value answer, const std::vector<RpcCall>& calls) {
  json::Array members;
  if (answer.is_array())
    members = std::move(answer.get_array());
  else if (answer.is_object())
    members.push_back(std::move(answer));
  else
    return fail(Code::protocol, "the answer is neither an object nor a list");
  std::vector<json::Value> results(calls.size());
  std::vector<bool> seen(calls.size(), false);
  std::size_t answered = 0, refused_at = calls.size();
  std::optional<Error> refusal;
  for (auto& member : members) {
    if (!member.is_object()) return fail(Code::protocol, "an answer is not an object");
    auto& object = member.get_object();
    const auto place = place_of(object, calls.size());
    auto result = result_of(object, place ? calls[*place].method : std::string_view("request"),
                            place && calls[*place].may_revert);
    // Nodes that refuse a whole batch name no call, or the first one alone.
    if (!result && (!place || members.size() < calls.size())) return fail(result);
    if (!place || seen[*place]) return fail(Code::protocol, "an answer to nothing that was asked");
    seen[*place] = true;
    ++answered;
    if (result) {
      results[*place] = std::move(*result);
    } else if (*place < refused_at) {
      refused_at = *place;
      refusal = std::move(result.error());
      refusal->field = calls[*place].method;
    }
  }
  if (refusal) return std::unexpected(std::move(*refusal));
  if (answered < calls.size()) return fail(Code::protocol, "a call of the batch has no answer");
  return results;
}

}   // namespace agentauri::chain
