// Secrets that the embedded form makes for itself on first start, as files of mode 0600 in the data folder.
#pragma once

#include <string>

#include "core/base/result.hpp"
#include "core/crypto/crypto.hpp"

namespace agentauri::app {

// Creates the folder (0700) when it is missing.
Result<void> make_data_dir(const std::string& path);

std::string store_path(const std::string& data_dir);

// <data_dir>/jwt_secret: read, or made from 32 random bytes and written durably. Never made beside a store that exists:
// it is the data key too.
Result<crypto::Secret<std::string>> load_or_make_jwt_secret(const std::string& data_dir);

}   // namespace agentauri::app
