#include "chain/evm/rpc_json.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <charconv>
#include <map>
#include <tuple>
#include <unordered_map>

namespace agentauri::chain {
namespace {

constexpr std::size_t kMaxLogDataBytes = 4 * 1024 * 1024;
constexpr std::size_t kMaxTopics = 4;
constexpr std::uint64_t kLastSecond = 253'402'300'799;   // of the year 9999

std::unexpected<Error> wrong(std::string_view field, std::string_view rule) {
  return fail(Code::protocol, std::string(field), fmt::format("the node's `{}` is not {}", field, rule));
}
std::unexpected<Error> no_block() {
  return fail(Code::not_found, "the node does not have the block");
}

// Hexadecimal digits are most of what a node says: one table, and no copy on the way to fixed bytes.
constexpr auto kDigitValues = [] {
  std::array<std::uint8_t, 256> out{};
  out.fill(0xff);
  for (std::uint8_t i = 0; i < 10; ++i) out[static_cast<std::size_t>('0') + i] = i;
  for (std::uint8_t i = 0; i < 6; ++i) {
    out[static_cast<std::size_t>('a') + i] = static_cast<std::uint8_t>(10 + i);
    out[static_cast<std::size_t>('A') + i] = static_cast<std::uint8_t>(10 + i);
  }
  return out;
}();

// `0x` and exactly two digits for each byte of `out`.
bool read_hex(std::string_view text, std::span<std::uint8_t> out) {
  if (text.size() != 2 + 2 * out.size() || !text.starts_with("0x")) return false;
  unsigned bad = 0;
  for (std::size_t i = 0; i < out.size(); ++i) {
    const unsigned high = kDigitValues[static_cast<std::uint8_t>(text[2 + 2 * i])];
    const unsigned low = kDigitValues[static_cast<std::uint8_t>(text[3 + 2 * i])];
    bad |= high | low;
    out[i] = static_cast<std::uint8_t>(high << 4 | low);
  }
  return bad < 16;
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
Result<void> read_fixed(const json::Object& object, std::string_view field, std::array<std::uint8_t, N>& out) {
  auto text = text_member(object, field);
  if (!text) return fail(text);
  if (!read_hex(*text, out)) return wrong(field, fmt::format("{} bytes of hex", N));
  return {};
}

Result<void> read_quantity(const json::Object& object, std::string_view field, std::uint64_t& out) {
  auto value = member(object, field);
  if (!value) return fail(value);
  auto number = parse_quantity(**value, field);
  if (!number) return fail(number);
  out = *number;
  return {};
}

Result<void> read_index(const json::Object& object, std::string_view field, std::uint32_t& out) {
  std::uint64_t number = 0;
  if (auto read = read_quantity(object, field, number); !read) return read;
  if (number > UINT32_MAX) return wrong(field, "a 32-bit number");
  out = static_cast<std::uint32_t>(number);
  return {};
}

Result<void> read_topics(const json::Object& object, std::vector<Hash32>& out) {
  auto value = member(object, "topics");
  if (!value) return fail(value);
  if (!(*value)->is_array() || (*value)->get_array().size() > kMaxTopics) return wrong("topics", "a list of at most 4");
  out.resize((*value)->get_array().size());
  for (std::size_t i = 0; i < out.size(); ++i) {
    const auto& topic = (*value)->get_array()[i];
    if (!topic.is_string() || !read_hex(json::view(topic.get_string()), out[i].data)) {
      return wrong("topics", "a list of 32-byte words");
    }
  }
  return {};
}

Result<void> read_data(const json::Object& object, Bytes& out) {
  auto text = text_member(object, "data");
  if (!text) return fail(text);
  if (text->size() > 2 + 2 * kMaxLogDataBytes) return wrong("data", fmt::format("at most {} bytes", kMaxLogDataBytes));
  if (text->size() % 2 != 0 || text->size() < 2) return wrong("data", "whole bytes of hex");
  out.resize(text->size() / 2 - 1);
  if (!read_hex(*text, out)) return wrong("data", "whole bytes of hex");
  return {};
}

Result<void> read_log(const json::Value& value, RawLog& log) {
  if (!value.is_object()) return wrong("log", "an object");
  const auto& object = value.get_object();
  if (const auto* removed = json::find(object, "removed"); removed != nullptr && !removed->is_null()) {
    if (!removed->is_bool() || removed->get_bool()) return wrong("removed", "false");
  }
  if (auto read = read_fixed(object, "address", log.address.data); !read) return read;
  if (auto read = read_topics(object, log.topics); !read) return read;
  if (auto read = read_data(object, log.data); !read) return read;
  if (auto read = read_fixed(object, "blockHash", log.block_hash.data); !read) return read;
  if (auto read = read_quantity(object, "blockNumber", log.block_num); !read) return read;
  if (auto read = read_fixed(object, "transactionHash", log.txn_hash.data); !read) return read;
  if (auto read = read_index(object, "transactionIndex", log.txn_index); !read) return read;
  return read_index(object, "logIndex", log.log_index);
}

// Both members must say so: chains of another kind fill one of them with a constant.
bool names_no_transactions(const json::Object& object) {
  const auto* list = json::find(object, "transactions");
  const auto* root = json::find(object, "transactionsRoot");
  return list != nullptr && list->is_array() && list->get_array().empty() && root != nullptr && root->is_string() &&
         json::view(root->get_string()) == kEmptyTrieRoot;
}

Result<void> check_receipt(const json::Object& receipt, const Hash32& block, std::uint64_t num) {
  Hash32 hash;
  std::uint64_t number = 0;
  if (auto read = read_fixed(receipt, "blockHash", hash.data); !read) return read;
  if (auto read = read_quantity(receipt, "blockNumber", number); !read) return read;
  if (hash != block) return fail(Code::not_found, "the node has another block at that height");
  if (number != num) return wrong("blockNumber", "that of the block asked for");
  return {};
}

bool holds(const std::vector<Address>& addresses, const Address& address) {
  return std::find(addresses.begin(), addresses.end(), address) != addresses.end();
}

auto place(const RawLog& log) {
  return std::tuple(log.block_num, log.block_hash, log.txn_index, log.log_index);
}

bool same_log(const RawLog& a, const RawLog& b) {
  return a.address == b.address && a.topics == b.topics && a.data == b.data && a.txn_hash == b.txn_hash;
}

// Nodes answer in order, and then nothing is there twice; only other answers are looked through.
Result<void> take_each_once(std::vector<RawLog>& logs) {
  const auto not_rising = [](const RawLog& a, const RawLog& b) {
    return std::tuple(a.block_num, a.txn_index, a.log_index) >= std::tuple(b.block_num, b.txn_index, b.log_index);
  };
  if (std::adjacent_find(logs.begin(), logs.end(), not_rising) == logs.end()) return {};
  std::map<decltype(place(logs[0])), std::size_t> first;
  std::vector<RawLog> kept;
  for (auto& log : logs) {
    const auto [at, is_new] = first.emplace(place(log), kept.size());
    if (is_new)
      kept.push_back(std::move(log));
    else if (!same_log(kept[at->second], log))
      return wrong("logIndex", "of one log alone");
  }
  logs = std::move(kept);
  return {};
}

}   // namespace

std::string quantity(std::uint64_t n) {
  return fmt::format("0x{:x}", n);
}

Result<std::uint64_t> parse_quantity(const json::Value& value, std::string_view field) {
  if (!value.is_string()) return wrong(field, "a quantity");
  const std::string_view text = json::view(value.get_string());
  if (!text.starts_with("0x") || text.size() < 3 || text.size() > 18)
    return wrong(field, "a quantity of at most 64 bits");
  if (text[2] == '0' && text.size() > 3) return wrong(field, "a quantity without leading zeros");
  std::uint64_t number = 0;
  const auto [end, error] = std::from_chars(text.data() + 2, text.data() + text.size(), number, 16);
  if (error != std::errc{} || end != text.data() + text.size()) return wrong(field, "a quantity of at most 64 bits");
  return number;
}

Result<BlockHeader> parse_header(const json::Value& value) {
  if (value.is_null()) return no_block();
  if (!value.is_object()) return wrong("block", "an object");
  const auto& object = value.get_object();
  BlockHeader header;
  std::uint64_t time = 0;
  if (auto read = read_quantity(object, "number", header.num); !read) return fail(read);
  if (auto read = read_fixed(object, "hash", header.hash.data); !read) return fail(read);
  if (auto read = read_fixed(object, "parentHash", header.parent_hash.data); !read) return fail(read);
  if (auto read = read_quantity(object, "timestamp", time); !read) return fail(read);
  if (auto read = read_fixed(object, "logsBloom", header.logs_bloom); !read) return fail(read);
  if (time > kLastSecond) return wrong("timestamp", "before the year 10000");
  header.time = from_unix_seconds(static_cast<std::int64_t>(time));
  header.empty = names_no_transactions(object);
  return header;
}

Result<std::vector<RawLog>> parse_logs(const json::Value& value, const std::vector<Address>& addresses) {
  if (value.is_null()) return no_block();
  if (!value.is_array()) return wrong("logs", "a list");
  std::vector<RawLog> out;
  out.reserve(value.get_array().size());
  for (const auto& entry : value.get_array()) {
    RawLog& log = out.emplace_back();
    if (auto read = read_log(entry, log); !read) return fail(read);
    if (!holds(addresses, log.address)) return wrong("address", "one of those asked for");
  }
  if (auto once = take_each_once(out); !once) return fail(once);
  return out;
}

Result<std::vector<RawLog>> parse_receipts(const json::Value& value, const std::vector<Address>& addresses,
                                           const Hash32& block, std::uint64_t num) {
  if (value.is_null()) return no_block();
  if (!value.is_array()) return wrong("receipts", "a list");
  if (value.get_array().empty()) return fail(Code::not_found, "the node has no receipts of the block");
  std::vector<RawLog> out;
  for (const auto& receipt : value.get_array()) {
    const auto* logs = receipt.is_object() ? json::find(receipt.get_object(), "logs") : nullptr;
    if (logs == nullptr || !logs->is_array()) return wrong("logs", "a list");
    if (auto checked = check_receipt(receipt.get_object(), block, num); !checked) return fail(checked);
    for (const auto& entry : logs->get_array()) {
      RawLog log;
      if (auto read = read_log(entry, log); !read) return fail(read);
      if (holds(addresses, log.address)) out.push_back(std::move(log));
    }
  }
  if (auto once = take_each_once(out); !once) return fail(once);
  if (auto same = check_block(out, block, num); !same) return fail(same);
  return out;
}

Result<void> check_block(const std::vector<RawLog>& logs, const Hash32& block, std::uint64_t num) {
  for (const auto& log : logs) {
    if (log.block_hash != block) return wrong("blockHash", "that of the block asked for");
    if (log.block_num != num) return wrong("blockNumber", "that of the block asked for");
  }
  return {};
}

Result<void> check_range(const std::vector<RawLog>& logs, std::uint64_t from, std::uint64_t to) {
  std::unordered_map<std::uint64_t, const Hash32*> hashes;
  for (const auto& log : logs) {
    if (log.block_num < from || log.block_num > to) return wrong("blockNumber", "in the range asked for");
    const auto [known, is_new] = hashes.emplace(log.block_num, &log.block_hash);
    if (!is_new && *known->second != log.block_hash) return wrong("blockHash", "the same for every log of a block");
  }
  return {};
}

}   // namespace agentauri::chain
