#include "store/follows.hpp"

#include "store/counting.hpp"

namespace agentauri::store {
namespace {

using domain::FollowId;
using domain::OrganizationId;

#define IN_ORDER "CASE ft.registry WHEN 'identity' THEN 0 WHEN 'reputation' THEN 1 ELSE 2 END"
#define IS_ENABLED                                                                                               \
  "EXISTS (SELECT 1 FROM agent_follow_triggers ft JOIN triggers t ON t.id = ft.trigger_id WHERE ft.follow_id = " \
  "f.id AND t.enabled)"
#define FOLLOW                                                                                              \
  "SELECT f.id, f.organization_id, f.account_id, f.agent_id, f.chain_id, f.created_at, f.updated_at, CASE " \
  "WHEN " IS_ENABLED " THEN 1 ELSE 0 END FROM agent_follows f "
#define ONE FOLLOW "WHERE f.organization_id = :organization AND f.chain_id = :chain AND f.agent_id = :agent"
#define WANTED                                                                                               \
  "WHERE f.organization_id = :organization AND (CAST(:chain AS bigint) IS NULL OR f.chain_id = :chain) AND " \
  "(CAST(:enabled AS integer) IS NULL OR :enabled = CASE WHEN " IS_ENABLED " THEN 1 ELSE 0 END) "

const Query kInsert{"follow_insert",
                    "INSERT INTO agent_follows (id, organization_id, account_id, agent_id, chain_id, created_at, "
                    "updated_at) VALUES (:id, :organization, :account, :agent, :chain, :created_at, :updated_at)"};
const Query kInsertPart{
    "follow_insert_part",
    "INSERT INTO agent_follow_triggers (trigger_id, follow_id, registry) VALUES (:trigger, :follow, :registry)"};
const Query kFind{"follow_find", ONE};
const Query kLock{"follow_lock", ONE, ONE " FOR UPDATE OF f"};
const Query kTouch{"follow_touch", "UPDATE agent_follows SET updated_at = :now WHERE id = :id"};
const Query kDelete{"follow_delete", "DELETE FROM agent_follows WHERE id = :id"};
const Query kCount{"follow_count",
                   "SELECT count(*) FROM (SELECT 1 FROM agent_follows WHERE organization_id = :organization LIMIT "
                   ":limit) AS counted"};
const Query kList{"follow_list", FOLLOW WANTED "ORDER BY f.created_at DESC, f.id DESC LIMIT :limit OFFSET :offset"};
const Query kListCount{"follow_list_count",
                       "SELECT count(*) FROM (SELECT 1 FROM agent_follows f " WANTED "LIMIT :limit) AS counted"};
const Query kParts{
    "follow_parts",
    "SELECT ft.registry, ft.trigger_id FROM agent_follow_triggers ft WHERE ft.follow_id = :follow ORDER BY " IN_ORDER};
const Query kActions{"follow_actions",
                     "SELECT ft.registry, a.id, a.action_type, a.priority, a.config, a.created_at, a.disabled_reason "
                     "FROM agent_follow_triggers ft JOIN trigger_actions a ON a.trigger_id = ft.trigger_id "
                     "WHERE ft.follow_id = :follow ORDER BY " IN_ORDER ", a.priority, a.id"};
#undef WANTED
#undef ONE
#undef FOLLOW
#undef IS_ENABLED
#undef IN_ORDER

Result<domain::Registry> read_registry(const Rows& rows, std::size_t i, std::size_t column) {
  const auto registry = domain::parse_registry(rows.text(i, column));
  if (!registry) return fail(Code::corrupt, "agent_follow_triggers.registry", "is not a registry");
  return *registry;
}

Result<Follow> read_row(Tx& tx, const Rows& rows, std::size_t i) {
  Follow out;
  out.id = rows.id<FollowId>(i, 0);
  out.organization_id = rows.id<OrganizationId>(i, 1);
  out.account_id = rows.id<domain::AccountId>(i, 2);
  const auto agent = parse_uint256(rows.text(i, 3));
  if (!agent) return fail(Code::corrupt, "agent_follows.agent_id", "is not a number");
  out.agent_id = *agent;
  out.chain_id = rows.i64(i, 4);
  out.created_at = rows.time(i, 5);
  out.updated_at = rows.time(i, 6);
  out.enabled = rows.i64(i, 7) != 0;
  auto parts = tx.run(kParts, Params().id("follow", out.id));
  if (!parts) return fail(parts);
  for (std::size_t p = 0; p < parts->size(); ++p) {
    auto registry = read_registry(*parts, p, 0);
    if (!registry) return fail(registry);
    out.parts.push_back({*registry, parts->id<domain::TriggerId>(p, 1)});
  }
  return out;
}

Result<std::optional<Follow>> find_with(Tx& tx, const Query& query, OrganizationId owner, domain::ChainId chain,
                                        const Uint256& agent) {
  auto rows = tx.run(query, Params().id("organization", owner).i64("chain", chain).text("agent", to_string(agent)));
  if (!rows) return fail(rows);
  if (rows->empty()) return std::nullopt;
  auto follow = read_row(tx, *rows, 0);
  if (!follow) return fail(follow);
  return std::move(*follow);
}

Result<void> run_void(Tx& tx, const Query& query, const Params& params) {
  auto done = tx.run(query, params);
  if (!done) return fail(done);
  return {};
}

}   // namespace

Result<void> insert_follow(Tx& tx, const Follow& follow) {
  return run_void(tx, kInsert,
                  Params()
                      .id("id", follow.id)
                      .id("organization", follow.organization_id)
                      .id("account", follow.account_id)
                      .text("agent", to_string(follow.agent_id))
                      .i64("chain", follow.chain_id)
                      .time("created_at", follow.created_at)
                      .time("updated_at", follow.updated_at));
}

Result<void> insert_follow_part(Tx& tx, FollowId follow, const Follow::Part& part) {
  return run_void(tx, kInsertPart,
                  Params()
                      .id("trigger", part.trigger)
                      .id("follow", follow)
                      .text("registry", std::string(to_string(part.registry))));
}

Result<std::optional<Follow>> find_follow(Tx& tx, OrganizationId owner, domain::ChainId chain, const Uint256& agent) {
  return find_with(tx, kFind, owner, chain, agent);
}
Result<std::optional<Follow>> lock_follow(Tx& tx, OrganizationId owner, domain::ChainId chain, const Uint256& agent) {
  return find_with(tx, kLock, owner, chain, agent);
}

Result<void> touch_follow(Tx& tx, FollowId follow, Time now) {
  return run_void(tx, kTouch, Params().id("id", follow).time("now", now));
}
Result<void> delete_follow(Tx& tx, FollowId follow) {
  return run_void(tx, kDelete, Params().id("id", follow));
}

Result<std::int64_t> count_follows(Tx& tx, OrganizationId owner, std::int64_t up_to) {
  auto rows = tx.run(kCount, Params().id("organization", owner).i64("limit", up_to));
  if (!rows) return fail(rows);
  return rows->i64(0, 0);
}

Result<FollowPage> list_follows(Tx& tx, OrganizationId owner, const FollowFilter& filter, std::int64_t limit,
                                std::int64_t offset) {
  const auto params = [&](std::int64_t rows) {
    return Params()
        .id("organization", owner)
        .i64("chain", filter.chain_id)
        .i64("enabled", filter.enabled ? std::optional<std::int64_t>(*filter.enabled ? 1 : 0) : std::nullopt)
        .i64("limit", rows);
  };
  auto total = tx.run(kListCount, params(kMaxCounted));
  if (!total) return fail(total);
  auto rows = tx.run(kList, params(limit).i64("offset", offset));
  if (!rows) return fail(rows);
  FollowPage page;
  page.total = total->i64(0, 0);
  for (std::size_t i = 0; i < rows->size(); ++i) {
    auto follow = read_row(tx, *rows, i);
    if (!follow) return fail(follow);
    page.rows.push_back(std::move(*follow));
  }
  return page;
}

Result<std::vector<FollowAction>> follow_actions(Tx& tx, FollowId follow) {
  auto rows = tx.run(kActions, Params().id("follow", follow));
  if (!rows) return fail(rows);
  std::vector<FollowAction> out;
  for (std::size_t i = 0; i < rows->size(); ++i) {
    auto registry = read_registry(*rows, i, 0);
    if (!registry) return fail(registry);
    const auto type = domain::parse_action_type(rows->text(i, 2));
    if (!type) return fail(Code::corrupt, "trigger_actions.action_type", "is not an action type");
    domain::Action action;
    action.id = static_cast<domain::ActionId>(rows->i64(i, 1));
    action.type = *type;
    action.priority = static_cast<std::int32_t>(rows->i64(i, 3));
    action.config = rows->text(i, 4);
    action.created_at = rows->time(i, 5);
    action.disabled_reason = rows->text_or_null(i, 6);
    out.push_back({*registry, std::move(action)});
  }
  return out;
}

}   // namespace agentauri::store
