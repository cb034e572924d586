#include "gateway/refusal.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <iterator>

namespace agentauri::gateway {

Refusal store_refusal(const Error& error, std::string_view operation) {
  Refusal out = Refusal::make(500, "internal_error", std::string(operation));
  switch (error.code) {
    case Code::unavailable:
    case Code::timed_out:
    case Code::busy:
    case Code::cancelled:
      out = Refusal::make(503, "service_unavailable", std::string(operation));
      out.retry_after_s = 1;
      break;
    case Code::commit_unknown:
      out =
          Refusal::make(503, "service_unavailable",
                        fmt::format("{}: the connection to the database was lost before it answered. It may have been "
                                    "done all the same: look before you ask again",
                                    operation));
      out.retry_after_s = 1;
      break;
    default:
      break;
  }
  out.why = fmt::format("{}: {}", to_string(error.code), error.text);
  return out;
}

void Validation::add(std::string_view field, std::string_view code, std::string message) {
  details_.push_back({std::string(field), std::string(code), std::move(message)});
}

void Validation::add(Validation&& other) {
  details_.insert(details_.end(), std::make_move_iterator(other.details_.begin()),
                  std::make_move_iterator(other.details_.end()));
}

void Validation::length(std::string_view field, std::string_view text, std::size_t min, std::size_t max) {
  const std::size_t count = count_characters(text);
  if (count < min || count > max)
    add(field, "length", fmt::format("Validation error: length [{{\"min\": {}, \"max\": {}}}]", min, max));
}

void Validation::range(std::string_view field, std::int64_t value, std::int64_t min, std::int64_t max) {
  if (value < min || value > max)
    add(field, "range", fmt::format("Validation error: range [{{\"min\": {}, \"max\": {}}}]", min, max));
}

Refusal Validation::refusal() const {
  // One line per field, in order of first appearance; several reasons of a field on one line.
  std::vector<std::pair<std::string, std::string>> lines;
  for (const auto& detail : details_) {
    const auto line = std::find_if(lines.begin(), lines.end(), [&](const auto& l) { return l.first == detail.field; });
    if (line == lines.end())
      lines.emplace_back(detail.field, detail.message);
    else
      line->second += ", " + detail.message;
  }
  std::string message = "Validation failed: ";
  for (std::size_t i = 0; i < lines.size(); ++i)
    message += fmt::format("{}{}: {}", i == 0 ? "" : "\n", lines[i].first, lines[i].second);
  Refusal out = Refusal::make(400, "validation_error", std::move(message));
  out.details = details_;
  return out;
}

std::size_t count_characters(std::string_view utf8) {
  return static_cast<std::size_t>(
      std::count_if(utf8.begin(), utf8.end(), [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }));
}

}   // namespace agentauri::gateway
