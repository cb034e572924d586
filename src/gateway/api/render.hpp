// The response models of http-api.md 8.
#pragma once

#include <algorithm>
#include <optional>
#include <string>
#include <vector>

#include "core/json/json.hpp"
#include "domain/event.hpp"
#include "gateway/use_cases/accounts.hpp"
#include "gateway/use_cases/triggers.hpp"
#include "store/counting.hpp"

namespace agentauri::gateway {

json::Object render_auth(const SignedIn& signed_in);
json::Object render_tokens(const TokenPair& tokens);
// PasswordPolicy, and who may register.
json::Object render_password_policy(const GatewaySettings& settings);
json::Object render_me(const Me& me);
json::Object render_trigger(const domain::Trigger& trigger);
// With conditions and actions; `new_secrets` may be null.
json::Object render_trigger_detail(const domain::Trigger& trigger,
                                   const std::map<domain::ActionId, std::string>* new_secrets);
json::Object render_condition(const domain::Condition& condition, domain::TriggerId trigger);
json::Object render_action(const domain::Action& action, domain::TriggerId trigger,
                           const std::optional<std::string>& new_secret);
json::Object render_event(const domain::Event& event);
json::Object render_delivery(const store::Delivery& delivery, std::string_view trigger);

// {"data": …, "warnings": […]?}
json::Object wrap(json::Value data, const std::vector<rules::Warning>& warnings = {});

// {"data": […], "pagination": {…}} of rows that were asked for one beyond `limit` and counted to store::kMaxCounted.
template <class Row, class Render>
json::Object render_page(const std::vector<Row>& rows, std::int64_t total, const PageBounds& page, Render render) {
  json::Array data;
  for (const auto& row : rows) {
    if (static_cast<std::int64_t>(data.size()) == page.limit) break;
    data.push_back(render(row));
  }
  json::Object pagination;
  pagination["total"] = std::min(total, store::kMaxTotal);
  pagination["limit"] = page.limit;
  pagination["offset"] = page.offset;
  pagination["has_more"] = static_cast<std::int64_t>(rows.size()) > page.limit;
  if (total > store::kMaxTotal) pagination["total_capped"] = true;
  json::Object out;
  out["data"] = std::move(data);
  out["pagination"] = std::move(pagination);
  return out;
}

}   // namespace agentauri::gateway
