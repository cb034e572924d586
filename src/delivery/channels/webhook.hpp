// The webhook channel: renders URL and headers, signs, sends through the guarded client, classifies. What receivers say
// is kept without the secrets that they were sent.
#pragma once

#include "core/crypto/crypto.hpp"
#include "core/telemetry/log.hpp"
#include "delivery/channels/channel.hpp"
#include "net/http_client.hpp"

namespace agentauri::delivery {

class WebhookChannel final : public Channel {
 public:
  WebhookChannel(net::HttpClient& guarded, const crypto::DataKeys& keys, RetryLadder ladder)
      : client_(guarded), keys_(keys), ladder_(std::move(ladder)) {}
  Task<Sent> send(const store::ClaimedJob& job, Time now) override;
  const RetryLadder& ladder() const override { return ladder_; }

 private:
  AttemptEnd unreadable(const store::ClaimedJob& job, const Error& why) const;

  net::HttpClient& client_;
  const crypto::DataKeys& keys_;
  RetryLadder ladder_;
  Log log_{"webhook"};
};

}   // namespace agentauri::delivery
