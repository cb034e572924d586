// The ids of the product. Each is a UUIDv7 with a type of its own.
#pragma once

#include <cstdint>

#include "core/base/bytes.hpp"
#include "core/base/uuid.hpp"

namespace agentauri::domain {

using AccountId = Id<struct AccountTag>;
using OrganizationId = Id<struct OrganizationTag>;
using MembershipId = Id<struct MembershipTag>;
using SessionId = Id<struct SessionTag>;
using ApiKeyId = Id<struct ApiKeyTag>;
using TriggerId = Id<struct TriggerTag>;
using FollowId = Id<struct FollowTag>;
using InstanceId = Id<struct InstanceTag>;

using ChainId = std::int64_t;
using ConditionId = std::int64_t;
using ActionId = std::int32_t;
// The hash of an occurrence (job_id.hpp): 64 hex digits on the wire, also the webhook-id.
using JobId = Hash32;

}   // namespace agentauri::domain
