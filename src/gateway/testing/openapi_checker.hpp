// Holds an answer against openapi.yaml: the part of JSON Schema that the document uses, and no member that it does not
// know.
#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "core/json/json.hpp"

namespace agentauri::gateway::testing {

// Empty when the answer is as described; else what is wrong and where. `body`: nullptr when there is none.
std::string check_answer(std::string_view method, std::string_view path_template, int status, const json::Value* body);
const json::Value& openapi_document();
// Every `example` of a request or an answer against its schema: what is wrong, and where. `missing`: JSON bodies of
// operations with this tag that show none.
struct ExampleFaults {
  std::vector<std::string> wrong, missing;
  std::size_t seen = 0;
};
ExampleFaults check_examples(const std::set<std::string>& tags);

}   // namespace agentauri::gateway::testing
