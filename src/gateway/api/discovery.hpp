// The documents below /.well-known: what this service is (agent card) and whom to tell of a hole in it (security.txt).
#pragma once

#include <memory>
#include <mutex>
#include <string>

#include "core/base/time.hpp"
#include "core/json/json.hpp"
#include "gateway/api/representation.hpp"
#include "gateway/settings.hpp"

namespace agentauri::gateway {

// The agent card (protocols.md 4.6). It names what is really here: the chains that are configured, and no interface,
// skill or way to sign in that nothing serves yet. Nothing in it changes while the process runs.
json::Object render_agent_card(const GatewaySettings& settings);
// RFC 9116. `day`: any moment of the day that it is for, in UTC; it expires 365 days after that day's begin, so that
// every process says the same all day.
std::string render_security_txt(const GatewaySettings& settings, Time day);

// Thread-safe; lives as long as the gateway.
class Discovery {
 public:
  Discovery(const GatewaySettings& settings, const Clock& clock);

  std::shared_ptr<const FixedText> agent_card() const { return card_; }
  std::shared_ptr<const FixedText> security_txt();

 private:
  const GatewaySettings& settings_;
  const Clock& clock_;
  const std::shared_ptr<const FixedText> card_;
  std::mutex mutex_;
  std::int64_t day_ = -1;   // since 1970, of security_txt_
  std::shared_ptr<const FixedText> security_txt_;
};

}   // namespace agentauri::gateway
