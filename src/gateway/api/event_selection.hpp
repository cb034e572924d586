// Which events a request asks for, in the query that list and stream share.
#pragma once

#include "gateway/api/body.hpp"
#include "store/chain_log.hpp"

namespace agentauri::gateway {

struct EventSelection {
  store::EventFilter filter;
  bool is_empty = false;   // it names something that no event can be
};
// Faults are the reader's.
EventSelection read_event_selection(QueryReader& query);

}   // namespace agentauri::gateway
