// Files that must be whole or absent after a crash.
#pragma once

#include <sys/types.h>

#include <string>
#include <string_view>

#include "core/base/result.hpp"

namespace agentauri::app {

// Written under `<name>.new`, made durable, then renamed into place; the rename is made durable too. What stood there
// is replaced. Code::unavailable names the path.
Result<void> write_durably(const std::string& folder, const std::string& name, std::string_view content, mode_t mode);

// A rename or an unlink is durable when its folder is.
Result<void> sync_folder(const std::string& path);

}   // namespace agentauri::app
