// Backups: is there one, how old, and was it ever restored.
#include <fmt/format.h>

#include "app/doctor/checks.hpp"

namespace agentauri::app::doctor {
namespace {

constexpr auto kLate = std::chrono::hours(26), kVeryLate = std::chrono::hours(50);   // they are made daily
constexpr auto kVerifiedLate = std::chrono::hours(24 * 8);                           // and verified weekly

std::chrono::seconds since(Time when, const Facts& facts) {
  return std::chrono::duration_cast<std::chrono::seconds>(facts.now - when);
}

// Somebody's trial of the program need not be backed up.
Verdict lacking(const Settings& settings) {
  return settings.postgres || settings.production ? Verdict::critical : Verdict::info;
}

Finding judge_age(const Settings& settings, const Facts& facts) {
  if (!facts.backup) return {Verdict::warning, facts.backup.error().text, "see docs/operations.md, \"Backups\""};
  const auto& last = facts.backup->last_success_at;
  if (!last)
    return {lacking(settings), fmt::format("there has never been a backup in {}", facts.backup_folder),
            "run `agentauri backup` daily (deploy/backup), and set BACKUP_DIR if they lie elsewhere"};
  const auto age = since(*last, facts);
  const auto text = fmt::format("the last backup is {} old", age_text(age));
  if (age < kLate) return well(text);
  return {age < kVeryLate ? Verdict::warning : lacking(settings), text, "look at the log of the backup's timer"};
}

Finding judge_failure(const Settings& settings, const Facts& facts) {
  if (!facts.backup) return skipped("the state of the backups cannot be read");
  const auto& failed = facts.backup->last_failure_at;
  if (!failed) return well("no backup has failed");
  if (facts.backup->last_success_at && *facts.backup->last_success_at > *failed)
    return well("the last backup succeeded");
  return {lacking(settings) == Verdict::info ? Verdict::warning : Verdict::critical,
          fmt::format("the last backup failed {} ago: {}", age_text(since(*failed, facts)),
                      facts.backup->last_failure.value_or("no reason given")),
          "mend it and run `agentauri backup`"};
}

Finding judge_verified(const Settings& settings, const Facts& facts) {
  if (!facts.backup) return skipped("the state of the backups cannot be read");
  if (!facts.backup->last_success_at) return skipped("there is no backup");
  const auto& verified = facts.backup->last_verified_at;
  const char* remedy = "run `agentauri verify-backup` weekly: it restores into a database of its own and compares";
  if (!verified)
    return {lacking(settings) == Verdict::info ? Verdict::info : Verdict::warning,
            "no backup was ever restored to see whether it can be", remedy};
  const auto age = since(*verified, facts);
  if (age < kVerifiedLate) return well(fmt::format("a backup was restored and compared {} ago", age_text(age)));
  return {Verdict::warning, fmt::format("the last backup that was restored and compared was so {} ago", age_text(age)),
          remedy};
}

constexpr Check kChecks[] = {
    {"backup.age", 55, "there is a backup of the last day", judge_age},
    {"backup.failure", 55, "the last backup succeeded", judge_failure},
    {"backup.verified", 0, "a backup was restored within a week", judge_verified},
};

}   // namespace

std::span<const Check> backup_checks() {
  return kChecks;
}

}   // namespace agentauri::app::doctor
