// Sign-in with Ethereum, EIP-4361: the text that a wallet signs, its grammar and its checks (protocols.md 1.4). Pure.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/bytes.hpp"
#include "core/base/result.hpp"
#include "core/base/time.hpp"

namespace agentauri::gateway {

inline constexpr std::size_t kMaxSiweBytes = 4096;

struct SiweMessage {
  std::optional<std::string> scheme;
  std::string domain;
  std::string address;   // as written
  std::optional<std::string> statement;
  std::string uri;
  std::uint64_t chain_id = 1;
  std::string nonce;
  Time issued_at;
  std::optional<Time> expiration_time, not_before;
  std::optional<std::string> request_id;
  std::vector<std::string> resources;

  // Strictly by the grammar: LF between lines and none at the end, the fields in their order, nothing else. The error
  // says which line is wrong. What the values mean is check_siwe's business.
  static Result<SiweMessage> parse(std::string_view text);
  // What this program issues: times with milliseconds and Z.
  std::string format() const;
};

// What the server issued, and therefore accepts.
struct SiweExpectation {
  std::vector<std::string> domains;
  std::string uri;
  std::vector<std::uint64_t> chain_ids;
  std::optional<std::string> statement;   // nullopt: any
  std::string nonce;
  Address address;
  std::uint64_t chain_id = 1;
  std::string request_id;
  std::vector<std::string> resources;   // a message may name these, and must when `resources_required`
  bool resources_required = false;
  bool strict_checksum = true;
};

// The first rule that is broken, as the API words it: `code` is one of invalid_message, domain_mismatch, uri_mismatch,
// unsupported_chain, message_expired, message_not_yet_valid, invalid_nonce.
struct SiweFault {
  std::string code, text;
};
std::optional<SiweFault> check_siwe(const SiweMessage& message, const SiweExpectation& expected, Time now);

}   // namespace agentauri::gateway
