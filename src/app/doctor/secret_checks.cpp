// Secrets: how strong, how old, who can read them.
#include <fmt/format.h>

#include <algorithm>

#include "app/doctor/checks.hpp"

namespace agentauri::app::doctor {
namespace {

constexpr auto kOldSecret = std::chrono::hours(24 * 365);
constexpr auto kLongRotation = std::chrono::hours(24 * 31);   // refresh tokens live 30 days
constexpr unsigned kOthers = 0077;

const SecretFile* file_of(const Facts& facts, std::string_view name) {
  const auto found = std::find_if(facts.secret_files.begin(), facts.secret_files.end(),
                                  [name](const auto& file) { return file.name == name; });
  return found == facts.secret_files.end() ? nullptr : &*found;
}

std::chrono::seconds age_of(const SecretFile& file, const Facts& facts) {
  return std::chrono::duration_cast<std::chrono::seconds>(facts.now - file.changed_at);
}

Finding judge_set(const Settings& settings, const Facts& facts) {
  if (settings.jwt_secret.empty()) {
    if (!settings.postgres && !facts.store && !facts.store_trouble)
      return skipped("the embedded store makes one when it first starts");
    return {Verdict::critical, "JWT_SECRET is not set", "make one with `openssl rand -base64 32` and set it"};
  }
  if (const auto weakness = weakness_of_secret(settings.jwt_secret.reveal()))
    return {Verdict::critical, fmt::format("JWT_SECRET {}", *weakness), "make one with `openssl rand -base64 32`"};
  return well("JWT_SECRET is set and not guessable");
}

Finding judge_length(const Settings& settings, const Facts&) {
  if (settings.jwt_secret.empty()) return skipped("JWT_SECRET is not set");
  const auto length = settings.jwt_secret.reveal().size();
  if (length >= 32) return well(fmt::format("JWT_SECRET has {} characters", length));
  return {Verdict::critical, fmt::format("JWT_SECRET has {} characters", length),
          "it needs 32; make one with `openssl rand -base64 32`"};
}

Finding judge_age(const Settings& settings, const Facts& facts) {
  if (settings.jwt_secret.empty()) return skipped("JWT_SECRET is not set");
  const auto* file = file_of(facts, "JWT_SECRET");
  if (file == nullptr)
    return skipped("JWT_SECRET comes from the environment, which tells no age; JWT_SECRET_FILE would");
  const auto age = age_of(*file, facts);
  if (age < kOldSecret) return well(fmt::format("JWT_SECRET is {} old", age_text(age)));
  return {Verdict::warning, fmt::format("JWT_SECRET is {} old", age_text(age)),
          "rotate it: the new value in JWT_SECRET, the old one in JWT_SECRET_PREVIOUS for 31 days"};
}

Finding judge_previous(const Settings& settings, const Facts& facts) {
  if (settings.jwt_secret_previous.empty()) return well("no older secret is accepted");
  if (settings.jwt_secret_previous.reveal() == settings.jwt_secret.reveal())
    return {Verdict::warning, "JWT_SECRET_PREVIOUS is JWT_SECRET itself", "remove it"};
  const auto* file = file_of(facts, "JWT_SECRET_PREVIOUS");
  if (file != nullptr && age_of(*file, facts) > kLongRotation)
    return {Verdict::warning, fmt::format("JWT_SECRET_PREVIOUS has been there for {}", age_text(age_of(*file, facts))),
            "end the rotation: what it encrypted must be readable by DATA_ENCRYPTION_KEYS or encrypted anew, then "
            "remove it"};
  return {Verdict::info, "an older secret is still accepted (JWT_SECRET_PREVIOUS)",
          "remove it when the rotation is over"};
}

Finding judge_data_keys(const Settings& settings, const Facts&) {
  if (!settings.data_encryption_keys.empty()) return well("DATA_ENCRYPTION_KEYS is set");
  return {settings.postgres ? Verdict::warning : Verdict::info,
          "secrets in the store are encrypted with a key that is derived from JWT_SECRET",
          "set DATA_ENCRYPTION_KEYS=k1:$(openssl rand -base64 32): then the one can be changed without the other"};
}

Finding judge_data_keys_fit(const Settings&, const Facts& facts) {
  if (!facts.store) return store_is_away(facts);
  if (!facts.store->data_keys_fault) return well("the configured keys open what is encrypted in the store");
  return {Verdict::critical, *facts.store->data_keys_fault, "see docs/configuration.md, \"Data keys\""};
}

Finding judge_files(const Settings&, const Facts& facts) {
  if (facts.secret_files.empty()) return skipped("no secret comes from a file");
  for (const auto& file : facts.secret_files) {
    if ((file.mode & kOthers) == 0) continue;
    return {Verdict::warning,
            fmt::format("{} (mode {:04o}), which holds {}, is not its owner's alone", file.path, file.mode, file.name),
            fmt::format("chmod 600 {}", file.path)};
  }
  return well(fmt::format("{} files with secrets are their owner's alone", facts.secret_files.size()));
}

constexpr Check kChecks[] = {
    {"secret.jwt", 47, "JWT_SECRET is set and not a default", judge_set},
    {"secret.jwt_length", 48, "JWT_SECRET has 32 characters or more", judge_length},
    {"secret.jwt_age", 0, "JWT_SECRET is younger than a year", judge_age},
    {"secret.jwt_previous", 0, "a rotation of JWT_SECRET has ended", judge_previous},
    {"secret.data_keys", 0, "data keys are set, not derived", judge_data_keys},
    {"secret.data_keys_fit", 0, "data keys are those of the store", judge_data_keys_fit},
    {"secret.files", 0, "files with secrets are their owner's alone", judge_files},
};

}   // namespace

std::span<const Check> secret_checks() {
  return kChecks;
}

}   // namespace agentauri::app::doctor
