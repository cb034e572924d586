// The sub-commands. Each returns an exit code; standard output is data, standard error is talk.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "app/new_password.hpp"
#include "app/settings.hpp"

namespace agentauri::app {

int run_serve(Settings settings);
int run_check_config(const Settings& settings, const Environment& env);
// `action`: up, status or verify.
int run_migrate(const Settings& settings, const std::string& action);
int run_chain_status(const Settings& settings, bool as_json);
// Events that the engine passed over, the latest first. `only`: of this chain.
int run_chain_dead_letters(const Settings& settings, std::optional<domain::ChainId> only, bool as_json);
// The processes on this store, with the leases that they hold.
int run_instances(const Settings& settings, bool as_json);
int run_chain_rewind(const Settings& settings, domain::ChainId chain, std::uint64_t to);

struct DoctorOptions {
  bool as_json = false;
  bool go_live = false;   // the guide's list before going live, and nothing else
};
// 1 when something critical was found; with `go_live` a warning is enough. What cannot be read of the settings is a
// finding.
int run_doctor(Settings settings, Environment& env, const DoctorOptions& options);
int run_db_stats(const Settings& settings, bool as_json);
// `events` into a hypertable, however large it is. 1 when it stays as it is.
int run_db_convert_events(const Settings& settings);

struct UserOptions {
  enum class Action : std::uint8_t {
    list,
    create,
    reset_password,
    disable,
    enable,
    promote,
    demote,
    unlock,
    sign_out,
    invite,
    invitations,
    uninvite,
  } action = Action::list;
  std::string name;    // of the user: user name or e-mail address; of `uninvite`: the invitation's id
  std::string email;   // of `create`; of `invite`: the only address it is good for, or empty
  bool is_admin = false;
  PasswordSource password = PasswordSource::terminal;
  int days = 7;   // of an invitation
  bool as_json = false;
};
int run_user(const Settings& settings, const UserOptions& options);

struct BackupOptions {
  std::string to;      // the folder; empty: BACKUP_DIR
  int keep_days = 7;   // a backup goes when it is more whole days old
  int keep_min = 3;    // so many of the newest stay anyway
};
int run_backup(const Settings& settings, const BackupOptions& options);
// `file`: a name in BACKUP_DIR or a path; empty: the newest.
int run_verify_backup(const Settings& settings, const std::string& file);

struct RestoreOptions {
  std::string file, to;
  bool replace = false;   // the store that is there
};
int run_restore(const Settings& settings, const RestoreOptions& options);

struct StoreCopyOptions {
  std::string from, to;
};
int run_store_copy(const Settings& settings, const StoreCopyOptions& options);

struct DemoOptions {
  std::uint64_t seed = 0;   // 0: by the clock
  std::int64_t block_ms = 1000;
  std::int64_t stop_after_alerts = 0;   // 0: until interrupted
};
int run_demo(Settings settings, DemoOptions options);

// Prints faults as sentences and, for the journal, as ERROR lines. true when there was one.
bool report_faults(const Environment& env);
// The exit code that goes with a failed start.
int exit_code_of(const Error& error);

}   // namespace agentauri::app
