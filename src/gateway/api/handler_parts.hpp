// What most handlers are made of.
#pragma once

#include <string>
#include <utility>

#include "gateway/api/body.hpp"
#include "gateway/api/request.hpp"

namespace agentauri::gateway::handlers {

inline Reply reply_with(json::Object body, int status = 200) {
  Reply reply;
  reply.status = status;
  reply.body = std::move(body);
  return reply;
}
inline Reply no_content() {
  Reply reply;
  reply.status = 204;
  return reply;
}

template <class Body>
Unit unit_of(bool writes, std::string operation, Body body) {
  Unit unit;
  unit.writes = writes;
  unit.operation = std::move(operation);
  unit.body = std::move(body);
  return unit;
}

inline Outcome<PageBounds> read_page(const Request& request) {
  QueryReader query(request.http.query);
  const auto page = query.page();
  if (query.refusal()) return std::unexpected(*query.refusal());
  return page;
}

}   // namespace agentauri::gateway::handlers
