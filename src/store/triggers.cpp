#include "store/triggers.hpp"

#include <fmt/format.h>

#include "store/counting.hpp"
#include "store/jobs.hpp"
#include "store/revisions.hpp"

namespace agentauri::store {
namespace {

using domain::ActionId;
using domain::ConditionId;
using domain::OrganizationId;
using domain::Trigger;
using domain::TriggerId;

#define TRIGGER_COLUMNS                                                                                               \
  "id, organization_id, account_id, name, description, chain_id, registry, enabled, is_stateful, min_confirmations, " \
  "last_error, created_at, updated_at, breaker_threshold, breaker_recovery_seconds, breaker_half_open_calls, "        \
  "breaker_revision "
const Query kInsert{"trigger_insert",
                    "INSERT INTO triggers (id, organization_id, account_id, name, description, chain_id, registry, "
                    "enabled, is_stateful, min_confirmations, created_at, updated_at) "
                    "VALUES (:id, :organization, :account, :name, :description, :chain, :registry, :enabled, "
                    ":stateful, :confirmations, :created_at, :updated_at)"};
const Query kFind{"trigger_find",
                  "SELECT " TRIGGER_COLUMNS "FROM triggers WHERE id = :id AND organization_id = :organization"};
// SQLite has one writer, so its transaction is the lock.
const Query kLock{
    "trigger_lock", "SELECT " TRIGGER_COLUMNS "FROM triggers WHERE id = :id AND organization_id = :organization",
    "SELECT " TRIGGER_COLUMNS "FROM triggers WHERE id = :id AND organization_id = :organization FOR UPDATE"};
const Query kExists{"trigger_exists", "SELECT 1 FROM triggers WHERE id = :id AND organization_id = :organization"};
const Query kUpdate{"trigger_update",
                    "UPDATE triggers SET name = :name, description = :description, chain_id = :chain, registry = "
                    ":registry, enabled = :enabled, is_stateful = :stateful, "
                    "min_confirmations = :confirmations, updated_at = :updated_at WHERE id = :id"};
// A follow goes with the last of its triggers. Its row is held first, so that of two triggers that are deleted at the
// same time one is the last.
#define FOLLOW_OF \
  "SELECT f.id FROM agent_follows f JOIN agent_follow_triggers ft ON ft.follow_id = f.id WHERE ft.trigger_id = :id"
const Query kLockFollow{"trigger_lock_follow", FOLLOW_OF, FOLLOW_OF " FOR UPDATE OF f"};
#undef FOLLOW_OF
const Query kDeleteFollow{"trigger_delete_follow",
                          "DELETE FROM agent_follows WHERE id = :follow AND NOT EXISTS (SELECT 1 FROM "
                          "agent_follow_triggers ft WHERE ft.follow_id = agent_follows.id AND ft.trigger_id <> :id)"};
const Query kDelete{"trigger_delete", "DELETE FROM triggers WHERE id = :id"};
const Query kList{"trigger_list", "SELECT " TRIGGER_COLUMNS
                                  "FROM triggers WHERE organization_id = :organization ORDER BY created_at DESC, id "
                                  "DESC LIMIT :limit OFFSET :offset"};
const Query kCount{
    "trigger_count",
    "SELECT count(*) FROM (SELECT 1 FROM triggers WHERE organization_id = :organization LIMIT :limit) AS counted"};
#undef TRIGGER_COLUMNS

const Query kConditions{
    "condition_list",
    "SELECT id, revision, condition_type, field, operator, value, config, position, created_at FROM trigger_conditions "
    "WHERE trigger_id = :trigger ORDER BY position, id"};
const Query kInsertCondition{
    "condition_insert",
    "INSERT INTO trigger_conditions (trigger_id, revision, condition_type, field, operator, value, config, position, "
    "created_at) "
    "VALUES (:trigger, :revision, :type, :field, :operator, :value, :config, :position, :created_at) RETURNING id"};
const Query kUpdateCondition{"condition_update",
                             "UPDATE trigger_conditions SET revision = :revision, condition_type = :type, field = "
                             ":field, operator = :operator, value = :value, "
                             "config = :config, position = :position WHERE id = :id"};
const Query kDeleteCondition{"condition_delete", "DELETE FROM trigger_conditions WHERE id = :id"};

const Query kActions{
    "action_list",
    "SELECT id, action_type, priority, config, created_at, disabled_reason FROM trigger_actions WHERE trigger_id = "
    ":trigger ORDER BY priority, id"};
const Query kInsertAction{
    "action_insert",
    "INSERT INTO trigger_actions (trigger_id, action_type, priority, config, created_at, updated_at) "
    "VALUES (:trigger, :type, :priority, '{}', :created_at, :created_at) RETURNING id"};
const Query kUpdateAction{
    "action_update",
    "UPDATE trigger_actions SET action_type = :type, priority = :priority, updated_at = :now WHERE id = :id"};
const Query kSetConfig{
    "action_set_config",
    "UPDATE trigger_actions SET config = :config, disabled_reason = NULL, updated_at = :now WHERE id = :id"};
const Query kReadSecrets{
    "action_read_secrets",
    "SELECT signing_secret, previous_signing_secret, previous_expires_at FROM trigger_actions WHERE id = :id"};
const Query kSetSecrets{"action_set_secrets",
                        "UPDATE trigger_actions SET signing_secret = :current, previous_signing_secret = :previous, "
                        "previous_expires_at = :expires_at, updated_at = :now WHERE id = :id"};
const Query kDeleteAction{"action_delete", "DELETE FROM trigger_actions WHERE id = :id"};

Result<Trigger> read_row(const Rows& rows, std::size_t i) {
  Trigger out;
  out.id = rows.id<TriggerId>(i, 0);
  out.organization_id = rows.id<OrganizationId>(i, 1);
  out.account_id = rows.id<domain::AccountId>(i, 2);
  out.name = rows.text(i, 3);
  out.description = rows.text_or_null(i, 4);
  out.chain_id = rows.i64_or_null(i, 5);
  const auto registry = domain::parse_registry(rows.text(i, 6));
  if (!registry) return fail(Code::corrupt, "triggers.registry", "is not a registry");
  out.registry = *registry;
  out.enabled = rows.boolean(i, 7);
  out.is_stateful = rows.boolean(i, 8);
  if (const auto n = rows.i64_or_null(i, 9)) out.min_confirmations = static_cast<std::int32_t>(*n);
  out.last_error = rows.text_or_null(i, 10);
  out.created_at = rows.time(i, 11);
  out.updated_at = rows.time(i, 12);
  out.breaker.failure_threshold = static_cast<std::int32_t>(rows.i64(i, 13));
  out.breaker.recovery_timeout_seconds = static_cast<std::int32_t>(rows.i64(i, 14));
  out.breaker.half_open_max_calls = static_cast<std::int32_t>(rows.i64(i, 15));
  out.breaker.revision = rows.i64(i, 16);
  return out;
}

Result<void> read_conditions(Tx& tx, Trigger& trigger) {
  auto rows = tx.run(kConditions, Params().id("trigger", trigger.id));
  if (!rows) return fail(rows);
  for (std::size_t i = 0; i < rows->size(); ++i) {
    domain::Condition c;
    c.id = rows->i64(i, 0);
    c.revision = rows->i64(i, 1);
    c.condition_type = rows->text(i, 2);
    c.field = rows->text(i, 3);
    c.op = rows->text(i, 4);
    c.value = rows->text(i, 5);
    c.config = rows->text_or_null(i, 6);
    c.position = static_cast<std::int32_t>(rows->i64(i, 7));
    c.created_at = rows->time(i, 8);
    trigger.conditions.push_back(std::move(c));
  }
  return {};
}

Result<void> read_actions(Tx& tx, Trigger& trigger) {
  auto rows = tx.run(kActions, Params().id("trigger", trigger.id));
  if (!rows) return fail(rows);
  for (std::size_t i = 0; i < rows->size(); ++i) {
    const auto type = domain::parse_action_type(rows->text(i, 1));
    if (!type) return fail(Code::corrupt, "trigger_actions.action_type", "is not an action type");
    domain::Action a;
    a.id = static_cast<ActionId>(rows->i64(i, 0));
    a.type = *type;
    a.priority = static_cast<std::int32_t>(rows->i64(i, 2));
    a.config = rows->text(i, 3);
    a.created_at = rows->time(i, 4);
    a.disabled_reason = rows->text_or_null(i, 5);
    trigger.actions.push_back(std::move(a));
  }
  return {};
}

Result<std::optional<Trigger>> find_with(Tx& tx, const Query& query, OrganizationId owner, TriggerId id) {
  auto rows = tx.run(query, Params().id("id", id).id("organization", owner));
  if (!rows) return fail(rows);
  if (rows->empty()) return std::nullopt;
  auto trigger = read_row(*rows, 0);
  if (!trigger) return fail(trigger);
  if (auto read = read_conditions(tx, *trigger); !read) return fail(read);
  if (auto read = read_actions(tx, *trigger); !read) return fail(read);
  return std::move(*trigger);
}

Params trigger_params(const Trigger& trigger) {
  return Params()
      .id("id", trigger.id)
      .text("name", trigger.name)
      .text("description", trigger.description)
      .i64("chain", trigger.chain_id)
      .text("registry", std::string(to_string(trigger.registry)))
      .boolean("enabled", trigger.enabled)
      .boolean("stateful", trigger.is_stateful)
      .i64("confirmations",
           trigger.min_confirmations ? std::optional<std::int64_t>(*trigger.min_confirmations) : std::nullopt)
      .time("updated_at", trigger.updated_at);
}

Params condition_params(const domain::Condition& condition) {
  return Params()
      .i64("revision", condition.revision)
      .text("type", condition.condition_type)
      .text("field", condition.field)
      .text("operator", condition.op)
      .text("value", condition.value)
      .text("config", condition.config)
      .i64("position", condition.position);
}

Result<void> run_void(Tx& tx, const Query& query, const Params& params) {
  auto done = tx.run(query, params);
  if (!done) return fail(done);
  return {};
}

}   // namespace

Result<void> insert_trigger(Tx& tx, const Trigger& trigger) {
  return run_void(tx, kInsert,
                  trigger_params(trigger)
                      .id("organization", trigger.organization_id)
                      .id("account", trigger.account_id)
                      .time("created_at", trigger.created_at));
}

Result<std::optional<Trigger>> find_trigger(Tx& tx, OrganizationId owner, TriggerId id) {
  return find_with(tx, kFind, owner, id);
}
Result<std::optional<Trigger>> lock_trigger(Tx& tx, OrganizationId owner, TriggerId id) {
  return find_with(tx, kLock, owner, id);
}

Result<bool> trigger_exists(Tx& tx, OrganizationId owner, TriggerId id) {
  auto rows = tx.run(kExists, Params().id("id", id).id("organization", owner));
  if (!rows) return fail(rows);
  return !rows->empty();
}

Result<void> update_trigger(Tx& tx, const Trigger& trigger) {
  return run_void(tx, kUpdate, trigger_params(trigger));
}

Result<void> delete_trigger(Tx& tx, const Trigger& trigger, Time now) {
  if (auto cancelled = cancel_jobs(tx, trigger.id, std::nullopt, "trigger_deleted", now); !cancelled)
    return fail(cancelled);
  auto follow = tx.run(kLockFollow, Params().id("id", trigger.id));
  if (!follow) return fail(follow);
  if (!follow->empty()) {
    const auto params = Params().id("follow", follow->id<domain::FollowId>(0, 0)).id("id", trigger.id);
    if (auto deleted = run_void(tx, kDeleteFollow, params); !deleted) return deleted;
  }
  if (auto deleted = run_void(tx, kDelete, Params().id("id", trigger.id)); !deleted) return deleted;
  if (auto appended = append_revision(tx, trigger, true, now); !appended) return fail(appended);
  return {};
}

Result<Trigger> commit_edit(Tx& tx, OrganizationId owner, TriggerId id, Time now) {
  auto trigger = find_trigger(tx, owner, id);
  if (!trigger) return fail(trigger);
  if (!*trigger) return fail(Code::not_found, "the trigger is gone");
  if (auto appended = append_revision(tx, **trigger, false, now); !appended) return fail(appended);
  return std::move(**trigger);
}

Result<TriggerPage> list_triggers(Tx& tx, OrganizationId owner, std::int64_t limit, std::int64_t offset) {
  TriggerPage page;
  auto rows = tx.run(kList, Params().id("organization", owner).i64("limit", limit).i64("offset", offset));
  if (!rows) return fail(rows);
  Result<std::int64_t> total = 0;
  if (const auto known = total_of_last_page(rows->size(), limit, offset))
    total = *known;
  else
    total = count_triggers(tx, owner, kMaxCounted);
  if (!total) return fail(total);
  page.total = *total;
  for (std::size_t i = 0; i < rows->size(); ++i) {
    auto trigger = read_row(*rows, i);
    if (!trigger) return fail(trigger);
    page.rows.push_back(std::move(*trigger));
  }
  return page;
}

Result<std::int64_t> count_triggers(Tx& tx, OrganizationId owner, std::int64_t up_to) {
  auto rows = tx.run(kCount, Params().id("organization", owner).i64("limit", up_to));
  if (!rows) return fail(rows);
  return rows->i64(0, 0);
}

Result<ConditionId> insert_condition(Tx& tx, TriggerId trigger, const domain::Condition& condition) {
  auto rows = tx.run(kInsertCondition,
                     condition_params(condition).id("trigger", trigger).time("created_at", condition.created_at));
  if (!rows) return fail(rows);
  return rows->i64(0, 0);
}

Result<void> update_condition(Tx& tx, const domain::Condition& condition) {
  return run_void(tx, kUpdateCondition, condition_params(condition).i64("id", condition.id));
}
Result<void> delete_condition(Tx& tx, ConditionId id) {
  return run_void(tx, kDeleteCondition, Params().i64("id", id));
}

Result<ActionId> insert_action(Tx& tx, TriggerId trigger, const domain::Action& action) {
  auto rows = tx.run(kInsertAction, Params()
                                        .id("trigger", trigger)
                                        .text("type", std::string(to_string(action.type)))
                                        .i64("priority", action.priority)
                                        .time("created_at", action.created_at));
  if (!rows) return fail(rows);
  return static_cast<ActionId>(rows->i64(0, 0));
}

Result<void> update_action(Tx& tx, const domain::Action& action, Time now) {
  return run_void(tx, kUpdateAction,
                  Params()
                      .text("type", std::string(to_string(action.type)))
                      .i64("priority", action.priority)
                      .time("now", now)
                      .i64("id", action.id));
}

Result<void> set_action_config(Tx& tx, ActionId id, const std::string& config, Time now) {
  return run_void(tx, kSetConfig, Params().text("config", config).time("now", now).i64("id", id));
}

Result<SigningSecrets> read_signing_secrets(Tx& tx, ActionId id) {
  auto rows = tx.run(kReadSecrets, Params().i64("id", id));
  if (!rows) return fail(rows);
  if (rows->empty()) return fail(Code::not_found, "the action is gone");
  return SigningSecrets{rows->text_or_null(0, 0), rows->text_or_null(0, 1), rows->time_or_null(0, 2)};
}

Result<void> set_signing_secrets(Tx& tx, ActionId id, const SigningSecrets& secrets, Time now) {
  return run_void(tx, kSetSecrets,
                  Params()
                      .text("current", secrets.current)
                      .text("previous", secrets.previous)
                      .time("expires_at", secrets.previous_expires_at)
                      .time("now", now)
                      .i64("id", id));
}

Result<void> delete_action(Tx& tx, TriggerId trigger, ActionId id, Time now) {
  if (auto cancelled = cancel_jobs(tx, trigger, id, "action_deleted", now); !cancelled) return fail(cancelled);
  return run_void(tx, kDeleteAction, Params().i64("id", id));
}

}   // namespace agentauri::store
