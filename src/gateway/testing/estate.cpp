#include "gateway/testing/estate.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <deque>

#include "gateway/testing/openapi_checker.hpp"

namespace agentauri::gateway::testing {
namespace {

const json::Value* at(const json::Value& value, std::string_view key) {
  return value.is_object() ? json::find(value.get_object(), key) : nullptr;
}

const json::Value& resolve(const json::Value& schema) {
  const auto* ref = at(schema, "$ref");
  if (ref == nullptr) return schema;
  const std::string name(json::view(ref->get_string()).substr(std::string_view("#/components/schemas/").size()));
  return resolve(*at(*at(*at(openapi_document(), "components"), "schemas"), name));
}

std::vector<Operation> read_operations() {
  std::vector<Operation> out;
  for (const auto& path : at(openapi_document(), "paths")->get_object()) {
    for (const auto& member : path.value().get_object()) {
      const auto* body = at(member.value(), "requestBody");
      if (body == nullptr) continue;
      const auto* media = at(*at(*body, "content"), "application/json");
      Operation operation;
      operation.id = json::view(at(member.value(), "operationId")->get_string());
      operation.method = member.key();
      std::transform(operation.method.begin(), operation.method.end(), operation.method.begin(),
                     [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
      operation.path = path.key();
      operation.example = at(*media, "example")->get_object();
      operation.schema = at(*media, "schema");
      out.push_back(std::move(operation));
    }
  }
  return out;
}

void replace(std::string& text, std::string_view name, std::string_view value) {
  if (const auto found = text.find(name); found != std::string::npos) text.replace(found, name.size(), value);
}

json::Object object(std::string_view text) {
  return json::parse(text).value().get_object();
}

}   // namespace

const std::vector<Operation>& operations_with_body() {
  static const std::vector<Operation> all = read_operations();
  return all;
}

std::vector<std::pair<std::string, const json::Value*>> members_of(const json::Value& schema_or_ref) {
  const auto& schema = resolve(schema_or_ref);
  std::vector<std::pair<std::string, const json::Value*>> out;
  if (const auto* properties = at(schema, "properties")) {
    for (const auto& member : properties->get_object()) out.emplace_back(member.key(), &resolve(member.value()));
  }
  if (const auto* parts = at(schema, "allOf")) {
    for (const auto& part : parts->get_array()) {
      for (auto& member : members_of(part)) out.push_back(std::move(member));
    }
  }
  return out;
}

bool takes_text(const json::Value& schema) {
  const auto* type = at(schema, "type");
  if (type == nullptr) return true;
  if (type->is_string()) return json::view(type->get_string()) == "string";
  const auto& list = type->get_array();
  return std::any_of(list.begin(), list.end(),
                     [](const json::Value& t) { return json::view(t.get_string()) == "string"; });
}

Estate::Estate(const std::string& engine)
    : h([](GatewaySettings& s) { s.rate_limit_mode = GatewaySettings::RateLimitMode::shadow; },
        engine == "sqlite" ? store::testing::make_temp_sqlite() : store::testing::make_temp_postgres()) {
  h.chains_.chains[11155111] = {.registry = Address(), .code = {}};
  owner = h.signed_in("ada");
  organization = h.organization_id(owner);
  member = h.user_id(h.joined("guest", "viewer", owner));
  stranger_ = h.user_id(h.signed_in("stranger"));
  const auto made =
      h.post("/api/v1/triggers",
             R"({"name":"t","registry":"reputation","conditions":[{"condition_type":"score_threshold",)"
             R"("field":"score","operator":"<","value":"60"}],"actions":[{"action_type":"rest",)"
             R"("config":{"url":"https://hooks.example.org/a","headers":{"Authorization":"Bearer s3cret"}}}]})",
             owner);
  EXPECT_EQ(made.status, 201) << made.text;
  trigger = made.at("data.id");
  condition = made.at("data.conditions.0.id");
  action = made.at("data.actions.0.id");
  key = new_key();
}

std::string Estate::fresh(std::string_view what) {
  return fmt::format("{}-{}", what, ++serial_);
}

json::Object Estate::new_user() {
  return h.registered(fresh("user")).body.get_object();
}

std::string Estate::new_key() {
  const auto made =
      h.post("/api/v1/organizations/" + organization + "/api-keys", R"({"name":"k","environment":"test"})", owner);
  EXPECT_EQ(made.status, 201) << made.text;
  return made.at("data.id");
}

std::string Estate::new_organization() {
  const auto made = h.post("/api/v1/organizations", fmt::format(R"({{"name":"o","slug":"{}"}})", fresh("slug")), owner);
  EXPECT_EQ(made.status, 201) << made.text;
  return made.at("data.id");
}

// Followed by nobody; the last one is let go, since an organization follows a hundred at most.
std::string Estate::new_agent() {
  h.erase(fmt::format("/api/v1/agents/{}/follow?chain_id=8453", 1000 + serial_), owner);
  return std::to_string(1000 + ++serial_);
}

void Estate::fill_ids(const Operation& operation, Errand& out) {
  auto& target = out.call.target;
  if (operation.path.starts_with("/api/v1/organizations/{id}")) {
    const bool is_used_up = operation.id == "transfer_organization";
    replace(target, "{id}", is_used_up ? new_organization() : organization);
    replace(target, "{user_id}", member);
  }
  if (operation.path.starts_with("/api/v1/api-keys/{id}"))
    replace(target, "{id}", operation.method == "PATCH" ? key : new_key());
  replace(target, "{trigger_id}", trigger);
  if (operation.path.contains("/conditions/")) replace(target, "{id}", condition);
  if (operation.path.contains("/actions/")) replace(target, "{id}", action);
  replace(target, "{id}", trigger);
  if (target.contains("{agent_id}")) {
    const auto agent = new_agent();
    replace(target, "{agent_id}", agent);
    if (operation.method == "PUT") {
      const auto made = h.post(
          "/api/v1/agents/" + agent + "/follow",
          R"({"chain_id":8453,"actions":[{"action_type":"rest","config":{"url":"https://a.example.org/"}}]})", owner);
      EXPECT_EQ(made.status, 201) << made.text;
      target += "?chain_id=8453";
    }
  }
  if (operation.id == "create_api_key") target += "?organization_id=" + organization;
}

void Estate::fill_body(const Operation& operation, Errand& out) {
  auto& body = out.body;
  if (operation.id == "register") {
    const auto name = fresh("new");
    body = object(fmt::format(R"({{"username":"{0}","email":"{0}@example.org","password":"a quiet river 77"}})", name));
  }
  if (operation.id == "login") body["username_or_email"] = "ada";
  if (operation.id == "refresh") body["refresh_token"] = new_user().at("refresh_token");
  if (operation.id == "logout" || operation.id == "change_password")
    out.call.headers = {{"Authorization", "Bearer " + std::string(json::view(new_user().at("token").get_string()))}};
  if (operation.id == "create_organization") body["slug"] = json::String(fresh("slug"));
  if (operation.id == "test_trigger") body = object(R"({"sample":"NewFeedback"})");
  if (operation.id == "add_member") {
    h.erase("/api/v1/organizations/" + organization + "/members/" + stranger_, owner);
    body["user_id"] = json::String(stranger_);
  }
  if (operation.id == "transfer_organization") {
    const std::string in = out.call.target.substr(0, out.call.target.rfind('/'));
    h.post(in + "/members", fmt::format(R"({{"user_id":"{}","role":"viewer"}})", member), owner);
    body["new_owner_id"] = json::String(member);
  }
  if (body.contains("organization_id")) body["organization_id"] = json::String(organization);
  if (operation.id == "create_trigger") body["chain_id"] = 8453;
}

Estate::Errand Estate::errand(const Operation& operation) {
  Errand out;
  out.call.method = operation.method;
  out.call.target = operation.path;
  out.call.headers = owner;
  out.body = operation.example;
  fill_ids(operation, out);
  fill_body(operation, out);
  return out;
}

Answer Estate::send(const Errand& errand) {
  Call call = errand.call;
  call.body = json::dump(errand.body);
  call.peer = fmt::format("192.0.{}.{}", serial_ / 250 % 250, serial_ % 250 + 1);
  return h.call(std::move(call));
}

std::string Estate::dump() {
  const bool is_sqlite = h.db().engine() == "sqlite";
  // Statements are known by name, and their texts must outlive them.
  static std::deque<std::string> texts;
  const auto ask = [&](std::string sql) {
    const auto& text = texts.emplace_back(std::move(sql));
    const auto& name = texts.emplace_back(fmt::format("estate_{}", texts.size()));
    auto rows = h.db().query_blocking(store::Query(store::Query::Unlisted{}, name, text));
    EXPECT_TRUE(rows) << text << (rows ? "" : rows.error().text);
    return rows ? std::move(*rows) : store::Rows();
  };
  const auto tables =
      ask(is_sqlite ? "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%' ORDER BY name"
                    : "SELECT CAST(relname AS text) FROM pg_class WHERE relkind IN ('r', 'p') AND relnamespace = "
                      "to_regnamespace('public') ORDER BY relname");
  std::string out;
  for (std::size_t i = 0; i < tables.size(); ++i) {
    const std::string table = tables.text(i, 0);
    std::string row = "CAST(t AS text)";
    if (is_sqlite) {
      const auto columns =
          ask("SELECT group_concat('quote(\"' || name || '\")', ' || ''|'' || ') FROM "
              "pragma_table_info('" +
              table + "')");
      row = columns.text(0, 0);
    }
    const auto rows = ask("SELECT " + row + " FROM \"" + table + "\" t");
    for (std::size_t j = 0; j < rows.size(); ++j) out += table + ": " + rows.text(j, 0) + "\n";
  }
  return out;
}

}   // namespace agentauri::gateway::testing
