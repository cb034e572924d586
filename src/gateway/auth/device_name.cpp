#include "gateway/auth/device_name.hpp"

#include <algorithm>
#include <array>

namespace agentauri::gateway {
namespace {

struct Mark {
  std::string_view mark, name;
};
// The first that is there counts: nearly all claim to be Safari, and many to be Chrome.
constexpr std::array kBrowsers = std::to_array<Mark>({
    {"Edg/", "Edge"},
    {"EdgA/", "Edge"},
    {"EdgiOS/", "Edge"},
    {"OPR/", "Opera"},
    {"SamsungBrowser/", "Samsung Internet"},
    {"Vivaldi/", "Vivaldi"},
    {"FxiOS/", "Firefox"},
    {"Firefox/", "Firefox"},
    {"CriOS/", "Chrome"},
    {"HeadlessChrome/", "Chrome"},
    {"Chrome/", "Chrome"},
    {"Version/", "Safari"},
});
// A phone with Android also says Linux, one of Apple also Mac OS X.
constexpr std::array kSystems = std::to_array<Mark>({
    {"iPhone", "iPhone"},
    {"iPad", "iPad"},
    {"Android", "Android"},
    {"Windows", "Windows"},
    {"CrOS", "ChromeOS"},
    {"Mac OS X", "macOS"},
    {"Linux", "Linux"},
});
constexpr std::size_t kMaxProductBytes = 40;

template <class Marks>
std::string_view find_mark(const Marks& marks, std::string_view text) {
  const auto found = std::find_if(marks.begin(), marks.end(), [text](const Mark& m) { return text.contains(m.mark); });
  return found == marks.end() ? std::string_view() : found->name;
}

}   // namespace

std::string device_name(std::string_view user_agent) {
  const auto browser = find_mark(kBrowsers, user_agent), system = find_mark(kSystems, user_agent);
  if (!browser.empty() && user_agent.starts_with("Mozilla/"))
    return std::string(browser) + (system.empty() ? "" : " on " + std::string(system));
  // `curl/8.5.0`, `python-requests/2.31.0`: what stands before the version.
  const std::string_view product = user_agent.substr(0, user_agent.find_first_of("/ (")).substr(0, kMaxProductBytes);
  return product.empty() || product == "Mozilla" ? "Unknown device" : std::string(product);
}

}   // namespace agentauri::gateway
