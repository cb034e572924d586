#include "store/sqlite/online_backup.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>

#include "store/sqlite/connection.hpp"
#include "store/sqlite/folder_lock.hpp"
#include "store/unit_tx.hpp"

namespace agentauri::store {
namespace {

using sqlite::Connection;

class ReadTx final : public UnitTx<Connection> {
 public:
  explicit ReadTx(Connection& connection) : UnitTx(connection) {}
  Result<Time> now() override { return SystemClock().now(); }
};

Result<SqliteCopy> contents(Connection& connection) {
  ReadTx tx(connection);
  SqliteCopy out;
  auto version = schema_version(tx);
  if (!version) return fail(version);
  out.schema_version = *version;
  auto tables = digest_tables(tx);
  if (!tables) return fail(tables);
  out.tables = std::move(*tables);
  return out;
}

const Query kIntegrity{Query::Unlisted{}, "integrity_check", "PRAGMA integrity_check(1)"};
const Query kReferences{Query::Unlisted{}, "foreign_key_check", "PRAGMA foreign_key_check"};

Result<void> check(Connection& connection) {
  auto said = connection.run(kIntegrity, {});
  if (!said) return fail(said);
  if (said->empty() || said->text(0, 0) != "ok")
    return fail(Code::corrupt, said->empty() ? "the integrity check said nothing" : said->text(0, 0));
  auto orphans = connection.run(kReferences, {});
  if (!orphans) return fail(orphans);
  if (!orphans->empty())
    return fail(Code::corrupt, fmt::format("a row of {} refers to one of {} that is missing", orphans->text(0, 0),
                                           orphans->text(0, 2)));
  return {};
}

Result<void> make_durable(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  const bool synced = fd >= 0 && ::fsync(fd) == 0;
  const int why = errno;
  if (fd >= 0) ::close(fd);
  if (synced) return {};
  return fail(Code::unavailable, fmt::format("{} cannot be written: {}", path, std::strerror(why)));
}

}   // namespace

Result<SqliteCopy> copy_sqlite(const std::string& data_dir, const std::string& to) {
  std::error_code ignored;
  std::filesystem::remove(to, ignored);
  auto source = Connection::open(data_dir + "/agentauri.db", true, nullptr);
  if (!source) return fail(source);
  // The first statement of the transaction fixes what both the digests and the copy see.
  if (auto begun = (*source)->execute("BEGIN"); !begun) return fail(begun);
  auto out = contents(**source);
  if (!out) return fail(out);
  if (auto copied = (*source)->copy_into(to); !copied) return fail(copied);
  if (auto ended = (*source)->execute("COMMIT"); !ended) return fail(ended);
  if (auto durable = make_durable(to); !durable) return fail(durable);
  return out;
}

Result<SqliteCopy> inspect_sqlite(const std::string& path) {
  Result<SqliteCopy> out;
  {
    auto connection = Connection::open(path, true, nullptr);
    if (!connection) return fail(connection);
    if (auto good = check(**connection); !good) return fail(good);
    out = contents(**connection);
  }
  // A connection that only reads leaves them behind.
  std::error_code ignored;
  for (const char* ending : {"-wal", "-shm"}) std::filesystem::remove(path + ending, ignored);
  return out;
}

Result<std::shared_ptr<void>> hold_sqlite_folder(const std::string& data_dir) {
  auto lock = sqlite::FolderLock::take(data_dir);
  if (!lock) return fail(lock);
  return std::shared_ptr<void>(std::shared_ptr<sqlite::FolderLock>(std::move(*lock)));
}

}   // namespace agentauri::store
