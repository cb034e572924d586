#include "engine/testing/model_chain.hpp"

#include <fmt/format.h>

#include "core/crypto/crypto.hpp"
#include "store/jobs.hpp"

namespace agentauri::engine::testing {
namespace {

template <class T>
void must(const Result<T>& result) {
  ENSURE(result.has_value(), result ? "" : result.error().text.c_str());
}

}   // namespace

const Block& ModelChain::mine(std::vector<Txn> txns) {
  const Block& parent = blocks_.back();
  Block block;
  block.num = parent.num + 1;
  block.parent = parent.hash;
  block.hash = crypto::sha256(as_bytes(fmt::format("block {} {}", block.num, ++made_)));
  block.time = from_unix_seconds(1'700'000'000 + static_cast<std::int64_t>(block.num) * 12);
  block.txns = std::move(txns);
  blocks_.push_back(std::move(block));
  return blocks_.back();
}

std::vector<Txn> ModelChain::drop(std::size_t depth) {
  std::vector<Txn> out;
  for (; depth > 0 && blocks_.size() > 1; --depth) {
    out.insert(out.begin(), blocks_.back().txns.begin(), blocks_.back().txns.end());
    blocks_.pop_back();
  }
  return out;
}

store::IngestedBlock to_ingested(const Block& block, domain::ChainId chain) {
  store::IngestedBlock out;
  out.block = {block.hash, block.num, block.parent, block.time, block.time};
  std::uint32_t index = 0;
  for (const Txn& txn : block.txns) {
    domain::Event event;
    event.chain_id = chain;
    event.block_num = block.num;
    event.block_hash = block.hash;
    event.block_time = block.time;
    event.txn_hash = crypto::sha256(as_bytes(fmt::format("txn {}", txn.id)));
    event.txn_index = event.log_index = index++;
    event.content_hash = event.txn_hash;
    event.registry = domain::Registry::reputation;
    event.event_type = txn.score ? "NewFeedback" : "FeedbackRevoked";
    event.agent_id = Uint256(txn.agent);
    event.score = txn.score;
    if (txn.score) {
      event.value = *txn.score;
      event.value_decimals = 0;
    }
    out.events.push_back(std::move(event));
  }
  return out;
}

void attach(store::Database& db, Time now, domain::ChainId chain) {
  must(db.transact_blocking<store::ChainRow>(store::Priority::interactive, [now, chain](store::Tx& tx) {
    return store::attach_chain(tx, chain, "model", 0, 1, 1, now);
  }));
}

void append(store::Database& db, const std::vector<Block>& blocks, Time now, domain::ChainId chain) {
  if (blocks.empty()) return;
  std::vector<store::IngestedBlock> ingested;
  for (const auto& block : blocks) ingested.push_back(to_ingested(block, chain));
  must(db.transact_blocking<void>(store::Priority::interactive, [&](store::Tx& tx) -> Result<void> {
    auto done = store::append_blocks(tx, chain, 1, ingested, {{Address{}}, true}, std::nullopt, std::nullopt, now);
    if (!done) return done;
    auto released = store::release_held_jobs(tx, chain, blocks.back().num, now);
    if (!released) return fail(released);
    return {};
  }));
}

void rewind(store::Database& db, const Block& ancestor, Time now) {
  must(db.transact_blocking<void>(store::Priority::interactive, [&](store::Tx& tx) {
    return store::rewind_chain(tx, kChain, 1, ancestor.num, ancestor.hash, now);
  }));
}

}   // namespace agentauri::engine::testing
