// Whatever parses must print to something that parses to the same value.
#include <cstdlib>

#include "core/json/json.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace agentauri;
  const auto value = json::parse({reinterpret_cast<const char*>(data), size});
  if (!value) return 0;
  const auto again = json::parse(json::dump(*value));
  if (!again || json::dump(*again) != json::dump(*value)) std::abort();
  return 0;
}
