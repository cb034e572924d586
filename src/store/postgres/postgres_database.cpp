#include "store/postgres/postgres_database.hpp"

#include <fmt/format.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <condition_variable>
#include <deque>
#include <map>
#include <mutex>
#include <set>
#include <thread>

#include "core/telemetry/log.hpp"
#include "store/postgres/session.hpp"

namespace agentauri::store {
namespace {

using postgres::Session;
using SteadyClock = std::chrono::steady_clock;

constexpr int kMaxTries = 5;                               // of a body: serialization failures, deadlocks, lost connections
constexpr auto kControlLimit = std::chrono::seconds(10);   // of BEGIN and ROLLBACK
constexpr auto kFirstBackoff = std::chrono::milliseconds(50);
constexpr auto kMaxBackoff = std::chrono::seconds(2);
constexpr auto kHealthLimit = std::chrono::seconds(2);
constexpr auto kListenPoll = std::chrono::milliseconds(1000);

class PostgresTx final : public Tx {
 public:
  explicit PostgresTx(Session& session) : session_(session) {}
  Result<Rows> run(const Query& query, const Params& params) override { return session_.run(query, params); }
  Result<std::int64_t> run_many(const Query& query, const std::vector<Params>& sets) override {
    return session_.run_many(query, sets);
  }
  Result<void> prepare(const Query& query) override { return session_.prepare_only(query); }
  Result<Time> now() override {
    static const Query kNow{Query::Unlisted{}, "database_now", "SELECT now()"};
    if (now_) return *now_;
    auto rows = session_.run(kNow, {});
    if (!rows) return fail(rows);
    now_ = rows->time(0, 0);
    return *now_;
  }

 private:
  Session& session_;
  std::optional<Time> now_;
};

class PostgresDatabase final : public Database {
 public:
  explicit PostgresDatabase(PostgresSettings settings) : settings_(std::move(settings)), log_("store") {}
  ~PostgresDatabase() override { stop(); }

  Result<void> open();
  std::string_view engine() const override { return "postgres"; }
  Task<Health> check_health() override;
  void on_notify(std::string channel, std::function<void()> hook) override;
  void notify(std::string_view channel) override;
  void stop() override;

 protected:
  void submit(Mode mode, Priority priority, Body body, Done done) override;

 private:
  struct Unit {
    Mode mode = Mode::write;
    Body body;
    Done done;
  };

  void work_loop(std::unique_ptr<Session> session);
  bool next_unit(Unit& unit, std::unique_ptr<Session>& session);
  Result<void> run_unit(Unit& unit, std::unique_ptr<Session>& session);
  Result<void> try_unit(Unit& unit, Session& session, bool& again);
  Result<void> ensure_session(std::unique_ptr<Session>& session);
  void listen_loop();
  void health_loop();
  Health probe(std::unique_ptr<Session>& session);
  void fire(std::string_view channel);
  bool stopping() {
    const std::lock_guard lock(mutex_);
    return stopping_;
  }

  PostgresSettings settings_;
  Log log_;
  std::mutex mutex_;
  std::condition_variable ready_;
  std::deque<Unit> interactive_, bulk_;
  bool stopping_ = false;

  std::mutex hooks_mutex_;
  std::multimap<std::string, std::function<void()>, std::less<>> hooks_;
  std::set<std::string> channels_, pending_notes_;
  int wake_fd_ = -1;

  std::condition_variable health_wanted_;
  std::vector<std::function<void(Health)>> health_waiters_;   // guarded by mutex_
  std::vector<std::thread> threads_;
};

Result<void> PostgresDatabase::open() {
  // The first connection shows whether the settings are right; the others open when they are needed.
  Result<std::unique_ptr<Session>> first = fail(Code::unavailable, "not tried");
  for (std::size_t i = 0;; ++i) {
    first = Session::connect(settings_);
    if (first) break;
    if (i == settings_.first_waits.size()) return fail(Code::unavailable, "DB_HOST", fmt::format("{}. Check DB_HOST, DB_PORT, DB_USER and DB_PASSWORD", first.error().text));
    log_.warn("the database cannot be reached; trying again", {{"attempt", static_cast<std::int64_t>(i + 1)}, {"next_in_ms", static_cast<std::int64_t>(settings_.first_waits[i].count())}, {"why", first.error().text}});
    std::this_thread::sleep_for(settings_.first_waits[i]);
  }
  wake_fd_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  ENSURE(wake_fd_ >= 0, "an eventfd is to be had");
  for (unsigned i = 0; i < std::max(1U, settings_.threads); ++i) {
    threads_.emplace_back([this, session = i == 0 ? std::move(*first) : nullptr]() mutable { work_loop(std::move(session)); });
  }
  threads_.emplace_back([this] { listen_loop(); });
  threads_.emplace_back([this] { health_loop(); });
  return {};
}

void PostgresDatabase::submit(Mode mode, Priority priority, Body body, Done done) {
  {
    const std::lock_guard lock(mutex_);
    if (!stopping_) {
      (priority == Priority::interactive ? interactive_ : bulk_).push_back({mode, std::move(body), std::move(done)});
      ready_.notify_one();
      return;
    }
  }
  done(fail(Code::cancelled, "the store is stopping"));
}

// Waits for a unit; an idle connection is given back meanwhile. false: stop.
bool PostgresDatabase::next_unit(Unit& unit, std::unique_ptr<Session>& session) {
  std::unique_lock lock(mutex_);
  const auto wanted = [this] { return stopping_ || !interactive_.empty() || !bulk_.empty(); };
  if (!ready_.wait_for(lock, settings_.idle_timeout, wanted)) {
    session.reset();
    ready_.wait(lock, wanted);
  }
  auto& queue = interactive_.empty() ? bulk_ : interactive_;
  if (queue.empty()) return false;
  unit = std::move(queue.front());
  queue.pop_front();
  return true;
}

void PostgresDatabase::work_loop(std::unique_ptr<Session> session) {
  pthread_setname_np(pthread_self(), "store-postgres");
  auto opened = SteadyClock::now();
  Unit unit;
  while (next_unit(unit, session)) {
    if (session && SteadyClock::now() - opened > settings_.max_lifetime) session.reset();
    if (!session) opened = SteadyClock::now();
    auto outcome = run_unit(unit, session);
    unit.done(std::move(outcome));
    unit = {};
  }
}

// A connection, within the acquire time; back-off between the tries, so that a server that is down is not hammered.
Result<void> PostgresDatabase::ensure_session(std::unique_ptr<Session>& session) {
  const auto deadline = SteadyClock::now() + settings_.acquire_timeout;
  std::chrono::milliseconds backoff = kFirstBackoff;
  while (!session) {
    auto opened = Session::connect(settings_);
    if (opened) {
      session = std::move(*opened);
      break;
    }
    if (SteadyClock::now() + backoff > deadline) return fail(opened);
    std::unique_lock lock(mutex_);
    if (stopping_) return fail(Code::cancelled, "the store is stopping");
    ready_.wait_for(lock, backoff, [this] { return stopping_; });
    backoff = std::min<std::chrono::milliseconds>(backoff * 2, kMaxBackoff);
  }
  return {};
}

Result<void> PostgresDatabase::run_unit(Unit& unit, std::unique_ptr<Session>& session) {
  Result<void> outcome;
  for (int n = 1;; ++n) {
    if (auto ready = ensure_session(session); !ready) return ready;
    bool again = false;
    try {
      outcome = try_unit(unit, *session, again);
    } catch (const std::exception& e) {
      outcome = fail(Code::internal, fmt::format("a unit of work threw: {}", e.what()));
      session.reset();   // whatever it left open
      return outcome;
    }
    if (session->lost()) session.reset();
    if (outcome || !again || n == kMaxTries) return outcome;
    // Two units that collided must not meet again at once.
    std::this_thread::sleep_for(std::chrono::milliseconds(n * n));
  }
}

Result<void> PostgresDatabase::try_unit(Unit& unit, Session& session, bool& again) {
  session.begin_unit();
  const bool reads = unit.mode == Mode::read;
  auto begun = session.execute(reads ? "BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY" : "BEGIN", kControlLimit);
  if (!begun) {
    again = session.lost();   // nothing was done yet
    return begun;
  }
  PostgresTx tx(session);
  auto outcome = unit.body(tx);
  if (!outcome) {
    // Lost before COMMIT was sent: the server has rolled back, or will.
    again = session.lost() || session.may_retry();
    if (!session.lost()) {
      if (auto rolled = session.execute("ROLLBACK", kControlLimit); !rolled) return outcome;
    }
    return outcome;
  }
  if (PQtransactionStatus(session.handle()) == PQTRANS_INERROR) {
    // COMMIT would answer with a rollback and no error.
    (void)session.execute("ROLLBACK", kControlLimit);
    return fail(Code::internal, "a unit of work hid the failure of a statement");
  }
  auto committed = session.execute("COMMIT", settings_.statement_timeout);
  if (committed) return {};
  if (session.lost()) {
    if (reads) {
      again = true;
      return committed;
    }
    return fail(Code::commit_unknown, fmt::format("the connection was lost during COMMIT: {}", committed.error().text));
  }
  again = session.may_retry();
  return committed;
}

// --- hints -----------------------------------------------------------------------------------------------------------

void PostgresDatabase::on_notify(std::string channel, std::function<void()> hook) {
  const std::lock_guard lock(hooks_mutex_);
  channels_.insert(channel);
  hooks_.emplace(std::move(channel), std::move(hook));
  (void)::eventfd_write(wake_fd_, 1);
}

void PostgresDatabase::fire(std::string_view channel) {
  const std::lock_guard lock(hooks_mutex_);
  const auto [first, last] = hooks_.equal_range(channel);
  for (auto hook = first; hook != last; ++hook) hook->second();
}

void PostgresDatabase::notify(std::string_view channel) {
  fire(channel);
  const std::lock_guard lock(hooks_mutex_);
  if (pending_notes_.emplace(channel).second) (void)::eventfd_write(wake_fd_, 1);
}

void PostgresDatabase::listen_loop() {
  pthread_setname_np(pthread_self(), "store-listen");
  std::unique_ptr<Session> session;
  std::set<std::string> listening;
  while (!stopping()) {
    if (session && session->lost()) session.reset();
    if (!session) {
      listening.clear();
      if (!ensure_session(session)) continue;
    }
    std::set<std::string> wanted, notes;
    {
      const std::lock_guard lock(hooks_mutex_);
      wanted = channels_;
      notes.swap(pending_notes_);
    }
    for (const auto& channel : wanted) {
      if (listening.contains(channel)) continue;
      if (session->execute(fmt::format("LISTEN \"{}\"", channel), kControlLimit)) listening.insert(channel);
    }
    for (const auto& channel : notes) (void)session->execute(fmt::format("NOTIFY \"{}\"", channel), kControlLimit);
    if (session->lost()) continue;
    session->wait_readable(kListenPoll, wake_fd_);
    eventfd_t ignored = 0;
    (void)::eventfd_read(wake_fd_, &ignored);
    while (PGnotify* note = PQnotifies(session->handle())) {
      if (note->be_pid != PQbackendPID(session->handle())) fire(note->relname);
      PQfreemem(note);
    }
  }
}

// --- health ----------------------------------------------------------------------------------------------------------

Health PostgresDatabase::probe(std::unique_ptr<Session>& session) {
  static const Query kProbe{Query::Unlisted{}, "health_probe", "SELECT COALESCE(max(version), 0) FROM agentauri_migrations"};
  PostgresSettings quick = settings_;
  quick.connect_timeout = quick.statement_timeout = kHealthLimit;
  if (session && session->lost()) session.reset();
  if (!session) {
    auto opened = Session::connect(quick);
    if (!opened) return {false, opened.error().text, false};
    session = std::move(*opened);
  }
  auto rows = session->run(kProbe, {});
  if (!rows) {
    const bool lost = session->lost();
    session.reset();
    // A schema that is not there is not an unreachable database.
    if (!lost && rows.error().code == Code::internal) return {true, rows.error().text, false};
    return {false, rows.error().text, false};
  }
  const bool current = rows->i64(0, 0) >= static_cast<std::int64_t>(postgres_migrations().size());
  return {true, current ? "" : "the schema is older than this program; run `agentauri migrate up`", current};
}

void PostgresDatabase::health_loop() {
  pthread_setname_np(pthread_self(), "store-health");
  std::unique_ptr<Session> session;
  for (;;) {
    std::vector<std::function<void(Health)>> waiters;
    {
      std::unique_lock lock(mutex_);
      health_wanted_.wait(lock, [this] { return stopping_ || !health_waiters_.empty(); });
      if (stopping_) return;
      waiters.swap(health_waiters_);
    }
    Health health = probe(session);
    if (!health.reachable) {   // a connection that died while idle says nothing about the server
      session.reset();
      health = probe(session);
    }
    for (const auto& waiter : waiters) waiter(health);
  }
}

Task<Health> PostgresDatabase::check_health() {
  struct Answer {
    explicit Answer(Executor executor) : answered(std::move(executor)) {}
    Signal answered;
    std::mutex mutex;
    std::optional<Health> health;
  };
  auto answer = std::make_shared<Answer>(co_await this_executor());
  {
    const std::lock_guard lock(mutex_);
    if (stopping_) co_return Health{false, "the store is stopping", false};
    health_waiters_.push_back([answer](Health health) {
      {
        const std::lock_guard guard(answer->mutex);
        answer->health = std::move(health);
      }
      answer->answered.notify();
    });
    health_wanted_.notify_one();
  }
  co_await answer->answered.wait_for(kHealthLimit);
  const std::lock_guard lock(answer->mutex);
  co_return answer->health.value_or(Health{false, "no answer within 2 s", false});
}

void PostgresDatabase::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    ready_.notify_all();
    health_wanted_.notify_all();
  }
  if (wake_fd_ >= 0) (void)::eventfd_write(wake_fd_, 1);
  for (auto& thread : threads_) thread.join();
  threads_.clear();
  if (wake_fd_ >= 0) ::close(wake_fd_);
  wake_fd_ = -1;
}

}  // namespace

Result<std::unique_ptr<Database>> make_postgres_database(PostgresSettings settings) {
  auto database = std::make_unique<PostgresDatabase>(std::move(settings));
  if (auto opened = database->open(); !opened) return fail(opened);
  return std::unique_ptr<Database>(std::move(database));
}

}  // namespace agentauri::store
