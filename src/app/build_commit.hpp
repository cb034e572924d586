// Which commit the program was configured from.
#pragma once

#include <string_view>

namespace agentauri::app {

// 12 hex digits; empty when it was not built from a Git checkout and AGENTAURI_COMMIT was not given to CMake.
std::string_view build_commit();

}   // namespace agentauri::app
