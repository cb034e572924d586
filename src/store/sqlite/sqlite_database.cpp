#include "store/sqlite/sqlite_database.hpp"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <condition_variable>
#include <cstring>
#include <deque>
#include <map>
#include <set>
#include <mutex>
#include <thread>

#include "core/telemetry/log.hpp"
#include "store/migrations.hpp"
#include "store/sqlite/connection.hpp"

namespace agentauri::store {
namespace {

constexpr auto kHealthLimit = std::chrono::seconds(2);

using sqlite::Connection;

class SqliteTx final : public Tx {
 public:
  SqliteTx(Connection& connection, Time now) : connection_(connection), now_(now) {}
  Result<Rows> run(const Query& query, const Params& params) override { return connection_.run(query, params); }
  Result<std::int64_t> run_many(const Query& query, const std::vector<Params>& sets) override {
    return connection_.run_many(query, sets);
  }
  Result<void> prepare(const Query& query) override { return connection_.prepare_only(query); }
  Result<Time> now() override { return now_; }

 private:
  Connection& connection_;
  Time now_;
};

// Held for the life of the process that owns the folder; the kernel lets go of it whatever way the process ends.
class FolderLock {
 public:
  static Result<std::unique_ptr<FolderLock>> take(const std::string& folder) {
    const std::string path = folder + "/lock";
    const int fd = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    if (fd < 0) return fail(Code::unavailable, "AGENTAURI_DATA_DIR", fmt::format("{} cannot be opened: {}", path, std::strerror(errno)));
    std::unique_ptr<FolderLock> lock(new FolderLock(fd));
    if (::flock(fd, LOCK_EX | LOCK_NB) != 0) {
      return fail(Code::busy, "AGENTAURI_DATA_DIR", fmt::format("another process uses the data folder {}; stop it, or set AGENTAURI_DATA_DIR to another folder", folder));
    }
    return lock;
  }
  ~FolderLock() { ::close(fd_); }
  FolderLock(const FolderLock&) = delete;
  FolderLock& operator=(const FolderLock&) = delete;

 private:
  explicit FolderLock(int fd) : fd_(fd) {}
  int fd_;
};

class SqliteDatabase final : public Database {
 public:
  explicit SqliteDatabase(SqliteSettings settings) : settings_(std::move(settings)), log_("store") {}
  ~SqliteDatabase() override { stop(); }

  Result<void> open();
  std::string_view engine() const override { return "sqlite"; }
  Task<Health> check_health() override;
  void on_notify(std::string channel, std::function<void()> hook) override;
  void notify(std::string_view channel) override;
  void stop() override;

 protected:
  void submit(Mode mode, Priority priority, Body body, Done done) override;

 private:
  struct Unit {
    Body body;
    Done done;
    bool alone = false;              // an innocent member of a group that broke: it runs in a group of its own
    Result<void> outcome = {};
  };
  struct Queue {
    std::deque<Unit> interactive, bulk;
    bool empty() const { return interactive.empty() && bulk.empty(); }
    Unit take() {
      auto& from = interactive.empty() ? bulk : interactive;
      Unit unit = std::move(from.front());
      from.pop_front();
      return unit;
    }
  };

  Result<void> migrate();
  Result<void> open_readers();
  void write_loop();
  void read_loop(Connection& connection);
  void run_group(std::vector<Unit> group);
  std::vector<Unit> next_group();
  std::optional<Unit> next_member(std::chrono::steady_clock::time_point started, std::size_t taken);
  Time now() const { return settings_.clock != nullptr ? settings_.clock->now() : SystemClock().now(); }

  SqliteSettings settings_;
  Log log_;
  std::unique_ptr<FolderLock> lock_;
  std::unique_ptr<Connection> writer_;
  std::vector<std::unique_ptr<Connection>> readers_;
  std::mutex mutex_;
  std::condition_variable writable_, readable_;
  Queue writes_;
  std::deque<Unit> reads_;
  bool stopping_ = false;
  std::mutex hooks_mutex_;
  std::multimap<std::string, std::function<void()>, std::less<>> hooks_;
  std::vector<std::thread> threads_;
};

Result<void> SqliteDatabase::open() {
  if (settings_.read_only) return open_readers();
  auto lock = FolderLock::take(settings_.data_dir);
  if (!lock) return fail(lock);
  lock_ = std::move(*lock);
  const std::string path = settings_.data_dir + "/agentauri.db";
  auto writer = Connection::open(path, false);
  if (!writer) return fail(writer);
  writer_ = std::move(*writer);
  if (auto migrated = migrate(); !migrated) return migrated;
  if (settings_.max_pages > 0) {
    if (auto set = writer_->execute(fmt::format("PRAGMA max_page_count = {};", settings_.max_pages).c_str()); !set) return set;
  }
  threads_.emplace_back([this] { write_loop(); });
  return open_readers();
}

Result<void> SqliteDatabase::open_readers() {
  for (unsigned i = 0; i < std::max(1U, settings_.readers); ++i) {
    auto reader = Connection::open(settings_.data_dir + "/agentauri.db", true);
    if (!reader) return fail(reader);
    readers_.push_back(std::move(*reader));
  }
  for (auto& reader : readers_) threads_.emplace_back([this, connection = reader.get()] { read_loop(*connection); });
  return {};
}

Result<void> SqliteDatabase::migrate() {
  static const Query kTables{Query::Unlisted{}, "sqlite_tables", "SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'"};
  static const Query kApplied{Query::Unlisted{}, "sqlite_migrations_applied", "SELECT version FROM agentauri_migrations"};
  static const Query kRecord{Query::Unlisted{}, "sqlite_migration_record", "INSERT INTO agentauri_migrations (version, name, checksum, applied_at) VALUES (:version, :name, :checksum, :at)"};
  auto tables = writer_->run(kTables, {});
  if (!tables) return fail(tables);
  std::set<std::int64_t> applied;
  bool ours = false;
  for (std::size_t i = 0; i < tables->size(); ++i) ours = ours || tables->text(i, 0) == "agentauri_migrations";
  if (!ours && !tables->empty()) return fail(Code::conflict, "AGENTAURI_DATA_DIR", fmt::format("{}: {}/agentauri.db", kNotOurs, settings_.data_dir));
  if (ours) {
    auto rows = writer_->run(kApplied, {});
    if (!rows) return fail(rows);
    for (std::size_t i = 0; i < rows->size(); ++i) applied.insert(rows->i64(i, 0));
  }
  for (const Migration& migration : sqlite_migrations()) {
    if (applied.contains(migration.version)) continue;
    if (auto begun = writer_->execute("BEGIN IMMEDIATE"); !begun) return begun;
    auto done = writer_->execute(std::string(migration.sql).c_str());
    if (done) {
      const auto record = Params().i64("version", migration.version).text("name", migration.name).text("checksum", migration.checksum).time("at", now());
      if (auto row = writer_->run(kRecord, record); !row) done = fail(row);
    }
    if (done) done = writer_->execute("COMMIT");
    if (!done) {
      (void)writer_->execute("ROLLBACK");
      return fail(done.error().code, fmt::format("migration {} ({}): {}", migration.version, migration.name, done.error().text));
    }
  }
  return {};
}

void SqliteDatabase::submit(Mode mode, Priority priority, Body body, Done done) {
  {
    const std::lock_guard lock(mutex_);
    if (!stopping_ && (mode == Mode::read || writer_)) {
      Unit unit{std::move(body), std::move(done)};
      if (mode == Mode::read) {
        reads_.push_back(std::move(unit));
        readable_.notify_one();
      } else {
        (priority == Priority::interactive ? writes_.interactive : writes_.bulk).push_back(std::move(unit));
        writable_.notify_one();
      }
      return;
    }
  }
  if (mode == Mode::write && settings_.read_only) done(fail(Code::forbidden, "the store was opened for reading"));
  else done(fail(Code::cancelled, "the store is stopping"));
}

// The first member waits for work; nullopt-like empty group means stop.
std::vector<SqliteDatabase::Unit> SqliteDatabase::next_group() {
  std::unique_lock lock(mutex_);
  writable_.wait(lock, [this] { return stopping_ || !writes_.empty(); });
  std::vector<Unit> group;
  if (!writes_.empty()) group.push_back(writes_.take());
  return group;
}

// Further members join while they are already waiting: a lone unit commits at once.
std::optional<SqliteDatabase::Unit> SqliteDatabase::next_member(std::chrono::steady_clock::time_point started, std::size_t taken) {
  if (taken >= settings_.group_bodies) return std::nullopt;
  const std::lock_guard lock(mutex_);
  if (writes_.empty()) return std::nullopt;
  if (taken > 0 && std::chrono::steady_clock::now() - started > settings_.group_time) return std::nullopt;
  if (!writes_.interactive.empty() && writes_.interactive.front().alone) return std::nullopt;
  return writes_.take();
}

void SqliteDatabase::write_loop() {
  pthread_setname_np(pthread_self(), "store-writer");
  for (;;) {
    auto group = next_group();
    if (group.empty()) return;
    run_group(std::move(group));
  }
}

void SqliteDatabase::run_group(std::vector<Unit> group) {
  const auto started = std::chrono::steady_clock::now();
  const bool alone = group.front().alone;
  auto begun = writer_->execute("BEGIN IMMEDIATE");
  std::size_t done = 0;
  bool poisoned = false;
  while (begun && done < group.size()) {
    Unit& unit = group[done++];
    SqliteTx tx(*writer_, now());
    auto saved = writer_->execute("SAVEPOINT unit");
    if (!saved) {
      unit.outcome = saved;
    } else {
      try {
        unit.outcome = unit.body(tx);
      } catch (const std::exception& e) {
        unit.outcome = fail(Code::internal, fmt::format("a unit of work threw: {}", e.what()));
      }
    }
    if (!writer_->in_transaction()) {
      // SQLite rolled everything back (disk full, I/O error): this unit fails, the others run again by themselves.
      if (unit.outcome) unit.outcome = fail(Code::unavailable, "the transaction was lost");
      poisoned = true;
      break;
    }
    if (saved) {
      auto closed = writer_->execute(unit.outcome ? "RELEASE unit" : "ROLLBACK TO unit; RELEASE unit");
      if (!closed && unit.outcome) unit.outcome = closed;
    }
    if (done == group.size() && !alone) {
      if (auto member = next_member(started, group.size())) group.push_back(std::move(*member));
    }
  }
  Result<void> committed = begun;
  if (begun && !poisoned) committed = writer_->execute("COMMIT");
  if (begun && !committed && writer_->in_transaction()) (void)writer_->execute("ROLLBACK");

  if (poisoned) {
    const std::lock_guard lock(mutex_);
    for (std::size_t i = done - 1; i-- > 0;) {
      if (!group[i].outcome) continue;   // failed by itself before: its outcome stands
      group[i].alone = true;
      writes_.interactive.push_front(std::move(group[i]));
      group[i].done = nullptr;
    }
  }
  for (Unit& unit : group) {
    if (!unit.done) continue;
    if (!committed && unit.outcome && !poisoned) unit.outcome = committed;
    unit.done(std::move(unit.outcome));
  }
}

void SqliteDatabase::read_loop(Connection& connection) {
  pthread_setname_np(pthread_self(), "store-reader");
  for (;;) {
    Unit unit;
    {
      std::unique_lock lock(mutex_);
      readable_.wait(lock, [this] { return stopping_ || !reads_.empty(); });
      if (reads_.empty()) return;
      unit = std::move(reads_.front());
      reads_.pop_front();
    }
    unit.outcome = connection.execute("BEGIN");
    if (unit.outcome) {
      SqliteTx tx(connection, now());
      try {
        unit.outcome = unit.body(tx);
      } catch (const std::exception& e) {
        unit.outcome = fail(Code::internal, fmt::format("a unit of work threw: {}", e.what()));
      }
      if (connection.in_transaction()) (void)connection.execute("COMMIT");
    }
    unit.done(std::move(unit.outcome));
  }
}

Task<Health> SqliteDatabase::check_health() {
  struct Probe {
    explicit Probe(Executor executor) : answered(std::move(executor)) {}
    Signal answered;
    std::mutex mutex;
    std::optional<Result<void>> outcome;
  };
  static const Query kProbe{Query::Unlisted{}, "health_probe", "SELECT 1"};
  auto probe = std::make_shared<Probe>(co_await this_executor());
  Unit unit{[](Tx& tx) -> Result<void> {
              auto row = tx.run(kProbe);
              if (!row) return fail(row);
              return {};
            },
            [probe](Result<void> outcome) {
              {
                const std::lock_guard lock(probe->mutex);
                probe->outcome = std::move(outcome);
              }
              probe->answered.notify();
            }};
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) co_return Health{false, "the store is stopping", true};
    reads_.push_front(std::move(unit));
    readable_.notify_one();
  }
  co_await probe->answered.wait_for(kHealthLimit);
  const std::lock_guard lock(probe->mutex);
  if (!probe->outcome) co_return Health{false, "no answer within 2 s", true};
  if (!*probe->outcome) co_return Health{false, probe->outcome->error().text, true};
  co_return Health{true, {}, true};
}

void SqliteDatabase::on_notify(std::string channel, std::function<void()> hook) {
  const std::lock_guard lock(hooks_mutex_);
  hooks_.emplace(std::move(channel), std::move(hook));
}

void SqliteDatabase::notify(std::string_view channel) {
  const std::lock_guard lock(hooks_mutex_);
  const auto [first, last] = hooks_.equal_range(channel);
  for (auto hook = first; hook != last; ++hook) hook->second();
}

void SqliteDatabase::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    writable_.notify_all();
    readable_.notify_all();
  }
  for (auto& thread : threads_) thread.join();
  threads_.clear();
  readers_.clear();
  writer_.reset();
  lock_.reset();
}

}  // namespace

Result<std::unique_ptr<Database>> make_sqlite_database(SqliteSettings settings) {
  auto database = std::make_unique<SqliteDatabase>(std::move(settings));
  if (auto opened = database->open(); !opened) return fail(opened);
  return std::unique_ptr<Database>(std::move(database));
}

}  // namespace agentauri::store
