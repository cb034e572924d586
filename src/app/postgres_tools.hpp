// PostgreSQL's own programs, which make and load dumps.
#pragma once

#include <string>
#include <vector>

#include "app/settings.hpp"
#include "core/base/result.hpp"
#include "store/database.hpp"

namespace agentauri::app {

// The path of pg_dump or psql, of a version that is not older than the server's (`major`): from PATH, else from where
// Debian keeps one for each version. Code::unsupported says what is there and what to install.
Result<std::string> find_postgres_tool(const std::string& name, int major);

// The server's major version.
Result<int> server_major(store::Tx& tx);

// How such a program reaches the database. Holds the password, so it is handed over as environment only.
std::vector<std::string> tool_environment(const PostgresLogin& login);

// Runs statements by psql, each in a transaction of its own, and returns what it printed: for what the store port
// cannot do (CREATE DATABASE).
Result<std::string> run_psql(const std::string& psql, const PostgresLogin& login,
                             const std::vector<std::string>& statements);

// Feeds the unpacked dump to psql as one transaction: `first` (statements, may be empty) and the dump happen both or
// not at all, even when we are killed in between. The dump must have its last line.
Result<void> load_dump(const std::string& psql, const PostgresLogin& login, const std::string& first,
                       const std::string& packed_file);

// pg_dump's last line: without it a dump has been cut short, which neither gzip nor psql would notice.
inline constexpr std::string_view kDumpEnd = "-- PostgreSQL database dump complete";

}   // namespace agentauri::app
