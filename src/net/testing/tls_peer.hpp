// A certificate authority and TLS peers for tests. Keys live as long as the test.
#pragma once

#include <openssl/types.h>

#include <memory>
#include <string>
#include <vector>

#include "net/testing/raw_socket.hpp"

namespace agentauri::net::testing {

class TestAuthority {
 public:
  TestAuthority();
  ~TestAuthority();
  TestAuthority(const TestAuthority&) = delete;
  TestAuthority& operator=(const TestAuthority&) = delete;

  // The root certificate as a PEM file in a temporary place.
  const std::string& file() const { return file_; }
  // A server's context with a certificate for these subject alternative names ("DNS:a.test", "IP:127.0.0.1").
  // `valid_days` below zero: expired.
  std::shared_ptr<SSL_CTX> make_context(const std::string& names, int valid_days = 1) const;

 private:
  EVP_PKEY* key_ = nullptr;
  X509* certificate_ = nullptr;
  std::string file_;
};

// The server's end of a TLS connection, blocking.
class TlsSocket {
 public:
  TlsSocket(RawSocket socket, SSL_CTX* context);
  ~TlsSocket();
  TlsSocket(const TlsSocket&) = delete;
  TlsSocket& operator=(const TlsSocket&) = delete;

  // The handshake; false when the client broke it off.
  bool accept();
  std::string server_name() const;   // what the client asked for (SNI); empty when nothing
  bool send(const std::string& bytes);
  // Up to the end of a head, and its body by Content-Length.
  std::string read_request();
  void shutdown();

 private:
  RawSocket socket_;
  SSL* ssl_ = nullptr;
};

}   // namespace agentauri::net::testing
