#include "chain/evm/rpc_json.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

namespace agentauri::chain {
namespace {

constexpr std::size_t kMaxLogDataBytes = 4 * 1024 * 1024;

std::unexpected<Error> wrong(std::string_view field, std::string_view rule) {
  return fail(Code::protocol, std::string(field), fmt::format("the node's `{}` is not {}", field, rule));
}

Result<const json::Value*> member(const json::Object& object, std::string_view field) {
  const auto* value = json::find(object, field);
  if (value == nullptr || value->is_null()) return wrong(field, "there");
  return value;
}

Result<std::string_view> text_member(const json::Object& object, std::string_view field) {
  auto value = member(object, field);
  if (!value) return fail(value);
  if (!(*value)->is_string()) return wrong(field, "a string");
  return json::view((*value)->get_string());
}

template <std::size_t N>
Result<FixedBytes<N>> fixed_member(const json::Object& object, std::string_view field) {
  auto text = text_member(object, field);
  if (!text) return fail(text);
  auto bytes = fixed_from_hex_0x<N>(*text);
  if (!bytes) return wrong(field, fmt::format("{} bytes of hex", N));
  return *bytes;
}

Result<std::uint64_t> quantity_member(const json::Object& object, std::string_view field) {
  auto value = member(object, field);
  if (!value) return fail(value);
  return parse_quantity(**value, field);
}

Result<RawLog> parse_log(const json::Value& value) {
  if (!value.is_object()) return wrong("log", "an object");
  const auto& object = value.get_object();
  if (const auto* removed = json::find(object, "removed");
      removed != nullptr && removed->is_bool() && removed->get_bool())
    return wrong("removed", "false");
  RawLog log;
  auto address = fixed_member<20>(object, "address");
  auto block_hash = fixed_member<32>(object, "blockHash");
  auto txn_hash = fixed_member<32>(object, "transactionHash");
  auto block_num = quantity_member(object, "blockNumber");
  auto txn_index = quantity_member(object, "transactionIndex");
  auto log_index = quantity_member(object, "logIndex");
  auto data = text_member(object, "data");
  auto topics = member(object, "topics");
  for (const Error* error : {address ? nullptr : &address.error(), block_hash ? nullptr : &block_hash.error(),
                             txn_hash ? nullptr : &txn_hash.error(), block_num ? nullptr : &block_num.error(),
                             txn_index ? nullptr : &txn_index.error(), log_index ? nullptr : &log_index.error(),
                             data ? nullptr : &data.error(), topics ? nullptr : &topics.error()}) {
    if (error != nullptr) return std::unexpected(*error);
  }
  if (*txn_index > UINT32_MAX || *log_index > UINT32_MAX) return wrong("logIndex", "a 32-bit number");
  if (data->size() > 2 * kMaxLogDataBytes) return fail(Code::protocol, "data", "a log's data is absurdly long");
  auto bytes = from_hex_0x(*data);
  if (!bytes) return wrong("data", "hex");
  if (!(*topics)->is_array() || (*topics)->get_array().size() > 4) return wrong("topics", "a list of at most 4");
  for (const auto& topic : (*topics)->get_array()) {
    const auto hash = topic.is_string() ? parse_hash(json::view(topic.get_string())) : std::nullopt;
    if (!hash) return wrong("topics", "a list of 32-byte words");
    log.topics.push_back(*hash);
  }
  log.address = *address;
  log.data = std::move(*bytes);
  log.block_hash = *block_hash;
  log.block_num = *block_num;
  log.txn_hash = *txn_hash;
  log.txn_index = static_cast<std::uint32_t>(*txn_index);
  log.log_index = static_cast<std::uint32_t>(*log_index);
  return log;
}

bool holds(std::string_view text, std::string_view part) {
  return std::search(text.begin(), text.end(), part.begin(), part.end(),
                     [](char a, char b) { return std::tolower(static_cast<unsigned char>(a)) == b; }) != text.end();
}

// Words in which common providers and nodes say "ask for less". In lower case.
constexpr std::string_view kTooLarge[] = {"query returned more than",
                                          "more than 10000 results",
                                          "block range is too wide",
                                          "block range too large",
                                          "exceed maximum block range",
                                          "exceeds the range",
                                          "range is too large",
                                          "block range limit",
                                          "range limit exceeded",
                                          "log response size exceeded",
                                          "response size should not",
                                          "response size is larger",
                                          "response is too big",
                                          "response too large",
                                          "too many results",
                                          "too many logs",
                                          "up to a",
                                          "is limited to",
                                          "limited to 0 -",
                                          "max block range",
                                          "maximum block range",
                                          "eth_getlogs is limited",
                                          "please limit the query",
                                          "narrow down",
                                          "block range should",
                                          "blocks range",
                                          "exceeded max range",
                                          "requested too many blocks",
                                          "query exceeds",
                                          "query timeout exceeded",
                                          "result set too large",
                                          "max results",
                                          "distance between",
                                          "cannot be greater than",
                                          "you can make eth_getlogs requests with up to"};
constexpr std::string_view kRateLimited[] = {"rate limit",
                                             "too many requests",
                                             "quota exceeded",
                                             "429",
                                             "compute units per second",
                                             "request count exceeded",
                                             "call rate limit"};
constexpr std::string_view kNotFound[] = {"unknown block", "header not found",  "block not found",
                                          "not found",     "missing trie node", "resource not found"};
constexpr std::string_view kUnsupported[] = {"method not found", "does not exist", "not supported",
                                             "not available",    "unsupported",    "not whitelisted"};

template <std::size_t N>
bool holds_any(std::string_view text, const std::string_view (&parts)[N]) {
  return std::any_of(std::begin(parts), std::end(parts), [text](std::string_view part) { return holds(text, part); });
}

}   // namespace

std::string quantity(std::uint64_t n) {
  return fmt::format("0x{:x}", n);
}

Result<std::uint64_t> parse_quantity(const json::Value& value, std::string_view field) {
  if (!value.is_string()) return wrong(field, "a quantity");
  const std::string_view text = json::view(value.get_string());
  std::uint64_t number = 0;
  if (!text.starts_with("0x") || text.size() < 3 || text.size() > 18)
    return wrong(field, "a quantity of at most 64 bits");
  const auto [end, error] = std::from_chars(text.data() + 2, text.data() + text.size(), number, 16);
  if (error != std::errc{} || end != text.data() + text.size()) return wrong(field, "a quantity of at most 64 bits");
  return number;
}

Result<BlockHeader> parse_header(const json::Value& value) {
  if (value.is_null()) return fail(Code::not_found, "the node does not have the block");
  if (!value.is_object()) return wrong("block", "an object");
  const auto& object = value.get_object();
  auto num = quantity_member(object, "number");
  if (!num) return fail(num);
  auto hash = fixed_member<32>(object, "hash");
  if (!hash) return fail(hash);
  auto parent = fixed_member<32>(object, "parentHash");
  if (!parent) return fail(parent);
  auto time = quantity_member(object, "timestamp");
  if (!time) return fail(time);
  if (*time > 253'402'300'799) return wrong("timestamp", "before the year 10000");
  auto bloom = fixed_member<256>(object, "logsBloom");
  if (!bloom) return fail(bloom);
  return BlockHeader{*num, *hash, *parent, from_unix_seconds(static_cast<std::int64_t>(*time)), bloom->data};
}

Result<std::vector<RawLog>> parse_logs(const json::Value& value, const std::vector<Address>& addresses) {
  if (value.is_null()) return fail(Code::not_found, "the node does not have the block");
  if (!value.is_array()) return wrong("logs", "a list");
  std::vector<RawLog> out;
  out.reserve(value.get_array().size());
  for (const auto& entry : value.get_array()) {
    auto log = parse_log(entry);
    if (!log) return fail(log);
    if (std::find(addresses.begin(), addresses.end(), log->address) == addresses.end())
      return wrong("address", "one of those asked for");
    out.push_back(std::move(*log));
  }
  return out;
}

Result<std::vector<RawLog>> parse_receipts(const json::Value& value, const std::vector<Address>& addresses) {
  if (value.is_null()) return fail(Code::not_found, "the node does not have the block");
  if (!value.is_array()) return wrong("receipts", "a list");
  std::vector<RawLog> out;
  for (const auto& receipt : value.get_array()) {
    const auto* logs = receipt.is_object() ? json::find(receipt.get_object(), "logs") : nullptr;
    if (logs == nullptr || !logs->is_array()) return wrong("logs", "a list");
    for (const auto& entry : logs->get_array()) {
      auto log = parse_log(entry);
      if (!log) return fail(log);
      if (std::find(addresses.begin(), addresses.end(), log->address) != addresses.end())
        out.push_back(std::move(*log));
    }
  }
  return out;
}

Code classify_rpc_error(int http_status, std::int64_t code, std::string_view message) {
  if (http_status == 413) return Code::too_large;
  if (http_status == 429) return Code::rate_limited;
  if (holds_any(message, kTooLarge)) return Code::too_large;
  if (holds_any(message, kRateLimited)) return Code::rate_limited;
  if (code == -32601 || holds_any(message, kUnsupported)) return Code::unsupported;
  if (code == -32001 || holds_any(message, kNotFound)) return Code::not_found;
  if (code == -32005) return Code::too_large;   // "limit exceeded", without a word of which
  return Code::unavailable;
}

}   // namespace agentauri::chain
