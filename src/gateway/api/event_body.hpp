// An event that a request describes, in the shape in which the API shows events.
#pragma once

#include "core/json/json.hpp"
#include "domain/event.hpp"
#include "gateway/refusal.hpp"
#include "gateway/use_cases/trigger_tests.hpp"

namespace agentauri::gateway {

// 400 names the member that is wrong; members that events do not have are passed over.
Outcome<EventDraft> read_event_draft(const json::Object& body);

}   // namespace agentauri::gateway
