// File descriptors: how many this process may have, and how many of them its clients may use up.
#pragma once

#include <cstddef>
#include <cstdint>

namespace agentauri {

// Kept for what is not a client's connection: webhooks on their way and idle (net::HttpClient), RPC endpoints, the
// store, files. Of a limit that is small itself, half.
inline constexpr std::uint64_t kReservedDescriptors = 1024;

// Raises the soft limit of open files to the hard one, which is there for that: the usual soft limit of 1024 is for
// programs that use select(). Returns the limit in force.
std::uint64_t raise_descriptor_limit();

// What each of `threads` may hold in connections, and no more than `most`. At least one.
std::size_t connections_per_thread(std::uint64_t descriptors, std::size_t threads, std::size_t most);

}   // namespace agentauri
