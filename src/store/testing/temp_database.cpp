#include "store/testing/temp_database.hpp"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <grp.h>
#include <netinet/in.h>
#include <pwd.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <mutex>
#include <sstream>
#include <thread>
#include <vector>

namespace agentauri::store::testing {
namespace {

constexpr auto kServerStart = std::chrono::seconds(60);
constexpr int kStarts = 3;

std::uint16_t free_port() {
  const int fd = ::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  socklen_t length = sizeof address;
  ENSURE(::bind(fd, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0, "a loopback port is free");
  ::getsockname(fd, reinterpret_cast<sockaddr*>(&address), &length);
  ::close(fd);
  return ntohs(address.sin_port);
}

// What `pg_config --bindir` says; empty when there is no pg_config.
std::string configured_bin() {
  std::unique_ptr<FILE, int (*)(FILE*)> pipe(::popen("pg_config --bindir 2>/dev/null", "r"), ::pclose);
  char line[512] = {};
  if (!pipe || std::fgets(line, sizeof line, pipe.get()) == nullptr) return {};
  std::string out = line;
  while (!out.empty() && out.back() == '\n') out.pop_back();
  return out;
}

// PostgreSQL refuses to run as root; its package brings a user.
const passwd* ordinary_user() {
  if (::getuid() != 0) return nullptr;
  const passwd* user = ::getpwnam("postgres");
  ENSURE(user != nullptr, "the user postgres exists");
  return user;
}

// The child ends with this program, however that ends.
pid_t spawn(const std::vector<std::string>& command, const passwd* user) {
  std::vector<char*> arguments;
  for (const auto& word : command) arguments.push_back(const_cast<char*>(word.c_str()));
  arguments.push_back(nullptr);
  const pid_t parent = ::getpid();
  const pid_t child = ::fork();
  if (child != 0) return child;
  if (user != nullptr && (::setgroups(0, nullptr) != 0 || ::setgid(user->pw_gid) != 0 || ::setuid(user->pw_uid) != 0))
    ::_exit(1);
  // After the change of user, which would clear it.
  ::prctl(PR_SET_PDEATHSIG, SIGQUIT);
  if (::getppid() != parent) ::_exit(1);
  if (std::freopen("/dev/null", "w", stdout) == nullptr || std::freopen("/dev/null", "w", stderr) == nullptr)
    ::_exit(1);
  ::execv(arguments[0], arguments.data());
  ::_exit(127);
}

void run(const std::vector<std::string>& command, const passwd* user) {
  int status = 0;
  ::waitpid(spawn(command, user), &status, 0);
  ENSURE(WIFEXITED(status) && WEXITSTATUS(status) == 0, "a command of the test's PostgreSQL succeeds");
}

class Server {
 public:
  Server() : bin_(postgres_bin()), user_(ordinary_user()) {
    if (user_ != nullptr)
      ENSURE(::chown(folder_.path().c_str(), user_->pw_uid, user_->pw_gid) == 0, "the folder changes hands");
    settings_.host = "127.0.0.1";
    settings_.user = "postgres";
    settings_.database = "postgres";
    settings_.ssl_mode = "disable";
    settings_.threads = 3;
    settings_.first_waits.clear();
    run({bin_ + "/initdb", "-D", data(), "-U", "postgres", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C"},
        user_);
    ask_for_passwords();
    // Somebody else may take the port between the look and the start.
    bool running = false;
    for (int i = 0; i < kStarts && !running; ++i) running = start();
    ENSURE(running, "the test's PostgreSQL answers");
    create("migrated", "template0");
    auto migrated = settings_;
    migrated.database = "migrated";
    const auto done = postgres_migrate_up(migrated);
    ENSURE(done.has_value(), done ? "" : done.error().text.c_str());
  }
  ~Server() {
    ::kill(pid_, SIGQUIT);
    ::waitpid(pid_, nullptr, 0);
  }

  PostgresSettings fresh(const std::string& from) {
    auto settings = settings_;
    settings.database = fmt::format("test_{}", ++count_);
    create(settings.database, from);
    return settings;
  }

 private:
  std::string data() const { return folder_.path() + "/data"; }

  // The role scram_user shows what becomes of passwords; everybody else is trusted.
  void ask_for_passwords() {
    const std::string path = data() + "/pg_hba.conf";
    std::stringstream rules;
    rules << std::ifstream(path).rdbuf();
    std::ofstream(path) << "host all scram_user 127.0.0.1/32 scram-sha-256\n" << rules.str();
  }

  bool start() {
    settings_.port = free_port();
    // No fsync: what is tested here is not the disk.
    pid_ = spawn({bin_ + "/postgres", "-D", data(), "-p", std::to_string(settings_.port), "-c",
                  "listen_addresses=127.0.0.1", "-c", "unix_socket_directories=", "-c", "fsync=off", "-c",
                  "max_connections=200", "-c", "shared_buffers=32MB", "-c", "deadlock_timeout=50ms"},
                 user_);
    const auto deadline = std::chrono::steady_clock::now() + kServerStart;
    while (!postgres_migration_status(settings_)) {
      if (::waitpid(pid_, nullptr, WNOHANG) == pid_) return false;
      ENSURE(std::chrono::steady_clock::now() < deadline, "the test's PostgreSQL answers in time");
      std::this_thread::sleep_for(std::chrono::milliseconds(20));
    }
    return true;
  }

  // CREATE DATABASE cannot run inside a transaction, and the port runs everything in one: psql does it.
  void create(const std::string& name, const std::string& from) {
    run({bin_ + "/psql", "-X", "-q", "-h", settings_.host, "-p", std::to_string(settings_.port), "-U", "postgres", "-d",
         "postgres", "-c", fmt::format("CREATE DATABASE {} TEMPLATE {}", name, from)},
        nullptr);
  }

  TempFolder folder_;
  const std::string bin_;
  const passwd* user_;
  PostgresSettings settings_;
  pid_t pid_ = 0;
  std::atomic<int> count_{0};
};

Server& server() {
  static Server instance;
  return instance;
}

}   // namespace

TempFolder::TempFolder() {
  std::string pattern = (std::filesystem::temp_directory_path() / "agentauri-test-XXXXXX").string();
  ENSURE(::mkdtemp(pattern.data()) != nullptr, "a temporary folder is to be had");
  path_ = pattern;
}

TempFolder::~TempFolder() {
  std::error_code ignored;
  std::filesystem::remove_all(path_, ignored);
}

TempDatabase make_temp_sqlite(SqliteSettings settings) {
  TempDatabase temp;
  temp.folder = std::make_unique<TempFolder>();
  settings.data_dir = temp.folder->path();
  auto db = make_sqlite_database(settings);
  ENSURE(db.has_value(), db ? "" : db.error().text.c_str());
  temp.db = std::move(*db);
  return temp;
}

std::string postgres_bin() {
  for (const std::string& folder : {std::string("/usr/lib/postgresql/15/bin"), configured_bin()}) {
    if (!folder.empty() && std::filesystem::exists(folder + "/postgres")) return folder;
  }
  ENSURE(false, "PostgreSQL server binaries are missing: install postgresql-15 (script/test does)");
  return {};
}

TempDatabase make_temp_postgres(const std::function<void(PostgresSettings&)>& adjust) {
  TempDatabase temp;
  temp.postgres = server().fresh("migrated");
  if (adjust) adjust(temp.postgres);
  auto db = make_postgres_database(temp.postgres);
  ENSURE(db.has_value(), db ? "" : db.error().text.c_str());
  temp.db = std::move(*db);
  return temp;
}

PostgresSettings make_empty_postgres() {
  return server().fresh("template0");
}

}   // namespace agentauri::store::testing
