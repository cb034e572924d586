// What takes TimescaleDB itself: the hypertable branch of migration 0013, on the server that TEST_TIMESCALE_URL names
// (tests/timescale/run). It uses one connection, since a PostgreSQL inside Node.js has no more.
#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cstdlib>
#include <map>
#include <regex>
#include <set>

#include "core/crypto/crypto.hpp"
#include "store/chain_log.hpp"
#include "store/event_counts.hpp"
#include "store/event_storage.hpp"
#include "store/forget_events.hpp"
#include "store/indexer_status.hpp"
#include "store/postgres/session.hpp"
#include "store/testing/temp_database.hpp"
#include "store/unit_tx.hpp"

namespace agentauri::store {
namespace {

using namespace std::chrono_literals;
using postgres::Session;
using std::chrono::hours;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr std::uint64_t kFirst = 100;
const Time kStart = from_unix_seconds(1'735'689'600);   // 2025
const Query kMine{
    Query::Unlisted{}, "timescale_mine",
    "SELECT COALESCE(obj_description(to_regclass('public.agentauri_migrations'), 'pg_class'), '') = 'timescale test'"};
const Query kOurs{Query::Unlisted{}, "timescale_ours", "SELECT to_regclass('public.agentauri_migrations') IS NOT NULL"};
const Query kEvents{Query::Unlisted{}, "timescale_events", "SELECT count(*) FROM events"};

class SessionTx final : public UnitTx<Session> {
 public:
  explicit SessionTx(Session& session) : UnitTx(session) {}
  Result<Time> now() override { return kStart + hours(24 * 1000); }
};

// postgresql://user:password@host:port/database[?sslmode=…]
std::optional<PostgresSettings> settings_of(const char* url) {
  std::cmatch parts;
  static const std::regex shape(
      R"(postgres(?:ql)?://([^:@/]+)(?::([^@]*))?@([^:/]+)(?::(\d+))?/([^?]+)(?:\?sslmode=([\w-]+))?)");
  if (url == nullptr || !std::regex_match(url, parts, shape)) return std::nullopt;
  PostgresSettings out;
  out.user = parts[1];
  out.password = parts[2];
  out.host = parts[3];
  if (parts[4].matched) out.port = static_cast<std::uint16_t>(std::stoi(parts[4]));
  out.database = parts[5];
  if (parts[6].matched) out.ssl_mode = parts[6];
  out.statement_timeout = 60s;
  out.connect_timeout = 60s;
  return out;
}

IngestedBlock block(int n, int events, int branch = 0) {
  const auto hash = [](std::uint64_t num, int of) {
    return crypto::sha256(as_bytes(std::to_string(num) + "/" + std::to_string(of)));
  };
  const auto num = static_cast<std::uint64_t>(static_cast<int>(kFirst) + n);
  IngestedBlock out;
  out.block = {hash(num, branch), num, hash(num - 1, 0), kStart + hours(24 * n), kStart};
  for (int i = 0; i < events; ++i) {
    domain::Event event;
    event.chain_id = 1;
    event.block_num = num;
    event.block_hash = out.block.hash;
    event.txn_hash = hash(num, 1000 * branch + i + 1);
    event.txn_index = event.log_index = static_cast<std::uint32_t>(i);
    event.event_type = i % 2 == 0 ? "Registered" : "Transfer";
    event.agent_id = Uint256(static_cast<std::uint64_t>(i));
    out.events.push_back(event);
  }
  return out;
}

class Timescale : public ::testing::Test {
 protected:
  static void SetUpTestSuite() {
    settings_ = settings_of(std::getenv("TEST_TIMESCALE_URL"));
    if (!settings_) return;
    prepare();
  }
  static void TearDownTestSuite() { session_.reset(); }
  void SetUp() override {
    if (std::getenv("TEST_TIMESCALE_URL") == nullptr)
      GTEST_SKIP() << "TEST_TIMESCALE_URL is not set: what takes TimescaleDB itself is not run (tests/timescale/run)";
    ASSERT_TRUE(settings_) << "TEST_TIMESCALE_URL is postgresql://user:password@host:port/database";
    ASSERT_TRUE(session_) << trouble_;
    execute("TRUNCATE chains, blocks, block_log, coverage, events, event_counts, jobs, attempts, engine_cursor");
    attach();
  }

  // The ordinary table first, with rows in it, and the extension later.
  static void prepare() {
    if (auto ready = connect(); !ready) {
      trouble_ = ready.error().text;
      return;
    }
    if (session_->run(kOurs, {})->boolean(0, 0) && !session_->run(kMine, {})->boolean(0, 0)) {
      trouble_ = "TEST_TIMESCALE_URL names a database that is in use: an empty one is needed";
      session_.reset();
      return;
    }
    set_mode("off");
    session_.reset();
    const auto up = postgres_migrate_up(*settings_);
    const auto again = connect();
    if (!up || !again) {
      trouble_ = up ? again.error().text : up.error().text;
      session_.reset();
      return;
    }
    execute("COMMENT ON TABLE agentauri_migrations IS 'timescale test'");
    attach();
    append_days(0, 99);
    before_ = storage();
    rows_before_ = events();
    set_mode(std::getenv("TEST_TIMESCALE_FORCE") == nullptr ? "" : "force");
    session_.reset();
    const auto said = postgres_convert_events(*settings_, kMaxRowsToConvert);
    said_ = said ? *said : said.error().text;
    if (auto ready = connect(); !ready) trouble_ = ready.error().text;
    rows_after_ = events();
  }
  static Result<void> connect() {
    auto session = Session::connect(*settings_);
    if (!session) return fail(session);
    session_ = std::move(*session);
    // A backend that is shared keeps the statements of those before.
    return session_->execute("DEALLOCATE ALL", 30s);
  }
  // In the session, which is the whole server inside Node.js, and of the database, for further connections elsewhere.
  static void set_mode(const std::string& mode) {
    execute(fmt::format("SET agentauri.timescaledb = '{}'", mode));
    execute(fmt::format("ALTER DATABASE {} SET agentauri.timescaledb = '{}'", settings_->database, mode));
  }
  static void execute(const std::string& sql) {
    const auto done = session_->execute(sql, 60s);
    EXPECT_TRUE(done) << sql << ": " << done.error().text;
  }
  template <class T>
  static Result<T> in_tx(std::move_only_function<Result<T>(Tx&)> body) {
    std::optional<T> out;
    std::move_only_function<Result<void>(Tx&)> keep = [&](Tx& tx) -> Result<void> {
      auto result = body(tx);
      if (!result) return fail(result);
      out = std::move(*result);
      return {};
    };
    session_->begin("BEGIN");
    SessionTx tx(*session_);
    auto outcome = tx.run_body(keep);
    auto ended = session_->execute(outcome ? "COMMIT" : "ROLLBACK", 60s);
    if (!outcome) return fail(outcome);
    if (!ended) return fail(ended);
    return std::move(*out);
  }
  static void check(std::move_only_function<Result<void>(Tx&)> body) {
    const auto done = in_tx<bool>([&](Tx& tx) -> Result<bool> {
      if (auto ran = body(tx); !ran) return fail(ran);
      return true;
    });
    EXPECT_TRUE(done) << done.error().text;
  }
  static void attach() {
    check([](Tx& tx) -> Result<void> {
      auto row = attach_chain(tx, 1, "test", 1, kFirst, 1, kStart);
      if (!row) return fail(row);
      return {};
    });
  }
  static void append_days(int from, int to, int branch = 0) {
    std::vector<IngestedBlock> blocks;
    for (int n = from; n <= to; ++n) blocks.push_back(block(n, 4, branch));
    check([&](Tx& tx) {
      return append_blocks(tx, 1, 1, blocks, {{Address{}}, true}, std::nullopt, std::nullopt, kStart);
    });
  }
  static EventStorageFacts storage() {
    auto out = in_tx<EventStorageFacts>([](Tx& tx) { return read_event_storage(tx); });
    EXPECT_TRUE(out) << out.error().text;
    return out.value_or(EventStorageFacts{});
  }
  static std::int64_t events() {
    auto rows = session_->run(kEvents, {});
    EXPECT_TRUE(rows) << rows.error().text;
    return rows ? rows->i64(0, 0) : -1;
  }

  static inline std::optional<PostgresSettings> settings_;
  static inline std::unique_ptr<Session> session_;
  static inline std::string trouble_ = "the database was not prepared", said_;
  static inline EventStorageFacts before_;
  static inline std::int64_t rows_before_ = 0, rows_after_ = 0;
};

TEST_F(Timescale, ATableWithRowsBecomesAHypertableWhenTheExtensionComesLater) {
  EXPECT_EQ(before_.storage, EventStorage::table);
  EXPECT_EQ(said_, "events is a hypertable now");
  EXPECT_EQ(rows_before_, 400);
  EXPECT_EQ(rows_after_, 400);
  EXPECT_EQ(storage().storage, EventStorage::hypertable);
  EXPECT_TRUE(storage().version);
  EXPECT_THAT(describe(storage()), HasSubstr("hypertable of TimescaleDB"));
}

TEST_F(Timescale, EveryStatementIsUnderstood) {
  for (const auto* query : all_queries()) {
    if (query->name.starts_with("test_")) continue;
    const auto prepared = in_tx<bool>([&](Tx& tx) -> Result<bool> {
      if (auto done = tx.prepare(*query); !done) return fail(done);
      return true;
    });
    EXPECT_TRUE(prepared) << query->name << ": " << prepared.error().text;
  }
}

TEST_F(Timescale, BlocksJoinLeaveAndComeBack) {
  append_days(0, 70);
  EXPECT_EQ(events(), 71 * 4);
  EXPECT_GE(storage().chunks, 3);
  const auto canonical = [] { return in_tx<EventPage>([](Tx& tx) { return list_events(tx, {}, 10, 0); })->total; };
  EXPECT_EQ(canonical(), 71 * 4);
  check([](Tx& tx) { return rewind_chain(tx, 1, 1, kFirst + 60, block(60, 0).block.hash, kStart); });
  EXPECT_EQ(canonical(), 61 * 4) << "over the edge of a chunk";
  append_days(61, 61, 1);
  EXPECT_EQ(canonical(), 62 * 4);
  check([](Tx& tx) { return rewind_chain(tx, 1, 1, kFirst + 60, block(60, 0).block.hash, kStart); });
  append_days(61, 70);
  EXPECT_EQ(canonical(), 71 * 4);
  EXPECT_EQ(events(), 72 * 4) << "the same rows as before, and the block that left";
  const auto counts = in_tx<std::vector<EventCount>>([](Tx& tx) { return list_event_counts(tx); });
  std::int64_t sum = 0;
  for (const auto& count : *counts) sum += count.count;
  EXPECT_EQ(sum, 71 * 4);
}

TEST_F(Timescale, AnEventIsStoredOnceHoweverOftenItComes) {
  append_days(0, 3);
  const auto late = [](int n) {
    return in_tx<std::int64_t>([n](Tx& tx) { return add_late_events(tx, 1, 1, {block(n, 6)}, kStart); });
  };
  EXPECT_EQ(late(2).value_or(-1), 2) << "two of them are new";
  EXPECT_EQ(late(2).value_or(-1), 0);
  EXPECT_EQ(events(), 4 * 4 + 2);
}

TEST_F(Timescale, WholeChunksAreForgottenAndNothingElse) {
  append_days(0, 99);
  const auto forget = [](Time before) {
    return in_tx<std::int64_t>([before](Tx& tx) { return forget_events(tx, before, 10); }).value_or(-1);
  };
  const auto chunks = storage().chunks;
  const Time before = kStart + hours(24 * 65);
  std::int64_t gone = 0;
  for (std::int64_t n = 0; (n = forget(before)) > 0;) gone += n;
  EXPECT_GE(gone, 4 * 30) << "at least one chunk of 30 days lies before day 65 whole";
  EXPECT_EQ(events(), 400 - gone);
  EXPECT_LT(storage().chunks, chunks);
  const auto left = in_tx<EventPage>([](Tx& tx) { return list_events(tx, {}, 400, 0); });
  ASSERT_TRUE(left);
  EXPECT_EQ(std::count_if(left->rows.begin(), left->rows.end(), [&](const auto& e) { return e.block_time >= before; }),
            4 * 35);
  append_days(100, 101);
  EXPECT_EQ(events(), 400 - gone + 8);
}

TEST_F(Timescale, ListsUseTheIndexOfEachChunk) {
  append_days(0, 99);
  execute("ANALYZE events");
  execute("SET enable_seqscan = off");   // a few hundred rows are read faster without an index
  for (const auto& [name, index] :
       {std::pair("event_list", "events_by_time"), std::pair("event_list_chain", "events_by_chain"),
        std::pair("event_list_type", "events_by_type"), std::pair("event_list_agent", "events_by_agent"),
        std::pair("event_newest", "events_by_chain"), std::pair("event_find", "events_by_txn")}) {
    const auto& all = all_queries();
    const auto found = std::find_if(all.begin(), all.end(), [&](const Query* query) { return query->name == name; });
    ASSERT_NE(found, all.end()) << name;
    const auto prepared = session_->prepare_only(**found);
    ASSERT_TRUE(prepared) << prepared.error().text;
    std::string arguments;
    const auto& sql = (*found)->postgres.empty() ? (*found)->sql : (*found)->postgres;
    static const std::regex parameter(R"((^|[^:]):([a-z_0-9]+))");
    std::set<std::string> seen;
    const std::string text(sql);
    for (std::sregex_iterator it(text.begin(), text.end(), parameter), end; it != end; ++it) {
      if (!seen.insert((*it)[2]).second) continue;
      static const std::map<std::string, std::string> values{
          {"yes", "true"}, {"chain", "1"},  {"event_type", "'Transfer'"}, {"agent_id", "'1'"},
          {"limit", "20"}, {"offset", "0"}, {"txn", "'\\x01'"},           {"id", "'x'"}};
      const auto value = values.find((*it)[2]);
      arguments += (arguments.empty() ? "" : ", ") + (value == values.end() ? std::string("NULL") : value->second);
    }
    const auto explain_text = fmt::format("EXPLAIN EXECUTE {}({})", name, arguments);
    std::string plan;
    const std::unique_ptr<PGresult, void (*)(PGresult*)> result(PQexec(session_->handle(), explain_text.c_str()),
                                                                PQclear);
    ASSERT_EQ(PQresultStatus(result.get()), PGRES_TUPLES_OK) << PQerrorMessage(session_->handle());
    for (int i = 0; i < PQntuples(result.get()); ++i) plan += std::string(PQgetvalue(result.get(), i, 0)) + "\n";
    EXPECT_THAT(plan, HasSubstr(index)) << name << "\n" << plan;
    EXPECT_THAT(plan, Not(HasSubstr("Seq Scan on _hyper"))) << name << "\n" << plan;
  }
  execute("RESET enable_seqscan");
}

}   // namespace
}   // namespace agentauri::store
