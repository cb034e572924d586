#include "net/certificate.hpp"

#include <fmt/format.h>
#include <openssl/pem.h>
#include <openssl/x509.h>

#include <cerrno>
#include <cstdio>
#include <cstring>
#include <ctime>
#include <memory>

namespace agentauri::net {

Result<Time> certificate_end(const std::string& path) {
  const std::unique_ptr<FILE, int (*)(FILE*)> file(std::fopen(path.c_str(), "re"), std::fclose);
  if (!file) return fail(Code::unavailable, fmt::format("{}", std::strerror(errno)));
  const std::unique_ptr<X509, void (*)(X509*)> certificate(PEM_read_X509(file.get(), nullptr, nullptr, nullptr),
                                                           X509_free);
  std::tm when{};
  if (!certificate || ASN1_TIME_to_tm(X509_get0_notAfter(certificate.get()), &when) != 1)
    return fail(Code::corrupt, "there is no certificate in it");
  return from_unix_seconds(static_cast<std::int64_t>(::timegm(&when)));
}

}   // namespace agentauri::net
