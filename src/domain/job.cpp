#include "domain/job.hpp"

#include <array>

#include "core/crypto/crypto.hpp"

namespace agentauri::domain {
namespace {

constexpr std::array<std::string_view, 7> kStates{"held", "pending",   "leased", "succeeded",
                                                  "dead", "cancelled", "expired"};
constexpr std::array<std::string_view, 5> kOutcomes{"ok", "refused", "network", "http", "unknown"};

template <class Enum, std::size_t N>
std::optional<Enum> parse_name(const std::array<std::string_view, N>& names, std::string_view text) {
  for (std::size_t i = 0; i < N; ++i) {
    if (names[i] == text) return static_cast<Enum>(i);
  }
  return std::nullopt;
}

// Fixed widths and a length before the one variable part, so that two occurrences never share an encoding.
void put(Bytes& out, std::uint64_t n) {
  for (int shift = 56; shift >= 0; shift -= 8) out.push_back(static_cast<std::uint8_t>(n >> shift));
}
void put(Bytes& out, ByteView bytes) {
  out.insert(out.end(), bytes.begin(), bytes.end());
}

}   // namespace

std::string_view to_string(JobState state) {
  return kStates[static_cast<std::size_t>(state)];
}
std::optional<JobState> parse_job_state(std::string_view text) {
  return parse_name<JobState>(kStates, text);
}
std::string_view to_string(Outcome outcome) {
  return kOutcomes[static_cast<std::size_t>(outcome)];
}
std::optional<Outcome> parse_outcome(std::string_view text) {
  return parse_name<Outcome>(kOutcomes, text);
}

JobId occurrence_id(const Event& event, TriggerId trigger, ActionId action, std::string_view kind,
                    std::uint32_t count) {
  Bytes text;
  text.reserve(192);
  put(text, as_bytes("agentauri:job:1"));
  put(text, static_cast<std::uint64_t>(event.chain_id));
  put(text, event.txn_hash.view());
  put(text, event.contract.view());
  put(text, event.txn_ordinal);
  put(text, event.content_hash.view());
  put(text, trigger.uuid.view());
  put(text, static_cast<std::uint64_t>(action));
  put(text, kind.size());
  put(text, as_bytes(kind));
  put(text, count);
  return crypto::sha256(text);
}

JobId test_job_id(TriggerId trigger, ActionId action, const Uuid& nonce) {
  Bytes text;
  put(text, as_bytes("agentauri:test:1"));
  put(text, trigger.uuid.view());
  put(text, static_cast<std::uint64_t>(action));
  put(text, nonce.view());
  return crypto::sha256(text);
}

}   // namespace agentauri::domain
