#include "store/wallets.hpp"

namespace agentauri::store {
namespace {

const Query kInsertNonce{"nonce_insert",
                         "INSERT INTO auth_nonces (nonce, purpose, address, chain_id, message, created_at, expires_at) "
                         "VALUES (:nonce, :purpose, :address, :chain, :message, :created_at, :expires_at)"};
const Query kFindNonce{"nonce_find",
                       "SELECT nonce, purpose, address, chain_id, message, created_at, expires_at, attempts, used_at "
                       "FROM auth_nonces WHERE nonce = :nonce AND purpose = :purpose"};
const Query kCountNonce{"nonce_count", "UPDATE auth_nonces SET attempts = attempts + 1 WHERE nonce = :nonce"};
const Query kConsumeNonce{
    "nonce_consume",
    "UPDATE auth_nonces SET used_at = :now WHERE nonce = :nonce AND used_at IS NULL AND expires_at > :now AND "
    "attempts < :most"};
const Query kDeleteNonces{"nonce_delete_old",
                          "DELETE FROM auth_nonces WHERE nonce IN (SELECT nonce FROM auth_nonces WHERE expires_at < "
                          ":before ORDER BY expires_at LIMIT :limit)"};

const Query kInsertIdentity{
    "identity_insert",
    "INSERT INTO identities (id, account_id, provider, provider_user_id, wallet_address, chain_id, display_name, "
    "created_at, last_used_at) VALUES (:id, :account, :provider, :user, :address, :chain, :name, :now, :now)"};
const Query kFindIdentity{"identity_find",
                          "SELECT account_id FROM identities WHERE provider = :provider AND provider_user_id = :user"};
const Query kTouchIdentity{
    "identity_touch",
    "UPDATE identities SET last_used_at = :now WHERE provider = :provider AND provider_user_id = :user"};
const Query kListIdentities{"identity_list",
                            "SELECT id, account_id, provider, provider_user_id, wallet_address, chain_id, "
                            "display_name, created_at FROM identities WHERE account_id = :account ORDER BY "
                            "created_at, id"};

#define LINK_COLUMNS \
  "id, chain_id, registry, agent_id, organization_id, wallet_address, linked_by, signature, status, created_at"
const Query kInsertLink{"agent_link_insert",
                        "INSERT INTO agent_links (" LINK_COLUMNS
                        ", checked_at) VALUES (:id, :chain, :registry, :agent, :organization, :wallet, :by, "
                        ":signature, :status, :now, :now)"};
const Query kFindLink{"agent_link_find",
                      "SELECT " LINK_COLUMNS
                      " FROM agent_links WHERE chain_id = :chain AND registry = :registry AND agent_id = :agent AND "
                      "status = 'active'"};
const Query kFindLinkOfOrganization{"agent_link_find_of_organization",
                                    "SELECT " LINK_COLUMNS
                                    " FROM agent_links WHERE organization_id = :organization AND chain_id = :chain "
                                    "AND agent_id = :agent AND status = 'active' ORDER BY created_at DESC, id DESC "
                                    "LIMIT 1"};
const Query kRevokeLink{"agent_link_revoke",
                        "UPDATE agent_links SET status = 'revoked', revoke_reason = :reason, revoked_at = :now WHERE "
                        "id = :id AND status = 'active'"};
const Query kListLinks{"agent_link_list",
                       "SELECT " LINK_COLUMNS
                       " FROM agent_links WHERE organization_id = :organization AND status = 'active' ORDER BY "
                       "created_at DESC, id DESC"};
// Both times are of our own clocks; an event is a hint, whose truth is asked of the chain.
#define LINKS_TO_CHECK(CONTRACT)                                                                                      \
  "SELECT " LINK_COLUMNS                                                                                              \
  " FROM agent_links WHERE status = 'active' AND chain_id = :chain AND (checked_at < :before OR EXISTS ("             \
  "SELECT 1 FROM events e WHERE e.event_type = 'Transfer' AND e.agent_id = agent_links.agent_id AND "                 \
  "e.chain_id = agent_links.chain_id AND e.inserted_at > agent_links.checked_at AND e.canonical = :yes AND " CONTRACT \
  " = agent_links.registry AND lower(e.owner) <> lower(agent_links.wallet_address))) "                                \
  "ORDER BY checked_at LIMIT :limit"
const Query kListLinksToCheck{"agent_link_list_to_check", LINKS_TO_CHECK("'0x' || lower(hex(e.contract))"),
                              LINKS_TO_CHECK("'0x' || encode(e.contract, 'hex')")};
#undef LINKS_TO_CHECK
const Query kListLinkedChains{"agent_link_list_chains",
                              "SELECT DISTINCT chain_id FROM agent_links WHERE status = 'active' ORDER BY chain_id"};
const Query kNoteLinkChecked{"agent_link_note_checked", "UPDATE agent_links SET checked_at = :now WHERE id = :id"};
#undef LINK_COLUMNS

Result<void> run_void(Tx& tx, const Query& query, const Params& params) {
  auto done = tx.run(query, params);
  if (!done) return fail(done);
  return {};
}

Result<bool> run_once(Tx& tx, const Query& query, const Params& params) {
  auto done = tx.run(query, params);
  if (!done) return fail(done);
  return done->affected() == 1;
}

AgentLink read_link(const Rows& rows, std::size_t i) {
  AgentLink out;
  out.id = rows.uuid(i, 0);
  out.chain_id = rows.i64(i, 1);
  out.registry = rows.text(i, 2);
  out.agent_id = rows.text(i, 3);
  out.organization_id = rows.id<domain::OrganizationId>(i, 4);
  out.wallet_address = rows.text(i, 5);
  out.linked_by = rows.id<domain::AccountId>(i, 6);
  out.signature = rows.text(i, 7);
  out.status = rows.text(i, 8);
  out.created_at = rows.time(i, 9);
  return out;
}

Result<std::optional<AgentLink>> read_first_link(Result<Rows> rows) {
  if (!rows) return fail(rows);
  if (rows->empty()) return std::nullopt;
  return read_link(*rows, 0);
}
Result<std::vector<AgentLink>> read_links(Result<Rows> rows) {
  if (!rows) return fail(rows);
  std::vector<AgentLink> out;
  for (std::size_t i = 0; i < rows->size(); ++i) out.push_back(read_link(*rows, i));
  return out;
}

}   // namespace

Result<void> insert_nonce(Tx& tx, const Nonce& nonce) {
  return run_void(tx, kInsertNonce,
                  Params()
                      .uuid("nonce", nonce.nonce)
                      .text("purpose", nonce.purpose)
                      .text("address", nonce.address)
                      .i64("chain", nonce.chain_id)
                      .text("message", nonce.message)
                      .time("created_at", nonce.created_at)
                      .time("expires_at", nonce.expires_at));
}

Result<std::optional<Nonce>> find_nonce(Tx& tx, const Uuid& nonce, std::string_view purpose) {
  auto rows = tx.run(kFindNonce, Params().uuid("nonce", nonce).text("purpose", std::string(purpose)));
  if (!rows) return fail(rows);
  if (rows->empty()) return std::nullopt;
  Nonce out;
  out.nonce = rows->uuid(0, 0);
  out.purpose = rows->text(0, 1);
  out.address = rows->text(0, 2);
  out.chain_id = rows->i64(0, 3);
  out.message = rows->text(0, 4);
  out.created_at = rows->time(0, 5);
  out.expires_at = rows->time(0, 6);
  out.attempts = rows->i64(0, 7);
  out.used_at = rows->time_or_null(0, 8);
  return out;
}

Result<void> count_nonce_attempt(Tx& tx, const Uuid& nonce) {
  return run_void(tx, kCountNonce, Params().uuid("nonce", nonce));
}

Result<bool> consume_nonce(Tx& tx, const Uuid& nonce, Time now) {
  return run_once(tx, kConsumeNonce, Params().uuid("nonce", nonce).time("now", now).i64("most", kNonceAttempts));
}

Result<std::int64_t> delete_old_nonces(Tx& tx, Time before, std::int64_t limit) {
  auto done = tx.run(kDeleteNonces, Params().time("before", before).i64("limit", limit));
  if (!done) return fail(done);
  return done->affected();
}

Result<void> insert_identity(Tx& tx, const Identity& identity) {
  return run_void(tx, kInsertIdentity,
                  Params()
                      .uuid("id", identity.id)
                      .id("account", identity.account_id)
                      .text("provider", identity.provider)
                      .text("user", identity.provider_user_id)
                      .text("address", identity.wallet_address)
                      .i64("chain", identity.chain_id)
                      .text("name", identity.display_name)
                      .time("now", identity.created_at));
}

Result<std::optional<domain::AccountId>> find_identity(Tx& tx, std::string_view provider, const std::string& user_id) {
  auto rows = tx.run(kFindIdentity, Params().text("provider", std::string(provider)).text("user", user_id));
  if (!rows) return fail(rows);
  if (rows->empty()) return std::nullopt;
  return rows->id<domain::AccountId>(0, 0);
}

Result<void> touch_identity(Tx& tx, std::string_view provider, const std::string& user_id, Time now) {
  return run_void(tx, kTouchIdentity,
                  Params().text("provider", std::string(provider)).text("user", user_id).time("now", now));
}

Result<std::vector<Identity>> list_identities(Tx& tx, domain::AccountId account) {
  auto rows = tx.run(kListIdentities, Params().id("account", account));
  if (!rows) return fail(rows);
  std::vector<Identity> out;
  for (std::size_t i = 0; i < rows->size(); ++i) {
    Identity one;
    one.id = rows->uuid(i, 0);
    one.account_id = rows->id<domain::AccountId>(i, 1);
    one.provider = rows->text(i, 2);
    one.provider_user_id = rows->text(i, 3);
    one.wallet_address = rows->text_or_null(i, 4);
    one.chain_id = rows->i64_or_null(i, 5);
    one.display_name = rows->text_or_null(i, 6);
    one.created_at = rows->time(i, 7);
    out.push_back(std::move(one));
  }
  return out;
}

Result<void> insert_agent_link(Tx& tx, const AgentLink& link) {
  return run_void(tx, kInsertLink,
                  Params()
                      .uuid("id", link.id)
                      .i64("chain", link.chain_id)
                      .text("registry", link.registry)
                      .text("agent", link.agent_id)
                      .id("organization", link.organization_id)
                      .text("wallet", link.wallet_address)
                      .id("by", link.linked_by)
                      .text("signature", link.signature)
                      .text("status", link.status)
                      .time("now", link.created_at));
}

Result<std::optional<AgentLink>> find_active_link(Tx& tx, domain::ChainId chain, const std::string& registry,
                                                  const std::string& agent_id) {
  return read_first_link(
      tx.run(kFindLink, Params().i64("chain", chain).text("registry", registry).text("agent", agent_id)));
}

Result<std::optional<AgentLink>> find_link_of_organization(Tx& tx, domain::OrganizationId organization,
                                                           domain::ChainId chain, const std::string& agent_id) {
  return read_first_link(tx.run(kFindLinkOfOrganization,
                                Params().id("organization", organization).i64("chain", chain).text("agent", agent_id)));
}

Result<bool> revoke_agent_link(Tx& tx, const Uuid& id, std::string_view reason, Time now) {
  return run_once(tx, kRevokeLink, Params().uuid("id", id).text("reason", std::string(reason)).time("now", now));
}

Result<std::vector<AgentLink>> list_agent_links(Tx& tx, domain::OrganizationId organization) {
  return read_links(tx.run(kListLinks, Params().id("organization", organization)));
}

Result<std::vector<AgentLink>> list_links_to_check(Tx& tx, domain::ChainId chain, Time before, std::int64_t limit) {
  return read_links(tx.run(
      kListLinksToCheck, Params().i64("chain", chain).time("before", before).boolean("yes", true).i64("limit", limit)));
}

Result<std::vector<domain::ChainId>> list_linked_chains(Tx& tx) {
  auto rows = tx.run(kListLinkedChains);
  if (!rows) return fail(rows);
  std::vector<domain::ChainId> out;
  for (std::size_t i = 0; i < rows->size(); ++i) out.push_back(rows->i64(i, 0));
  return out;
}

Result<void> note_link_checked(Tx& tx, const Uuid& id, Time now) {
  return run_void(tx, kNoteLinkChecked, Params().uuid("id", id).time("now", now));
}

}   // namespace agentauri::store
