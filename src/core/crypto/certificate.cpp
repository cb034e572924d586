#include "core/crypto/certificate.hpp"

#include <openssl/asn1.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <algorithm>
#include <ctime>
#include <memory>

namespace agentauri::crypto {
namespace {

constexpr std::size_t kMaxNames = 100;
constexpr std::size_t kMaxNameBytes = 253;   // RFC 1035

struct Free {
  void operator()(BIO* bio) const { BIO_free(bio); }
  void operator()(X509* certificate) const { X509_free(certificate); }
  void operator()(GENERAL_NAMES* names) const { GENERAL_NAMES_free(names); }
};

// Whoever made the certificate wrote this, and it becomes a label.
std::string printable(const ASN1_STRING* text) {
  const auto* data = ASN1_STRING_get0_data(text);
  const auto size = std::min(static_cast<std::size_t>(ASN1_STRING_length(text)), kMaxNameBytes);
  std::string out(data, data + size);
  std::replace_if(out.begin(), out.end(), [](char c) { return c < ' ' || c > '~'; }, '?');
  return out;
}

std::vector<std::string> names_of(const X509* certificate) {
  std::vector<std::string> out;
  const std::unique_ptr<GENERAL_NAMES, Free> names(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(certificate, NID_subject_alt_name, nullptr, nullptr)));
  for (int i = 0; names && i < sk_GENERAL_NAME_num(names.get()) && out.size() < kMaxNames; ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type == GEN_DNS) out.push_back(printable(name->d.dNSName));
  }
  if (!out.empty()) return out;
  const X509_NAME* subject = X509_get_subject_name(certificate);
  const int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1);
  if (at >= 0) out.push_back(printable(X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at))));
  return out;
}

}   // namespace

Result<CertificateFacts> read_certificate(std::string_view pem) {
  const std::unique_ptr<BIO, Free> bio(BIO_new_mem_buf(pem.data(), static_cast<int>(pem.size())));
  const std::unique_ptr<X509, Free> certificate(bio ? PEM_read_bio_X509(bio.get(), nullptr, nullptr, nullptr)
                                                    : nullptr);
  ERR_clear_error();
  if (!certificate) return fail(Code::invalid, "there is no certificate in it");
  std::tm end{};
  if (ASN1_TIME_to_tm(X509_get0_notAfter(certificate.get()), &end) != 1)
    return fail(Code::invalid, "the certificate does not say how long it is valid");
  return CertificateFacts{names_of(certificate.get()), from_unix_seconds(::timegm(&end))};
}

}   // namespace agentauri::crypto
