#include "store/revisions.hpp"

#include "core/json/json.hpp"

namespace agentauri::store {
namespace {

const Query kDraw{"revision_draw",
                  "UPDATE counters SET value = value + 1 WHERE name = 'trigger_revisions' RETURNING value"};
const Query kAppend{"revision_append",
                    "INSERT INTO trigger_revisions (revision, trigger_id, deleted, spec, created_at) VALUES "
                    "(:revision, :trigger, :deleted, :spec, :now)"};
const Query kRead{"revision_read",
                  "SELECT revision, deleted, spec, trigger_id FROM trigger_revisions WHERE revision > :after ORDER BY "
                  "revision LIMIT :limit"};
const Query kTriggersAt{"revision_triggers_at",
                        "SELECT r.revision, r.deleted, r.spec, r.trigger_id FROM trigger_revisions r WHERE "
                        "r.trigger_id > :after AND r.revision <= :upto AND r.deleted = :no "
                        "AND r.revision = (SELECT max(n.revision) FROM trigger_revisions n WHERE n.trigger_id = "
                        "r.trigger_id AND n.revision <= :upto) ORDER BY r.trigger_id LIMIT :limit"};
const Query kNewest{"revision_newest", "SELECT value FROM counters WHERE name = 'trigger_revisions'"};

json::Value text_or_null(const std::optional<std::string>& text) {
  return text ? json::Value(json::String(*text)) : json::Value();
}

std::vector<Revision> read_rows(const Rows& rows) {
  std::vector<Revision> out;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    Revision revision;
    revision.revision = rows.i64(i, 0);
    revision.deleted = rows.boolean(i, 1);
    auto trigger = trigger_from_json(rows.text(i, 2));
    if (trigger)
      revision.trigger = std::move(*trigger);
    else
      revision.fault = std::move(trigger.error().text);
    revision.trigger.id = rows.id<domain::TriggerId>(i, 3);
    out.push_back(std::move(revision));
  }
  return out;
}

// Reading what we wrote: a missing member is corruption, so one message is enough.
struct Reader {
  const json::Object& object;
  bool ok = true;

  const json::Value* at(std::string_view key) {
    const auto* value = json::find(object, key);
    if (value == nullptr) ok = false;
    return value;
  }
  std::int64_t number(std::string_view key) {
    const auto* value = at(key);
    if (value == nullptr || !value->is_int64()) return ok = false, 0;
    return value->get_int64();
  }
  bool flag(std::string_view key) {
    const auto* value = at(key);
    if (value == nullptr || !value->is_bool()) return ok = false, false;
    return value->get_bool();
  }
  std::string text(std::string_view key) {
    const auto* value = at(key);
    if (value == nullptr || !value->is_string()) return ok = false, "";
    return std::string(json::view(value->get_string()));
  }
  std::optional<std::string> maybe_text(std::string_view key) {
    const auto* value = at(key);
    if (value == nullptr || value->is_null()) return std::nullopt;
    return text(key);
  }
  std::optional<std::int64_t> maybe_number(std::string_view key) {
    const auto* value = at(key);
    if (value == nullptr || value->is_null()) return std::nullopt;
    return number(key);
  }
  template <class IdType>
  IdType id(std::string_view key) {
    const auto parsed = IdType::parse(text(key));
    if (!parsed) ok = false;
    return parsed.value_or(IdType{});
  }
  const json::Array& list(std::string_view key) {
    static const json::Array kEmpty;
    const auto* value = at(key);
    if (value == nullptr || !value->is_array()) return ok = false, kEmpty;
    return value->get_array();
  }
};

domain::Condition read_condition(Reader r) {
  domain::Condition c;
  c.id = r.number("id");
  c.revision = r.number("revision");
  c.condition_type = r.text("condition_type");
  c.field = r.text("field");
  c.op = r.text("operator");
  c.value = r.text("value");
  c.config = r.maybe_text("config");
  c.position = static_cast<std::int32_t>(r.number("position"));
  return c;
}

// Revisions from before there was one have none.
bool read_breaker(const json::Object& object, domain::CircuitBreaker& out) {
  const auto* value = json::find(object, "breaker");
  if (value == nullptr) return true;
  if (!value->is_array() || value->get_array().size() != 4) return false;
  const auto& parts = value->get_array();
  for (const auto& part : parts) {
    if (!part.is_int64()) return false;
  }
  out = {static_cast<std::int32_t>(parts[0].get_int64()), static_cast<std::int32_t>(parts[1].get_int64()),
         static_cast<std::int32_t>(parts[2].get_int64()), parts[3].get_int64()};
  return true;
}

}   // namespace

std::string trigger_to_json(const domain::Trigger& t) {
  json::Object out;
  out["id"] = to_string(t.id);
  out["organization_id"] = to_string(t.organization_id);
  out["account_id"] = to_string(t.account_id);
  out["name"] = t.name;
  out["chain_id"] = t.chain_id ? json::Value(*t.chain_id) : json::Value();
  out["registry"] = json::String(domain::to_string(t.registry));
  out["enabled"] = t.enabled;
  out["is_stateful"] = t.is_stateful;
  out["min_confirmations"] = t.min_confirmations ? json::Value(*t.min_confirmations) : json::Value();
  out["created_at"] = to_micros(t.created_at);
  out["breaker"] = json::Array{t.breaker.failure_threshold, t.breaker.recovery_timeout_seconds,
                               t.breaker.half_open_max_calls, t.breaker.revision};
  json::Array conditions, actions;
  for (const auto& c : t.conditions) {
    json::Object entry;
    entry["id"] = c.id;
    entry["revision"] = c.revision;
    entry["condition_type"] = c.condition_type;
    entry["field"] = c.field;
    entry["operator"] = c.op;
    entry["value"] = c.value;
    entry["config"] = text_or_null(c.config);
    entry["position"] = c.position;
    conditions.push_back(std::move(entry));
  }
  for (const auto& a : t.actions) {
    json::Object entry;
    entry["id"] = a.id;
    entry["type"] = json::String(domain::to_string(a.type));
    entry["priority"] = a.priority;
    entry["config"] = a.config;
    actions.push_back(std::move(entry));
  }
  out["conditions"] = std::move(conditions);
  out["actions"] = std::move(actions);
  return json::dump(out);
}

Result<domain::Trigger> trigger_from_json(std::string_view text) {
  const auto corrupt = [] { return fail(Code::corrupt, "a stored trigger revision cannot be read"); };
  const auto parsed = json::parse(text);
  if (!parsed || !parsed->is_object()) return corrupt();
  Reader r{parsed->get_object()};
  domain::Trigger t;
  t.id = r.id<domain::TriggerId>("id");
  t.organization_id = r.id<domain::OrganizationId>("organization_id");
  t.account_id = r.id<domain::AccountId>("account_id");
  t.name = r.text("name");
  t.chain_id = r.maybe_number("chain_id");
  const auto registry = domain::parse_registry(r.text("registry"));
  t.enabled = r.flag("enabled");
  t.is_stateful = r.flag("is_stateful");
  if (const auto n = r.maybe_number("min_confirmations")) t.min_confirmations = static_cast<std::int32_t>(*n);
  t.created_at = from_micros(r.number("created_at"));
  if (!read_breaker(parsed->get_object(), t.breaker)) return corrupt();
  for (const auto& entry : r.list("conditions")) {
    if (!entry.is_object()) return corrupt();
    t.conditions.push_back(read_condition(Reader{entry.get_object()}));
  }
  for (const auto& entry : r.list("actions")) {
    if (!entry.is_object()) return corrupt();
    Reader a{entry.get_object()};
    const auto type = domain::parse_action_type(a.text("type"));
    t.actions.push_back({static_cast<domain::ActionId>(a.number("id")),
                         type.value_or(domain::ActionType::rest),
                         static_cast<std::int32_t>(a.number("priority")),
                         a.text("config"),
                         {}});
    if (!a.ok || !type) return corrupt();
  }
  if (!r.ok || !registry) return corrupt();
  t.registry = *registry;
  return t;
}

Result<std::int64_t> append_revision(Tx& tx, const domain::Trigger& trigger, bool deleted, Time now) {
  auto drawn = tx.run(kDraw);
  if (!drawn) return fail(drawn);
  if (drawn->empty()) return fail(Code::corrupt, "the counter trigger_revisions is missing");
  const std::int64_t revision = drawn->i64(0, 0);
  auto put = tx.run(kAppend, Params()
                                 .i64("revision", revision)
                                 .id("trigger", trigger.id)
                                 .boolean("deleted", deleted)
                                 .text("spec", trigger_to_json(trigger))
                                 .time("now", now));
  if (!put) return fail(put);
  return revision;
}

Result<std::vector<Revision>> read_revisions(Tx& tx, std::int64_t after, std::int64_t limit) {
  auto rows = tx.run(kRead, Params().i64("after", after).i64("limit", limit));
  if (!rows) return fail(rows);
  return read_rows(*rows);
}

Result<std::vector<Revision>> read_triggers_at(Tx& tx, std::int64_t upto, domain::TriggerId after, std::int64_t limit) {
  auto rows =
      tx.run(kTriggersAt, Params().i64("upto", upto).id("after", after).i64("limit", limit).boolean("no", false));
  if (!rows) return fail(rows);
  return read_rows(*rows);
}

Result<std::int64_t> newest_revision(Tx& tx) {
  auto rows = tx.run(kNewest);
  if (!rows) return fail(rows);
  return rows->empty() ? 0 : rows->i64(0, 0);
}

}   // namespace agentauri::store
