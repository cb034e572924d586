#include "app/doctor/report.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace agentauri::app::doctor {

std::size_t Report::count(Verdict verdict) const {
  return static_cast<std::size_t>(
      std::count_if(results.begin(), results.end(), [verdict](const auto& r) { return r.finding.verdict == verdict; }));
}

bool Report::is_good() const {
  return count(Verdict::critical) == 0 && (!go_live || count(Verdict::warning) == 0);
}

Report judge(const Settings& settings, const Facts& facts, bool go_live) {
  Report out;
  out.go_live = go_live;
  for (const auto& check : all_checks()) {
    if (go_live && check.guide_row == 0) continue;
    out.results.push_back({&check, check.judge(settings, facts)});
  }
  if (go_live) {
    std::sort(out.results.begin(), out.results.end(), [](const auto& a, const auto& b) {
      return std::pair(a.check->guide_row, a.check) < std::pair(b.check->guide_row, b.check);
    });
  }
  return out;
}

std::string to_text(const Report& report) {
  std::string out;
  for (const auto& [check, finding] : report.results) {
    const auto row = report.go_live ? fmt::format("row {}  ", check->guide_row) : std::string();
    out += fmt::format("{}{:<8}  {:<27} {}\n", row, to_string(finding.verdict), check->id, finding.text);
    if (!finding.remedy.empty()) out += fmt::format("{:>{}}  {}\n", "->", row.size() + 37, finding.remedy);
  }
  out += fmt::format("{} critical, {} warnings, {} notes, {} skipped, {} well\n", report.count(Verdict::critical),
                     report.count(Verdict::warning), report.count(Verdict::info), report.count(Verdict::skipped),
                     report.count(Verdict::ok));
  return out;
}

json::Object to_json(const Report& report) {
  json::Array checks;
  for (const auto& [check, finding] : report.results) {
    json::Object row;
    row["id"] = json::String(check->id);
    row["guide_row"] = check->guide_row == 0 ? json::Value() : json::Value(check->guide_row);
    row["what"] = json::String(check->what);
    row["verdict"] = json::String(to_string(finding.verdict));
    row["finding"] = json::String(finding.text);
    row["remedy"] = finding.remedy.empty() ? json::Value() : json::Value(json::String(finding.remedy));
    checks.push_back(std::move(row));
  }
  json::Object counts;
  for (const auto verdict : {Verdict::critical, Verdict::warning, Verdict::info, Verdict::skipped, Verdict::ok})
    counts[to_string(verdict)] = report.count(verdict);
  json::Object out;
  out["good"] = report.is_good();
  out["counts"] = std::move(counts);
  out["checks"] = std::move(checks);
  return out;
}

}   // namespace agentauri::app::doctor
