// Where Redis is, how to log in, and how long it is waited for.
#pragma once

#include <chrono>
#include <cstdint>
#include <string>

#include "core/crypto/crypto.hpp"

namespace agentauri::net {

struct RedisSettings {
  std::string host = "localhost";
  std::uint16_t port = 6379;
  std::string username;                   // of an ACL user; empty: the default user
  crypto::Secret<std::string> password;   // empty: none
  int database = 0;
  bool tls = false;
  std::string ca_file;   // besides the system's authorities
  std::chrono::milliseconds command_time{250};
  std::chrono::milliseconds connect_time{2000};   // name, connection, TLS and greeting together
  std::chrono::milliseconds retry_after{500};     // a connection that failed or was lost
};

}   // namespace agentauri::net
