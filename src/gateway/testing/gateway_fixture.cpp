#include "gateway/testing/gateway_fixture.hpp"

#include <fmt/format.h>

#include <charconv>

#include "core/async/task.hpp"
#include "core/compress/compress.hpp"
#include "core/compress/testing/unbrotli.hpp"
#include "gateway/api/routes.hpp"
#include "gateway/testing/openapi_checker.hpp"

namespace agentauri::gateway::testing {

const json::Value* Answer::find(std::string_view path) const {
  const json::Value* node = &body;
  while (!path.empty() && node != nullptr) {
    const std::size_t dot = std::min(path.find('.'), path.size());
    const std::string_view name = path.substr(0, dot);
    path.remove_prefix(std::min(path.size(), dot + 1));
    if (node->is_object()) {
      node = json::find(node->get_object(), name);
    } else if (node->is_array()) {
      std::size_t index = 0;
      const auto read = std::from_chars(name.data(), name.data() + name.size(), index);
      node = read.ec == std::errc() && index < node->get_array().size() ? &node->get_array()[index] : nullptr;
    } else {
      node = nullptr;
    }
  }
  return node;
}

std::string Answer::at(std::string_view path) const {
  const auto* node = find(path);
  if (node == nullptr) return "";
  return node->is_string() ? std::string(json::view(node->get_string())) : json::dump(*node);
}

std::string Answer::header(std::string_view name) const {
  const auto* value = headers.find(name);
  return value != nullptr ? *value : "";
}

std::vector<std::string> Answer::all(std::string_view name) const {
  std::vector<std::string> out;
  for (const auto& [key, value] : headers.all()) {
    if (net::equal_ignoring_case(key, name)) out.push_back(value);
  }
  return out;
}

net::HttpRequest make_request(const Call& call) {
  net::HttpRequest request;
  request.method = call.method;
  request.target = call.target;
  const std::size_t mark = call.target.find('?');
  request.path = call.target.substr(0, mark);
  if (mark != std::string::npos) request.query = call.target.substr(mark + 1);
  request.headers.add("Host", "localhost");
  if (call.body) request.headers.add("Content-Type", "application/json");
  for (const auto& [name, value] : call.headers) request.headers.set(name, value);
  request.body = call.body.value_or("");
  request.peer = call.peer;
  request.received = std::chrono::steady_clock::now();
  return request;
}

namespace {

std::string unpacked(std::string_view coding, std::string body) {
  if (coding.empty()) return body;
  constexpr std::size_t kMaxBytes = 4 * 1024 * 1024;
  auto out = coding == "br" ? agentauri::testing::unbrotli(body, kMaxBytes) : gunzip(body, kMaxBytes);
  EXPECT_TRUE(out.has_value()) << "a body that is not " << coding;
  return std::move(out).value_or("");
}

}   // namespace

Answer read_answer(const Call& call, net::HttpResponse response) {
  Answer out;
  out.status = response.status;
  out.headers = std::move(response.headers);
  out.text = unpacked(out.header("Content-Encoding"), std::move(response.body));
  if (!out.text.empty() && out.header("Content-Type") == "application/json") {
    auto parsed = json::parse(out.text, 64);
    EXPECT_TRUE(parsed) << call.target << ": the body is not JSON: " << out.text.substr(0, 200);
    if (parsed) out.body = std::move(*parsed);
  }
  const auto match = match_route(call.method, call.target.substr(0, call.target.find('?')));
  if (match.route != nullptr) {
    const auto fault = check_answer(call.method, match.route->path, out.status, out.text.empty() ? nullptr : &out.body);
    EXPECT_EQ(fault, "") << call.method << " " << call.target << " -> " << out.status << " " << out.text.substr(0, 500);
  }
  return out;
}

Answer call_gateway(Gateway& gateway, Call call) {
  net::HttpResponse response;
  run_blocking([&]() -> Task<void> { response = co_await gateway.handle(make_request(call)); });
  return read_answer(call, std::move(response));
}

Harness::Harness(std::function<void(GatewaySettings&)> change, store::testing::TempDatabase temp)
    : temp_(std::move(temp)) {
  settings_.jwt_secret = crypto::Secret<std::string>(std::string(kJwtSecret));
  settings_.allowed_origins = {"https://app.example.org", "http://localhost:3000"};
  settings_.hsts = false;
  if (change) change(settings_);
  gateway_ = another();
}

std::unique_ptr<Gateway> Harness::another() {
  return std::make_unique<Gateway>(
      *temp_.db, clock_, metrics_, settings_,
      crypto::DataKeys::derive(settings_.jwt_secret.reveal(), settings_.jwt_secret_previous.reveal()), guard_, chains_,
      cache_);
}

Answer Harness::call(Call call) {
  return call_gateway(*gateway_, std::move(call));
}

std::vector<Answer> Harness::call_all(std::vector<Call> calls) {
  std::vector<net::HttpResponse> responses(calls.size());
  run_blocking([&]() -> Task<void> {
    TaskGroup group(co_await this_executor());
    for (std::size_t i = 0; i < calls.size(); ++i) {
      group.spawn("call", [this, &out = responses[i], request = make_request(calls[i])]() -> Task<void> {
        out = co_await gateway_->handle(request);
      });
    }
    co_await group.wait();
  });
  std::vector<Answer> out;
  for (std::size_t i = 0; i < calls.size(); ++i) out.push_back(read_answer(calls[i], std::move(responses[i])));
  return out;
}

Answer Harness::registered(const std::string& username) {
  ++addresses_;
  Call call{"POST",
            "/api/v1/auth/register",
            fmt::format(R"({{"username":"{0}","email":"{0}@example.org","password":"{1}"}})", username, kPassword),
            {},
            {}};
  call.peer = fmt::format("198.51.{}.{}", addresses_ / 250, addresses_ % 250 + 1);
  auto answer = this->call(std::move(call));
  EXPECT_EQ(answer.status, 201) << answer.text;
  return answer;
}

HeaderList Harness::bearer(const Answer& auth) {
  return {{"Authorization", "Bearer " + auth.at("token")}};
}
HeaderList Harness::signed_in(const std::string& username) {
  return bearer(registered(username));
}

std::string Harness::user_id(const HeaderList& who) {
  return get("/api/v1/auth/me", who).at("id");
}
std::string Harness::organization_id(const HeaderList& who) {
  return get("/api/v1/auth/me", who).at("organizations.0.id");
}

HeaderList Harness::joined(const std::string& username, const std::string& role, const HeaderList& owner) {
  auto out = signed_in(username);
  const auto organization = organization_id(owner);
  const auto added = post("/api/v1/organizations/" + organization + "/members",
                          fmt::format(R"({{"user_id":"{}","role":"{}"}})", user_id(out), role), owner);
  EXPECT_EQ(added.status, 201) << added.text;
  out.emplace_back("X-Organization-ID", organization);
  return out;
}

Answer Harness::log_in(const std::string& identifier, std::string_view password, std::string peer) {
  json::Object body;
  body["username_or_email"] = json::String(identifier);
  body["password"] = json::String(password);
  return call({"POST", "/api/v1/auth/login", json::dump(body), {}, std::move(peer)});
}

}   // namespace agentauri::gateway::testing
