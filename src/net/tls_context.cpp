#include "net/tls_context.hpp"

#include <openssl/ssl.h>
#include <openssl/x509.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>

namespace agentauri::net {
namespace asio = boost::asio;
namespace {

// `c_rehash` links each authority as <hash of its subject>.<n>.
bool is_hashed(const std::filesystem::path& folder) {
  constexpr std::size_t kHashDigits = 8;
  std::error_code error;
  for (std::filesystem::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
    const std::string name = entry->path().filename().string();
    if (name.size() == kHashDigits + 2 && name.ends_with(".0") &&
        std::all_of(name.begin(), name.begin() + kHashDigits, ::isxdigit))
      return true;
  }
  return false;
}

// Reading the system's whole bundle takes some 50 ms, so it is left out where the folder offers the same one by one.
void trust_system(SSL_CTX* context) {
  const char* named_folder = std::getenv(X509_get_default_cert_dir_env());
  const bool names_file = std::getenv(X509_get_default_cert_file_env()) != nullptr;
  const char* folder = named_folder != nullptr ? named_folder : X509_get_default_cert_dir();
  if (!names_file && is_hashed(folder))
    SSL_CTX_set_default_verify_dir(context);
  else
    SSL_CTX_set_default_verify_paths(context);
}

}   // namespace

asio::ssl::context make_client_tls(const std::string& ca_file, std::string& problem) {
  asio::ssl::context context(asio::ssl::context::tls_client);
  SSL_CTX_set_min_proto_version(context.native_handle(), TLS1_2_VERSION);
  trust_system(context.native_handle());
  boost::system::error_code error;
  if (!ca_file.empty()) context.load_verify_file(ca_file, error);
  if (error) problem = error.message();
  context.set_verify_mode(asio::ssl::verify_peer);
  return context;
}

}   // namespace agentauri::net
