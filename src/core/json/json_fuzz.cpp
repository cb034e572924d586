// Whatever parses must print to something that parses to the same value.
#include <algorithm>
#include <cmath>
#include <cstdlib>

#include "core/json/json.hpp"

namespace {

using agentauri::json::Value;

// The library may read a number of many digits an ulp or two away from the nearest double, and so another one of what
// it has printed.
constexpr double kFewUlps = 1e-15;

bool same(const Value& a, const Value& b) {
  if (a.is_double() && b.is_number()) {
    const double other = b.to_number<double>();
    return std::abs(a.get_double() - other) <= kFewUlps * std::abs(other);
  }
  if (a.is_array() && b.is_array()) {
    return std::equal(a.get_array().begin(), a.get_array().end(), b.get_array().begin(), b.get_array().end(), same);
  }
  if (a.is_object() && b.is_object()) {
    const auto member = [](const auto& x, const auto& y) { return x.key() == y.key() && same(x.value(), y.value()); };
    return std::equal(a.get_object().begin(), a.get_object().end(), b.get_object().begin(), b.get_object().end(),
                      member);
  }
  return a == b;
}

}   // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace agentauri;
  const auto value = json::parse({reinterpret_cast<const char*>(data), size});
  if (!value) return 0;
  const auto again = json::parse(json::dump(*value));
  if (!again || !same(*value, *again)) std::abort();
  return 0;
}
