#include "gateway/use_cases/event_log.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <charconv>

#include "store/forget_events.hpp"

namespace agentauri::gateway {
namespace {

constexpr std::int64_t kEntriesOfPage = 64;
constexpr std::int64_t kEventsOfPage = 64;
constexpr std::size_t kMaxTextBytes = 4096;

// Takes a number without sign or leading zeros, and what follows it.
bool take_number(std::string_view& text, std::int64_t& out) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  const auto length = static_cast<std::size_t>(end - text.data());
  if (error != std::errc() || text.front() == '-' || (text.front() == '0' && length > 1)) return false;
  text.remove_prefix(length);
  return true;
}
bool take_char(std::string_view& text, char wanted) {
  if (!text.starts_with(wanted)) return false;
  text.remove_prefix(1);
  return true;
}

std::string lower(std::string_view text) {
  std::string out(text);
  std::transform(out.begin(), out.end(), out.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return out;
}

// Reads one chain on from where the page is, as far as `budget` events go.
Result<void> read_chain(store::Tx& tx, domain::ChainId chain, const store::EventFilter& filter, std::int64_t& budget,
                        LogPage& page) {
  auto mark = page.after.at(chain);
  auto entries = store::read_block_log(tx, chain, mark.seq, kEntriesOfPage);
  if (!entries) return fail(entries);
  for (const auto& entry : *entries) {
    if (budget == 0) {
      page.has_more = true;
      return {};
    }
    const std::int64_t wanted = budget;
    auto events = store::read_block_events(tx, chain, entry.block_hash, entry.block_time, mark.events, wanted);
    if (!events) return fail(events);
    const auto got = static_cast<std::int64_t>(events->size());
    budget -= got;
    for (auto& event : *events) {
      ++mark.events;
      if (!takes(filter, event)) continue;
      LogItem item{std::move(event), entry.op < 0, page.after};
      item.after.set(chain, mark);
      page.items.push_back(std::move(item));
    }
    // A page that ends with the block's last event finds the block empty next time.
    if (got < wanted) mark = {entry.seq, 0};
    page.after.set(chain, mark);
  }
  if (budget == 0 || static_cast<std::int64_t>(entries->size()) == kEntriesOfPage) page.has_more = true;
  return {};
}

}   // namespace

std::optional<LogPosition> LogPosition::parse(std::string_view text) {
  LogPosition out;
  if (text.size() > kMaxTextBytes) return std::nullopt;
  if (text == "-") return out;
  while (true) {
    domain::ChainId chain = 0;
    Mark mark;
    if (text.empty() || !take_number(text, chain) || !take_char(text, ':')) return std::nullopt;
    if (text.empty() || !take_number(text, mark.seq)) return std::nullopt;
    if (take_char(text, '.') && (text.empty() || !take_number(text, mark.events) || mark.events == 0))
      return std::nullopt;
    if (!out.marks_.emplace(chain, mark).second) return std::nullopt;
    if (text.empty()) return out;
    if (!take_char(text, ',')) return std::nullopt;
  }
}

std::string LogPosition::to_text() const {
  std::string out;
  for (const auto& [chain, mark] : marks_) {
    out += fmt::format("{}{}:{}", out.empty() ? "" : ",", chain, mark.seq);
    if (mark.events > 0) out += fmt::format(".{}", mark.events);
  }
  return out.empty() ? "-" : out;   // an empty id would mean "none" to a client
}

LogPosition::Mark LogPosition::at(domain::ChainId chain) const {
  const auto found = marks_.find(chain);
  return found == marks_.end() ? Mark() : found->second;
}

bool takes(const store::EventFilter& filter, const domain::Event& event) {
  const auto agent = event.agent_id ? to_string(*event.agent_id) : std::string();
  const auto registry = to_string(event.registry);
  if (filter.chain_id && *filter.chain_id != event.chain_id) return false;
  if (filter.registry && *filter.registry != registry) return false;
  if (filter.event_type && *filter.event_type != event.event_type) return false;
  if (filter.agent_id && (!event.agent_id || *filter.agent_id != agent)) return false;
  if (!filter.search) return true;
  const auto part = lower(*filter.search);
  return lower(event.event_type).contains(part) || registry.contains(part) || agent.contains(part);
}

Result<LogPosition> end_of_log(store::Tx& tx) {
  auto chains = store::list_chains(tx);
  if (!chains) return fail(chains);
  LogPosition out;
  for (const auto& chain : *chains) out.set(chain.chain_id, {chain.last_seq, 0});
  return out;
}

Result<LogPosition> beginning_of_log(store::Tx& tx) {
  auto chains = store::list_chains(tx);
  if (!chains) return fail(chains);
  LogPosition out;
  for (const auto& chain : *chains) {
    auto forgotten = store::read_forgotten_events(tx, chain.chain_id);
    if (!forgotten) return fail(forgotten);
    if (forgotten->seq > 0) out.set(chain.chain_id, {forgotten->seq, 0});
  }
  return out;
}

Outcome<void> check_position(store::Tx& tx, const LogPosition& position) {
  auto chains = store::list_chains(tx);
  if (!chains) return broken(chains);
  for (const auto& chain : *chains) {
    const auto mark = position.at(chain.chain_id);
    auto forgotten = store::read_forgotten_events(tx, chain.chain_id);
    if (!forgotten) return broken(forgotten);
    const bool is_beyond = mark.seq > chain.last_seq || (mark.seq == chain.last_seq && mark.events > 0);
    if (!is_beyond && mark.seq >= forgotten->seq) continue;
    Validation faults;
    faults.add(
        "Last-Event-ID", is_beyond ? "unknown_position" : "expired_position",
        is_beyond
            ? fmt::format("the log of chain {} ends at {}, before this position", chain.chain_id, chain.last_seq)
            : fmt::format("events of chain {} after this position are not kept any more: read the list, and begin "
                          "anew without it",
                          chain.chain_id));
    return std::unexpected(faults.refusal());
  }
  return {};
}

Result<LogPage> read_log(store::Tx& tx, LogPosition from, const store::EventFilter& filter) {
  auto chains = store::list_chains(tx);
  if (!chains) return fail(chains);
  LogPage page;
  page.after = std::move(from);
  std::int64_t budget = kEventsOfPage;
  for (const auto& chain : *chains) {
    if (filter.chain_id && *filter.chain_id != chain.chain_id) {
      page.after.set(chain.chain_id, {chain.last_seq, 0});
      continue;
    }
    const std::int64_t at = page.after.at(chain.chain_id).seq;
    if (at >= chain.last_seq) continue;
    auto forgotten = store::read_forgotten_events(tx, chain.chain_id);
    if (!forgotten) return fail(forgotten);
    if (at < forgotten->seq)
      return fail(Code::not_found,
                  fmt::format("events of chain {} after {} are not kept any more", chain.chain_id, at));
    if (budget == 0) {
      page.has_more = true;
      break;
    }
    if (auto read = read_chain(tx, chain.chain_id, filter, budget, page); !read) return fail(read);
  }
  return page;
}

}   // namespace agentauri::gateway
