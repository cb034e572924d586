// The block log as a client reads it: events in the order in which their chain took them, and those that a
// reorganisation took back, from a position that the client keeps. Nothing is skipped and nothing comes twice, however
// often the client leaves and comes back.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/base/result.hpp"
#include "domain/event.hpp"
#include "gateway/refusal.hpp"
#include "store/chain_log.hpp"

namespace agentauri::gateway {

// How far somebody has read each chain. As text `chain:sequence` or, inside a block, `chain:sequence.events`, separated
// by commas: `1:523,8453:99.2`.
class LogPosition {
 public:
  struct Mark {
    std::int64_t seq = 0;      // entries up to here were read
    std::int64_t events = 0;   // and so many of the next one
    bool operator==(const Mark&) const = default;
  };

  // nullopt: not one that to_text() makes.
  static std::optional<LogPosition> parse(std::string_view text);
  std::string to_text() const;
  // A chain that it does not name was attached later: nothing of it was read.
  Mark at(domain::ChainId chain) const;
  void set(domain::ChainId chain, Mark mark) { marks_[chain] = mark; }
  bool names_none() const { return marks_.empty(); }
  bool operator==(const LogPosition&) const = default;

 private:
  std::map<domain::ChainId, Mark> marks_;
};

struct LogItem {
  domain::Event event;
  bool retracted = false;   // its block left the chain
  LogPosition after;        // where reading goes on
};
struct LogPage {
  std::vector<LogItem> items;   // those that the filter takes
  LogPosition after;
  bool has_more = false;   // ask again at once
};

// Whether the filter of the list of events takes it.
bool takes(const store::EventFilter& filter, const domain::Event& event);

// The position at the end of the log.
Result<LogPosition> end_of_log(store::Tx& tx);
// The position before everything that is kept: behind what retention took.
Result<LogPosition> beginning_of_log(store::Tx& tx);
// 400 when the position lies beyond the end of the log (it is of another database, or of one that was restored), or
// before events that are not kept any more: whoever came back from there would miss them.
Outcome<void> check_position(store::Tx& tx, const LogPosition& position);
// Looks at a bounded number of events, so a page may be empty and yet have more. Code::not_found once retention has
// overtaken the reader.
Result<LogPage> read_log(store::Tx& tx, LogPosition from, const store::EventFilter& filter);

}   // namespace agentauri::gateway
