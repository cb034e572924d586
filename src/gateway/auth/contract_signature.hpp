// Calls and programs that ask a chain whether a contract accepts a signature. Pure: bytes in, bytes out.
//
// EIP-1271: a deployed contract answers `isValidSignature(bytes32,bytes)` itself.
//
// ERC-6492: a wallet that is not deployed yet adds to its signature how to deploy it (factory, call data) and a marker.
// It is asked by one eth_call without `to`, whose data is a program of our own (84 bytes, contract_signature.cpp) with
// the call appended: the program makes the factory deploy the wallet, unless it is there, and then asks it. The chain
// forgets all of it. The other way that ERC-6492 describes, a call to a deployed Multicall contract, needs that
// contract on every chain; a program needs nothing. What the program does not do is ERC-6492's `prepare`: a wallet that
// is deployed is asked as it is, and the factory's call is not run, since that call is whatever the client wrote.
#pragma once

#include <optional>

#include "core/base/bytes.hpp"

namespace agentauri::gateway {

// Of signatures of contracts, wrapping included.
inline constexpr std::size_t kMaxSignatureBytes = 8192;

Bytes is_valid_signature_call(const Hash32& digest, ByteView signature);
// At least 32 bytes that begin with 1626ba7e.
bool is_valid_signature_answer(ByteView answer);

struct WrappedSignature {
  Address factory;
  Bytes factory_call, signature;
};
bool is_wrapped_signature(ByteView signature);
// nullopt: behind the marker stands no `abi.encode(address, bytes, bytes)`.
std::optional<WrappedSignature> unwrap_signature(ByteView signature);
// The program and its input; it answers with one word, 1 for yes.
Bytes deploy_and_check_program(const Address& account, const Hash32& digest, const WrappedSignature& signature);
bool is_yes(ByteView answer);

}   // namespace agentauri::gateway
