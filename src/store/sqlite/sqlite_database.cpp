#include "store/sqlite/sqlite_database.hpp"

#include <fmt/format.h>

#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>

#include "core/telemetry/log.hpp"
#include "store/hooks.hpp"
#include "store/pool_gauges.hpp"
#include "store/sqlite/connection.hpp"
#include "store/sqlite/folder_lock.hpp"
#include "store/sqlite/migrate.hpp"
#include "store/unit_tx.hpp"

namespace agentauri::store {
namespace {

using sqlite::Connection;
using SteadyClock = std::chrono::steady_clock;

constexpr auto kHealthLimit = std::chrono::seconds(2);

class SqliteTx final : public UnitTx<Connection> {
 public:
  SqliteTx(Connection& connection, Time now) : UnitTx(connection), now_(now) {}
  Result<Time> now() override { return now_; }

 private:
  Time now_;
};

class SqliteDatabase final : public Database {
 public:
  explicit SqliteDatabase(SqliteSettings settings) : settings_(std::move(settings)), log_("store") {}
  ~SqliteDatabase() override { stop(); }

  Result<void> open();
  std::string_view engine() const override { return "sqlite"; }
  Task<Health> check_health() override;
  void on_notify(std::string channel, std::function<void()> hook) override {
    hooks_.add(std::move(channel), std::move(hook));
  }
  void notify(std::string_view channel) override { hooks_.fire(channel); }
  void stop() override;

 protected:
  void submit(Mode mode, Priority priority, Body body, Done done) override;

 private:
  struct Unit {
    Body body;
    Done done;
    bool alone = false;   // an innocent member of a group that broke: it runs in a group of its own
    Result<void> outcome = {};
  };
  struct Lane {
    std::deque<Unit> units, bulk;   // guarded by mutex_
    std::condition_variable ready;
    std::size_t bulk_running = 0, max_bulk = 0;
    bool empty() const { return units.empty() && (bulk.empty() || bulk_running >= max_bulk); }
  };
  // What became of a member: broken means that the group's transaction is gone, or holds half of a unit.
  enum class Fate : std::uint8_t { kept, undone, broken };

  Result<void> open_writer();
  Result<void> open_readers();
  void write_loop();
  void read_loop(Connection& connection, Lane& lane);
  std::optional<Unit> first_member();
  std::optional<Unit> next_member(SteadyClock::time_point started, std::size_t taken);
  Unit take_write();
  Fate run_member(Unit& unit);
  void run_group(Unit first);
  Result<void> commit();
  void run_again_alone(std::vector<Unit>& group, std::size_t culprit);
  static void show_size(const PoolGauges& pool, std::size_t connections) {
    pool.max.set(static_cast<double>(connections));
    pool.idle.set(static_cast<double>(connections));
  }
  Time now() const { return settings_.clock != nullptr ? settings_.clock->now() : SystemClock().now(); }
  std::string path() const { return settings_.data_dir + "/agentauri.db"; }

  SqliteSettings settings_;
  Log log_;
  Hooks hooks_;
  std::unique_ptr<sqlite::FolderLock> lock_;
  std::unique_ptr<Connection> writer_;
  std::vector<std::unique_ptr<Connection>> readers_;
  std::optional<PoolGauges> writing_, reading_;

  std::mutex mutex_;
  std::condition_variable writable_;
  std::deque<Unit> interactive_, bulk_;
  Lane reads_, probes_;   // probes have a thread of their own, so that they wait behind nothing
  bool stopping_ = false;
  std::vector<std::thread> threads_;
};

Result<void> SqliteDatabase::open() {
  if (!settings_.read_only) {
    if (auto opened = open_writer(); !opened) return opened;
  }
  return open_readers();
}

Result<void> SqliteDatabase::open_writer() {
  auto lock = sqlite::FolderLock::take(settings_.data_dir);
  if (!lock) return fail(lock);
  lock_ = std::move(*lock);
  auto writer = Connection::open(path(), false, settings_.metrics);
  if (!writer) return fail(writer);
  writer_ = std::move(*writer);
  auto migrated = sqlite::migrate(*writer_, settings_.data_dir, now());
  if (!migrated) return fail(migrated);
  if (auto verified = verify_migrations(*migrated); !verified) log_.warn(verified.error().text);
  // The folder is ours alone, so whoever is still written down in it is dead.
  if (auto cleared = writer_->execute("DELETE FROM instances"); !cleared) return cleared;
  if (settings_.max_pages > 0) {
    const auto pragma = fmt::format("PRAGMA max_page_count = {};", settings_.max_pages);
    if (auto set = writer_->execute(pragma.c_str()); !set) return set;
  }
  if (settings_.metrics != nullptr) show_size(writing_.emplace(*settings_.metrics, "write"), 1);
  threads_.emplace_back([this] { write_loop(); });
  return {};
}

Result<void> SqliteDatabase::open_readers() {
  const unsigned readers = std::max(2U, settings_.readers);
  reads_.max_bulk = readers - 1;
  for (unsigned i = 0; i < readers + 1; ++i) {
    auto reader = Connection::open(path(), true, settings_.metrics);
    if (!reader) return fail(reader);
    (*reader)->limit_statements(settings_.read_timeout);
    readers_.push_back(std::move(*reader));
  }
  if (settings_.metrics != nullptr) show_size(reading_.emplace(*settings_.metrics, "read"), readers_.size());
  for (auto& reader : readers_) {
    Lane& lane = reader == readers_.back() ? probes_ : reads_;
    threads_.emplace_back([this, &lane, connection = reader.get()] { read_loop(*connection, lane); });
  }
  return {};
}

void SqliteDatabase::submit(Mode mode, Priority priority, Body body, Done done) {
  Error refused;
  {
    const std::lock_guard lock(mutex_);
    const bool reads = mode == Mode::read, bulk = priority == Priority::bulk;
    auto& queue = reads ? (bulk ? reads_.bulk : reads_.units) : bulk ? bulk_ : interactive_;
    if (stopping_) {
      refused = {Code::cancelled, {}, "the store is stopping"};
    } else if (!reads && settings_.read_only) {
      refused = {Code::forbidden, {}, "the store was opened for reading"};
    } else if (queue.size() >= kMaxWaitingUnits) {
      refused = {Code::busy, {}, "too many units of work wait for the store"};
    } else {
      queue.push_back({std::move(body), std::move(done)});
      (reads ? reads_.ready : writable_).notify_one();
      return;
    }
  }
  done(std::unexpected(std::move(refused)));
}

// --- the writer ------------------------------------------------------------------------------------------------------

SqliteDatabase::Unit SqliteDatabase::take_write() {
  auto& from = interactive_.empty() ? bulk_ : interactive_;
  Unit unit = std::move(from.front());
  from.pop_front();
  return unit;
}

// Waits for work; nullopt: stop.
std::optional<SqliteDatabase::Unit> SqliteDatabase::first_member() {
  std::unique_lock lock(mutex_);
  writable_.wait(lock, [this] { return stopping_ || !interactive_.empty() || !bulk_.empty(); });
  if (interactive_.empty() && bulk_.empty()) return std::nullopt;
  return take_write();
}

// Further members join while they are already waiting: a lone unit commits at once.
std::optional<SqliteDatabase::Unit> SqliteDatabase::next_member(SteadyClock::time_point started, std::size_t taken) {
  if (taken >= settings_.group_bodies || SteadyClock::now() - started > settings_.group_time) return std::nullopt;
  const std::lock_guard lock(mutex_);
  if (interactive_.empty() && bulk_.empty()) return std::nullopt;
  if (!interactive_.empty() && interactive_.front().alone) return std::nullopt;
  return take_write();
}

void SqliteDatabase::write_loop() {
  pthread_setname_np(pthread_self(), "store-writer");
  while (auto unit = first_member()) run_group(std::move(*unit));
}

SqliteDatabase::Fate SqliteDatabase::run_member(Unit& unit) {
  if (auto saved = writer_->execute("SAVEPOINT unit"); !saved) {
    unit.outcome = saved;
    return writer_->in_transaction() ? Fate::undone : Fate::broken;
  }
  SqliteTx tx(*writer_, now());
  unit.outcome = tx.run_body(unit.body);
  if (!writer_->in_transaction()) {
    // SQLite rolled everything back by itself (disk full, I/O error).
    if (unit.outcome) unit.outcome = fail(Code::unavailable, "the transaction was lost");
    return Fate::broken;
  }
  auto closed = writer_->execute(unit.outcome ? "RELEASE unit" : "ROLLBACK TO unit; RELEASE unit");
  if (closed) return unit.outcome ? Fate::kept : Fate::undone;
  if (unit.outcome) unit.outcome = closed;
  return Fate::broken;
}

Result<void> SqliteDatabase::commit() {
  auto committed = writer_->execute("COMMIT");
  if (committed) return {};
  const bool unknown = writer_->failed_in_io();
  if (writer_->in_transaction()) (void)writer_->execute("ROLLBACK");
  // What reached the log before its sync failed may be found again after a restart.
  if (unknown)
    return fail(Code::commit_unknown, fmt::format("the disk failed during COMMIT: {}", committed.error().text));
  return committed;
}

void SqliteDatabase::run_group(Unit first) {
  const BusyConnection busy(writing_);
  const auto started = SteadyClock::now();
  const bool alone = first.alone;
  std::vector<Unit> group;
  group.push_back(std::move(first));
  auto committed = writer_->execute("BEGIN IMMEDIATE");
  if (committed) {
    bool broken = false;
    for (std::size_t i = 0; i < group.size() && !broken; ++i) {
      broken = run_member(group[i]) == Fate::broken;
      if (broken) {
        if (writer_->in_transaction()) (void)writer_->execute("ROLLBACK");
        run_again_alone(group, i);
      } else if (i + 1 == group.size() && !alone) {
        if (auto member = next_member(started, group.size())) group.push_back(std::move(*member));
      }
    }
    if (!broken) committed = commit();
  }
  for (Unit& unit : group) {
    if (!unit.done) continue;   // moved on to run again
    if (!committed && unit.outcome) unit.outcome = committed;
    unit.done(std::move(unit.outcome));
  }
}

// The members before the culprit are undone too, through no fault of theirs: each runs again in a group of its own.
// Those that had failed by themselves keep their outcome.
void SqliteDatabase::run_again_alone(std::vector<Unit>& group, std::size_t culprit) {
  const std::lock_guard lock(mutex_);
  for (std::size_t i = culprit; i-- > 0;) {
    if (!group[i].outcome) continue;
    group[i].alone = true;
    interactive_.push_front(std::move(group[i]));
    group[i].done = nullptr;
  }
}

// --- readers ---------------------------------------------------------------------------------------------------------

void SqliteDatabase::read_loop(Connection& connection, Lane& lane) {
  pthread_setname_np(pthread_self(), "store-reader");
  for (;;) {
    Unit unit;
    bool bulk = false;
    {
      std::unique_lock lock(mutex_);
      lane.ready.wait(lock, [&] { return stopping_ || !lane.empty(); });
      if (lane.empty()) return;   // of the bulk reads that are left, whoever runs one now takes the next
      bulk = lane.units.empty();
      auto& from = bulk ? lane.bulk : lane.units;
      unit = std::move(from.front());
      from.pop_front();
      if (bulk) ++lane.bulk_running;
    }
    const BusyConnection busy(reading_);
    unit.outcome = connection.execute("BEGIN");
    if (unit.outcome) {
      SqliteTx tx(connection, now());
      unit.outcome = tx.run_body(unit.body);
      if (connection.in_transaction()) (void)connection.execute("COMMIT");
    }
    if (bulk) {
      const std::lock_guard lock(mutex_);
      --lane.bulk_running;
      if (!lane.bulk.empty()) lane.ready.notify_one();
    }
    unit.done(std::move(unit.outcome));
  }
}

Task<Health> SqliteDatabase::check_health() {
  struct Probe {
    explicit Probe(Executor executor) : answered(std::move(executor)) {}
    Signal answered;
    std::mutex mutex;
    bool migrated = false;
    std::optional<Result<void>> outcome;
  };
  static const Query kProbe{Query::Unlisted{}, "health_probe", "SELECT count(*) FROM agentauri_migrations"};
  auto probe = std::make_shared<Probe>(co_await this_executor());
  Body look = [probe](Tx& tx) -> Result<void> {
    auto rows = tx.run(kProbe);
    if (!rows) return fail(rows);
    const std::lock_guard lock(probe->mutex);
    probe->migrated = rows->i64(0, 0) >= static_cast<std::int64_t>(sqlite_migrations().size());
    return {};
  };
  Done answer = [probe](Result<void> outcome) {
    {
      const std::lock_guard lock(probe->mutex);
      probe->outcome = std::move(outcome);
    }
    probe->answered.notify();
  };
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) co_return Health{false, "the store is stopping", true};
    probes_.units.push_back({std::move(look), std::move(answer)});
    probes_.ready.notify_one();
  }
  co_await probe->answered.wait_for(kHealthLimit);
  const std::lock_guard lock(probe->mutex);
  if (!probe->outcome) co_return Health{false, "no answer within 2 s", true};
  if (!*probe->outcome) co_return Health{false, probe->outcome->error().text, true};
  co_return Health{true, probe->migrated ? "" : "the schema is older than this program", probe->migrated};
}

void SqliteDatabase::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    writable_.notify_all();
    reads_.ready.notify_all();
    probes_.ready.notify_all();
  }
  for (auto& thread : threads_) thread.join();
  threads_.clear();
  readers_.clear();
  writer_.reset();
  lock_.reset();
}

}   // namespace

Result<std::unique_ptr<Database>> make_sqlite_database(SqliteSettings settings) {
  auto database = std::make_unique<SqliteDatabase>(std::move(settings));
  if (auto opened = database->open(); !opened) return fail(opened);
  return std::unique_ptr<Database>(std::move(database));
}

Result<std::vector<MigrationStatus>> sqlite_migration_status(const std::string& data_dir) {
  auto connection = Connection::open(data_dir + "/agentauri.db", true, nullptr);
  if (!connection) return fail(connection);
  return sqlite::migration_status(**connection, data_dir);
}

}   // namespace agentauri::store
