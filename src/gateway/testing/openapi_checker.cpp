#include "gateway/testing/openapi_checker.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <regex>
#include <set>

#include "core/base/embedded.hpp"

namespace agentauri::embedded {
const std::vector<EmbeddedFile>& openapi();
}

namespace agentauri::gateway::testing {
namespace {

const json::Value* at(const json::Value& value, std::string_view key) {
  return value.is_object() ? json::find(value.get_object(), key) : nullptr;
}

const json::Value& resolve(const json::Value& schema) {
  const auto* reference = at(schema, "$ref");
  if (reference == nullptr) return schema;
  const json::Value* node = &openapi_document();
  std::string_view path = json::view(reference->get_string());
  path.remove_prefix(2);   // `#/`
  while (!path.empty()) {
    const std::size_t slash = std::min(path.find('/'), path.size());
    node = at(*node, path.substr(0, slash));
    ENSURE(node != nullptr, "a $ref of openapi.yaml leads nowhere");
    path.remove_prefix(std::min(path.size(), slash + 1));
  }
  return resolve(*node);
}

bool has_type(const json::Value& value, std::string_view type) {
  if (type == "object") return value.is_object();
  if (type == "array") return value.is_array();
  if (type == "string") return value.is_string();
  if (type == "boolean") return value.is_bool();
  if (type == "integer") return value.is_int64() || value.is_uint64();
  if (type == "number") return value.is_number();
  return type == "null" && value.is_null();
}

void known_members(const json::Value& schema_or_ref, std::set<std::string>& out, bool& is_open) {
  const auto& schema = resolve(schema_or_ref);
  const auto* properties = at(schema, "properties");
  if (properties != nullptr) {
    for (const auto& member : properties->get_object()) out.insert(std::string(member.key()));
  }
  const auto* all = at(schema, "allOf");
  if (all != nullptr) {
    for (const auto& part : all->get_array()) known_members(part, out, is_open);
  }
  if (properties == nullptr && all == nullptr) is_open = true;   // `type: object` alone: anything
}

std::string check(const json::Value& value, const json::Value& schema_or_ref, const std::string& place, bool closed);

std::string check_object(const json::Object& value, const json::Value& schema, const std::string& place, bool closed) {
  if (const auto* required = at(schema, "required")) {
    for (const auto& name : required->get_array()) {
      if (!value.contains(name.get_string())) return fmt::format("{} lacks {}", place, json::view(name.get_string()));
    }
  }
  if (const auto* properties = at(schema, "properties")) {
    for (const auto& member : properties->get_object()) {
      const auto* found = value.if_contains(member.key());
      if (found == nullptr) continue;
      auto fault = check(*found, member.value(), place + "." + std::string(member.key()), true);
      if (!fault.empty()) return fault;
    }
  }
  if (!closed) return {};
  std::set<std::string> known;
  bool is_open = false;
  known_members(schema, known, is_open);
  for (const auto& member : value) {
    if (!is_open && !known.contains(std::string(member.key())))
      return fmt::format("{} has {}, which is not described", place, std::string(member.key()));
  }
  return {};
}

std::string check(const json::Value& value, const json::Value& schema_or_ref, const std::string& place, bool closed) {
  const auto& schema = resolve(schema_or_ref);
  if (const auto* type = at(schema, "type")) {
    bool fits = false;
    if (type->is_string())
      fits = has_type(value, json::view(type->get_string()));
    else
      fits = std::any_of(type->get_array().begin(), type->get_array().end(),
                         [&](const json::Value& t) { return has_type(value, json::view(t.get_string())); });
    if (!fits) return fmt::format("{} is {}, which is not of type {}", place, json::dump(value), json::dump(*type));
  }
  if (const auto* allowed = at(schema, "enum")) {
    if (std::find(allowed->get_array().begin(), allowed->get_array().end(), value) == allowed->get_array().end())
      return fmt::format("{} is {}, not one of {}", place, json::dump(value), json::dump(*allowed));
  }
  if (const auto* constant = at(schema, "const"); constant != nullptr && *constant != value)
    return fmt::format("{} is not {}", place, json::dump(*constant));
  if (const auto* pattern = at(schema, "pattern"); pattern != nullptr && value.is_string()) {
    if (!std::regex_search(std::string(json::view(value.get_string())),
                           std::regex(std::string(json::view(pattern->get_string())))))
      return fmt::format("{} does not match its pattern", place);
  }
  if (const auto* all = at(schema, "allOf")) {
    for (const auto& part : all->get_array()) {
      auto fault = check(value, part, place, false);
      if (!fault.empty()) return fault;
    }
  }
  if (value.is_object()) return check_object(value.get_object(), schema, place, closed);
  if (const auto* items = at(schema, "items"); items != nullptr && value.is_array()) {
    for (std::size_t i = 0; i < value.get_array().size(); ++i) {
      auto fault = check(value.get_array()[i], *items, fmt::format("{}[{}]", place, i), true);
      if (!fault.empty()) return fault;
    }
  }
  return {};
}

}   // namespace

namespace {

void check_example(const json::Value& holder, const std::string& place, bool wanted, ExampleFaults& out) {
  const auto* content = at(holder, "content");
  const auto* media = content == nullptr ? nullptr : at(*content, "application/json");
  if (media == nullptr) return;
  const auto* example = at(*media, "example");
  if (example == nullptr) {
    if (wanted) out.missing.push_back(place);
    return;
  }
  ++out.seen;
  auto fault = check(*example, *at(*media, "schema"), "example", true);
  if (!fault.empty()) out.wrong.push_back(place + ": " + fault);
}

}   // namespace

ExampleFaults check_examples(const std::set<std::string>& tags) {
  ExampleFaults out;
  for (const auto& path : at(openapi_document(), "paths")->get_object()) {
    for (const auto& operation : path.value().get_object()) {
      const auto* tag = at(operation.value(), "tags");
      if (tag == nullptr) continue;
      const bool wanted = tags.contains(std::string(json::view(tag->get_array()[0].get_string())));
      const std::string place = std::string(operation.key()) + " " + std::string(path.key());
      if (const auto* body = at(operation.value(), "requestBody")) check_example(*body, place, wanted, out);
      for (const auto& response : at(operation.value(), "responses")->get_object())
        check_example(response.value(), place + " " + std::string(response.key()), wanted, out);
    }
  }
  return out;
}

const json::Value& openapi_document() {
  static const json::Value document = [] {
    auto parsed = json::parse(embedded::openapi().front().text);
    ENSURE(parsed.has_value(), "the embedded description is not JSON");
    return std::move(*parsed);
  }();
  return document;
}

std::string check_answer(std::string_view method, std::string_view path_template, int status, const json::Value* body) {
  std::string lower(method);
  std::transform(lower.begin(), lower.end(), lower.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  const auto* path = at(*at(openapi_document(), "paths"), path_template);
  const auto* operation = path == nullptr ? nullptr : at(*path, lower == "head" ? "get" : lower);
  if (operation == nullptr) return fmt::format("{} {} is not described", method, path_template);
  const auto* responses = at(*operation, "responses");
  if (status == 304 && (method == "GET" || method == "HEAD"))   // said once, for all of them, at the document's top
    return body == nullptr ? "" : "a 304 has a body";
  const auto* described = at(*responses, std::to_string(status));
  if (described == nullptr) described = at(*responses, "default");
  if (described == nullptr) return fmt::format("{} {} does not describe status {}", method, path_template, status);
  const auto* content = at(resolve(*described), "content");
  if (content == nullptr) return body == nullptr ? "" : "an answer without a described body has one";
  const auto* media = at(*content, "application/json");
  if (media == nullptr) return "";   // another type, which nothing here understands
  if (body == nullptr) return "the body is missing";
  return check(*body, *at(*media, "schema"), "body", true);
}

}   // namespace agentauri::gateway::testing
