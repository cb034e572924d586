// Certificates in files, as a web server uses them.
#pragma once

#include <string>

#include "core/base/result.hpp"
#include "core/base/time.hpp"

namespace agentauri::net {

// When the first certificate of a PEM file ends to be valid. Code::unavailable when the file cannot be read,
// Code::corrupt when there is no certificate in it.
Result<Time> certificate_end(const std::string& path);

}   // namespace agentauri::net
