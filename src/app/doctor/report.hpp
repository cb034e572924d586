// What doctor found, as text and as JSON.
#pragma once

#include <string>
#include <vector>

#include "app/doctor/checks.hpp"
#include "core/json/json.hpp"

namespace agentauri::app::doctor {

struct Judged {
  const Check* check = nullptr;
  Finding finding;
};

struct Report {
  std::vector<Judged> results;
  bool go_live = false;   // the guide's rows alone, where a warning is a failure too

  std::size_t count(Verdict verdict) const;
  bool is_good() const;
};

Report judge(const Settings& settings, const Facts& facts, bool go_live);
std::string to_text(const Report& report);
json::Object to_json(const Report& report);

}   // namespace agentauri::app::doctor
