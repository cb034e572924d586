#include <openssl/evp.h>

#include <fmt/format.h>

#include <algorithm>
#include <memory>

#include "core/crypto/crypto.hpp"

namespace agentauri::crypto {
namespace {

constexpr std::string_view kPrefix = "enc:v1:";
constexpr std::size_t kIvBytes = 12;
constexpr std::size_t kTagBytes = 16;

using Cipher = std::unique_ptr<EVP_CIPHER_CTX, decltype(&EVP_CIPHER_CTX_free)>;
Cipher make_cipher() {
  return {EVP_CIPHER_CTX_new(), &EVP_CIPHER_CTX_free};
}

DataKeys::Key derived_key(std::string_view secret) {
  DataKeys::Key key;
  key.bytes = hkdf_sha256(as_bytes(secret), as_bytes("agentauri"), "data-encryption:v1");
  key.kid = to_hex(sha256(key.bytes.view()).view()).substr(0, 8);
  return key;
}

std::unexpected<Error> undecryptable(std::string text) {
  return fail(Code::corrupt, std::move(text));
}

}   // namespace

DataKeys::DataKeys(std::vector<Key> keys) : keys_(std::move(keys)) {
  ENSURE(!keys_.empty(), "at least one data key");
}

Result<DataKeys> DataKeys::parse(std::string_view text) {
  constexpr std::string_view kForm = "must be `kid:base64 of 32 bytes`, several separated by commas";
  std::vector<Key> keys;
  while (!text.empty()) {
    const std::string_view entry = text.substr(0, text.find(','));
    text.remove_prefix(std::min(text.size(), entry.size() + 1));
    const std::size_t colon = entry.find(':');
    if (colon == std::string_view::npos || colon == 0) return fail(Code::invalid, std::string(kForm));
    const auto bytes = from_base64(entry.substr(colon + 1));
    const auto key = bytes ? Hash32::from(*bytes) : std::nullopt;
    if (!key) return fail(Code::invalid, std::string(kForm));
    const std::string_view kid = entry.substr(0, colon);
    // The second of two would be there and never decrypt anything.
    if (std::any_of(keys.begin(), keys.end(), [kid](const Key& k) { return k.kid == kid; }))
      return fail(Code::invalid, fmt::format("gives the key id {} twice", kid));
    keys.push_back({std::string(kid), *key});
  }
  if (keys.empty()) return fail(Code::invalid, std::string(kForm));
  return DataKeys(std::move(keys));
}

DataKeys DataKeys::derive(std::string_view jwt_secret, std::string_view previous) {
  std::vector<Key> keys{derived_key(jwt_secret)};
  if (!previous.empty()) keys.push_back(derived_key(previous));
  return DataKeys(std::move(keys));
}

DataKeys DataKeys::with_older(const DataKeys& older) const {
  auto keys = keys_;
  keys.insert(keys.end(), older.keys_.begin(), older.keys_.end());
  return DataKeys(std::move(keys));
}

std::vector<std::string> DataKeys::kids() const {
  std::vector<std::string> out;
  for (const auto& key : keys_) out.push_back(key.kid);
  return out;
}

std::string DataKeys::encrypt(std::string_view plain, std::string_view aad) const {
  const Key& key = keys_.front();
  Bytes sealed(kIvBytes + plain.size() + kTagBytes);
  fill_random(std::span(sealed).first(kIvBytes));
  std::uint8_t* text = sealed.data() + kIvBytes;
  int length = 0;
  const Cipher cipher = make_cipher();
  bool ok = EVP_EncryptInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, key.bytes.data.data(), sealed.data()) == 1;
  ok = ok && EVP_EncryptUpdate(cipher.get(), nullptr, &length, as_bytes(aad).data(), static_cast<int>(aad.size())) == 1;
  ok =
      ok && EVP_EncryptUpdate(cipher.get(), text, &length, as_bytes(plain).data(), static_cast<int>(plain.size())) == 1;
  ok = ok && EVP_EncryptFinal_ex(cipher.get(), text + length, &length) == 1;
  ok = ok && EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_GET_TAG, kTagBytes, text + plain.size()) == 1;
  ENSURE(ok, "AES-256-GCM encryption failed");
  return fmt::format("{}{}:{}", kPrefix, key.kid, base64url(sealed));
}

Result<std::string> DataKeys::decrypt(std::string_view text, std::string_view aad) const {
  if (!text.starts_with(kPrefix)) return undecryptable("the value is not encrypted as enc:v1");
  text.remove_prefix(kPrefix.size());
  const std::size_t colon = text.find(':');
  if (colon == std::string_view::npos) return undecryptable("the encrypted value has no key id");
  const std::string_view kid = text.substr(0, colon);
  const auto key = std::find_if(keys_.begin(), keys_.end(), [kid](const Key& k) { return k.kid == kid; });
  if (key == keys_.end()) return undecryptable("the value was encrypted with a key that is not configured");
  auto sealed = from_base64url(text.substr(colon + 1));
  if (!sealed || sealed->size() < kIvBytes + kTagBytes) return undecryptable("the encrypted value is truncated");

  const std::size_t length = sealed->size() - kIvBytes - kTagBytes;
  std::string plain(length, '\0');
  auto* out = reinterpret_cast<std::uint8_t*>(plain.data());
  int written = 0;
  const Cipher cipher = make_cipher();
  bool ok = EVP_DecryptInit_ex(cipher.get(), EVP_aes_256_gcm(), nullptr, key->bytes.data.data(), sealed->data()) == 1;
  ok =
      ok && EVP_DecryptUpdate(cipher.get(), nullptr, &written, as_bytes(aad).data(), static_cast<int>(aad.size())) == 1;
  ok = ok && EVP_DecryptUpdate(cipher.get(), out, &written, sealed->data() + kIvBytes, static_cast<int>(length)) == 1;
  ok =
      ok && EVP_CIPHER_CTX_ctrl(cipher.get(), EVP_CTRL_GCM_SET_TAG, kTagBytes, sealed->data() + kIvBytes + length) == 1;
  ok = ok && EVP_DecryptFinal_ex(cipher.get(), out + length, &written) == 1;
  if (!ok) return undecryptable("the encrypted value does not belong to this row, or was changed");
  return plain;
}

}   // namespace agentauri::crypto
