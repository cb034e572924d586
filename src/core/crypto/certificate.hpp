// What an X.509 certificate says of itself. Nothing is verified here.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.hpp"
#include "core/base/time.hpp"

namespace agentauri::crypto {

struct CertificateFacts {
  std::vector<std::string> names;   // DNS names it is for; without any, its common name; printable ASCII, at most 100
  Time not_after;                   // valid until then, whole seconds
};

// The first certificate of a PEM text: of a chain file that is the server's own. Code::invalid: there is none.
Result<CertificateFacts> read_certificate(std::string_view pem);

}   // namespace agentauri::crypto
