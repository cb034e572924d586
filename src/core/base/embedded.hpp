// Text files compiled into the program (cmake/embed.cmake).
#pragma once

#include <string_view>
#include <vector>

namespace agentauri::embedded {

struct EmbeddedFile {
  std::string_view name;   // file name without folder
  std::string_view text;
};

}   // namespace agentauri::embedded
