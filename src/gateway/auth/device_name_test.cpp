#include "gateway/auth/device_name.hpp"

#include <gtest/gtest.h>

namespace agentauri::gateway {
namespace {

TEST(DeviceName, IsWhatAUserWouldCallIt) {
  const std::pair<std::string_view, std::string_view> cases[] = {
      {"Mozilla/5.0 (Windows NT 10.0; Win64; x64; rv:128.0) Gecko/20100101 Firefox/128.0", "Firefox on Windows"},
      {"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36",
       "Chrome on Linux"},
      {"Mozilla/5.0 (Windows NT 10.0) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/126.0 Safari/537.36 Edg/126.0",
       "Edge on Windows"},
      {"Mozilla/5.0 (Macintosh; Intel Mac OS X 14_5) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.5 Safari/605",
       "Safari on macOS"},
      {"Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1 Version/17.5 Mobile Safari/604.1",
       "Safari on iPhone"},
      {"Mozilla/5.0 (iPad; CPU OS 17_5 like Mac OS X) AppleWebKit/605.1 CriOS/126.0 Mobile Safari/604.1",
       "Chrome on iPad"},
      {"Mozilla/5.0 (Linux; Android 14) AppleWebKit/537.36 Chrome/126.0 Mobile Safari/537.36", "Chrome on Android"},
      {"Mozilla/5.0 Firefox/1", "Firefox"},
      {"curl/8.5.0", "curl"},
      {"python-requests/2.31.0", "python-requests"},
      {"Go-http-client/1.1", "Go-http-client"},
      {"my agent", "my"},
      {"Mozilla/5.0", "Unknown device"},
      {"", "Unknown device"},
      {"/", "Unknown device"},
  };
  for (const auto& [agent, name] : cases) EXPECT_EQ(device_name(agent), name) << agent;
  EXPECT_EQ(device_name(std::string(500, 'x')), std::string(40, 'x'));
}

}   // namespace
}   // namespace agentauri::gateway
