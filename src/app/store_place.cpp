#include "app/store_place.hpp"

#include <fmt/format.h>

#include "app/connection_url.hpp"
#include "app/database_settings.hpp"

namespace agentauri::app {
namespace {

constexpr std::string_view kSqlite = "sqlite:";

bool names_postgres(std::string_view text) {
  return text.starts_with("postgresql:") || text.starts_with("postgres:");
}

}   // namespace

Result<StorePlace> parse_store_place(const std::string& option, const std::string& text, const Settings& settings) {
  StorePlace out;
  if (text.starts_with(kSqlite) && text.size() > kSqlite.size()) {
    out.sqlite = text.substr(kSqlite.size());
    while (out.sqlite.size() > 1 && out.sqlite.ends_with('/')) out.sqlite.pop_back();
    out.shown = "sqlite:" + out.sqlite;
    return out;
  }
  if (!names_postgres(text))
    return fail(Code::invalid, option,
                fmt::format("{} must be sqlite:FOLDER, postgresql://user@host:port/database, or postgresql: for the "
                            "database of the settings",
                            option));
  if (text.ends_with(':')) {
    if (!settings.postgres)
      return fail(Code::invalid, option,
                  fmt::format("{} is the database of the settings, and there is none: set DATABASE_URL, or DB_HOST and "
                              "DB_PASSWORD",
                              option));
    out.postgres = settings.postgres;
  } else {
    const auto url = parse_connection_url(text);
    Environment env({{"DATABASE_URL", text}}, {}, "");
    out.postgres = read_postgres(env, true);
    if (!env.faults().empty() || !url)
      return fail(Code::invalid, option, fmt::format("{} {}", option, env.faults().front().text));
    if (!url->password && settings.postgres) out.postgres->password = settings.postgres->password;
  }
  out.shown = fmt::format("postgresql://{}@{}:{}/{}", out.postgres->user, out.postgres->host, out.postgres->port,
                          out.postgres->database);
  return out;
}

}   // namespace agentauri::app
