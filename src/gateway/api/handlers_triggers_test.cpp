#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "gateway/testing/gateway_fixture.hpp"
#include "gateway/use_cases/triggers.hpp"
#include "rules/action_secrets.hpp"
#include "store/accounts.hpp"
#include "store/revisions.hpp"
#include "store/triggers.hpp"

namespace agentauri::gateway {
namespace {

using testing::Answer;
using testing::Harness;
using testing::HeaderList;
using namespace std::chrono_literals;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr auto kTriggers = "/api/v1/triggers";
const std::string kLowScore = R"({"condition_type":"score_threshold","field":"score","operator":"<","value":"60"})";
const std::string kHook =
    R"({"action_type":"rest","config":{"url":"https://example.org/hook","headers":{"Authorization":"Bearer s3cret"}}})";

class TriggersApi : public ::testing::Test {
 protected:
  Harness h;
  HeaderList user = h.signed_in("orbit7");

  std::string made(const std::string& body = R"({"name":"Low score","registry":"reputation"})") {
    const auto answer = h.post(kTriggers, body, user);
    EXPECT_EQ(answer.status, 201) << answer.text;
    return std::string(kTriggers) + "/" + answer.at("data.id");
  }
  std::vector<store::Revision> revisions() {
    auto rows = h.db().snapshot_blocking<std::vector<store::Revision>>(
        [](store::Tx& tx) { return store::read_revisions(tx, 0, 1000); });
    EXPECT_TRUE(rows);
    return *rows;
  }
  domain::OrganizationId organization_of(const HeaderList& who) {
    return *domain::OrganizationId::parse(h.get("/api/v1/auth/me", who).at("organizations.0.id"));
  }
  // `who` joins the organization of `user`.
  void join(const HeaderList& who, domain::Role role);
};

const store::Query kJoin{"test_join",
                         "INSERT INTO members (id, organization_id, account_id, role, created_at) VALUES (:id, "
                         ":organization, :account, :role, :now)"};

void TriggersApi::join(const HeaderList& who, domain::Role role) {
  const auto account = domain::AccountId::parse(h.get("/api/v1/auth/me", who).at("id"));
  auto done = h.db().transact_blocking<void>(store::Priority::interactive, [&](store::Tx& tx) -> Result<void> {
    auto row = tx.run(kJoin, store::Params()
                                 .uuid("id", make_uuid_v4())
                                 .id("organization", organization_of(user))
                                 .id("account", *account)
                                 .text("role", std::string(to_string(role)))
                                 .time("now", h.clock_.now()));
    if (!row) return fail(row);
    return {};
  });
  ASSERT_TRUE(done);
}

TEST_F(TriggersApi, CreateReadUpdateDelete) {
  const auto created =
      h.post(kTriggers, R"({"name":"Low score","chain_id":84532,"registry":"reputation","min_confirmations":3})", user);
  ASSERT_EQ(created.status, 201) << created.text;
  EXPECT_EQ(created.at("data.chain_id"), "84532");
  EXPECT_EQ(created.at("data.enabled"), "true");
  EXPECT_EQ(created.at("data.is_stateful"), "false");
  EXPECT_EQ(created.at("data.min_confirmations"), "3");
  EXPECT_EQ(created.at("data.description"), "null");
  EXPECT_EQ(created.find("data.conditions"), nullptr);
  const std::string path = std::string(kTriggers) + "/" + created.at("data.id");
  const auto read = h.get(path, user);
  EXPECT_EQ(read.at("data.conditions"), "[]");
  EXPECT_EQ(read.at("data.actions"), "[]");

  h.clock_.advance(5s);
  const auto updated = h.put(path, R"({"name":"Lower","chain_id":null,"enabled":false,"description":"d"})", user);
  ASSERT_EQ(updated.status, 200) << updated.text;
  EXPECT_EQ(updated.at("data.name"), "Lower");
  EXPECT_EQ(updated.at("data.chain_id"), "84532");   // null keeps
  EXPECT_EQ(updated.at("data.enabled"), "false");
  EXPECT_EQ(updated.at("data.created_at"), created.at("data.created_at"));
  EXPECT_EQ(updated.at("data.updated_at"), "2026-01-01T00:10:17.345678Z");

  EXPECT_EQ(h.erase(path, user).status, 204);
  EXPECT_EQ(h.get(path, user).at("message"), "Trigger not found");
  EXPECT_EQ(h.erase(path, user).status, 404);

  const auto log = revisions();
  ASSERT_EQ(log.size(), 3U);
  EXPECT_EQ(log[1].trigger.name, "Lower");
  EXPECT_TRUE(log[2].deleted);
}

TEST_F(TriggersApi, EveryChainIsNull) {
  const auto created = h.post(kTriggers, R"({"name":"t","chain_id":null,"registry":"identity"})", user);
  EXPECT_EQ(created.at("data.chain_id"), "null");
}

TEST_F(TriggersApi, InlinePartsComeWithTheTrigger) {
  const auto created = h.post(
      kTriggers,
      fmt::format(
          R"({{"name":"t","registry":"reputation","conditions":[{},{{"condition_type":"tag_equals","field":"tag1","operator":"=","value":"starred"}}],
                              "actions":[{},{{"action_type":"webhook","priority":-1,"config":{{"url":"https://example.org/other"}}}}]}})",
          kLowScore, kHook),
      user);
  ASSERT_EQ(created.status, 201) << created.text;
  EXPECT_EQ(created.at("data.conditions.0.condition_type"), "score_threshold");
  EXPECT_EQ(created.at("data.conditions.0.position"), "0");
  EXPECT_EQ(created.at("data.conditions.1.position"), "1");
  // By priority.
  EXPECT_EQ(created.at("data.actions.0.config.url"), "https://example.org/other");
  EXPECT_EQ(created.at("data.actions.0.action_type"), "rest");
  EXPECT_EQ(created.at("data.actions.1.config.headers.Authorization"), "***");
  EXPECT_THAT(created.at("data.actions.0.signing_secret"), HasSubstr("whsec_"));
  EXPECT_THAT(created.at("data.actions.1.signing_secret"), HasSubstr("whsec_"));
  EXPECT_NE(created.at("data.actions.0.signing_secret"), created.at("data.actions.1.signing_secret"));
  // Once.
  const auto read = h.get(std::string(kTriggers) + "/" + created.at("data.id"), user);
  EXPECT_EQ(read.find("data.actions.0.signing_secret"), nullptr);
  EXPECT_EQ(revisions().size(), 1U);
  EXPECT_EQ(revisions()[0].trigger.conditions.size(), 2U);
}

TEST_F(TriggersApi, NothingIsLeftOfARefusedTrigger) {
  const auto bad = h.post(
      kTriggers,
      fmt::format(
          R"({{"name":"t","registry":"reputation","conditions":[{},{{"condition_type":"no_such","field":"f","operator":"=","value":"1"}}],
                          "actions":[{{"action_type":"rest","config":{{"url":"ftp://x"}}}},{{"action_type":"pigeon","config":{{}}}}]}})",
          kLowScore),
      user);
  EXPECT_EQ(bad.status, 400);
  EXPECT_EQ(bad.at("error"), "validation_error");
  EXPECT_EQ(bad.at("details.0.field"), "conditions[1].condition_type");
  EXPECT_EQ(bad.at("details.1.field"), "actions[0].config.url");
  EXPECT_EQ(bad.at("details.2.field"), "actions[1].action_type");
  EXPECT_EQ(h.get(kTriggers, user).at("pagination.total"), "0");
  EXPECT_TRUE(revisions().empty());
}

struct BadBody {
  std::string body;
  std::string code;
  std::string says;
};

TEST_F(TriggersApi, BadTriggersSayWhatIsWrong) {
  const std::vector<BadBody> cases{
      {R"({"name":5,"registry":"identity"})", "bad_request", "Json deserialize error: field `name` must be a string"},
      {R"({"registry":"identity"})", "bad_request", "missing field `name`"},
      {R"({"name":null,"registry":"identity"})", "bad_request", "missing field `name`"},
      {R"({"name":"t"})", "bad_request", "missing field `registry`"},
      {R"({"name":"t","registry":"identity","chain_id":"1"})", "bad_request", "chain_id"},
      {R"({"name":"t","registry":"identity","chain_id":9223372036854775808})", "bad_request", "chain_id"},
      {R"({"name":"t","registry":"identity","chain_id":1.5})", "bad_request", "chain_id"},
      {R"({"name":"t","registry":"identity","enabled":"true"})", "bad_request", "enabled"},
      {R"({"name":"t","registry":"identity","conditions":{}})", "bad_request", "conditions"},
      {R"({"name":"t","registry":"identity","conditions":[1]})", "bad_request", "conditions[0]"},
      {R"({"name":"t","registry":"identity","conditions":[{"condition_type":"x"}]})", "bad_request",
       "conditions[0].missing field `field`"},
      {R"({"name":"t","registry":"identity","actions":[{"action_type":"rest","config":[]}]})", "bad_request",
       "actions[0].field `config`"},
      {R"({"name":"t\u0000","registry":"identity"})", "bad_request", "U+0000"},
      {R"({"name":"t","registry":"identity"} x)", "bad_request", "Json deserialize error: "},
      {R"({"name":"t","registry":"identity")", "bad_request", "Json deserialize error: "},
      {"\xff", "bad_request", "Json deserialize error: "},
      {R"({"name":"","registry":"identity"})", "validation_error",
       "Validation failed: name: Validation error: length ["},
      {R"({"name":")" + std::string(256, 'n') + R"(","registry":"identity"})", "validation_error", "name"},
      {R"({"name":"t","description":")" + std::string(1001, 'n') + R"(","registry":"identity"})", "validation_error",
       "description"},
      {R"({"name":"t","registry":"Identity"})", "validation_error", "registry"},
      {R"({"name":"t","registry":"identity","min_confirmations":-1})", "validation_error", "min_confirmations"},
  };
  for (const auto& bad : cases) {
    const auto answer = h.post(kTriggers, bad.body, user);
    EXPECT_EQ(answer.status, 400) << bad.body;
    EXPECT_EQ(answer.at("error"), bad.code) << bad.body << answer.text;
    EXPECT_THAT(answer.at("message"), HasSubstr(bad.says)) << bad.body;
  }
  // Characters are counted, not bytes.
  std::string name;
  for (int i = 0; i < 255; ++i) name += "\u00e9";
  EXPECT_EQ(h.post(kTriggers, R"({"name":")" + name + R"(","registry":"identity"})", user).status, 201);
}

TEST_F(TriggersApi, BoundsOfParts) {
  std::string conditions, actions;
  for (int i = 0; i < 21; ++i) conditions += (i == 0 ? "" : ",") + kLowScore;
  for (int i = 0; i < 11; ++i) actions += (i == 0 ? "" : ",") + kHook;
  EXPECT_EQ(
      h.post(kTriggers, R"({"name":"t","registry":"reputation","conditions":[)" + conditions + "]}", user).at("error"),
      "bad_request");
  EXPECT_EQ(h.post(kTriggers, R"({"name":"t","registry":"reputation","actions":[)" + actions + "]}", user).at("error"),
            "bad_request");
  const auto path =
      made(R"({"name":"t","registry":"reputation","conditions":[)" + conditions.substr(kLowScore.size() + 1) + "]}");
  const auto one_more = h.post(path + "/conditions", kLowScore, user);
  EXPECT_EQ(one_more.at("error"), "bad_request");
  EXPECT_THAT(one_more.at("message"), HasSubstr("at most 20"));
}

TEST_F(TriggersApi, PagesAndTheirBounds) {
  for (int i = 0; i < 3; ++i) {
    h.clock_.advance(1s);
    made(fmt::format(R"({{"name":"t{}","registry":"identity"}})", i));
  }
  const auto first = h.get(std::string(kTriggers) + "?limit=2", user);
  EXPECT_EQ(first.at("data.0.name"), "t2");
  EXPECT_EQ(first.at("pagination"), R"({"total":3,"limit":2,"offset":0,"has_more":true})");
  const auto last = h.get(std::string(kTriggers) + "?limit=2&offset=2&unknown=1", user);
  EXPECT_EQ(last.at("data.0.name"), "t0");
  EXPECT_EQ(last.at("pagination.has_more"), "false");
  for (const auto& [query, message] : std::vector<std::pair<std::string, std::string>>{
           {"limit=0", "Invalid pagination: Limit must be between 1 and 100"},
           {"limit=101", "Invalid pagination: Limit must be between 1 and 100"},
           {"offset=-1", "Invalid pagination: Offset must be non-negative"}}) {
    const auto answer = h.get(std::string(kTriggers) + "?" + query, user);
    EXPECT_EQ(answer.status, 400);
    EXPECT_EQ(answer.at("error"), "validation_error");
    EXPECT_EQ(answer.at("message"), message);
  }
  for (const auto* query :
       {"limit=", "limit=x", "limit=1.5", "limit=1&limit=2", "limit=%zz", "offset=9223372036854775808", "limit=+1"}) {
    const auto answer = h.get(std::string(kTriggers) + "?" + query, user);
    EXPECT_EQ(answer.at("error"), "bad_request") << query;
    EXPECT_THAT(answer.at("message"), HasSubstr("Query deserialize error: ")) << query;
  }
}

TEST_F(TriggersApi, OtherOrganizationsDoNotExist) {
  const auto path =
      made(fmt::format(R"({{"name":"t","registry":"reputation","conditions":[{}],"actions":[{}]}})", kLowScore, kHook));
  const auto stranger = h.signed_in("stranger");
  const auto own = to_string(organization_of(user));
  for (const auto& [method, suffix, body] :
       std::vector<std::tuple<std::string, std::string, std::optional<std::string>>>{
           {"GET", "", {}},
           {"PUT", "", "{}"},
           {"DELETE", "", {}},
           {"GET", "/conditions", {}},
           {"POST", "/conditions", kLowScore},
           {"PUT", "/conditions/1", "{}"},
           {"DELETE", "/conditions/1", {}},
           {"GET", "/actions", {}},
           {"POST", "/actions", kHook},
           {"PUT", "/actions/1", "{}"},
           {"DELETE", "/actions/1", {}},
           {"POST", "/actions/1/rotate-secret", "{}"},
           {"GET", "/deliveries", {}}}) {
    const auto answer = h.call({method, path + suffix, body, stranger, "203.0.113.7"});
    EXPECT_EQ(answer.status, 404) << method << suffix << answer.text;
    EXPECT_EQ(answer.at("message"), "Trigger not found") << method << suffix;
    auto with_header = stranger;
    with_header.emplace_back("X-Organization-ID", own);
    const auto denied = h.call({method, path + suffix, body, with_header, "203.0.113.7"});
    EXPECT_EQ(denied.status, 403) << method << suffix;
    EXPECT_EQ(denied.at("message"), "Not a member of the specified organization");
  }
  EXPECT_EQ(h.get("/api/v1/organizations/" + own + "/triggers", stranger).at("message"), "Organization not found");
  EXPECT_EQ(h.get("/api/v1/organizations/nonsense/triggers", user).status, 404);
  EXPECT_EQ(h.get("/api/v1/organizations/nonsense/triggers?limit=0", user).status, 400);
  EXPECT_EQ(h.get("/api/v1/organizations/" + own + "/triggers", user).at("pagination.total"), "1");
  EXPECT_EQ(h.get("/api/v1/triggers/not-a-uuid", user).at("message"), "Trigger not found");
  EXPECT_EQ(h.get(kTriggers, {user[0], {"X-Organization-ID", "nonsense"}}).status, 403);
}

TEST_F(TriggersApi, RolesDecideWhoMayChange) {
  const auto path = made();
  auto viewer = h.signed_in("viewer");
  auto member = h.signed_in("member");
  join(viewer, domain::Role::viewer);
  join(member, domain::Role::member);
  const auto own = to_string(organization_of(user));
  viewer.emplace_back("X-Organization-ID", own);
  member.emplace_back("X-Organization-ID", own);
  EXPECT_EQ(h.get(path, viewer).status, 200);
  EXPECT_EQ(h.get("/api/v1/organizations/" + own + "/triggers", viewer).status, 200);
  const std::vector<std::tuple<std::string, std::string, std::string, std::string>> denied{
      {"POST", kTriggers, R"({"name":"","registry":"x"})", "Insufficient permissions to create triggers"},
      {"PUT", path, "{}", "Insufficient permissions to update triggers"},
      {"DELETE", path, "{}", "Insufficient permissions to delete triggers"},
      {"POST", path + "/conditions", kLowScore, "Insufficient permissions to create conditions"},
      {"PUT", path + "/conditions/1", "{}", "Insufficient permissions to update conditions"},
      {"DELETE", path + "/conditions/1", "{}", "Insufficient permissions to delete conditions"},
      {"POST", path + "/actions", kHook, "Insufficient permissions to create actions"},
      {"PUT", path + "/actions/1", "{}", "Insufficient permissions to update actions"},
      {"DELETE", path + "/actions/1", "{}", "Insufficient permissions to delete actions"},
      {"POST", path + "/actions/1/rotate-secret", "{}", "Insufficient permissions to update actions"},
  };
  for (const auto& [method, target, body, message] : denied) {
    const auto answer = h.call({method, target, body, viewer, "203.0.113.7"});
    EXPECT_EQ(answer.status, 403) << method << target << answer.text;
    EXPECT_EQ(answer.at("message"), message);
  }
  EXPECT_EQ(h.put(path, R"({"name":"by a member"})", member).status, 200);
}

// http-api.md 1.8: what is wrong with the request itself comes before what it does not find.
TEST_F(TriggersApi, BadRequestsAreToldBeforeWhatIsMissing) {
  const std::string nowhere = std::string(kTriggers) + "/01936b1e-7a00-7000-8000-000000000001";
  const std::vector<std::tuple<std::string, std::string, std::string>> bad{
      {"PUT", nowhere, R"({"name":""})"},
      {"POST", nowhere + "/conditions", R"({"condition_type":"","field":"f","operator":"=","value":"1"})"},
      {"PUT", nowhere + "/conditions/1", R"({"value":""})"},
      {"POST", nowhere + "/actions", R"({"action_type":"rest","config":{"url":"ftp://x"}})"},
      {"PUT", nowhere + "/actions/1", R"({"action_type":"pigeon"})"},
      {"POST", nowhere + "/actions/1/rotate-secret", R"({"overlap_seconds":-1})"},
  };
  for (const auto& [method, target, body] : bad) {
    const auto answer = h.call({method, target, body, user, "203.0.113.7"});
    EXPECT_EQ(answer.status, 400) << method << target << answer.text;
    EXPECT_EQ(answer.at("error"), "validation_error") << method << target;
  }
  EXPECT_EQ(h.put(nowhere, R"({"name":"good"})", user).status, 404);
}

TEST_F(TriggersApi, AnUnknownEventNameIsAWarning) {
  const auto answer = h.post(
      kTriggers,
      R"({"name":"t","registry":"identity","conditions":[{"condition_type":"event_filter","field":"event_type","operator":"eq","value":"NoSuchEvent"}]})",
      user);
  ASSERT_EQ(answer.status, 201) << answer.text;
  EXPECT_EQ(answer.at("data.conditions.0.condition_type"), "event_filter");   // verbatim
  EXPECT_EQ(answer.at("data.conditions.0.operator"), "eq");
  EXPECT_EQ(answer.at("warnings.0.field"), "conditions[0].value");
  EXPECT_EQ(answer.at("warnings.0.code"), "unknown_event_type");
}

TEST_F(TriggersApi, ConditionsOnTheirOwnRoutes) {
  const auto path = made() + "/conditions";
  const auto a = h.post(path, kLowScore, user);
  ASSERT_EQ(a.status, 201) << a.text;
  EXPECT_EQ(a.at("data.config"), "null");
  EXPECT_EQ(a.at("data.position"), "0");
  const auto b = h.post(
      path, R"({"condition_type":"tag_equals","field":"tag1","operator":"=","value":"x","config":{"any":[1,null]}})",
      user);
  EXPECT_EQ(b.at("data.position"), "1");
  EXPECT_EQ(b.at("data.config"), R"({"any":[1,null]})");
  const auto moved = h.put(path + "/" + b.at("data.id"), R"({"position":-1})", user);
  EXPECT_EQ(moved.status, 200);
  EXPECT_EQ(moved.at("data.value"), "x");
  const auto listed = h.get(path, user);
  EXPECT_EQ(listed.at("data.0.id"), b.at("data.id"));
  EXPECT_EQ(listed.at("data.1.id"), a.at("data.id"));

  // What is asked decides whether memory is kept.
  EXPECT_EQ(revisions().back().trigger.conditions[0].revision, 1);
  EXPECT_EQ(h.put(path + "/" + b.at("data.id"), R"({"value":"y"})", user).status, 200);
  EXPECT_EQ(revisions().back().trigger.conditions[0].revision, 2);

  for (const auto& [body, code, field] : std::vector<std::tuple<std::string, std::string, std::string>>{
           {R"({"condition_type":"score_threshold","field":"score","operator":"<","value":60})", "bad_request", ""},
           {R"({"condition_type":"score_threshold","field":"score","operator":"<","value":"many"})", "validation_error",
            "value"},
           {R"({"condition_type":"score_threshold","field":"score","operator":"~","value":"6"})", "validation_error",
            "operator"},
           {R"({"condition_type":"","field":"score","operator":"<","value":"6"})", "validation_error",
            "condition_type"},
           {R"({"condition_type":"ema_threshold","field":"score","operator":"<","value":"6"})", "validation_error",
            "condition_type"}}) {
    const auto bad = h.post(path, body, user);
    EXPECT_EQ(bad.at("error"), code) << body << bad.text;
    EXPECT_EQ(bad.at("details.0.field"), field) << body;
  }
  EXPECT_EQ(h.erase(path + "/" + a.at("data.id"), user).status, 204);
  EXPECT_EQ(h.erase(path + "/" + a.at("data.id"), user).at("message"), "Condition not found");
  const auto elsewhere = made() + "/conditions/" + b.at("data.id");
  EXPECT_EQ(h.put(elsewhere, "{}", user).at("message"), "Condition not found");
  for (const auto* id : {"x", "1.5", "9223372036854775808", "0x1", "%20"}) {
    const auto bad = h.put(path + "/" + id, "{}", user);
    EXPECT_EQ(bad.status, 404) << id;
    EXPECT_EQ(bad.at("error"), "not_found") << id;
  }
}

// 11297108109 is the Palm network, a chain of the public lists.
TEST_F(TriggersApi, AChainIdHas64Bits) {
  const auto created = h.post(kTriggers, R"({"name":"t","chain_id":11297108109,"registry":"identity"})", user);
  ASSERT_EQ(created.status, 201) << created.text;
  EXPECT_EQ(created.at("data.chain_id"), "11297108109");
  const auto path = std::string(kTriggers) + "/" + created.at("data.id");
  EXPECT_EQ(h.put(path, R"({"chain_id":11297108099})", user).at("data.chain_id"), "11297108099");
  EXPECT_EQ(h.get(path, user).at("data.chain_id"), "11297108099");
  for (const char* none : {"0", "-1", "-9223372036854775808"}) {
    const auto refused =
        h.post(kTriggers, fmt::format(R"({{"name":"t","chain_id":{},"registry":"identity"}})", none), user);
    EXPECT_EQ(refused.status, 400) << none;
    EXPECT_EQ(refused.at("error"), "bad_request") << none;
    EXPECT_THAT(refused.at("message"), HasSubstr("chain_id")) << none;
    EXPECT_EQ(h.put(path, fmt::format(R"({{"chain_id":{}}})", none), user).status, 400) << none;
  }
  EXPECT_EQ(h.put(path, R"({"chain_id":1})", user).at("data.chain_id"), "1");
}

TEST_F(TriggersApi, ActionsKeepTheirSecrets) {
  const auto trigger = made();
  const auto path = trigger + "/actions";
  const auto made_action = h.post(path, kHook, user);
  ASSERT_EQ(made_action.status, 201) << made_action.text;
  EXPECT_EQ(made_action.at("data.config.headers.Authorization"), "***");
  const std::string id = made_action.at("data.id");
  const auto stored = [&] { return revisions().back().trigger.actions.at(0).config; };
  EXPECT_THAT(stored(), HasSubstr("enc:v1:"));
  EXPECT_THAT(stored(), ::testing::Not(HasSubstr("s3cret")));
  const auto keys = crypto::DataKeys::derive(testing::kJwtSecret, "");
  const auto secret_of = [&] {
    auto opened =
        rules::decrypt_config(json::parse(stored())->get_object(), static_cast<domain::ActionId>(std::stoi(id)), keys);
    return opened ? std::string(json::view((*opened)["headers"].get_object()["Authorization"].get_string()))
                  : opened.error().text;
  };
  EXPECT_EQ(secret_of(), "Bearer s3cret");

  const auto kept =
      h.put(path + "/" + id, R"({"config":{"url":"https://example.org/new","headers":{"Authorization":"***"}}})", user);
  ASSERT_EQ(kept.status, 200) << kept.text;
  EXPECT_EQ(kept.at("data.config.url"), "https://example.org/new");
  EXPECT_EQ(secret_of(), "Bearer s3cret");
  EXPECT_EQ(h.put(path + "/" + id, R"({"priority":7})", user).at("data.priority"), "7");
  EXPECT_EQ(secret_of(), "Bearer s3cret");
  EXPECT_EQ(h.put(path + "/" + id,
                  R"({"config":{"url":"https://example.org/new","headers":{"Authorization":"Bearer other"}}})", user)
                .status,
            200);
  EXPECT_EQ(secret_of(), "Bearer other");

  // A mask with nothing behind it, and ciphertext from outside.
  EXPECT_EQ(
      h.post(path, R"({"action_type":"rest","config":{"url":"https://x.example","headers":{"X-Token":"***"}}})", user)
          .at("error"),
      "validation_error");
  EXPECT_EQ(h.put(path + "/" + id, R"({"config":{"url":"https://x.example","headers":{"X-Token":"***"}}})", user)
                .at("details.0.code"),
            "nothing_stored");
  EXPECT_EQ(h.put(path + "/" + id, R"({"config":{"url":"https://x.example","secret":"enc:v1:a:b"}})", user)
                .at("details.0.code"),
            "reserved_prefix");
  EXPECT_EQ(h.get(path, user).at("data.0.config.headers.Authorization"), "***");
  EXPECT_EQ(h.erase(path + "/" + id, user).status, 204);
  EXPECT_EQ(h.erase(path + "/" + id, user).at("message"), "Action not found");
  EXPECT_EQ(h.erase(path + "/2147483648", user).status, 404);
}

TEST_F(TriggersApi, ASecretIsRotatedWithOverlap) {
  const auto created = h.post(kTriggers, R"({"name":"t","registry":"reputation","actions":[)" + kHook + "]}", user);
  const std::string trigger = std::string(kTriggers) + "/" + created.at("data.id");
  const std::string id = created.at("data.actions.0.id");
  const std::string first = created.at("data.actions.0.signing_secret");
  const auto rotated = h.post(trigger + "/actions/" + id + "/rotate-secret", R"({"overlap_seconds":600})", user);
  ASSERT_EQ(rotated.status, 200) << rotated.text;
  EXPECT_NE(rotated.at("data.signing_secret"), first);
  const auto action = static_cast<domain::ActionId>(std::stoi(id));
  const auto secrets = [&] {
    return *h.db().snapshot_blocking<store::SigningSecrets>(
        [&](store::Tx& tx) { return store::read_signing_secrets(tx, action); });
  };
  const auto keys = crypto::DataKeys::derive(testing::kJwtSecret, "");
  EXPECT_EQ(*keys.decrypt(*secrets().previous, rules::signing_secret_aad(action)), first);
  EXPECT_EQ(*keys.decrypt(*secrets().current, rules::signing_secret_aad(action)), rotated.at("data.signing_secret"));
  EXPECT_EQ(secrets().previous_expires_at, h.clock_.now() + 600s);
  EXPECT_EQ(h.post(trigger + "/actions/" + id + "/rotate-secret", R"({"overlap_seconds":0})", user).status, 200);
  EXPECT_EQ(secrets().previous, std::nullopt);
  for (const auto* bad : {R"({"overlap_seconds":-1})", R"({"overlap_seconds":2592001})"})
    EXPECT_EQ(h.post(trigger + "/actions/" + id + "/rotate-secret", bad, user).at("error"), "validation_error");
  const auto telegram = h.post(trigger + "/actions",
                               R"({"action_type":"telegram","config":{"chat_id":"@x","message_template":"hi"}})", user);
  ASSERT_EQ(telegram.status, 201) << telegram.text;
  EXPECT_EQ(telegram.find("data.signing_secret"), nullptr);
  EXPECT_EQ(h.post(trigger + "/actions/" + telegram.at("data.id") + "/rotate-secret", "{}", user).at("error"),
            "bad_request");
}

TEST_F(TriggersApi, APutOfListsKeepsWhatItNames) {
  const auto created =
      h.post(kTriggers,
             fmt::format(R"({{"name":"t","registry":"reputation","conditions":[{},{}],"actions":[{}]}})", kLowScore,
                         kLowScore, kHook),
             user);
  const std::string path = std::string(kTriggers) + "/" + created.at("data.id");
  const std::string condition = created.at("data.conditions.1.id");
  const std::string action = created.at("data.actions.0.id");
  const auto updated = h.put(
      path,
      fmt::format(
          R"({{"conditions":[{{"id":"{}"}},{{"condition_type":"tag_equals","field":"tag1","operator":"=","value":"x"}}],
                                                   "actions":[{{"id":{},"priority":3}}]}})",
          condition, action),
      user);
  ASSERT_EQ(updated.status, 200) << updated.text;
  EXPECT_EQ(updated.at("data.conditions.0.id"), condition);
  EXPECT_EQ(updated.at("data.conditions.1.condition_type"), "tag_equals");
  EXPECT_EQ(updated.find("data.conditions.2"), nullptr);
  EXPECT_EQ(updated.at("data.actions.0.id"), action);
  EXPECT_EQ(updated.at("data.actions.0.priority"), "3");
  EXPECT_EQ(updated.find("data.actions.0.signing_secret"), nullptr);
  EXPECT_EQ(revisions().back().trigger.conditions[0].revision, 1);
  EXPECT_EQ(h.put(path, R"({"conditions":[{"id":"999"}]})", user).at("message"), "Condition not found");
  EXPECT_EQ(
      h.put(path, fmt::format(R"({{"conditions":[{{"id":"{0}"}},{{"id":"{0}"}}]}})", condition), user).at("error"),
      "bad_request");
  EXPECT_EQ(h.put(path, R"({"conditions":[{"id":true}]})", user).at("error"), "bad_request");
  EXPECT_EQ(h.put(path, R"({"conditions":[]})", user).at("data.conditions"), "[]");
}

TEST_F(TriggersApi, MemoryNeedsAStatefulTrigger) {
  const auto path = made(
      R"({"name":"t","registry":"reputation","is_stateful":true,"conditions":[{"condition_type":"ema_threshold","field":"score","operator":"<","value":"70","config":{"window_size":10}}]})");
  const auto refused = h.put(path, R"({"is_stateful":false})", user);
  EXPECT_EQ(refused.status, 400);
  EXPECT_THAT(refused.at("details.0.field"), HasSubstr("conditions[0]"));
  EXPECT_EQ(h.put(path, R"({"name":"still stateful"})", user).status, 200);
}

TEST_F(TriggersApi, EditsAreLimitedByOrganizationAndUser) {
  const auto path = made();
  const auto shown = h.put(path, "{}", user);
  EXPECT_EQ(shown.header("X-RateLimit-Limit"), "60");
  int passed = 2;
  while (h.put(path, "{}", user).status == 200) ++passed;
  EXPECT_EQ(passed, 60);
  for (int minute = 1; minute < 5; ++minute) {
    h.clock_.advance(61s);
    while (h.put(path, "{}", user).status == 200) ++passed;
  }
  EXPECT_EQ(passed, 300);
  h.clock_.advance(61s);
  const auto refused = h.put(path, "{}", user);
  EXPECT_EQ(refused.status, 429);
  EXPECT_EQ(refused.header("X-RateLimit-Limit"), "300");
  EXPECT_EQ(refused.header("X-RateLimit-Window"), "3600");
  EXPECT_EQ(h.get(path, user).status, 200);
  // Others cannot use up what is not theirs, nor are they held up by it.
  auto stranger = h.signed_in("stranger");
  EXPECT_EQ(h.post(kTriggers, R"({"name":"t","registry":"identity"})", stranger).status, 201);
  stranger.emplace_back("X-Organization-ID", to_string(organization_of(user)));
  EXPECT_EQ(h.put(path, "{}", stranger).status, 403);
}

TEST_F(TriggersApi, WhoMayOnlyLookUsesUpNoChanges) {
  const auto path = made();
  const HeaderList own{{"X-Organization-ID", to_string(organization_of(user))}};
  for (int i = 0; i < 6; ++i) {
    auto viewer = h.signed_in(fmt::format("viewer{}", i));
    join(viewer, domain::Role::viewer);
    viewer.push_back(own[0]);
    for (int n = 0; n < 60; ++n) ASSERT_EQ(h.put(path, "{}", viewer).status, 403) << i << " " << n;
    EXPECT_EQ(h.put(path, "{}", viewer).status, 429) << "their own limit";
  }
  EXPECT_EQ(h.put(path, "{}", user).status, 200);
  auto member = h.signed_in("member");
  join(member, domain::Role::member);
  member.push_back(own[0]);
  EXPECT_EQ(h.put(path, "{}", member).status, 200);
}

}   // namespace
}   // namespace agentauri::gateway
