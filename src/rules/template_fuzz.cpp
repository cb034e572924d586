// Arbitrary templates and values neither crash nor grow, and a value is never scanned again.
#include <cstdlib>

#include "rules/templates.hpp"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  using namespace agentauri;
  const std::string_view input(reinterpret_cast<const char*>(data), size);
  const std::size_t half = size / 2;
  json::Object values;
  values["score"] = json::String(input.substr(half));
  values["tag1"] = "plain";
  for (const auto escape : {rules::Escape::none, rules::Escape::markdown_v2, rules::Escape::html,
                            rules::Escape::url_component, rules::Escape::http_header}) {
    const auto text = rules::render_text(input.substr(0, half), values, escape);
    if (text && text->size() > rules::kMaxRenderedBytes) std::abort();
    if (text && escape == rules::Escape::http_header && text->find('\n') != std::string::npos &&
        input.substr(0, half).find('\n') == std::string_view::npos)
      std::abort();
  }
  const auto only = rules::render_text("{{score}}", values, rules::Escape::none);
  if (only && *only != input.substr(half) && input.size() - half <= rules::kMaxRenderedBytes) std::abort();
  return 0;
}
