#include "gateway/auth/key_trail.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>
#include <map>
#include <memory>

#include "gateway/auth/api_key.hpp"

namespace agentauri::gateway {
namespace {

// Of a text that came from outside: what a text column takes.
std::string displayed_prefix(std::string_view text) {
  std::string out(text.substr(0, kApiKeyPrefixSize));
  std::replace_if(out.begin(), out.end(), [](char c) { return c < 0x20 || c >= 0x7f; }, '?');
  return out;
}

std::string_view reason_of(KeyVerdict::Fault fault) {
  switch (fault) {
    case KeyVerdict::Fault::expired:
      return "key_expired";
    case KeyVerdict::Fault::revoked:
      return "key_revoked";
    default:
      return "creator_inactive";
  }
}

// The latest use of each key, by its id, so that two writers lock rows in the same order.
std::vector<store::ApiKeyUse> latest_uses(const std::vector<store::ApiKeyAudit>& audit) {
  std::map<domain::ApiKeyId, store::ApiKeyUse> latest;
  for (const auto& row : audit) {
    if (row.event_type != "used") continue;
    auto& use = latest.try_emplace(row.key_id, store::ApiKeyUse{row.key_id, std::nullopt, row.at}).first->second;
    if (row.at >= use.at) use = {row.key_id, row.origin.ip, row.at};
  }
  std::vector<store::ApiKeyUse> out;
  for (auto& [id, use] : latest) out.push_back(std::move(use));
  return out;
}

template <class T>
std::vector<T> take_front(std::vector<T>& from, std::size_t count) {
  const auto end = from.begin() + static_cast<std::ptrdiff_t>(std::min(count, from.size()));
  std::vector<T> out(std::make_move_iterator(from.begin()), std::make_move_iterator(end));
  from.erase(from.begin(), end);
  return out;
}

}   // namespace

KeyTrail::KeyTrail(store::Database& db, Metrics& metrics)
    : db_(db), dropped_(metrics.counter("api_key_audit_dropped_total", "Audit rows that found no room in memory")) {}

void KeyTrail::used(const domain::Principal& key, store::RequestOrigin origin, Time now) {
  const std::lock_guard lock(mutex_);
  if (!has_room()) return dropped_.add();
  pending_.audit.push_back({*key.key, *key.organization, "used", std::move(origin), std::nullopt, std::nullopt, now});
}

void KeyTrail::failed(const KeyVerdict& verdict, std::string_view text, store::RequestOrigin origin, Time now) {
  const std::lock_guard lock(mutex_);
  if (!has_room()) return dropped_.add();
  if (verdict.view) {
    const auto& key = verdict.view->key;
    pending_.audit.push_back({key.id, key.organization_id, "auth_failed", std::move(origin), std::nullopt,
                              fmt::format(R"({{"reason":"{}"}})", reason_of(verdict.fault)), now});
    return;
  }
  const bool is_malformed = verdict.fault == KeyVerdict::Fault::malformed;
  std::optional<std::string> details;
  if (is_malformed) details = fmt::format(R"({{"key_length":{}}})", text.size());
  pending_.failures.push_back({is_malformed ? "invalid_format" : "invalid_key", displayed_prefix(text),
                               std::move(origin), std::move(details), now});
}

KeyTrail::Batch KeyTrail::take() {
  const std::lock_guard lock(mutex_);
  Batch out;
  out.audit = take_front(pending_.audit, kTrailBatch);
  out.failures = take_front(pending_.failures, kTrailBatch - out.audit.size());
  return out;
}

void KeyTrail::put_back(Batch batch) {
  const std::lock_guard lock(mutex_);
  const auto restore = [this](auto& pending, auto& rows) {
    std::size_t restored = 0;
    while (restored < rows.size() && has_room()) pending.push_back(std::move(rows[restored++]));
    if (restored < rows.size()) dropped_.add(static_cast<double>(rows.size() - restored));
  };
  restore(pending_.audit, batch.audit);
  restore(pending_.failures, batch.failures);
}

Task<Result<void>> KeyTrail::flush() {
  while (true) {
    const auto batch = std::make_shared<Batch>(take());
    if (batch->empty()) co_return Result<void>();
    auto written = co_await db_.transact<void>(store::Priority::bulk, [batch](store::Tx& tx) -> Result<void> {
      if (auto done = store::insert_api_key_audit(tx, batch->audit); !done) return done;
      if (auto done = store::insert_auth_failures(tx, batch->failures); !done) return done;
      return store::note_api_key_uses(tx, latest_uses(batch->audit));
    });
    if (!written) {
      put_back(std::move(*batch));
      co_return written;
    }
  }
}

}   // namespace agentauri::gateway
