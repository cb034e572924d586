// Arbitrary topics and data: decoding never crashes, values lie inside the data, what decodes encodes again to words
// that decode alike, and the event that is made of it has bounded, clean texts.
#include <fuzzer/FuzzedDataProvider.h>

#include <cstdlib>

#include "chain/evm/contract_events.hpp"
#include "chain/evm/event_text.hpp"
#include "chain/evm/normalise.hpp"
#include "core/crypto/crypto.hpp"

namespace {

using namespace agentauri;
using chain::AbiType;
using chain::AbiValue;

constexpr std::size_t kWord = 32;
constexpr std::size_t kMaxMarkBytes = 160;   // behind what is cut

void check(bool holds) {
  if (!holds) std::abort();
}

Hash32 word_of(FuzzedDataProvider& in) {
  Hash32 out;
  const bool small = in.ConsumeBool();
  const auto bytes = in.ConsumeBytes<std::uint8_t>(small ? 2 : kWord);
  std::copy(bytes.begin(), bytes.end(), out.data.end() - static_cast<std::ptrdiff_t>(bytes.size()));
  return out;
}

// Data as contracts lay it out, so that more than the first refusal is reached: a head with offsets, then the tails.
Bytes laid_out(FuzzedDataProvider& in, const chain::EventShape& shape, std::vector<Hash32>& topics) {
  Bytes head, tail;
  const auto put = [](Bytes& out, std::uint64_t number) {
    for (std::size_t i = 0; i < kWord; ++i)
      out.push_back(i < 24 ? 0 : static_cast<std::uint8_t>(number >> (8 * (kWord - 1 - i))));
  };
  std::size_t head_bytes = 0;
  for (const auto& p : shape.parameters) head_bytes += p.indexed ? 0 : kWord;
  std::vector<std::pair<std::string_view, Bytes>> texts;
  for (const auto& p : shape.parameters) {
    if (p.indexed) continue;
    if (!chain::is_dynamic(p.type)) {
      const Hash32 word = word_of(in);
      head.insert(head.end(), word.data.begin(), word.data.end());
      continue;
    }
    const auto bytes = in.ConsumeBytes<std::uint8_t>(in.ConsumeIntegralInRange<std::size_t>(0, 80));
    put(head, head_bytes + tail.size());
    put(tail, bytes.size());
    tail.insert(tail.end(), bytes.begin(), bytes.end());
    tail.resize((tail.size() + kWord - 1) / kWord * kWord);
    texts.emplace_back(p.name, Bytes(bytes.begin(), bytes.end()));
  }
  for (const auto& p : shape.parameters) {
    if (!p.indexed) continue;
    topics.push_back(word_of(in));
    for (const auto& [name, bytes] : texts) {
      if (name == p.hash_of) topics.back() = crypto::keccak256(bytes);
    }
  }
  head.insert(head.end(), tail.begin(), tail.end());
  return head;
}

// Head and tails of the values that are not topics.
Bytes encoded(const chain::DecodedLog& log) {
  Bytes head, tail;
  std::size_t head_bytes = 0;
  for (const auto& p : log.shape->parameters) head_bytes += p.indexed ? 0 : kWord;
  for (std::size_t i = 0; i < log.values.size(); ++i) {
    const auto& value = log.values[i];
    if (log.shape->parameters[i].indexed) continue;
    Hash32 word = value.word;
    if (chain::is_dynamic(value.type)) {
      const Hash32 length = Uint256(value.bytes.size()).to_word();
      word = Uint256(head_bytes + tail.size()).to_word();
      tail.insert(tail.end(), length.data.begin(), length.data.end());
      tail.insert(tail.end(), value.bytes.begin(), value.bytes.end());
    }
    head.insert(head.end(), word.data.begin(), word.data.end());
  }
  head.insert(head.end(), tail.begin(), tail.end());
  return head;
}

void check_value(const AbiValue& value, ByteView data) {
  if (chain::is_dynamic(value.type)) {
    check(value.bytes.empty() ||
          (value.bytes.data() >= data.data() && value.bytes.data() + value.bytes.size() <= data.data() + data.size()));
    return;
  }
  const std::string decimal = value.decimal();
  check(!decimal.empty() && decimal.size() <= 79);
  if (const auto small = value.as_int128()) check(to_string(*small) == decimal);
  if (value.type == AbiType::int128) check(value.as_int128().has_value());
  if (value.type == AbiType::uint64 || value.type == AbiType::uint8) check(std::to_string(value.as_u64()) == decimal);
  const auto again = chain::read_word(value.type, value.word);
  check(again && again->word == value.word);
}

void check_decoded(const chain::KnownEvent& known, const chain::RawLog& log) {
  const auto decoded = chain::decode_log(known, log);
  if (!decoded) return;
  check(decoded->values.size() == known.shape.parameters.size());
  for (const auto& value : decoded->values) check_value(value, log.data);
  chain::RawLog copy = log;
  copy.data = encoded(*decoded);
  const auto again = chain::decode_log(known, copy);
  check(again.has_value());
  for (std::size_t i = 0; i < decoded->values.size(); ++i) {
    check(decoded->values[i].word == again->values[i].word);
    check(std::equal(decoded->values[i].bytes.begin(), decoded->values[i].bytes.end(), again->values[i].bytes.begin(),
                     again->values[i].bytes.end()));
  }
}

void check_event(const domain::Event& e) {
  for (const auto& text : {e.owner, e.token_uri, e.metadata_key, e.metadata_value, e.client_address, e.tag1, e.tag2,
                           e.tag1_hash, e.endpoint, e.file_uri, e.file_hash, e.validator_address, e.request_hash,
                           e.request_uri, e.response_uri, e.response_hash, e.tag, e.parse_error, e.raw}) {
    if (!text) continue;
    check(chain::is_clean_text(as_bytes(*text)));
    check(text->size() <= 2 * chain::kMaxInlineBytes + kMaxMarkBytes + 5 * 80);   // raw: hex of the data, and topics
  }
  check(!e.event_type.empty() && e.value.has_value() == e.value_decimals.has_value());
  if (e.score) check(*e.score >= 0 && *e.score <= 255);
  check(e.parse_error.has_value() == e.raw.has_value());
}

}   // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  FuzzedDataProvider in(data, size);
  const auto& events = chain::known_events();
  const auto& known = events[in.ConsumeIntegralInRange<std::size_t>(0, events.size() - 1)];
  chain::RawLog log;
  log.address.data.fill(0x11);
  log.topics.push_back(in.ConsumeIntegralInRange(0, 15) == 0 ? word_of(in) : known.topic0);
  if (in.ConsumeBool()) {
    log.data = laid_out(in, known.shape, log.topics);
    if (in.ConsumeIntegralInRange(0, 3) == 0 && !log.data.empty()) {   // and then spoilt somewhere
      log.data[in.ConsumeIntegralInRange<std::size_t>(0, log.data.size() - 1)] = in.ConsumeIntegral<std::uint8_t>();
    }
  } else {
    while (log.topics.size() < in.ConsumeIntegralInRange<std::size_t>(1, 4)) log.topics.push_back(word_of(in));
    const auto rest = in.ConsumeRemainingBytes<std::uint8_t>();
    log.data.assign(rest.begin(), rest.end());
  }
  check_decoded(known, log);

  chain::Contracts contracts;
  contracts.identity = contracts.reputation = contracts.validation = log.address;
  const auto block = chain::normalise_block(1, contracts, Time(), {log, log});
  check(block.events.size() + block.unknown_topics == 2);
  for (const auto& event : block.events) check_event(event);
  return 0;
}
