#include "core/config/descriptors.hpp"

#include <sys/resource.h>

#include <algorithm>

namespace agentauri {
namespace {

// Beyond this nothing here has a use for more, and tables of the kernel grow with what is open, not with the limit.
constexpr rlim_t kEnough = 1'048'576;

}   // namespace

std::uint64_t raise_descriptor_limit() {
  rlimit limit{};
  if (::getrlimit(RLIMIT_NOFILE, &limit) != 0) return kReservedDescriptors;
  rlimit wanted = limit;
  wanted.rlim_cur = std::max(limit.rlim_cur, std::min(limit.rlim_max, kEnough));
  return ::setrlimit(RLIMIT_NOFILE, &wanted) == 0 ? wanted.rlim_cur : limit.rlim_cur;
}

std::size_t connections_per_thread(std::uint64_t descriptors, std::size_t threads, std::size_t most) {
  const std::uint64_t reserve = std::min(kReservedDescriptors, descriptors / 2);
  const std::uint64_t each = (descriptors - reserve) / std::max<std::size_t>(threads, 1);
  return static_cast<std::size_t>(std::clamp<std::uint64_t>(each, 1, most));
}

}   // namespace agentauri
