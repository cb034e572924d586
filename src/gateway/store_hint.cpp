#include "gateway/store_hint.hpp"

namespace agentauri::gateway {

void StoreHint::Listeners::wake() {
  const std::lock_guard lock(mutex);
  std::erase_if(signals, [](const auto& signal) {
    const auto alive = signal.lock();
    if (alive) alive->notify();
    return !alive;
  });
}

bool StoreHint::Listeners::any() {
  const std::lock_guard lock(mutex);
  std::erase_if(signals, [](const auto& signal) { return signal.expired(); });
  return !signals.empty();
}

StoreHint::StoreHint(store::Database& db, std::string channel) {
  db.on_notify(std::move(channel), [listeners = listeners_] { listeners->wake(); });
}

std::shared_ptr<Signal> StoreHint::listen(Executor executor) {
  auto signal = std::make_shared<Signal>(std::move(executor));
  const std::lock_guard lock(listeners_->mutex);
  listeners_->signals.push_back(signal);
  return signal;
}

}   // namespace agentauri::gateway
