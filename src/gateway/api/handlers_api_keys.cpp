// API keys, under an organization's path and on their own.
#include "gateway/api/handler_parts.hpp"
#include "gateway/api/render.hpp"
#include "gateway/api/render_access.hpp"
#include "gateway/api/routes.hpp"
#include "gateway/use_cases/api_keys.hpp"

namespace agentauri::gateway::handlers {
namespace {

// What both stores keep as a time.
const Time kFirstTime = *parse_rfc3339("0001-01-01T00:00:00Z"), kLastTime = *parse_rfc3339("9999-12-31T23:59:59Z");

std::optional<Time> read_time(BodyReader& reader, std::string_view key) {
  const auto text = reader.text(key);
  if (!text) return std::nullopt;
  const auto time = parse_rfc3339(*text);
  if (!time || *time < kFirstTime || *time > kLastTime)
    reader.fault("field `" + std::string(key) + "` must be an RFC 3339 time with an offset");
  return time;
}

// Members that may be absent, but not null.
void refuse_null(const json::Object& body, BodyReader& reader, std::string_view key) {
  const auto* value = json::find(body, key);
  if (value != nullptr && value->is_null()) reader.fault("field `" + std::string(key) + "` must not be null");
}

std::vector<std::string> read_permissions(BodyReader& reader, const json::Array& items) {
  std::vector<std::string> out;
  for (const auto& item : items) {
    if (item.is_string())
      out.emplace_back(json::view(item.get_string()));
    else
      reader.fault("field `permissions` must be a list of strings");
  }
  return out;
}

Outcome<NewApiKey> read_new_key(const net::HttpRequest& http) {
  auto body = read_body(http);
  if (!body) return pass(body);
  BodyReader reader(*body);
  NewApiKey out;
  out.name = reader.required_text("name");
  out.environment = reader.required_text("environment");
  refuse_null(*body, reader, "key_type");
  if (auto type = reader.text("key_type")) out.key_type = std::move(*type);
  refuse_null(*body, reader, "permissions");
  if (const auto* items = reader.array("permissions")) out.permissions = read_permissions(reader, *items);
  out.rate_limit_override = reader.integer("rate_limit_override", INT32_MIN, INT32_MAX);
  out.expires_at = read_time(reader, "expires_at");
  if (reader.refusal()) return std::unexpected(*reader.refusal());
  return out;
}

Outcome<ApiKeyDraft> read_draft(const json::Object& body) {
  BodyReader reader(body);
  ApiKeyDraft out{reader.text("name"), read_time(reader, "expires_at")};
  if (reader.refusal()) return std::unexpected(*reader.refusal());
  return out;
}

// The organization of the path, else of the query, if it names one.
Outcome<std::optional<std::string>> read_organization(const Request& request) {
  if (!request.params.empty()) return request.params[0];
  QueryReader query(request.http.query);
  auto id = query.text({"organization_id"});
  if (query.refusal()) return std::unexpected(*query.refusal());
  return id;
}

// Nobody goes by what this process knew of the key.
Reply forgetting(Reply reply, domain::ApiKeyId key) {
  reply.revoked_keys = {key};
  return reply;
}

}   // namespace

Outcome<Unit> create_api_key(const Services& services, const Request& request) {
  auto organization = read_organization(request);
  if (!organization) return pass(organization);
  auto wanted = read_new_key(request.http);
  if (!wanted) return pass(wanted);
  return unit_of(true, "Failed to create API key",
                 [caller = request.caller(services.clock), organization = std::move(*organization),
                  wanted = std::move(*wanted)](store::Tx& tx) -> Outcome<Reply> {
                   auto made = gateway::create_api_key(tx, caller, organization, wanted);
                   if (!made) return pass(made);
                   auto reply = reply_with(wrap(render_made_api_key(*made)), 201);
                   reply.secret_of = to_string(made->key.id);
                   return reply;
                 });
}

Outcome<Unit> list_api_keys(const Services& services, const Request& request) {
  auto organization = read_organization(request);
  if (!organization) return pass(organization);
  QueryReader query(request.http.query);
  const auto page = query.page();
  const bool include_revoked = query.flag("include_revoked").value_or(false);
  if (query.refusal()) return std::unexpected(*query.refusal());
  return unit_of(false, "Failed to list API keys",
                 [caller = request.caller(services.clock), organization = std::move(*organization), include_revoked,
                  page](store::Tx& tx) -> Outcome<Reply> {
                   auto rows = gateway::list_api_keys(tx, caller, organization, include_revoked, page);
                   if (!rows) return pass(rows);
                   return reply_with(render_api_key_page(*rows, page));
                 });
}

Outcome<Unit> api_key_stats(const Services& services, const Request& request) {
  return unit_of(false, "Failed to get API key stats",
                 [caller = request.caller(services.clock), id = request.params[0]](store::Tx& tx) -> Outcome<Reply> {
                   auto stats = gateway::read_api_key_stats(tx, caller, id);
                   if (!stats) return pass(stats);
                   return reply_with(wrap(render_api_key_stats(*stats)));
                 });
}

Outcome<Unit> get_api_key(const Services& services, const Request& request) {
  return unit_of(false, "Failed to fetch API key",
                 [caller = request.caller(services.clock), id = request.params[0]](store::Tx& tx) -> Outcome<Reply> {
                   auto found = gateway::find_api_key(tx, caller, id);
                   if (!found) return pass(found);
                   return reply_with(wrap(render_api_key(*found)));
                 });
}

Outcome<Unit> update_api_key(const Services& services, const Request& request) {
  auto body = read_body(request.http);
  if (!body) return pass(body);
  auto draft = read_draft(*body);
  if (!draft) return pass(draft);
  return unit_of(true, "Failed to update API key",
                 [caller = request.caller(services.clock), id = request.params[0],
                  draft = std::move(*draft)](store::Tx& tx) -> Outcome<Reply> {
                   auto updated = gateway::update_api_key(tx, caller, id, draft);
                   if (!updated) return pass(updated);
                   return forgetting(reply_with(wrap(render_api_key(*updated))), updated->id);
                 });
}

Outcome<Unit> revoke_api_key(const Services& services, const Request& request) {
  // A body that cannot be read is as none.
  std::optional<std::string> reason;
  if (auto body = read_body(request.http)) {
    BodyReader reader(*body);
    reason = reader.text("reason");
    if (reader.refusal()) reason.reset();
  }
  return unit_of(true, "Failed to revoke API key",
                 [caller = request.caller(services.clock), id = request.params[0],
                  reason = std::move(reason)](store::Tx& tx) -> Outcome<Reply> {
                   auto revoked = gateway::revoke_api_key(tx, caller, id, reason);
                   if (!revoked) return pass(revoked);
                   return forgetting(reply_with(wrap(render_api_key(*revoked))), revoked->id);
                 });
}

Outcome<Unit> rotate_api_key(const Services& services, const Request& request) {
  // Likewise.
  ApiKeyDraft draft;
  if (auto body = read_body(request.http)) {
    if (auto read = read_draft(*body)) draft = std::move(*read);
  }
  return unit_of(true, "Failed to create new API key",
                 [caller = request.caller(services.clock), id = request.params[0],
                  draft = std::move(draft)](store::Tx& tx) -> Outcome<Reply> {
                   auto rotated = gateway::rotate_api_key(tx, caller, id, draft);
                   if (!rotated) return pass(rotated);
                   auto reply = forgetting(reply_with(wrap(render_rotated_api_key(*rotated))), rotated->old);
                   reply.secret_of = to_string(rotated->made.key.id);
                   return reply;
                 });
}

}   // namespace agentauri::gateway::handlers
