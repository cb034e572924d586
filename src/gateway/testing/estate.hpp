// For tests that go over the whole API: every operation of openapi.yaml that takes a JSON body, a call of it that
// works, and everything that the store holds, as text.
#pragma once

#include <string>
#include <vector>

#include "gateway/testing/gateway_fixture.hpp"

namespace agentauri::gateway::testing {

struct Operation {
  std::string id, method, path;
  json::Object example;        // its body in the document
  const json::Value* schema;   // of its body, as the document has it
  std::string name() const { return method + " " + path; }
};
const std::vector<Operation>& operations_with_body();
// The members of a schema's objects, references and allOf followed: name and schema.
std::vector<std::pair<std::string, const json::Value*>> members_of(const json::Value& schema);
// Whether a value of this schema may be a text.
bool takes_text(const json::Value& schema);

// An owner with one of everything. Limits only mark, so that they are not the question.
class Estate {
 public:
  explicit Estate(const std::string& engine = "sqlite");

  // With ids that exist; what an operation uses up is new each time.
  struct Errand {
    Call call;           // without a body
    json::Object body;   // the example's, made to work here
  };
  Errand errand(const Operation& operation);
  Answer send(const Errand& errand);

  // Every row of every table: `table: column|column|…`, in no order.
  std::string dump();

  Harness h;
  HeaderList owner;
  std::string organization, member;   // the owner's personal one; a user who is a viewer of it
  std::string trigger, condition, action, key;

 private:
  std::string fresh(std::string_view what);
  json::Object new_user();
  std::string new_key();
  std::string new_agent();
  std::string new_organization();
  void fill_ids(const Operation& operation, Errand& out);
  void fill_body(const Operation& operation, Errand& out);

  std::string stranger_;
  int serial_ = 0;
};

}   // namespace agentauri::gateway::testing
