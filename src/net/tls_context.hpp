// The client's side of TLS: 1.2 or newer, certificates checked against the system's authorities and one more file.
#pragma once

#include <boost/asio/ssl/context.hpp>

#include <string>

#include "core/base/result.hpp"

namespace agentauri::net {

// Cheap where the system keeps a hashed folder of authorities: they are read when a certificate asks for them. The
// context is usable also when a file could not be read (`problem` says so): it then trusts fewer authorities.
boost::asio::ssl::context make_client_tls(const std::string& ca_file, std::string& problem);

}   // namespace agentauri::net
