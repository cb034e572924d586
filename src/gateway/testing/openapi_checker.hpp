// Holds an answer against openapi.yaml: the part of JSON Schema that the document uses, and no member that it does not
// know.
#pragma once

#include <string>
#include <string_view>

#include "core/json/json.hpp"

namespace agentauri::gateway::testing {

// Empty when the answer is as described; else what is wrong and where. `body`: nullptr when there is none.
std::string check_answer(std::string_view method, std::string_view path_template, int status, const json::Value* body);
const json::Value& openapi_document();

}   // namespace agentauri::gateway::testing
