// Writes ABI-encoded event data: the other direction of chain/evm/abi.hpp, for what a fake chain emits.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/base/bytes.hpp"
#include "core/base/number.hpp"

namespace agentauri::chain {

class AbiWriter {
 public:
  AbiWriter& word(const Hash32& value);
  AbiWriter& number(const Uint256& value) { return word(value.to_word()); }
  AbiWriter& signed_number(int128 value);
  AbiWriter& dynamic(ByteView value);
  AbiWriter& text(std::string_view value) { return dynamic(as_bytes(value)); }
  Bytes finish() const;

 private:
  struct Part {
    Hash32 head;
    std::optional<Bytes> tail;
  };
  std::vector<Part> parts_;
};

Hash32 word_of_address(const Address& address);

}   // namespace agentauri::chain
