#include "chain/evm/rpc_refusal.hpp"

#include <algorithm>
#include <cctype>

namespace agentauri::chain {
namespace {

// Words are in lower case, `*` stands for a stretch of other text, `#` for a number that stands alone. The first row
// that fits decides, so that what merely looks like another meaning ("limited to 25 requests per second") comes before
// it.
struct Words {
  std::string_view pattern;
  Code code;
};
constexpr Words kWords[] = {
    // Beyond the node's head: newer releases refuse what older ones answered with nothing.
    {"beyond current head", Code::not_found},
    {"beyond the head", Code::not_found},
    {"block is out of range", Code::not_found},
    // Too often.
    {"too many requests in*batch", Code::too_large},
    {"too many requests", Code::rate_limited},
    {"rate limit", Code::rate_limited},
    {"rate-limit", Code::rate_limited},
    {"ratelimit", Code::rate_limited},
    {"requests per second", Code::rate_limited},
    {"compute units per second", Code::rate_limited},
    {"request count exceeded", Code::rate_limited},
    {"request rate exceeded", Code::rate_limited},
    {"requests limit", Code::rate_limited},
    {"request limit reached", Code::rate_limited},
    {"rps limit", Code::rate_limited},
    {"quota exceeded", Code::rate_limited},
    {"exceeded its quota", Code::rate_limited},
    {"exceeded the quota", Code::rate_limited},
    {"capacity exceeded", Code::rate_limited},
    {"capacity limit", Code::rate_limited},
    {"throughput limit", Code::rate_limited},
    {"http 429", Code::rate_limited},
    {"status 429", Code::rate_limited},
    {"429 too", Code::rate_limited},
    // Too much at once: results, bytes or time.
    {"query returned more than", Code::too_large},
    {"more than # results", Code::too_large},
    {"more than # logs", Code::too_large},
    {"too many results", Code::too_large},
    {"too many logs", Code::too_large},
    {"exceeds max results", Code::too_large},
    {"max results", Code::too_large},
    {"result set too large", Code::too_large},
    {"logs matched by query exceeds limit", Code::too_large},
    {"response size", Code::too_large},
    {"response is too big", Code::too_large},
    {"response too large", Code::too_large},
    {"response exceed", Code::too_large},
    {"length limit exceeded", Code::too_large},
    {"entity too large", Code::too_large},
    {"body too large", Code::too_large},
    {"content too large", Code::too_large},
    {"please limit the query", Code::too_large},
    {"narrow your filter", Code::too_large},
    {"narrow down", Code::too_large},
    {"specify less number of addresses", Code::too_large},
    {"query timeout", Code::too_large},
    {"query duration", Code::too_large},
    {"timed out*range", Code::too_large},
    {"timeout*range", Code::too_large},
    // Too many blocks.
    {"block range is too", Code::too_large},
    {"block range too", Code::too_large},
    {"range too large", Code::too_large},
    {"range is too", Code::too_large},
    {"maximum block range", Code::too_large},
    {"max block range", Code::too_large},
    {"max range", Code::too_large},
    {"maximum range", Code::too_large},
    {"maximum allowed range", Code::too_large},
    {"max allowed range", Code::too_large},
    {"maxblockrange", Code::too_large},
    {"maximum rpc range limit", Code::too_large},
    {"range limit exceeded", Code::too_large},
    {"range exceeds", Code::too_large},
    {"range # exceeds", Code::too_large},
    {"range exceeded", Code::too_large},
    {"exceeds the range", Code::too_large},
    {"exceeded max range", Code::too_large},
    {"block range limit", Code::too_large},
    {"block range should", Code::too_large},
    {"block range greater", Code::too_large},
    {"block range must", Code::too_large},
    {"blocks range", Code::too_large},
    {"block range*limited", Code::too_large},
    {"ranges over", Code::too_large},
    {"limited to*range", Code::too_large},
    {"limited to*block", Code::too_large},
    {"up to a*block range", Code::too_large},
    {"up to*blocks", Code::too_large},
    {"too many blocks", Code::too_large},
    {"distance between*block", Code::too_large},
    {"toblock*fromblock*must", Code::too_large},
    {"query exceeds", Code::too_large},
    // Batches.
    {"batch size", Code::too_large},
    {"batch too large", Code::too_large},
    {"batch limit", Code::too_large},
    {"batch of more than", Code::too_large},
    {"batch requests are not", Code::unsupported},
    // The block is not there. Before the words of missing methods: "not available" is said of both.
    {"unknown block", Code::not_found},
    {"header not found", Code::not_found},
    {"block not found", Code::not_found},
    {"could not find block", Code::not_found},
    {"cannot find block", Code::not_found},
    {"block # not found", Code::not_found},
    {"block*is not available", Code::not_found},
    {"resource not found", Code::not_found},
    {"missing trie node", Code::not_found},
    {"cannot be found", Code::not_found},
    {"unfinalized", Code::not_found},
    // The method, or a form of it, is not offered.
    {"method*not found", Code::unsupported},
    {"method*does not exist", Code::unsupported},
    {"method*not available", Code::unsupported},
    {"method*not supported", Code::unsupported},
    {"method*not allowed", Code::unsupported},
    {"method*disabled", Code::unsupported},
    {"not whitelisted", Code::unsupported},
    {"unsupported method", Code::unsupported},
    {"not supported", Code::unsupported},
};

constexpr std::int64_t kMethodNotFound = -32601;
constexpr std::int64_t kResourceNotFound = -32001;
constexpr std::int64_t kLimitExceeded = -32005;   // said of ranges and of rates, often without a word of which
constexpr std::int64_t kInvalidParams = -32602;   // a block tag or a form of filter that this node does not know
constexpr std::int64_t kDrpcRange = 35;           // ranges of free accounts

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

// Length of the number with separators that `text` begins with.
std::size_t number_length(std::string_view text) {
  std::size_t length = 0;
  while (length < text.size() &&
         (is_digit(text[length]) || (length > 0 && (text[length] == ',' || text[length] == '_'))))
    ++length;
  return length;
}

// Whether `text` begins with the pattern (no star in it).
bool begins_with(std::string_view text, std::string_view pattern, std::size_t& length) {
  length = 0;
  for (const char c : pattern) {
    const std::string_view rest = text.substr(length);
    const std::size_t taken = c == '#' ? number_length(rest) : static_cast<std::size_t>(!rest.empty() && rest[0] == c);
    if (taken == 0) return false;
    length += taken;
  }
  return true;
}

bool holds(std::string_view text, std::string_view pattern) {
  while (true) {
    const std::size_t star = pattern.find('*');
    const std::string_view piece = pattern.substr(0, star);
    bool found = false;
    for (std::size_t at = 0; at < text.size() && !found; ++at) {
      std::size_t length = 0;
      found = begins_with(text.substr(at), piece, length);
      if (found) text = text.substr(at + length);
    }
    if (!found || star == std::string_view::npos) return found;
    pattern = pattern.substr(star + 1);
  }
}

constexpr std::size_t kMaxMessage = 2000;   // what is looked at

}   // namespace

Code meaning_of(const Refusal& refusal) {
  if (refusal.http_status == 413) return Code::too_large;
  if (refusal.http_status == 429 || refusal.rpc_code == 429) return Code::rate_limited;
  if (refusal.rpc_code == kMethodNotFound) return Code::unsupported;
  std::string text(refusal.message.substr(0, kMaxMessage));
  std::transform(text.begin(), text.end(), text.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  for (const auto& words : kWords) {
    if (holds(text, words.pattern)) return words.code;
  }
  if (refusal.rpc_code == kResourceNotFound) return Code::not_found;
  if (refusal.rpc_code == kLimitExceeded || refusal.rpc_code == kDrpcRange) return Code::too_large;
  if (refusal.rpc_code == kInvalidParams) return Code::unsupported;
  return Code::unavailable;
}

bool is_about_question(Code code) {
  return code == Code::too_large || code == Code::not_found || code == Code::unsupported;
}

}   // namespace agentauri::chain
