#include "core/crypto/sha256_stream.hpp"

#include <openssl/evp.h>

namespace agentauri::crypto {

struct Sha256Stream::State {
  State() : context(EVP_MD_CTX_new()) {
    ENSURE(context != nullptr && EVP_DigestInit_ex(context, EVP_sha256(), nullptr) == 1, "SHA-256 is to be had");
  }
  ~State() { EVP_MD_CTX_free(context); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;
  EVP_MD_CTX* context;
};

Sha256Stream::Sha256Stream() : state_(std::make_unique<State>()) {}
Sha256Stream::~Sha256Stream() = default;
Sha256Stream::Sha256Stream(Sha256Stream&&) noexcept = default;
Sha256Stream& Sha256Stream::operator=(Sha256Stream&&) noexcept = default;

void Sha256Stream::add(ByteView bytes) {
  ENSURE(EVP_DigestUpdate(state_->context, bytes.data(), bytes.size()) == 1, "SHA-256 takes its input");
}

Hash32 Sha256Stream::finish() {
  Hash32 out;
  unsigned length = 0;
  ENSURE(EVP_DigestFinal_ex(state_->context, out.data.data(), &length) == 1 && length == out.data.size(),
         "SHA-256 gives 32 bytes");
  return out;
}

}   // namespace agentauri::crypto
