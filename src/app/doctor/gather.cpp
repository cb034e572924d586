#include "app/doctor/gather.hpp"

#include <sys/stat.h>

#include <fstream>
#include <iterator>

#include "app/embedded_secrets.hpp"

namespace agentauri::app::doctor {
namespace {

void add_secret_file(std::string name, const std::string& path, std::vector<SecretFile>& files) {
  struct stat about{};
  if (::stat(path.c_str(), &about) != 0 || !S_ISREG(about.st_mode)) return;
  files.push_back({std::move(name), path, about.st_mode & 07777U, from_unix_seconds(about.st_mtim.tv_sec)});
}

// Read, never made.
void read_embedded_secret(Settings& settings, Facts& facts) {
  if (settings.postgres || !settings.jwt_secret.empty()) return;
  const std::string path = settings.data_dir + "/jwt_secret";
  std::ifstream file(path);
  std::string secret{std::istreambuf_iterator<char>(file), {}};
  while (!secret.empty() && secret.back() == '\n') secret.pop_back();
  if (secret.empty()) return;
  settings.jwt_secret = crypto::Secret(std::move(secret));
  add_secret_file("JWT_SECRET", path, facts.secret_files);
}

}   // namespace

Facts gather(Settings& settings, Environment& env, const Clock& clock, const Places& places) {
  Facts facts;
  facts.now = clock.now();
  facts.config_faults = env.faults();
  facts.config_warnings = env.warnings();
  for (const char* name :
       {"JWT_SECRET", "JWT_SECRET_PREVIOUS", "DATA_ENCRYPTION_KEYS", "DB_PASSWORD", "REDIS_PASSWORD"}) {
    if (const auto path = env.text(std::string(name) + "_FILE")) add_secret_file(name, *path, facts.secret_files);
  }
  read_embedded_secret(settings, facts);
  facts.backup_folder = settings.backup_dir;
  facts.backup = read_backup_status(facts.backup_folder);
  gather_store(settings, clock, facts);
  facts.redis = gather_redis(settings);
  gather_machine(settings, places, facts);
  return facts;
}

}   // namespace agentauri::app::doctor
