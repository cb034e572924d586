#include "store/triggers.hpp"

#include "store/revisions.hpp"

namespace agentauri::store {
namespace {

using domain::Action;
using domain::Condition;
using domain::Trigger;
using domain::TriggerId;

constexpr std::int64_t kMaxTotal = 100'000;

#define TRIGGER_COLUMNS "SELECT id, organization_id, account_id, name, description, chain_id, registry, enabled, is_stateful, min_confirmations, last_error, created_at, updated_at FROM triggers "
const Query kCreate{"trigger_create",
                    "INSERT INTO triggers (id, organization_id, account_id, name, description, chain_id, registry, enabled, is_stateful, min_confirmations, created_at, updated_at) "
                    "VALUES (:id, :organization, :account, :name, :description, :chain, :registry, :enabled, :stateful, :confirmations, :created, :updated)"};
const Query kFind{"trigger_find", TRIGGER_COLUMNS "WHERE id = :id AND organization_id = :organization"};
const Query kList{"trigger_list", TRIGGER_COLUMNS "WHERE organization_id = :organization ORDER BY created_at DESC, id DESC LIMIT :limit OFFSET :offset"};
#undef TRIGGER_COLUMNS
const Query kCount{"trigger_count", "SELECT count(*) FROM (SELECT 1 FROM triggers WHERE organization_id = :organization LIMIT :limit) AS counted"};
const Query kUpdate{"trigger_update",
                    "UPDATE triggers SET name = :name, description = :description, chain_id = :chain, registry = :registry, enabled = :enabled, is_stateful = :stateful, "
                    "min_confirmations = :confirmations, last_error = NULL, updated_at = :updated WHERE id = :id"};
const Query kTouch{"trigger_touch", "UPDATE triggers SET updated_at = :now WHERE id = :id"};
const Query kDelete{"trigger_delete", "DELETE FROM triggers WHERE id = :id"};
const Query kConditions{"condition_list", "SELECT id, revision, condition_type, field, operator, value, config, position, created_at FROM trigger_conditions WHERE trigger_id = :trigger ORDER BY position, id"};
const Query kCreateCondition{"condition_create",
                             "INSERT INTO trigger_conditions (trigger_id, revision, condition_type, field, operator, value, config, position, created_at) "
                             "VALUES (:trigger, 1, :type, :field, :operator, :value, :config, :position, :now) RETURNING id"};
const Query kUpdateCondition{"condition_update",
                             "UPDATE trigger_conditions SET revision = revision + 1, condition_type = :type, field = :field, operator = :operator, value = :value, config = :config, position = :position WHERE id = :id"};
const Query kDeleteCondition{"condition_delete", "DELETE FROM trigger_conditions WHERE id = :id"};
const Query kActions{"action_list", "SELECT id, action_type, priority, config, created_at FROM trigger_actions WHERE trigger_id = :trigger ORDER BY priority, id"};
const Query kCreateAction{"action_create",
                          "INSERT INTO trigger_actions (trigger_id, action_type, priority, config, created_at, updated_at) VALUES (:trigger, :type, :priority, :config, :now, :now) RETURNING id"};
const Query kUpdateAction{"action_update", "UPDATE trigger_actions SET action_type = :type, priority = :priority, config = :config, disabled_reason = NULL, updated_at = :now WHERE id = :id"};
const Query kSetSecrets{"action_set_secrets",
                        "UPDATE trigger_actions SET signing_secret = :secret, previous_signing_secret = :previous, previous_expires_at = :expires, updated_at = :now WHERE id = :id"};
const Query kReadSecrets{"action_read_secrets", "SELECT signing_secret, previous_signing_secret, previous_expires_at FROM trigger_actions WHERE id = :id"};
const Query kDeleteAction{"action_delete", "DELETE FROM trigger_actions WHERE id = :id"};

Trigger read_trigger(const Rows& rows, std::size_t i) {
  Trigger t;
  t.id = rows.id<TriggerId>(i, 0);
  t.organization_id = rows.id<domain::OrganizationId>(i, 1);
  t.account_id = rows.id<domain::AccountId>(i, 2);
  t.name = rows.text(i, 3);
  t.description = rows.text_or_null(i, 4);
  t.chain_id = rows.i64_or_null(i, 5);
  t.registry = domain::parse_registry(rows.text(i, 6)).value_or(domain::Registry::identity);
  t.enabled = rows.boolean(i, 7);
  t.is_stateful = rows.boolean(i, 8);
  if (const auto n = rows.i64_or_null(i, 9)) t.min_confirmations = static_cast<std::int32_t>(*n);
  t.last_error = rows.text_or_null(i, 10);
  t.created_at = rows.time(i, 11);
  t.updated_at = rows.time(i, 12);
  return t;
}

Params trigger_params(const Trigger& t) {
  return Params().id("id", t.id).id("organization", t.organization_id).id("account", t.account_id).text("name", t.name).text("description", t.description).i64("chain", t.chain_id)
      .text("registry", std::string(domain::to_string(t.registry))).boolean("enabled", t.enabled).boolean("stateful", t.is_stateful)
      .i64("confirmations", t.min_confirmations ? std::optional<std::int64_t>(*t.min_confirmations) : std::nullopt).time("created", t.created_at).time("updated", t.updated_at);
}

Params condition_params(const Condition& c) {
  return Params().i64("id", c.id).text("type", c.condition_type).text("field", c.field).text("operator", c.op).text("value", c.value).text("config", c.config).i64("position", c.position).time("now", c.created_at);
}

Result<void> done(const Result<Rows>& rows) {
  if (!rows) return std::unexpected(rows.error());
  return {};
}

}  // namespace

Result<void> create_trigger(Tx& tx, const Trigger& trigger) { return done(tx.run(kCreate, trigger_params(trigger))); }

Result<std::optional<Trigger>> find_trigger(Tx& tx, domain::OrganizationId owner, TriggerId id) {
  auto rows = tx.run(kFind, Params().id("id", id).id("organization", owner));
  if (!rows) return fail(rows);
  if (rows->empty()) return std::nullopt;
  Trigger t = read_trigger(*rows, 0);
  auto conditions = tx.run(kConditions, Params().id("trigger", id));
  if (!conditions) return fail(conditions);
  for (std::size_t i = 0; i < conditions->size(); ++i) {
    t.conditions.push_back({conditions->i64(i, 0), conditions->i64(i, 1), conditions->text(i, 2), conditions->text(i, 3), conditions->text(i, 4), conditions->text(i, 5), conditions->text_or_null(i, 6),
                            static_cast<std::int32_t>(conditions->i64(i, 7)), conditions->time(i, 8)});
  }
  auto actions = tx.run(kActions, Params().id("trigger", id));
  if (!actions) return fail(actions);
  for (std::size_t i = 0; i < actions->size(); ++i) {
    t.actions.push_back({static_cast<domain::ActionId>(actions->i64(i, 0)), domain::parse_action_type(actions->text(i, 1)).value_or(domain::ActionType::rest), static_cast<std::int32_t>(actions->i64(i, 2)),
                         actions->text(i, 3), actions->time(i, 4)});
  }
  return t;
}

Result<TriggerPage> list_triggers(Tx& tx, domain::OrganizationId owner, std::int64_t limit, std::int64_t offset) {
  auto total = count_triggers(tx, owner);
  if (!total) return fail(total);
  auto rows = tx.run(kList, Params().id("organization", owner).i64("limit", limit).i64("offset", offset));
  if (!rows) return fail(rows);
  TriggerPage page;
  page.total = *total;
  for (std::size_t i = 0; i < rows->size(); ++i) page.rows.push_back(read_trigger(*rows, i));
  return page;
}

Result<std::int64_t> count_triggers(Tx& tx, domain::OrganizationId owner) {
  auto rows = tx.run(kCount, Params().id("organization", owner).i64("limit", kMaxTotal));
  if (!rows) return fail(rows);
  return rows->i64(0, 0);
}

Result<void> update_trigger(Tx& tx, const Trigger& trigger) { return done(tx.run(kUpdate, trigger_params(trigger))); }
Result<void> delete_trigger(Tx& tx, TriggerId id) { return done(tx.run(kDelete, Params().id("id", id))); }

Result<Trigger> touch_trigger(Tx& tx, domain::OrganizationId owner, TriggerId id, Time now) {
  if (auto touched = tx.run(kTouch, Params().id("id", id).time("now", now)); !touched) return fail(touched);
  auto trigger = find_trigger(tx, owner, id);
  if (!trigger) return fail(trigger);
  if (!*trigger) return fail(Code::not_found, "Trigger not found");
  if (auto revision = append_revision(tx, **trigger, false, now); !revision) return fail(revision);
  return std::move(**trigger);
}

Result<domain::ConditionId> create_condition(Tx& tx, TriggerId trigger, const Condition& condition) {
  auto row = tx.run(kCreateCondition, condition_params(condition).id("trigger", trigger));
  if (!row) return fail(row);
  return row->i64(0, 0);
}

Result<void> update_condition(Tx& tx, const Condition& condition) { return done(tx.run(kUpdateCondition, condition_params(condition))); }
Result<void> delete_condition(Tx& tx, domain::ConditionId id) { return done(tx.run(kDeleteCondition, Params().i64("id", id))); }

Result<domain::ActionId> create_action(Tx& tx, TriggerId trigger, const Action& action) {
  auto row = tx.run(kCreateAction, Params().id("trigger", trigger).text("type", std::string(domain::to_string(action.type))).i64("priority", action.priority).text("config", action.config).time("now", action.created_at));
  if (!row) return fail(row);
  return static_cast<domain::ActionId>(row->i64(0, 0));
}

Result<void> update_action(Tx& tx, const Action& action, Time now) {
  return done(tx.run(kUpdateAction, Params().i64("id", action.id).text("type", std::string(domain::to_string(action.type))).i64("priority", action.priority).text("config", action.config).time("now", now)));
}

Result<void> set_action_secrets(Tx& tx, domain::ActionId id, const ActionSecrets& s, Time now) {
  return done(tx.run(kSetSecrets, Params().i64("id", id).text("secret", s.signing_secret).text("previous", s.previous_signing_secret).time("expires", s.previous_expires_at).time("now", now)));
}

Result<ActionSecrets> read_action_secrets(Tx& tx, domain::ActionId id) {
  auto rows = tx.run(kReadSecrets, Params().i64("id", id));
  if (!rows) return fail(rows);
  if (rows->empty()) return fail(Code::not_found, "Action not found");
  return ActionSecrets{rows->text_or_null(0, 0), rows->text_or_null(0, 1), rows->time_or_null(0, 2)};
}

Result<void> delete_action(Tx& tx, domain::ActionId id) { return done(tx.run(kDeleteAction, Params().i64("id", id))); }

}  // namespace agentauri::store
