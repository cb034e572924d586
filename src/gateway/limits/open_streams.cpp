#include "gateway/limits/open_streams.hpp"

namespace agentauri::gateway {
namespace {

constexpr int kRetryAfterS = 10;

std::unexpected<Refusal> full(int status, std::string_view code, std::string message) {
  Refusal out = Refusal::make(status, code, std::move(message));
  out.retry_after_s = kRetryAfterS;
  return std::unexpected(std::move(out));
}

}   // namespace

Outcome<std::shared_ptr<OpenStreams::Place>> OpenStreams::take(std::string owner) {
  const std::lock_guard lock(mutex_);
  if (total_ >= kOpenStreams) return full(503, "service_unavailable", "Too many event streams are open on this server");
  auto& count = owners_[owner];
  if (count >= kOpenStreamsOfOwner) return full(429, "rate_limited", "Too many event streams are open: end one first");
  ++count;
  ++total_;
  open_.add(1);
  return std::make_shared<Place>(*this, std::move(owner));
}

void OpenStreams::leave(const std::string& owner) {
  const std::lock_guard lock(mutex_);
  const auto found = owners_.find(owner);
  if (--found->second == 0) owners_.erase(found);
  --total_;
  open_.add(-1);
}

}   // namespace agentauri::gateway
