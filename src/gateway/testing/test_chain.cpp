#include "gateway/testing/test_chain.hpp"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "core/crypto/crypto.hpp"

namespace agentauri::gateway::testing {
namespace {

constexpr std::uint64_t kFirst = 100;
constexpr std::int64_t kFirstSecond = 1'767'225'600;

void run(store::Database& db, std::move_only_function<Result<void>(store::Tx&)> body) {
  const auto done = db.transact_blocking<void>(store::Priority::interactive, std::move(body));
  ENSURE(done.has_value(), "the test's chain was stored");
}

}   // namespace

TestChain::TestChain(store::Database& db, domain::ChainId id) : db_(db), id_(id) {
  run(db, [=](store::Tx& tx) -> Result<void> {
    auto row = store::attach_chain(tx, id, "test", kFirst, kFirst, 1, from_unix_seconds(kFirstSecond));
    if (!row) return fail(row);
    return {};
  });
}

void TestChain::grow(int events) {
  store::IngestedBlock made;
  auto& block = made.block;
  const auto name = fmt::format("{} {}", id_, made_++);
  block.num = kFirst + blocks_.size();
  block.hash = crypto::sha256(as_bytes(name));
  if (!blocks_.empty()) block.parent_hash = blocks_.back().block.hash;
  block.time = block.seen_at = from_unix_seconds(kFirstSecond + static_cast<std::int64_t>(made_));
  for (int i = 0; i < events; ++i) {
    domain::Event event;
    event.chain_id = id_;
    event.block_num = block.num;
    event.block_hash = block.hash;
    event.block_time = block.time;
    event.txn_hash = crypto::sha256(as_bytes(fmt::format("{} {}", name, i)));
    event.txn_index = event.log_index = static_cast<std::uint32_t>(i);
    event.registry = i % 2 == 0 ? domain::Registry::reputation : domain::Registry::identity;
    event.event_type = i % 2 == 0 ? "NewFeedback" : "Transfer";
    event.agent_id = Uint256(static_cast<std::uint64_t>(i));
    told.push_back("+" + domain::event_id(event));
    made.events.push_back(std::move(event));
  }
  blocks_.push_back(made);
  run(db_, [&](store::Tx& tx) { return store::append_blocks(tx, id_, 1, {made}, {}, {}, {}, block.time); });
}

void TestChain::rewind(std::size_t count) {
  ENSURE(count < blocks_.size(), "an ancestor stays");
  for (; count > 0; --count) {
    for (const auto& event : blocks_.back().events) told.push_back("-" + domain::event_id(event));
    blocks_.pop_back();
  }
  const auto& last = blocks_.back().block;
  run(db_, [&](store::Tx& tx) { return store::rewind_chain(tx, id_, 1, last.num, last.hash, last.time); });
}

}   // namespace agentauri::gateway::testing
