// What a text column of either engine takes: UTF-8 without NUL.
#pragma once

#include <string_view>

namespace agentauri::store {

bool is_storable_text(std::string_view text);

}  // namespace agentauri::store
