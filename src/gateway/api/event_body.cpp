#include "gateway/api/event_body.hpp"

#include <fmt/format.h>

#include <algorithm>

#include "gateway/api/body.hpp"
#include "rules/event_fields.hpp"

namespace agentauri::gateway {
namespace {

constexpr std::size_t kMaxTypeBytes = 100;
constexpr std::int64_t kLastSecond = 253'402'300'799;   // of the year 9999

// Like BodyReader, with the forms that events have besides.
class EventReader {
 public:
  EventReader(const json::Object& object, std::string path) : reader_(object, std::move(path)) {}

  std::optional<std::string> text(std::string_view key) { return reader_.text(key); }
  std::optional<std::int64_t> integer(std::string_view key, std::int64_t min, std::int64_t max) {
    return reader_.integer(key, min, max);
  }
  // Numbers above 2^53 - 1 come as text.
  std::optional<Uint256> big_number(std::string_view key) {
    const auto* value = reader_.any(key);
    if (value == nullptr) return std::nullopt;
    std::optional<Uint256> out;
    if (value->is_int64() && value->get_int64() >= 0) out = Uint256(static_cast<std::uint64_t>(value->get_int64()));
    if (value->is_uint64()) out = Uint256(value->get_uint64());
    if (value->is_string()) out = parse_uint256(json::view(value->get_string()));
    if (!out) reader_.fault(fmt::format("field `{}` must be a whole number, or one as text", key));
    return out;
  }
  template <std::size_t N>
  void hex(std::string_view key, FixedBytes<N>& out) {
    const auto value = reader_.text(key);
    if (!value) return;
    const auto bytes = fixed_from_hex_0x<N>(*value);
    if (bytes)
      out = *bytes;
    else
      reader_.fault(fmt::format("field `{}` must be 0x and {} hex digits", key, 2 * N));
  }
  // Addresses and hashes are lower-case text in every event.
  void field(std::string_view key, std::optional<std::string>& out) {
    out = reader_.text(key);
    const auto* known = rules::find_event_field(key);
    if (out && known != nullptr && known->kind == rules::FieldKind::hex)
      std::transform(out->begin(), out->end(), out->begin(),
                     [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  }
  void value(domain::Event& event) {
    const auto written = reader_.text("value");
    const auto decimals = reader_.integer("value_decimals", 0, 18);
    if (!written) return;
    auto number = parse_decimal(*written);
    // As many decimals as asked for, when the number has fewer.
    while (number && decimals && number->decimals < *decimals) {
      if (__builtin_mul_overflow(number->value, 10, &number->value)) {
        number.reset();
      } else {
        ++number->decimals;
      }
    }
    if (!number || number->decimals > 18 || (decimals && number->decimals != *decimals))
      return reader_.fault("field `value` must be a decimal number as text, with at most `value_decimals` decimals");
    event.value = number->value;
    event.value_decimals = number->decimals;
  }
  const json::Object* object(std::string_view key) { return reader_.object(key); }
  void fault(std::string detail) { reader_.fault(std::move(detail)); }
  const std::optional<Refusal>& refusal() const { return reader_.refusal(); }

 private:
  BodyReader reader_;
};

void read_data(EventReader& data, domain::Event& event) {
  data.field("owner", event.owner);
  data.field("token_uri", event.token_uri);
  data.field("metadata_key", event.metadata_key);
  data.field("metadata_value", event.metadata_value);
  data.field("client_address", event.client_address);
  if (const auto index = data.big_number("feedback_index")) {
    event.feedback_index = index->to_u64();
    if (!event.feedback_index) data.fault("field `feedback_index` must be below 2^64");
  }
  data.value(event);
  if (const auto score = data.integer("score", INT32_MIN, INT32_MAX)) event.score = static_cast<std::int32_t>(*score);
  data.field("tag1", event.tag1);
  data.field("tag2", event.tag2);
  data.field("tag1_hash", event.tag1_hash);
  data.field("endpoint", event.endpoint);
  data.field("file_uri", event.file_uri);
  data.field("file_hash", event.file_hash);
  data.field("validator_address", event.validator_address);
  data.field("request_hash", event.request_hash);
  data.field("request_uri", event.request_uri);
  if (const auto n = data.integer("response", INT32_MIN, INT32_MAX)) event.response = static_cast<std::int32_t>(*n);
  data.field("response_uri", event.response_uri);
  data.field("response_hash", event.response_hash);
  data.field("tag", event.tag);
}

}   // namespace

Outcome<EventDraft> read_event_draft(const json::Object& body) {
  EventReader reader(body, "event.");
  EventDraft out;
  auto& event = out.event;
  const auto type = reader.text("event_type");
  if (!type)
    reader.fault("missing field `event_type`");
  else if (type->size() > kMaxTypeBytes)   // unlike texts of the chain it is not clipped in what a delivery keeps
    reader.fault(fmt::format("field `event_type` must have at most {} bytes", kMaxTypeBytes));
  else
    event.event_type = std::string(rules::resolve_event_type(*type));
  if (const auto registry = reader.text("registry")) {
    out.registry = domain::parse_registry(*registry);
    if (!out.registry) reader.fault("field `registry` must be identity, reputation or validation");
  }
  out.chain_id = reader.integer("chain_id", 1, INT64_MAX);
  out.timestamp = reader.integer("timestamp", 0, kLastSecond);
  event.block_num = static_cast<std::uint64_t>(reader.integer("block_number", 0, INT64_MAX).value_or(0));
  event.log_index = static_cast<std::uint32_t>(reader.integer("log_index", 0, UINT32_MAX).value_or(0));
  reader.hex("block_hash", event.block_hash);
  reader.hex("tx_hash", event.txn_hash);
  reader.hex("contract_address", event.contract);
  event.agent_id = reader.big_number("agent_id");
  if (const auto* data = reader.object("data")) {
    EventReader fields(*data, "event.data.");
    read_data(fields, event);
    if (fields.refusal() && !reader.refusal()) return std::unexpected(*fields.refusal());
  }
  if (reader.refusal()) return std::unexpected(*reader.refusal());
  return out;
}

}   // namespace agentauri::gateway
