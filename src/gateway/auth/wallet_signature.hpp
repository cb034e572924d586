// Whose signature is it: that of an account with a key (EIP-191), or of a contract (EIP-1271, ERC-6492).
#pragma once

#include <string>
#include <string_view>

#include "core/async/task.hpp"
#include "gateway/chain_reader.hpp"
#include "gateway/refusal.hpp"

namespace agentauri::gateway {

// For everything that one request asks of chains: below the 30 s that proxies wait.
inline constexpr std::chrono::seconds kChainTime{25};

struct SignedMessage {
  Address account;   // who is said to have signed
  domain::ChainId chain_id = 1;
  std::string text;        // signed as `personal_sign` does
  std::string signature;   // hex, `0x` or not
};
// Of a contract the answer holds at this moment and on this chain only: never kept for another action.
struct SignatureProof {
  bool by_contract = false;
};
// 1. With the marker of ERC-6492: as that says, on the chain of the message.
// 2. A signature from which the account itself is recovered is the key's, whatever code the account may carry (the key
//    of an account with an EIP-7702 delegation stays its master; no contract has a key). No chain is asked, so that
//    keys sign in while a chain cannot be reached.
// 3. Code on the chain, a delegation too: EIP-1271.
// 4. Neither: refused.
// 400 invalid_signature, signature_recovery_failed, signature_mismatch or unsupported_signature: the signature is bad.
// 503 verification_unavailable: the chain could not be asked, and nothing is known.
Task<Outcome<SignatureProof>> verify_signature(ChainReader& chains, SignedMessage message,
                                               ChainReader::Deadline deadline);
bool is_bad_signature(const Refusal& refusal);

// 503 with Retry-After; `what` is the sentence for the client, `error` goes to the access line and the log.
Refusal verification_unavailable(std::string what, domain::ChainId chain, const Error& error);

}   // namespace agentauri::gateway
