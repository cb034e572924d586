#include "core/compress/testing/unbrotli.hpp"

#include <brotli/decode.h>

namespace agentauri::testing {

std::optional<std::string> unbrotli(std::string_view packed, std::size_t max_bytes) {
  std::string out(max_bytes, '\0');
  std::size_t size = max_bytes;
  const auto done = BrotliDecoderDecompress(packed.size(), reinterpret_cast<const std::uint8_t*>(packed.data()), &size,
                                            reinterpret_cast<std::uint8_t*>(out.data()));
  if (done != BROTLI_DECODER_RESULT_SUCCESS) return std::nullopt;
  out.resize(size);
  return out;
}

}   // namespace agentauri::testing
