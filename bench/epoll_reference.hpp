// The least that a server can do: one thread, one epoll set, a static reply for every empty line that comes in. Parses
// nothing and has no deadline; what a real server costs is measured against it.
#pragma once

#include <string>

namespace agentauri::bench {

// A listening socket on a loopback port of the kernel's choice.
int listen_on_loopback(unsigned short& port);

// Serves `reply` until the process is ended.
[[noreturn]] void serve_with_epoll(int listener, const std::string& reply);

}   // namespace agentauri::bench
