// How many streamed answers are open at once: each holds a connection and reads the store for as long as it likes.
#pragma once

#include <map>
#include <memory>
#include <mutex>
#include <string>

#include "core/telemetry/metrics.hpp"
#include "gateway/refusal.hpp"

namespace agentauri::gateway {

inline constexpr std::size_t kOpenStreams = 1000;        // of the process
inline constexpr std::size_t kOpenStreamsOfOwner = 10;   // of one user, or of the keys of one organization

// Thread-safe.
class OpenStreams {
 public:
  explicit OpenStreams(Metrics& metrics) : open_(metrics.gauge("event_streams_open", "Event streams being served")) {}

  // A place, until it is let go; it must not outlive this. 429 when the owner, 503 when the process has no more.
  class Place;
  Outcome<std::shared_ptr<Place>> take(std::string owner);

 private:
  void leave(const std::string& owner);

  std::mutex mutex_;
  std::map<std::string, std::size_t> owners_;
  std::size_t total_ = 0;
  Gauge open_;
};

class OpenStreams::Place {
 public:
  Place(OpenStreams& streams, std::string owner) : streams_(streams), owner_(std::move(owner)) {}
  ~Place() { streams_.leave(owner_); }
  Place(const Place&) = delete;
  Place& operator=(const Place&) = delete;

 private:
  OpenStreams& streams_;
  const std::string owner_;
};

}   // namespace agentauri::gateway
