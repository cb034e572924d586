#include "store/invitations.hpp"

namespace agentauri::store {
namespace {

using domain::AccountId;
using domain::InvitationId;

#define INVITATION_COLUMNS "id, email, created_at, expires_at, created_by, used_at, used_by "
const Query kInsert{"invitation_insert",
                    "INSERT INTO invitations (id, token_hash, email, created_at, created_by, expires_at) VALUES (:id, "
                    ":hash, :email, :created_at, :created_by, :expires_at)"};
const Query kFind{"invitation_find", "SELECT " INVITATION_COLUMNS "FROM invitations WHERE token_hash = :hash"};
const Query kUse{"invitation_use",
                 "UPDATE invitations SET used_at = :now, used_by = :user WHERE id = :id AND used_at IS NULL AND "
                 "expires_at > :now"};
const Query kList{"invitation_list",
                  "SELECT " INVITATION_COLUMNS "FROM invitations ORDER BY created_at DESC, id DESC LIMIT :limit"};
#undef INVITATION_COLUMNS
const Query kDelete{"invitation_delete", "DELETE FROM invitations WHERE id = :id AND used_at IS NULL"};
const Query kDeleteOld{
    "invitation_delete_old",
    "DELETE FROM invitations WHERE id IN (SELECT id FROM invitations WHERE expires_at < :before LIMIT :limit)"};

std::optional<AccountId> account_or_null(const Rows& rows, std::size_t i, std::size_t column) {
  const auto id = rows.uuid_or_null(i, column);
  return id ? std::optional(AccountId{*id}) : std::nullopt;
}

Invitation read_invitation(const Rows& rows, std::size_t i) {
  Invitation out;
  out.id = rows.id<InvitationId>(i, 0);
  out.email = rows.text_or_null(i, 1);
  out.created_at = rows.time(i, 2);
  out.expires_at = rows.time(i, 3);
  out.created_by = account_or_null(rows, i, 4);
  out.used_at = rows.time_or_null(i, 5);
  out.used_by = account_or_null(rows, i, 6);
  return out;
}

}   // namespace

Result<void> insert_invitation(Tx& tx, const Invitation& invitation, const std::string& token_hash) {
  std::optional<Uuid> created_by;
  if (invitation.created_by) created_by = invitation.created_by->uuid;
  auto done = tx.run(kInsert, Params()
                                  .id("id", invitation.id)
                                  .text("hash", token_hash)
                                  .text("email", invitation.email)
                                  .time("created_at", invitation.created_at)
                                  .uuid("created_by", created_by)
                                  .time("expires_at", invitation.expires_at));
  if (!done) return fail(done);
  return {};
}

Result<std::optional<Invitation>> find_invitation(Tx& tx, const std::string& token_hash) {
  auto rows = tx.run(kFind, Params().text("hash", token_hash));
  if (!rows) return fail(rows);
  if (rows->empty()) return std::nullopt;
  return read_invitation(*rows, 0);
}

Result<bool> use_invitation(Tx& tx, InvitationId id, AccountId user, Time now) {
  auto done = tx.run(kUse, Params().time("now", now).id("user", user).id("id", id));
  if (!done) return fail(done);
  return done->affected() == 1;
}

Result<std::vector<Invitation>> list_invitations(Tx& tx, std::int64_t limit) {
  auto rows = tx.run(kList, Params().i64("limit", limit));
  if (!rows) return fail(rows);
  std::vector<Invitation> out;
  for (std::size_t i = 0; i < rows->size(); ++i) out.push_back(read_invitation(*rows, i));
  return out;
}

Result<bool> delete_invitation(Tx& tx, InvitationId id) {
  auto done = tx.run(kDelete, Params().id("id", id));
  if (!done) return fail(done);
  return done->affected() == 1;
}

Result<std::int64_t> delete_old_invitations(Tx& tx, Time before, std::int64_t limit) {
  auto done = tx.run(kDeleteOld, Params().time("before", before).i64("limit", limit));
  if (!done) return fail(done);
  return done->affected();
}

}   // namespace agentauri::store
