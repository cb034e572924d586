#include "chain/fake/fake_chain.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "chain/fake/abi_writer.hpp"
#include "core/crypto/crypto.hpp"

namespace agentauri::chain {
namespace {

Hash32 topic(std::string_view signature) {
  return crypto::keccak256(as_bytes(signature));
}

Address address_of(std::string_view who, std::uint64_t number) {
  const Hash32 hash = crypto::keccak256(as_bytes(fmt::format("{}:{}", who, number)));
  Address out;
  std::copy(hash.data.begin() + 12, hash.data.end(), out.data.begin());
  return out;
}

RawLog log_of(const Address& contract, std::vector<Hash32> topics, Bytes data) {
  RawLog log;
  log.address = contract;
  log.topics = std::move(topics);
  log.data = std::move(data);
  return log;
}

}   // namespace

FakeChain::FakeChain(domain::ChainId id, std::uint64_t seed, Time genesis, std::chrono::seconds block_time)
    : id_(id), random_(seed), genesis_(genesis), block_time_(block_time) {
  contracts_ = {address_of("identity", static_cast<std::uint64_t>(id)),
                address_of("reputation", static_cast<std::uint64_t>(id)),
                address_of("validation", static_cast<std::uint64_t>(id))};
  mine();
}

Hash32 FakeChain::add(std::vector<RawLog> logs) {
  Txn txn;
  txn.hash = crypto::keccak256(as_bytes(fmt::format("txn:{}:{}", id_, txn_count_++)));
  txn.logs = std::move(logs);
  waiting_.push_back(txn);
  return txn.hash;
}

Hash32 FakeChain::emit(const Address& contract, std::vector<Hash32> topics, Bytes data) {
  const std::lock_guard lock(mutex_);
  return add({log_of(contract, std::move(topics), std::move(data))});
}

Hash32 FakeChain::register_agent(std::uint64_t agent, const std::string& uri) {
  const std::lock_guard lock(mutex_);
  const Hash32 id = Uint256(agent).to_word();
  const Address owner = address_of("owner", agent);
  const Hash32 owner_word = word_of_address(owner);
  std::vector<RawLog> logs;
  logs.push_back(
      log_of(*contracts_.identity, {topic("Transfer(address,address,uint256)"), Hash32{}, owner_word, id}, {}));
  logs.push_back(log_of(*contracts_.identity, {topic("MetadataUpdate(uint256)")}, AbiWriter().word(id).finish()));
  logs.push_back(log_of(*contracts_.identity, {topic("Registered(uint256,string,address)"), id, owner_word},
                        AbiWriter().text(uri).finish()));
  logs.push_back(
      log_of(*contracts_.identity,
             {topic("MetadataSet(uint256,string,string,bytes)"), id, crypto::keccak256(as_bytes("agentWallet"))},
             AbiWriter().text("agentWallet").dynamic(owner.view()).finish()));
  return add(std::move(logs));
}

Hash32 FakeChain::give_feedback(std::uint64_t agent, std::uint64_t client, int128 value, std::uint8_t decimals,
                                const std::string& tag1, const std::string& tag2) {
  const std::lock_guard lock(mutex_);
  const std::uint64_t index = ++feedback_index_[{agent, client}];
  Bytes data = AbiWriter()
                   .number(index)
                   .signed_number(value)
                   .number(decimals)
                   .text(tag1)
                   .text(tag2)
                   .text("https://agent.example")
                   .text("")
                   .word(Hash32{})
                   .finish();
  return add({log_of(
      *contracts_.reputation,
      {topic("NewFeedback(uint256,address,uint64,int128,uint8,string,string,string,string,string,bytes32)"),
       Uint256(agent).to_word(), word_of_address(address_of("client", client)), crypto::keccak256(as_bytes(tag1))},
      std::move(data))});
}

Hash32 FakeChain::revoke_feedback(std::uint64_t agent, std::uint64_t client, std::uint64_t index) {
  const std::lock_guard lock(mutex_);
  return add({log_of(*contracts_.reputation,
                     {topic("FeedbackRevoked(uint256,address,uint64)"), Uint256(agent).to_word(),
                      word_of_address(address_of("client", client)), Uint256(index).to_word()},
                     {})});
}

Hash32 FakeChain::append_response(std::uint64_t agent, std::uint64_t client, std::uint64_t index,
                                  const std::string& uri) {
  const std::lock_guard lock(mutex_);
  Bytes data = AbiWriter().number(index).text(uri).word(crypto::keccak256(as_bytes(uri))).finish();
  return add(
      {log_of(*contracts_.reputation,
              {topic("ResponseAppended(uint256,address,uint64,address,string,bytes32)"), Uint256(agent).to_word(),
               word_of_address(address_of("client", client)), word_of_address(address_of("owner", agent))},
              std::move(data))});
}

Hash32 FakeChain::set_uri(std::uint64_t agent, const std::string& uri) {
  const std::lock_guard lock(mutex_);
  return add({log_of(*contracts_.identity,
                     {topic("URIUpdated(uint256,string,address)"), Uint256(agent).to_word(),
                      word_of_address(address_of("owner", agent))},
                     AbiWriter().text(uri).finish())});
}

Hash32 FakeChain::set_metadata(std::uint64_t agent, const std::string& key, const std::string& value) {
  const std::lock_guard lock(mutex_);
  return add({log_of(
      *contracts_.identity,
      {topic("MetadataSet(uint256,string,string,bytes)"), Uint256(agent).to_word(), crypto::keccak256(as_bytes(key))},
      AbiWriter().text(key).text(value).finish())});
}

Hash32 FakeChain::transfer_agent(std::uint64_t agent, std::uint64_t to) {
  const std::lock_guard lock(mutex_);
  return add({log_of(*contracts_.identity,
                     {topic("Transfer(address,address,uint256)"), word_of_address(address_of("owner", agent)),
                      word_of_address(address_of("owner", to)), Uint256(agent).to_word()},
                     {})});
}

Hash32 FakeChain::request_validation(std::uint64_t validator, std::uint64_t agent, const std::string& uri) {
  const std::lock_guard lock(mutex_);
  return add({log_of(
      *contracts_.validation,
      {topic("ValidationRequest(address,uint256,string,bytes32)"), word_of_address(address_of("validator", validator)),
       Uint256(agent).to_word(), crypto::keccak256(as_bytes(uri))},
      AbiWriter().text(uri).finish())});
}

Hash32 FakeChain::answer_validation(std::uint64_t validator, std::uint64_t agent, const std::string& uri,
                                    std::uint8_t response, const std::string& tag) {
  const std::lock_guard lock(mutex_);
  Bytes data = AbiWriter().number(response).text(uri + "#answer").word(Hash32{}).text(tag).finish();
  return add({log_of(
      *contracts_.validation,
      {topic("ValidationResponse(address,uint256,bytes32,uint8,string,bytes32,string)"),
       word_of_address(address_of("validator", validator)), Uint256(agent).to_word(), crypto::keccak256(as_bytes(uri))},
      std::move(data))});
}

BlockHeader FakeChain::mine(std::optional<Time> time) {
  const std::lock_guard lock(mutex_);
  Block block;
  block.header.num = canonical_.size();
  block.header.parent_hash = canonical_.empty() ? Hash32{} : canonical_.back();
  block.header.time = genesis_ + block_time_ * static_cast<std::int64_t>(block.header.num);
  if (time) {
    block.header.time = std::chrono::floor<std::chrono::seconds>(*time);
    if (!canonical_.empty()) block.header.time = std::max(block.header.time, blocks_.at(canonical_.back()).header.time);
  }
  block.txns = std::move(waiting_);
  waiting_.clear();
  // A nonce makes two blocks with the same content on the same parent differ, as timestamps and miners do.
  Bytes content(block.header.parent_hash.data.begin(), block.header.parent_hash.data.end());
  const std::string nonce = fmt::format("{}:{}", block.header.num, random_());
  content.insert(content.end(), nonce.begin(), nonce.end());
  for (const auto& txn : block.txns) content.insert(content.end(), txn.hash.data.begin(), txn.hash.data.end());
  block.header.hash = crypto::keccak256(content);
  std::uint32_t txn_index = 0, log_index = 0;
  for (const auto& txn : block.txns) {
    for (RawLog log : txn.logs) {
      log.block_hash = block.header.hash;
      log.block_num = block.header.num;
      log.txn_hash = txn.hash;
      log.txn_index = txn_index;
      log.log_index = log_index++;
      bloom_add(block.header.logs_bloom, log.address.view());
      for (const auto& t : log.topics) bloom_add(block.header.logs_bloom, t.view());
      block.logs.push_back(std::move(log));
    }
    ++txn_index;
  }
  block.header.empty = block.txns.empty();
  const BlockHeader header = block.header;
  canonical_.push_back(header.hash);
  blocks_.emplace(header.hash, std::move(block));
  return header;
}

void FakeChain::reorg(std::uint64_t depth, bool keep) {
  const std::lock_guard lock(mutex_);
  depth = std::min<std::uint64_t>(depth, canonical_.size() - 1);
  dropped_.assign(canonical_.end() - static_cast<std::ptrdiff_t>(depth), canonical_.end());
  canonical_.resize(canonical_.size() - depth);
  if (!keep) return;
  std::vector<Txn> again;
  for (const auto& hash : dropped_) {
    const auto& txns = blocks_.at(hash).txns;
    again.insert(again.end(), txns.begin(), txns.end());
  }
  waiting_.insert(waiting_.begin(), again.begin(), again.end());
}

void FakeChain::reorg_back() {
  const std::lock_guard lock(mutex_);
  if (dropped_.empty()) return;
  const std::uint64_t from = blocks_.at(dropped_.front()).header.num;
  std::vector<Hash32> other(canonical_.begin() + static_cast<std::ptrdiff_t>(from), canonical_.end());
  canonical_.resize(from);
  canonical_.insert(canonical_.end(), dropped_.begin(), dropped_.end());
  dropped_ = std::move(other);
  waiting_.clear();
}

BlockHeader FakeChain::head() const {
  const std::lock_guard lock(mutex_);
  return blocks_.at(canonical_.back()).header;
}

std::optional<BlockHeader> FakeChain::header(std::uint64_t num) const {
  const std::lock_guard lock(mutex_);
  if (num >= canonical_.size()) return std::nullopt;
  return blocks_.at(canonical_[num]).header;
}

std::optional<BlockHeader> FakeChain::header(const Hash32& hash) const {
  const std::lock_guard lock(mutex_);
  const auto found = blocks_.find(hash);
  if (found == blocks_.end()) return std::nullopt;
  return found->second.header;
}

bool FakeChain::is_canonical(const Hash32& hash) const {
  const std::lock_guard lock(mutex_);
  const auto found = blocks_.find(hash);
  return found != blocks_.end() && found->second.header.num < canonical_.size() &&
         canonical_[found->second.header.num] == hash;
}

std::vector<RawLog> FakeChain::logs(const Hash32& block) const {
  const std::lock_guard lock(mutex_);
  const auto found = blocks_.find(block);
  return found == blocks_.end() ? std::vector<RawLog>{} : found->second.logs;
}

std::vector<RawLog> FakeChain::logs(std::uint64_t from, std::uint64_t to) const {
  const std::lock_guard lock(mutex_);
  std::vector<RawLog> out;
  for (std::uint64_t num = from; num <= to && num < canonical_.size(); ++num) {
    const auto& logs = blocks_.at(canonical_[num]).logs;
    out.insert(out.end(), logs.begin(), logs.end());
  }
  return out;
}

}   // namespace agentauri::chain
