// UUIDs (RFC 9562) and typed ids over them.
#pragma once

#include <compare>
#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "core/base/bytes.hpp"
#include "core/base/time.hpp"

namespace agentauri {

using Uuid = FixedBytes<16>;

// Version 7: time-ordered, so that new rows land at the end of an index. Two made in the same millisecond by one
// thread keep their order. Randomness comes from the kernel.
Uuid make_uuid_v7(Time now);
Uuid make_uuid_v4();
// Lower-case hyphenated text, and back (either case).
std::string to_string(const Uuid& uuid);
std::optional<Uuid> parse_uuid(std::string_view text);

// An id that cannot be mixed up with another kind of id.
template <class Tag>
struct Id {
  Uuid uuid;

  auto operator<=>(const Id&) const = default;
  static Id make(Time now) { return Id{make_uuid_v7(now)}; }
  static std::optional<Id> parse(std::string_view text) {
    const auto parsed = parse_uuid(text);
    if (!parsed) return std::nullopt;
    return Id{*parsed};
  }
};

template <class Tag>
std::string to_string(const Id<Tag>& id) {
  return to_string(id.uuid);
}

}   // namespace agentauri

template <class Tag>
struct std::hash<agentauri::Id<Tag>> {
  std::size_t operator()(const agentauri::Id<Tag>& id) const noexcept { return std::hash<agentauri::Uuid>{}(id.uuid); }
};
