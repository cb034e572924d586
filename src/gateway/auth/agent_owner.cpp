#include "gateway/auth/agent_owner.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "gateway/auth/wallet_signature.hpp"

namespace agentauri::gateway {
namespace {

constexpr std::array<std::uint8_t, 4> kOwnerOf{0x63, 0x52, 0x21, 0x1e};
// ERC721NonexistentToken(uint256), and Error(string) of older contracts.
constexpr std::array<std::uint8_t, 4> kNonexistent{0x7e, 0x27, 0x32, 0x89}, kErrorText{0x08, 0xc3, 0x79, 0xa0};
constexpr std::size_t kWord = 32, kPadding = 12;

std::unexpected<Refusal> unknown_agent() {
  return refuse(404, "agent_not_found", "The identity registry knows no such agent");
}
std::unexpected<Refusal> unverified(domain::ChainId chain, const Error& error) {
  return std::unexpected(verification_unavailable("Could not verify on-chain ownership", chain, error));
}

// Some nodes tell no reason; of ownerOf there is but one.
bool says_nonexistent(ByteView reason) {
  const auto begins = [reason](const auto& selector) {
    return reason.size() >= selector.size() && std::equal(selector.begin(), selector.end(), reason.begin());
  };
  return reason.empty() || begins(kNonexistent) || begins(kErrorText);
}

}   // namespace

Bytes owner_of_call(const Uint256& agent) {
  Bytes out(kOwnerOf.begin(), kOwnerOf.end());
  const Hash32 word = agent.to_word();
  out.insert(out.end(), word.data.begin(), word.data.end());
  return out;
}

Task<Outcome<Address>> read_agent_owner(ChainReader& chains, domain::ChainId chain, Address registry, Uint256 agent,
                                        ChainReader::Deadline deadline) {
  const auto answer = co_await chains.call(chain, {registry, owner_of_call(agent)}, deadline);
  if (!answer) co_return unverified(chain, answer.error());
  if (answer->reverted) {
    if (says_nonexistent(answer->data)) co_return unknown_agent();
    co_return unverified(chain, {Code::protocol, {}, "ownerOf failed for an unexpected reason"});
  }
  if (answer->data.empty()) {
    co_return unverified(chain, {Code::protocol,
                                 {},
                                 fmt::format("there is no contract at {}, the address of the identity registry: "
                                             "CHAIN_{}_IDENTITY_ADDRESS is wrong",
                                             to_hex_0x(registry), chain)});
  }
  const ByteView word = answer->data;
  const bool is_address = word.size() == kWord && std::all_of(word.begin(), word.begin() + kPadding,
                                                              [](std::uint8_t byte) { return byte == 0; });
  if (!is_address) co_return unverified(chain, {Code::protocol, {}, "ownerOf returned no address"});
  const Address owner = *Address::from(word.last(kWord - kPadding));
  if (owner.is_zero()) co_return unknown_agent();
  co_return owner;
}

}   // namespace agentauri::gateway
