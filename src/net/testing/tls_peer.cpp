#include "net/testing/tls_peer.hpp"

#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <unistd.h>

#include <atomic>
#include <stdexcept>

namespace agentauri::net::testing {
namespace {

void must(bool fine, const char* what) {
  if (!fine) throw std::runtime_error(std::string("openssl: ") + what);
}

void add_extension(X509* certificate, X509* issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, issuer, certificate, nullptr, nullptr, 0);
  X509_EXTENSION* extension = X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str());
  must(extension != nullptr, "extension");
  X509_add_ext(certificate, extension, -1);
  X509_EXTENSION_free(extension);
}

// Signed by `issuer_key`; `issuer` null: by itself.
X509* make_certificate(const std::string& name, EVP_PKEY* key, X509* issuer, EVP_PKEY* issuer_key, int valid_days) {
  static std::atomic<long> serial{1};
  X509* certificate = X509_new();
  X509_set_version(certificate, 2);
  ASN1_INTEGER_set(X509_get_serialNumber(certificate), serial++);
  X509_gmtime_adj(X509_getm_notBefore(certificate), -86'400L * 10);
  X509_gmtime_adj(X509_getm_notAfter(certificate), 86'400L * valid_days);
  X509_set_pubkey(certificate, key);
  X509_NAME_add_entry_by_txt(X509_get_subject_name(certificate), "CN", MBSTRING_ASC,
                             reinterpret_cast<const unsigned char*>(name.c_str()), -1, -1, 0);
  X509_set_issuer_name(certificate, X509_get_subject_name(issuer != nullptr ? issuer : certificate));
  if (issuer == nullptr)
    add_extension(certificate, certificate, NID_basic_constraints, "critical,CA:TRUE");
  else
    add_extension(certificate, issuer, NID_subject_alt_name, name);
  must(X509_sign(certificate, issuer_key, EVP_sha256()) > 0, "sign");
  return certificate;
}

}   // namespace

TestAuthority::TestAuthority() : key_(EVP_EC_gen("P-256")) {
  must(key_ != nullptr, "key");
  certificate_ = make_certificate("test authority", key_, nullptr, key_, 1);
  char name[] = "/tmp/agentauri-test-ca-XXXXXX";
  const int fd = ::mkstemp(name);
  must(fd >= 0, "temporary file");
  FILE* out = ::fdopen(fd, "w");
  PEM_write_X509(out, certificate_);
  ::fclose(out);
  file_ = name;
}

TestAuthority::~TestAuthority() {
  ::unlink(file_.c_str());
  X509_free(certificate_);
  EVP_PKEY_free(key_);
}

std::shared_ptr<SSL_CTX> TestAuthority::make_context(const std::string& names, int valid_days) const {
  std::shared_ptr<SSL_CTX> context(SSL_CTX_new(TLS_server_method()), SSL_CTX_free);
  EVP_PKEY* key = EVP_EC_gen("P-256");
  X509* certificate = make_certificate(names, key, certificate_, key_, valid_days);
  must(SSL_CTX_use_certificate(context.get(), certificate) == 1 && SSL_CTX_use_PrivateKey(context.get(), key) == 1,
       "context");
  X509_free(certificate);
  EVP_PKEY_free(key);
  return context;
}

TlsSocket::TlsSocket(RawSocket socket, SSL_CTX* context) : socket_(std::move(socket)), ssl_(SSL_new(context)) {
  SSL_set_fd(ssl_, socket_.fd());
}

TlsSocket::~TlsSocket() {
  SSL_free(ssl_);
}

bool TlsSocket::accept() {
  return SSL_accept(ssl_) == 1;
}

std::string TlsSocket::server_name() const {
  const char* name = SSL_get_servername(ssl_, TLSEXT_NAMETYPE_host_name);
  return name != nullptr ? name : "";
}

bool TlsSocket::send(const std::string& bytes) {
  return SSL_write(ssl_, bytes.data(), static_cast<int>(bytes.size())) > 0;
}

std::string TlsSocket::read_request() {
  std::string out;
  std::size_t wanted = std::string::npos;
  while (out.size() < wanted) {
    char buffer[4096];
    const int got = SSL_read(ssl_, buffer, sizeof buffer);
    if (got <= 0) return out;
    out.append(buffer, static_cast<std::size_t>(got));
    const std::size_t end = out.find("\r\n\r\n");
    if (end == std::string::npos) continue;
    const std::size_t length = out.find("Content-Length: ");
    wanted = end + 4 + (length < end ? std::stoul(out.substr(length + 16)) : 0);
  }
  return out;
}

void TlsSocket::shutdown() {
  SSL_shutdown(ssl_);
}

}   // namespace agentauri::net::testing
