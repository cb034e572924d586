// The checks of `agentauri doctor`: one table, one function each. docs/doctor.md lists them, and a test holds the two
// against each other.
#pragma once

#include <span>
#include <string>
#include <string_view>

#include "app/doctor/facts.hpp"
#include "app/settings.hpp"

namespace agentauri::app::doctor {

// skipped: there is nothing to judge here, and the text says why. critical: do not go live so.
enum class Verdict : std::uint8_t { ok, skipped, info, warning, critical };
std::string_view to_string(Verdict verdict);

struct Finding {
  Verdict verdict = Verdict::ok;
  std::string text;     // one sentence without a secret in it
  std::string remedy;   // what to do; empty when all is well
};

struct Check {
  std::string_view id;   // group.name
  int guide_row;         // of the deployment guide's list before going live (47 to 57); 0: ours
  std::string_view what;
  Finding (*judge)(const Settings&, const Facts&);
};

std::span<const Check> all_checks();

// One file for each group.
std::span<const Check> config_checks();
std::span<const Check> secret_checks();
std::span<const Check> database_checks();
std::span<const Check> event_storage_checks();
std::span<const Check> redis_checks();
std::span<const Check> exposure_checks();
std::span<const Check> edge_checks();
std::span<const Check> backup_checks();
std::span<const Check> machine_checks();
std::span<const Check> pipeline_checks();

// For checks.
Finding well(std::string text);
Finding skipped(std::string text);
Finding store_is_away(const Facts& facts);
bool is_loopback(std::string_view host);          // `localhost` and sockets too
std::string age_text(std::chrono::seconds age);   // "3 days", "2 h", "40 s"
std::string size_text(std::uint64_t bytes);       // "1.5 GB", of 1024s

}   // namespace agentauri::app::doctor
