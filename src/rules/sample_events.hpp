// Events as they might be, to try a trigger with: every field that the type has is filled.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

#include "domain/event.hpp"

namespace agentauri::rules {

// The types that there are samples of, by registry; of each registry the first is what it is mostly about.
std::vector<std::string_view> sample_event_types();
std::string_view usual_event_type(domain::Registry registry);
// Which registry emits events of this type; nullopt for those that any of them may.
std::optional<domain::Registry> registry_of_event_type(std::string_view type);

// Aliases are understood; nullopt for a type without a sample. The event is at `at` in whole seconds, in no block.
std::optional<domain::Event> sample_event(std::string_view type, domain::ChainId chain, Time at);

}   // namespace agentauri::rules
