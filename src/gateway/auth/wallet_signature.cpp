#include "gateway/auth/wallet_signature.hpp"

#include <fmt/format.h>

#include "core/crypto/ethereum_signature.hpp"
#include "gateway/auth/contract_signature.hpp"

namespace agentauri::gateway {
namespace {

constexpr std::int64_t kRetryAfter = 30;

std::unexpected<Refusal> mismatch(std::string_view why) {
  auto out = refuse(400, "signature_mismatch", "Signature does not match claimed address");
  out.error().why = why;
  return out;
}

std::optional<Bytes> read_signature(std::string_view hex) {
  if (hex.starts_with("0x")) hex.remove_prefix(2);
  if (hex.empty() || hex.size() > 2 * kMaxSignatureBytes) return std::nullopt;
  return from_hex(hex);
}

// Nothing when the account's own key signed, else why not, as it is told when no contract speaks for the account.
std::optional<Refusal> check_key(const Address& account, const Hash32& digest, ByteView signature) {
  const auto parsed = crypto::AccountSignature::from_bytes(signature);
  if (!parsed) {
    auto out = Refusal::make(400, "invalid_signature", "Invalid signature format");
    out.details.push_back({"signature", "signature", parsed.error().text});
    return out;
  }
  const auto signer = crypto::recover_account(digest, *parsed);
  if (!signer) return Refusal::make(400, "signature_recovery_failed", "Failed to recover address from signature");
  if (*signer != account) return mismatch("another key signed").error();
  return std::nullopt;
}

Task<Outcome<SignatureProof>> ask_undeployed(ChainReader& chains, SignedMessage message, Hash32 digest, Bytes signature,
                                             ChainReader::Deadline deadline) {
  if (!chains.serves(message.chain_id)) {
    co_return refuse(400, "unsupported_signature",
                     fmt::format("Signatures of contracts cannot be verified on chain {}", message.chain_id));
  }
  const auto wrapped = unwrap_signature(signature);
  if (!wrapped) co_return refuse(400, "invalid_signature", "Invalid signature format");
  ChainCall call{std::nullopt, deploy_and_check_program(message.account, digest, *wrapped)};
  auto answer = co_await chains.call(message.chain_id, std::move(call), deadline);
  if (!answer) {
    co_return std::unexpected(
        verification_unavailable("Could not verify the signature on chain", message.chain_id, answer.error()));
  }
  if (answer->reverted || !is_yes(answer->data)) co_return mismatch("the contract, deployed as it asks, says no");
  co_return SignatureProof{.by_contract = true};
}

}   // namespace

Refusal verification_unavailable(std::string what, domain::ChainId chain, const Error& error) {
  Refusal out = Refusal::make(503, "verification_unavailable", std::move(what));
  out.retry_after_s = kRetryAfter;
  // The access line says it, with the id of the request.
  out.why = fmt::format("chain {}: {}: {}", chain, to_string(error.code), error.text);
  return out;
}

bool is_bad_signature(const Refusal& refusal) {
  return refusal.status == 400;
}

Task<Outcome<SignatureProof>> verify_signature(ChainReader& chains, SignedMessage message,
                                               ChainReader::Deadline deadline) {
  auto signature = read_signature(message.signature);
  if (!signature) co_return refuse(400, "invalid_signature", "Invalid signature format");
  const Hash32 digest = crypto::personal_message_hash(message.text);
  if (is_wrapped_signature(*signature))
    co_return co_await ask_undeployed(chains, std::move(message), digest, std::move(*signature), deadline);
  auto fault = check_key(message.account, digest, *signature);
  if (!fault) co_return SignatureProof{};
  if (!chains.serves(message.chain_id)) co_return std::unexpected(std::move(*fault));
  const auto code = co_await chains.code_at(message.chain_id, message.account, deadline);
  if (!code) {
    co_return std::unexpected(
        verification_unavailable("Could not verify the signature on chain", message.chain_id, code.error()));
  }
  if (code->empty()) co_return std::unexpected(std::move(*fault));
  ChainCall call{message.account, is_valid_signature_call(digest, *signature)};
  const auto answer = co_await chains.call(message.chain_id, std::move(call), deadline);
  if (!answer) {
    co_return std::unexpected(
        verification_unavailable("Could not verify the signature on chain", message.chain_id, answer.error()));
  }
  if (answer->reverted || !is_valid_signature_answer(answer->data)) co_return mismatch("the contract says no");
  co_return SignatureProof{.by_contract = true};
}

}   // namespace agentauri::gateway
