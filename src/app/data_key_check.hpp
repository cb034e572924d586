// Whether the configured data keys are those of the store, asked before anything is done with it.
#pragma once

#include <optional>
#include <string>

#include "core/base/result.hpp"
#include "core/crypto/crypto.hpp"
#include "store/database.hpp"
#include "store/key_canaries.hpp"

namespace agentauri::app {

// Leaves the store's mark of the key that this process encrypts with. Code::invalid, with what to do, when the key that
// was encrypted with last is not configured, or one that some action or waiting job still needs.
Result<void> check_data_keys(store::Database& db, const crypto::DataKeys& keys);

// Why this mark, read from a store, is not of these keys; nullopt when it is. Changes nothing.
std::optional<std::string> fault_of_canary(const store::KeyCanary& canary, const crypto::DataKeys& keys);

}   // namespace agentauri::app
