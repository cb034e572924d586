#include "store/postgres/postgres_database.hpp"

#include <fmt/format.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <condition_variable>
#include <deque>
#include <mutex>
#include <set>
#include <thread>

#include "core/telemetry/log.hpp"
#include "store/hooks.hpp"
#include "store/pool_gauges.hpp"
#include "store/postgres/health_check.hpp"
#include "store/postgres/session.hpp"
#include "store/unit_tx.hpp"

namespace agentauri::store {
namespace {

using postgres::Session;
using SteadyClock = std::chrono::steady_clock;

constexpr int kMaxTries = 5;   // of a body: serialization failures, deadlocks, lost connections
constexpr auto kControlLimit = std::chrono::seconds(10);   // of BEGIN and ROLLBACK, unless statements may take less
constexpr auto kFirstBackoff = std::chrono::milliseconds(50);
constexpr auto kMaxBackoff = std::chrono::seconds(1);
// Beyond its own time a unit makes no try of its own when another one failed so recently.
constexpr auto kFailureIsRecent = std::chrono::seconds(1);
constexpr auto kListenPoll = std::chrono::milliseconds(1000);

class PostgresTx final : public UnitTx<Session> {
 public:
  explicit PostgresTx(Session& session) : UnitTx(session) {}
  Result<Time> now() override {
    static const Query kNow{Query::Unlisted{}, "database_now", "SELECT now()"};
    if (now_) return *now_;
    auto rows = run(kNow, {});
    if (!rows) return fail(rows);
    now_ = rows->time(0, 0);
    return *now_;
  }

 private:
  std::optional<Time> now_;
};

class PostgresDatabase final : public Database {
 public:
  explicit PostgresDatabase(PostgresSettings settings)
      : settings_(std::move(settings)),
        control_limit_(std::min<std::chrono::milliseconds>(kControlLimit, settings_.statement_timeout)),
        log_("store"),
        health_(settings_) {}
  ~PostgresDatabase() override { stop(); }

  Result<void> open();
  std::string_view engine() const override { return "postgres"; }
  Task<Health> check_health() override { return health_.check(); }
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
    SteadyClock::time_point queued_at;
  };
  // What a store thread last told the gauges.
  struct Share {
    bool connected = false, active = false;
  };

  void work_loop(std::unique_ptr<Session> session);
  void show(Share& share, bool connected, bool active);
  bool next_unit(Unit& unit, std::unique_ptr<Session>& session, Share& share);
  Result<void> run_unit(Unit& unit, std::unique_ptr<Session>& session);
  Result<void> try_unit(Unit& unit, Session& session, bool& again);
  Result<void> ensure_session(std::unique_ptr<Session>& session, SteadyClock::time_point deadline);
  std::optional<Error> recent_failure();
  void listen_loop();
  bool stopping() {
    const std::lock_guard lock(mutex_);
    return stopping_;
  }

  PostgresSettings settings_;
  std::chrono::milliseconds control_limit_;
  Log log_;
  std::mutex mutex_;
  std::condition_variable ready_;
  std::condition_variable stop_asked_;   // not ready_: a thread that backs off must not swallow a unit's wake-up
  std::deque<Unit> interactive_, bulk_;
  bool stopping_ = false;
  std::optional<Error> last_failure_;
  SteadyClock::time_point failed_at_;
  std::optional<PoolGauges> gauges_;
  std::optional<Counter> listen_errors_;

  Hooks hooks_;
  std::mutex notes_mutex_;
  std::set<std::string> pending_notes_;
  int wake_fd_ = -1;

  postgres::HealthCheck health_;
  std::vector<std::thread> threads_;
};

Result<void> PostgresDatabase::open() {
  // The first connection shows whether the settings are right; the others are opened by their threads.
  Result<std::unique_ptr<Session>> first = fail(Code::unavailable, "not tried");
  for (std::size_t i = 0;; ++i) {
    first = Session::connect(settings_);
    if (first) break;
    if (i == settings_.first_waits.size())
      return fail(Code::unavailable, "DB_HOST",
                  fmt::format("{}. Check DB_HOST, DB_PORT, DB_USER and DB_PASSWORD", first.error().text));
    log_.warn("the database cannot be reached; trying again",
              {{"attempt", static_cast<std::int64_t>(i + 1)},
               {"next_in_ms", static_cast<std::int64_t>(settings_.first_waits[i].count())},
               {"why", first.error().text}});
    std::this_thread::sleep_for(settings_.first_waits[i]);
  }
  if (settings_.metrics != nullptr) {
    listen_errors_ =
        settings_.metrics->counter("event_processor_listener_transient_errors_total",
                                   "Times that the listening connection was lost or could not be had; PostgreSQL only");
    gauges_.emplace(*settings_.metrics, "write");
    gauges_->max.set(std::max(1U, settings_.threads));
  }
  wake_fd_ = ::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
  ENSURE(wake_fd_ >= 0, "an eventfd is to be had");
  for (unsigned i = 0; i < std::max(1U, settings_.threads); ++i) {
    threads_.emplace_back(
        [this, early = i < settings_.min_connections, session = i == 0 ? std::move(*first) : nullptr]() mutable {
          // One try: whoever needs the connection has more of them, and says why there is none.
          if (early && !session) session = Session::connect(settings_).value_or(nullptr);
          work_loop(std::move(session));
        });
  }
  threads_.emplace_back([this] { listen_loop(); });
  health_.start();
  return {};
}

void PostgresDatabase::submit(Mode mode, Priority priority, Body body, Done done) {
  Error refused{Code::cancelled, {}, "the store is stopping"};
  {
    const std::lock_guard lock(mutex_);
    // A read that may take long is still somebody's request, and need not wait until nobody writes.
    auto& queue = priority == Priority::interactive || mode == Mode::read ? interactive_ : bulk_;
    if (!stopping_ && queue.size() < kMaxWaitingUnits) {
      queue.push_back({mode, std::move(body), std::move(done), SteadyClock::now()});
      ready_.notify_one();
      return;
    }
    if (!stopping_) refused = {Code::busy, {}, "too many units of work wait for the store"};
  }
  done(std::unexpected(std::move(refused)));
}

// Waits for a unit; an idle connection is given back meanwhile. false: stop.
bool PostgresDatabase::next_unit(Unit& unit, std::unique_ptr<Session>& session, Share& share) {
  std::unique_lock lock(mutex_);
  const auto wanted = [this] { return stopping_ || !interactive_.empty() || !bulk_.empty(); };
  if (!ready_.wait_for(lock, settings_.idle_timeout, wanted)) {
    session.reset();
    show(share, false, false);
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
  Share share;
  Unit unit;
  show(share, session != nullptr, false);
  while (next_unit(unit, session, share)) {
    if (session && SteadyClock::now() - opened > settings_.max_lifetime) session.reset();
    if (!session) opened = SteadyClock::now();
    show(share, true, true);
    auto outcome = run_unit(unit, session);
    show(share, session != nullptr, false);
    unit.done(std::move(outcome));
    unit = {};
  }
  show(share, false, false);
}

void PostgresDatabase::show(Share& share, bool connected, bool active) {
  if (gauges_) {
    gauges_->active.add(int{active} - int{share.active});
    gauges_->idle.add(int{connected && !active} - int{share.connected && !share.active});
  }
  share = {connected, active};
}

std::optional<Error> PostgresDatabase::recent_failure() {
  const std::lock_guard lock(mutex_);
  if (!last_failure_ || SteadyClock::now() - failed_at_ > kFailureIsRecent) return std::nullopt;
  return last_failure_;
}

// A connection, before the deadline; back-off between the tries, so that a server that is down is not hammered. What
// has waited in the queue beyond its deadline fails at once while the server is known to be down.
Result<void> PostgresDatabase::ensure_session(std::unique_ptr<Session>& session, SteadyClock::time_point deadline) {
  std::chrono::milliseconds backoff = kFirstBackoff;
  while (!session) {
    if (SteadyClock::now() >= deadline) {
      if (auto recent = recent_failure()) return std::unexpected(std::move(*recent));
    }
    auto opened = Session::connect(settings_);
    if (opened) {
      session = std::move(*opened);
      break;
    }
    std::unique_lock lock(mutex_);
    last_failure_ = opened.error();
    failed_at_ = SteadyClock::now();
    if (failed_at_ + backoff > deadline) return fail(opened);
    if (stop_asked_.wait_for(lock, backoff, [this] { return stopping_; }))
      return fail(Code::cancelled, "the store is stopping");
    backoff = std::min<std::chrono::milliseconds>(backoff * 2, kMaxBackoff);
  }
  return {};
}

Result<void> PostgresDatabase::run_unit(Unit& unit, std::unique_ptr<Session>& session) {
  auto deadline = unit.queued_at + settings_.acquire_timeout;
  for (int n = 1;; ++n) {
    if (auto ready = ensure_session(session, deadline); !ready) return ready;
    bool again = false;
    auto outcome = try_unit(unit, *session, again);
    if (session->lost()) session.reset();
    if (outcome || !again || n == kMaxTries) return outcome;
    // Two units that collided must not meet again at once.
    std::this_thread::sleep_for(std::chrono::milliseconds(n * n));
    deadline = SteadyClock::now() + settings_.acquire_timeout;
  }
}

Result<void> PostgresDatabase::try_unit(Unit& unit, Session& session, bool& again) {
  const bool reads = unit.mode == Mode::read;
  // A process that is frozen or cut off in the middle of a unit holds locks which others need to take over from it.
  if (reads)
    session.begin("BEGIN ISOLATION LEVEL REPEATABLE READ READ ONLY");
  else
    session.begin("BEGIN", settings_.standstill_timeout);
  PostgresTx tx(session);
  auto outcome = tx.run_body(unit.body);
  if (!outcome) {
    // Lost before COMMIT was sent: the server has rolled back, or will.
    again = session.lost() || session.may_retry();
    if (!session.lost() && session.has_begun() && !session.execute("ROLLBACK", control_limit_)) session.abandon();
    return outcome;
  }
  if (!session.has_begun()) return {};
  if (reads) {
    session.commit_later();
    return {};
  }
  auto committed = session.execute("COMMIT", settings_.statement_timeout);
  if (committed) return {};
  if (session.lost()) {
    return fail(Code::commit_unknown, fmt::format("the connection was lost during COMMIT: {}", committed.error().text));
  }
  again = session.may_retry();
  return committed;
}

// --- hints -----------------------------------------------------------------------------------------------------------

void PostgresDatabase::on_notify(std::string channel, std::function<void()> hook) {
  hooks_.add(std::move(channel), std::move(hook));
  (void)::eventfd_write(wake_fd_, 1);
}

// Here at once, elsewhere as soon as the listening connection has passed it on.
void PostgresDatabase::notify(std::string_view channel) {
  ENSURE(is_channel_name(channel), "a channel is named with a-z, 0-9 and _");
  hooks_.fire(channel);
  const std::lock_guard lock(notes_mutex_);
  if (pending_notes_.emplace(channel).second) (void)::eventfd_write(wake_fd_, 1);
}

void PostgresDatabase::listen_loop() {
  pthread_setname_np(pthread_self(), "store-listen");
  std::unique_ptr<Session> session;
  std::set<std::string> listening;
  while (!stopping()) {
    if (session && session->lost()) {
      session.reset();
      if (listen_errors_) listen_errors_->add();
    }
    if (!session) {
      listening.clear();
      if (!ensure_session(session, SteadyClock::now() + settings_.acquire_timeout)) {
        if (listen_errors_ && !stopping()) listen_errors_->add();
        continue;
      }
    }
    std::set<std::string> notes;
    {
      const std::lock_guard lock(notes_mutex_);
      notes.swap(pending_notes_);
    }
    for (const auto& channel : hooks_.channels()) {
      if (listening.contains(channel)) continue;
      if (session->execute(fmt::format("LISTEN \"{}\"", channel), kControlLimit)) listening.insert(channel);
    }
    for (const auto& channel : notes) (void)session->execute(fmt::format("NOTIFY \"{}\"", channel), kControlLimit);
    if (session->lost()) continue;
    // What has come with the answers above is not in the socket any more: first these, then the wait.
    while (PGnotify* note = PQnotifies(session->handle())) {
      if (note->be_pid != PQbackendPID(session->handle())) hooks_.fire(note->relname);
      PQfreemem(note);
    }
    session->wait_readable(kListenPoll, wake_fd_);
    eventfd_t ignored = 0;
    (void)::eventfd_read(wake_fd_, &ignored);
  }
}

void PostgresDatabase::stop() {
  {
    const std::lock_guard lock(mutex_);
    stopping_ = true;
    ready_.notify_all();
    stop_asked_.notify_all();
  }
  if (wake_fd_ >= 0) (void)::eventfd_write(wake_fd_, 1);
  health_.stop();
  for (auto& thread : threads_) thread.join();
  threads_.clear();
  if (wake_fd_ >= 0) ::close(wake_fd_);
  wake_fd_ = -1;
}

}   // namespace

Result<std::unique_ptr<Database>> make_postgres_database(PostgresSettings settings) {
  auto database = std::make_unique<PostgresDatabase>(std::move(settings));
  if (auto opened = database->open(); !opened) return fail(opened);
  return std::unique_ptr<Database>(std::move(database));
}

}   // namespace agentauri::store
