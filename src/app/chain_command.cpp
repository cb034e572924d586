#include <fmt/format.h>

#include <cstdio>

#include "app/chain_roles.hpp"
#include "app/commands.hpp"
#include "app/coverage_gap.hpp"
#include "app/exit_codes.hpp"
#include "app/open_store.hpp"
#include "core/json/json.hpp"
#include "engine/settings.hpp"
#include "store/chain_log.hpp"
#include "store/event_dead_letters.hpp"
#include "store/forget_events.hpp"
#include "store/leases.hpp"

namespace agentauri::app {
namespace {

struct ChainReport {
  store::ChainRow row;
  std::uint64_t gap = 0;           // live blocks that some contract's ranges leave out: must be 0
  std::uint64_t history_gap = 0;   // blocks of history that are still to be read
};

json::Object to_json(const ChainReport& report) {
  const auto& row = report.row;
  json::Object out;
  out["chain_id"] = row.chain_id;
  out["name"] = row.name;
  out["state"] = row.state;
  out["reason"] = row.reason ? json::Value(json::String(*row.reason)) : json::Value();
  out["start_block"] = row.start_block;
  out["live_from_block"] = row.live_from_block;
  out["head_block"] = row.head_num;
  out["finalized_block"] = row.finalized_num ? json::Value(*row.finalized_num) : json::Value();
  out["last_seq"] = row.last_seq;
  out["coverage_gap_blocks"] = report.gap;
  out["history_gap_blocks"] = report.history_gap;
  out["updated_at"] = to_rfc3339(row.updated_at);
  return out;
}

constexpr std::int64_t kMaxLetters = 1000;   // of a chain: the latest

json::Object to_json(const store::EventDeadLetter& letter) {
  json::Object out;
  out["chain_id"] = letter.chain;
  out["event_id"] = letter.event_id ? json::Value(json::String(*letter.event_id)) : json::Value();
  out["block_hash"] = to_hex_0x(letter.block_hash);
  out["position"] = letter.position;
  out["error"] = letter.error;
  out["attempts"] = letter.attempts;
  out["first_seen"] = to_rfc3339(letter.first_seen);
  out["last_seen"] = to_rfc3339(letter.last_seen);
  return out;
}

// What the engine made of a block is undone when it leaves the chain, which takes the block's events.
Result<void> events_are_kept(store::Tx& tx, const store::ChainRow& chain, std::uint64_t from) {
  auto forgotten = store::read_forgotten_events(tx, chain.chain_id);
  if (!forgotten) return fail(forgotten);
  if (!forgotten->before) return {};
  auto blocks = store::canonical_blocks(tx, chain.chain_id, from, chain.head_num);
  if (!blocks) return fail(blocks);
  if (blocks->empty() || blocks->front().time >= *forgotten->before) return {};
  return fail(Code::invalid,
              fmt::format("events of block {} are not kept any more (EVENT_RETENTION_DAYS): what was made of "
                          "them cannot be undone; choose a later --to",
                          blocks->front().num));
}

// Blocks that are read again make their alerts again, unless the store still has them.
Result<void> alerts_are_remembered(store::Tx& tx, const store::ChainRow& chain, std::uint64_t from, Time kept_since) {
  auto blocks = store::canonical_blocks(tx, chain.chain_id, from, chain.head_num);
  if (!blocks) return fail(blocks);
  if (blocks->empty()) return {};
  const auto& first = blocks->front();
  if (first.seen_at >= kept_since || first.num + engine::EngineSettings{}.max_undo_blocks > chain.head_num) return {};
  return fail(
      Code::invalid,
      fmt::format("block {} was followed before ATTEMPT_RETENTION_DAYS: its alerts may be forgotten, and would be "
                  "sent again. To have that, run this with a larger ATTEMPT_RETENTION_DAYS",
                  first.num));
}

}   // namespace

int run_chain_status(const Settings& settings, bool as_json) {
  Metrics metrics;
  auto db = open_store_to_read(settings, metrics);
  if (!db) {
    fmt::print(stderr, "{}\n", db.error().text);
    return exit_code_of(db.error());
  }
  auto reports =
      (*db)->snapshot_blocking<std::vector<ChainReport>>([](store::Tx& tx) -> Result<std::vector<ChainReport>> {
        auto rows = store::list_chains(tx);
        if (!rows) return fail(rows);
        std::vector<ChainReport> out;
        for (auto& row : *rows) {
          auto ranges = store::read_coverage(tx, row.chain_id);
          if (!ranges) return fail(ranges);
          ChainReport report;
          report.gap = coverage_gap(row.live_from_block, row.head_num, *ranges);
          report.history_gap =
              row.live_from_block == 0 ? 0 : coverage_gap(row.start_block, row.live_from_block - 1, *ranges);
          report.row = std::move(row);
          out.push_back(std::move(report));
        }
        return out;
      });
  if (!reports) {
    fmt::print(stderr, "{}\n", reports.error().text);
    return exit_code_of(reports.error());
  }
  bool halted = false;
  json::Array list;
  for (const auto& report : *reports) {
    halted = halted || report.row.state == "halted";
    if (as_json)
      list.emplace_back(to_json(report));
    else
      fmt::print("{:<7} {:<20} head {}  gap {}  history to read {}  {}\n", report.row.state, report.row.name,
                 report.row.head_num, report.gap, report.history_gap, report.row.reason.value_or(""));
  }
  if (as_json) {
    json::Object out;
    out["chains"] = std::move(list);
    fmt::print("{}\n", json::dump(out));
  }
  return halted ? kExitNo : kExitOk;
}

int run_chain_dead_letters(const Settings& settings, std::optional<domain::ChainId> only, bool as_json) {
  Metrics metrics;
  auto db = open_store_to_read(settings, metrics);
  if (!db) {
    fmt::print(stderr, "{}\n", db.error().text);
    return exit_code_of(db.error());
  }
  using Letters = std::vector<store::EventDeadLetter>;
  auto letters = (*db)->snapshot_blocking<Letters>([only](store::Tx& tx) -> Result<Letters> {
    auto chains = store::list_chains(tx);
    if (!chains) return fail(chains);
    Letters out;
    for (const auto& chain : *chains) {
      if (only && *only != chain.chain_id) continue;
      auto own = store::list_event_dead_letters(tx, chain.chain_id, kMaxLetters);
      if (!own) return fail(own);
      out.insert(out.end(), own->begin(), own->end());
    }
    return out;
  });
  if (!letters) {
    fmt::print(stderr, "{}\n", letters.error().text);
    return exit_code_of(letters.error());
  }
  json::Array list;
  for (const auto& letter : *letters) {
    if (as_json)
      list.emplace_back(to_json(letter));
    else
      fmt::print(
          "{}  chain {}  {}  {} attempts since {}  {}\n", to_rfc3339(letter.last_seen), letter.chain,
          letter.event_id.value_or(fmt::format("event {} of block {}", letter.position, to_hex_0x(letter.block_hash))),
          letter.attempts, to_rfc3339(letter.first_seen), letter.error);
  }
  if (as_json) {
    json::Object out;
    out["dead_letters"] = std::move(list);
    fmt::print("{}\n", json::dump(out));
  }
  return kExitOk;
}

Result<std::uint64_t> take_chain_back(store::Tx& tx, domain::ChainId chain, std::uint64_t to, Time kept_since,
                                      Time now) {
  auto row = store::find_chain(tx, chain);
  if (!row) return fail(row);
  if (!*row) return fail(Code::not_found, fmt::format("chain {} is not known to this store", chain));
  if (to + 1 < (*row)->live_from_block) {
    return fail(Code::invalid, fmt::format("--to must be at least {}: below is history", (*row)->live_from_block - 1));
  }
  if (to >= (*row)->head_num) {
    return fail(Code::invalid, fmt::format("--to must be below the head, {}", (*row)->head_num));
  }
  // The newest block at or below `to` whose hash is known: from there the follower goes on.
  auto blocks = store::canonical_blocks(tx, chain, (*row)->live_from_block, to);
  if (!blocks) return fail(blocks);
  if (blocks->empty()) return fail(Code::invalid, "no block at or below --to is known; choose a later one");
  const auto& keep = blocks->back();
  if (auto kept = events_are_kept(tx, **row, keep.num + 1); !kept) return fail(kept);
  if (auto remembered = alerts_are_remembered(tx, **row, keep.num + 1, kept_since); !remembered)
    return fail(remembered);
  // A new epoch: whoever follows the chain now must take it up again. It comes from the lease, so that the one that
  // holds it, or takes it next, is given this very epoch or a higher one.
  auto epoch = store::raise_lease(tx, chain_lease(chain), (*row)->epoch);
  if (!epoch) return fail(epoch);
  auto attached =
      store::attach_chain(tx, chain, (*row)->name, (*row)->start_block, (*row)->live_from_block, *epoch, now);
  if (!attached) return fail(attached);
  if (auto rewound = store::rewind_chain(tx, chain, *epoch, keep.num, keep.hash, now); !rewound) return fail(rewound);
  if (auto set = store::set_chain_state(tx, chain, *epoch, "ok", std::nullopt, now); !set) return fail(set);
  return keep.num;
}

int run_chain_rewind(const Settings& settings, domain::ChainId chain, std::uint64_t to) {
  SystemClock clock;
  Metrics metrics;
  const auto there = require_store(settings);
  const auto retention = std::chrono::hours(24) * settings.attempt_retention_days;
  auto db = there ? open_store(settings, clock, metrics) : std::unexpected(there.error());
  if (!db) {
    fmt::print(stderr, "{}\n", db.error().text);
    return exit_code_of(db.error());
  }
  auto done = (*db)->transact_blocking<std::uint64_t>(store::Priority::interactive,
                                                      [chain, to, now = clock.now(), retention](store::Tx& tx) {
                                                        return take_chain_back(tx, chain, to, now - retention, now);
                                                      });
  if (!done) {
    fmt::print(stderr, "{}\n", done.error().text);
    return done.error().code == Code::invalid || done.error().code == Code::not_found ? kExitUsage
                                                                                      : exit_code_of(done.error());
  }
  fmt::print("chain {} goes on from block {}\n", chain, *done);
  return kExitOk;
}

}   // namespace agentauri::app
