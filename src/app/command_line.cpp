#include "app/command_line.hpp"

#include <fmt/format.h>
#include <CLI/CLI.hpp>

#include <filesystem>
#include <functional>
#include <optional>

#include "app/commands.hpp"
#include "app/exit_codes.hpp"
#include "app/settings_table.hpp"
#include "app/version.hpp"

namespace agentauri::app {
namespace {

constexpr const char* kFooter = R"(Examples:
  agentauri serve                                  SQLite in ./data, http://127.0.0.1:8080
  CHAIN_8453_RPC_URL=https://… agentauri serve     follow Base
  agentauri chain status --json
Settings come from flags, the environment, NAME_FILE files and .env, in this order: docs/configuration.md, or
agentauri check-config --document.)";

// Flags are settings by another name: they win over the environment.
struct Flags {
  Environment::Map values;
  void add(CLI::App& app, const std::string& flag, const std::string& name, const std::string& help) {
    app.add_option_function<std::string>(flag, [this, name](const std::string& value) { values[name] = value; }, help);
  }
};

// `user …`: each sub-command sets what is to be done.
void add_user_commands(CLI::App& app, UserOptions& options) {
  using Action = UserOptions::Action;
  auto* user = app.add_subcommand("user", "Users and invitations, on the store itself");
  user->require_subcommand(1);
  const auto add = [&](const char* name, const char* help, Action action) {
    auto* command = user->add_subcommand(name, help);
    command->add_flag("--json", options.as_json, "one JSON object");
    command->callback([&options, action] { options.action = action; });
    return command;
  };
  const auto add_named = [&](const char* name, const char* help, Action action) {
    auto* command = add(name, help, action);
    command->add_option("user", options.name, "user name or e-mail address")->required();
    return command;
  };
  const auto add_password = [&](CLI::App* command) {
    auto* from_input = command->add_flag_callback(
        "--password-stdin", [&] { options.password = PasswordSource::standard_input; },
        "the password is the first line of standard input");
    auto* generated = command->add_flag_callback(
        "--generate", [&] { options.password = PasswordSource::generated; }, "make one and print it");
    from_input->excludes(generated);
  };
  add("list", "Every user, the oldest first", Action::list);
  auto* create = add_named("create", "Make a user, whatever REGISTRATION says", Action::create);
  create->add_option("--email", options.email, "e-mail address")->required();
  create->add_flag("--admin", options.is_admin, "as an administrator");
  add_password(create);
  add_password(add_named("reset-password", "Set another password and end every session", Action::reset_password));
  add_named("disable", "Refuse the user, every session and every API key of theirs", Action::disable);
  add_named("enable", "Let a disabled user in again", Action::enable);
  add_named("promote", "Make the user an administrator", Action::promote);
  add_named("demote", "Make the user no administrator any more", Action::demote);
  add_named("unlock", "End the lock that wrong passwords brought", Action::unlock);
  add_named("sign-out", "End every session of the user", Action::sign_out);
  auto* invite = add("invite", "Make an invitation for one registration", Action::invite);
  invite->add_option("--email", options.email, "good for this address alone");
  invite->add_option("--days", options.days, "until it expires (default: 7)");
  add("invitations", "Invitations, the newest first", Action::invitations);
  auto* uninvite = add("uninvite", "Take an unused invitation back", Action::uninvite);
  uninvite->add_option("id", options.name, "as `user invitations` shows it")->required();
}

// What the sub-commands about backups and copies were given.
struct BackupFlags {
  BackupOptions backup;
  std::string verify_file;
  RestoreOptions restore;
  StoreCopyOptions copy;
};
// Returns whether one of them was asked for, and with it its exit code.
std::function<std::optional<int>(const Settings&)> add_backup_commands(CLI::App& app, BackupFlags& flags) {
  auto* backup = app.add_subcommand("backup", "Back the store up while it serves: BACKUP_DIR, or --to");
  backup->add_option("--to", flags.backup.to, "folder (default: BACKUP_DIR)");
  backup->add_option("--keep-days", flags.backup.keep_days, "delete backups that are more whole days old (default: 7)")
      ->check(CLI::Range(0, 36'500));
  backup->add_option("--keep-min", flags.backup.keep_min, "keep so many of the newest anyway (default: 3)")
      ->check(CLI::Range(1, 100'000));
  auto* verify = app.add_subcommand("verify-backup", "Restore a backup into a scratch database and compare it");
  verify->add_option("file", flags.verify_file, "name in BACKUP_DIR, or path (default: the newest)");
  auto* restore = app.add_subcommand("restore", "Put a backup where a server will serve from it");
  restore->add_option("file", flags.restore.file, "path of the backup")->required();
  restore
      ->add_option("--to", flags.restore.to,
                   "sqlite:FOLDER, postgresql://user@host/database, or postgresql: for the database of the settings")
      ->required();
  restore->add_flag("--replace-the-store-that-is-there", flags.restore.replace,
                    "lose what PostgreSQL holds, or set the "
                    "embedded store that is there aside");
  auto* store = app.add_subcommand("store", "The store as a whole");
  store->require_subcommand(1);
  auto* copy = store->add_subcommand("copy", "Copy it from one engine to the other; run again, it goes on");
  copy->add_option("--from", flags.copy.from, "sqlite:FOLDER, sqlite:BACKUP.db.gz, or postgresql:…")->required();
  copy->add_option("--to", flags.copy.to, "sqlite:FOLDER or postgresql:…; empty, or a part of this copy")->required();
  return [=, &flags](const Settings& settings) -> std::optional<int> {
    if (backup->parsed()) return run_backup(settings, flags.backup);
    if (verify->parsed()) return run_verify_backup(settings, flags.verify_file);
    if (restore->parsed()) return run_restore(settings, flags.restore);
    if (copy->parsed()) return run_store_copy(settings, flags.copy);
    return std::nullopt;
  };
}

}   // namespace

int run_program(int argc, char** argv) {
  const bool as_gateway = std::filesystem::path(argv[0]).filename() == "api-gateway";
  CLI::App app{"AgentAuri watches the ERC-8004 agent registries and delivers signed alerts.", "agentauri"};
  app.footer(kFooter);
  app.set_version_flag("--version", std::string(kVersion));
  app.require_subcommand(0, 1);
  app.fallthrough();

  Flags flags;
  bool migrate_at_start = false;
  auto* serve = app.add_subcommand("serve", "Run the roles of this process (the default of api-gateway)");
  flags.add(*serve, "--roles", "ROLES", "gateway, indexer, engine, worker (default: all)");
  flags.add(*serve, "--host", "SERVER_HOST", "address to listen on");
  flags.add(*serve, "--port", "SERVER_PORT", "port to listen on");
  flags.add(*serve, "--data-dir", "AGENTAURI_DATA_DIR", "folder of the embedded store");
  flags.add(*serve, "--console-dir", "CONSOLE_DIR", "serve the console from this folder (for work on it)");
  flags.add(*serve, "--threads", "THREADS", "I/O threads of the gateway");
  serve->add_flag("--migrate", migrate_at_start, "bring the schema up first (PostgreSQL)");

  auto* check = app.add_subcommand("check-config", "Read every setting and report every fault");
  bool as_document = false;
  check->add_flag("--document", as_document, "print the tables of docs/configuration.md instead");

  auto* migrate = app.add_subcommand("migrate", "The schema of PostgreSQL");
  migrate->require_subcommand(1);
  auto* up = migrate->add_subcommand("up", "Apply what is pending");
  auto* status = migrate->add_subcommand("status", "Show each version");
  auto* verify = migrate->add_subcommand("verify", "Exit 1 unless every version is applied and unchanged");

  auto* chain = app.add_subcommand("chain", "The chains that are followed");
  chain->require_subcommand(1);
  bool as_json = false;
  auto* chain_status = chain->add_subcommand("status", "Head, coverage and state of each chain");
  chain_status->add_flag("--json", as_json, "one JSON object");
  auto* letters = chain->add_subcommand("dead-letters", "Events that could not be processed, with the reason");
  std::optional<domain::ChainId> letters_of;
  letters->add_option("--chain", letters_of, "chain id (default: every chain)");
  letters->add_flag("--json", as_json, "one JSON object");
  auto* rewind = chain->add_subcommand("rewind", "Take blocks above --to back and follow again from there");
  domain::ChainId chain_id = 0;
  std::uint64_t to = 0;
  rewind->add_option("chain", chain_id, "chain id")->required();
  rewind->add_option("--to", to, "last block to keep")->required();

  auto* instances = app.add_subcommand("instances", "The processes on this store, and the leases that they hold");
  instances->add_flag("--json", as_json, "one JSON object");
  DoctorOptions doctor_options;
  auto* doctor =
      app.add_subcommand("doctor", "Look for what is unsafe, broken or behind; exit 1 when something is critical");
  doctor->add_flag("--json", doctor_options.as_json, "one JSON object");
  doctor->add_flag("--go-live", doctor_options.go_live,
                   "the deployment guide's list alone, where a warning counts too");

  auto* db = app.add_subcommand("db", "The database itself");
  db->require_subcommand(1);
  auto* db_stats = db->add_subcommand("stats", "Connections, and the size of each table, the largest first");
  db_stats->add_flag("--json", as_json, "one JSON object");
  auto* db_convert =
      db->add_subcommand("convert-events", "Put events into a hypertable of TimescaleDB (locks the table)");

  UserOptions user_options;
  add_user_commands(app, user_options);
  BackupFlags backup_flags;
  const auto run_backup_command = add_backup_commands(app, backup_flags);

  auto* demo =
      app.add_subcommand("demo", "serve with a chain of its own, a user, a trigger and a receiver that verifies");
  DemoOptions demo_options;
  demo->add_option("--seed", demo_options.seed, "of the demo chain (default: by the clock)");
  demo->add_option("--block-ms", demo_options.block_ms, "time between blocks")->check(CLI::Range(10, 60'000));
  demo->add_option("--alerts", demo_options.stop_after_alerts, "stop after so many alerts (default: run on)");
  flags.add(*demo, "--port", "SERVER_PORT", "port to listen on");
  flags.add(*demo, "--data-dir", "AGENTAURI_DATA_DIR", "folder of the embedded store");

  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    const int code = app.exit(e);
    return code == 0 ? kExitOk : kExitUsage;
  }
  if (migrate_at_start) flags.values["MIGRATE_AT_START"] = "true";
  if (app.get_subcommands().empty() && !as_gateway) {
    fmt::print("{}", app.help());
    return kExitUsage;
  }

  if (as_document) {
    fmt::print("{}", settings_document());
    return kExitOk;
  }
  Environment env = Environment::of_process(flags.values);
  Settings settings = read_settings(env, as_gateway);
  settings.log.version = std::string(kVersion);
  if (check->parsed()) return run_check_config(settings, env);
  const auto* user = app.get_subcommand("user");
  const bool tool = app.got_subcommand("backup") || app.got_subcommand("verify-backup") ||
                    app.got_subcommand("restore") || app.got_subcommand("store");
  const bool quiet = migrate->parsed() || chain->parsed() || instances->parsed() || user->parsed() || tool ||
                     doctor->parsed() || db->parsed();
  if (!quiet) configure_log(settings.log);
  if (doctor->parsed()) return run_doctor(std::move(settings), env, doctor_options);
  if (report_faults(env)) return kExitConfig;
  if (up->parsed()) return run_migrate(settings, "up");
  if (status->parsed()) return run_migrate(settings, "status");
  if (verify->parsed()) return run_migrate(settings, "verify");
  if (chain_status->parsed()) return run_chain_status(settings, as_json);
  if (letters->parsed()) return run_chain_dead_letters(settings, letters_of, as_json);
  if (rewind->parsed()) return run_chain_rewind(settings, chain_id, to);
  if (instances->parsed()) return run_instances(settings, as_json);
  if (db_stats->parsed()) return run_db_stats(settings, as_json);
  if (db_convert->parsed()) return run_db_convert_events(settings);
  if (user->parsed()) return run_user(settings, user_options);
  if (const auto code = run_backup_command(settings)) return *code;
  if (demo->parsed()) return run_demo(std::move(settings), demo_options);
  return run_serve(std::move(settings));
}

}   // namespace agentauri::app
