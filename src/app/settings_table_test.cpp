// The list of settings says what the program reads: every name, its range, its default; and the document says what the
// list says.
#include "app/settings_table.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <fstream>
#include <regex>
#include <set>
#include <sstream>
#include <thread>

#include "app/settings.hpp"
#include "chain/chain_table.hpp"
#include "delivery/retry_policy.hpp"

namespace agentauri::app {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;
using ::testing::StartsWith;

const std::string kSecret = "Zk3q9Vb7Lw2Xn5Rt8Yp1Cd4Fg6Hj0Ks+Qm/Tu=";
// Everything that is read in some case only, is read here: a database, Redis, a chain with an older name, one without.
const Environment::Map kMuch{{"DB_PASSWORD", "p"},
                             {"JWT_SECRET", kSecret},
                             {"REDIS_PASSWORD", "r"},
                             {"BASE_MAINNET_RPC_ANKR", "https://rpc.example.org"},
                             {"CHAIN_8453_CONFIRMATIONS", "2"},
                             {"CHAIN_8453_POLL_INTERVAL_MS", "500"},
                             {"CHAIN_8453_START_BLOCK", "7"},
                             {"CHAIN_31337_RPC_URL", "http://127.0.0.1:8545"},
                             {"CHAIN_31337_IDENTITY_ADDRESS", "0x8004A818BFB912233c491871b3d84c89A494BD9e"}};

std::vector<std::string> words(std::string_view text) {
  std::vector<std::string> out;
  std::istringstream in{std::string(text)};
  for (std::string word; in >> word;) out.push_back(word);
  return out;
}

std::vector<SettingRow> all_rows() {
  std::vector<SettingRow> out;
  for (const auto& group : setting_groups()) out.insert(out.end(), group.rows.begin(), group.rows.end());
  return out;
}

// A name as the list writes it: CHAIN_8453_RPC_URL is CHAIN_<id>_RPC_URL.
std::string listed_name(const std::string& name) {
  static const std::regex kById("CHAIN_[0-9]+_(.*)");
  static const std::regex kProvider("RPC_(PUBLICNODE|LLAMANODES|ANKR|ALCHEMY|INFURA|QUIKNODE)");
  std::smatch match;
  if (std::regex_match(name, match, kById)) return "CHAIN_<id>_" + match[1].str();
  for (const auto& chain : chain::known_chains()) {
    if (chain.env_prefix.empty() || !name.starts_with(std::string(chain.env_prefix) + "_")) continue;
    const std::string rest = name.substr(chain.env_prefix.size() + 1);
    return std::regex_match(rest, kProvider) ? "<CHAIN>_RPC_<PROVIDER>" : "<CHAIN>_" + rest;
  }
  return name;
}

std::map<std::string, Environment::Reading> readings(const Environment::Map& process) {
  Environment env({}, process, "");
  (void)read_settings(env, false);
  EXPECT_TRUE(env.faults().empty()) << env.faults().front().field << " " << env.faults().front().text;
  std::map<std::string, Environment::Reading> out;
  for (const auto& [name, reading] : env.readings()) {
    auto& listed = out[listed_name(name)];
    if (!reading.accepts.empty()) listed = reading;
  }
  return out;
}

const SettingRow* find_row(std::string_view name) {
  static const std::vector<SettingRow> rows = all_rows();
  for (const auto& row : rows) {
    const auto others = words(row.others);
    if (row.name == name || std::find(others.begin(), others.end(), name) != others.end()) return &row;
  }
  return nullptr;
}

std::string without_ticks(std::string_view text) {
  std::string out(text);
  std::erase(out, '`');
  return out;
}

TEST(SettingsTable, HasARowForEachNameThatIsRead) {
  for (const auto& [name, reading] : readings(kMuch))
    EXPECT_NE(find_row(name), nullptr) << name << " is read: give it a row in settings_table.cpp";
}

TEST(SettingsTable, HasNoNameThatNobodyReads) {
  const auto read = readings(kMuch);
  std::set<std::string> seen;
  for (const auto& row : all_rows()) {
    auto names = words(row.others);
    names.emplace_back(row.name);
    for (const auto& name : names) {
      EXPECT_TRUE(read.contains(name)) << name;
      EXPECT_TRUE(seen.insert(name).second) << name << " stands there twice";
    }
  }
}

TEST(SettingsTable, SaysWhatIsAccepted) {
  for (const auto& [name, reading] : readings(kMuch)) {
    const auto* row = find_row(name);
    if (row != nullptr && !reading.accepts.empty()) {
      EXPECT_THAT(without_ticks(row->accepts), StartsWith(reading.accepts)) << name;
    }
  }
}

// Of ENVIRONMENT, for instance, both defaults stand there.
TEST(SettingsTable, SaysTheDefaultsOfNumbersAndWords) {
  const std::set<std::string> computed{"THREADS", "CHAIN_<id>_POLL_INTERVAL_MS", "DB_SSL_MODE"};
  for (const auto& process : {Environment::Map{}, kMuch}) {
    for (const auto& [name, reading] : readings(process)) {
      const auto* row = find_row(name);
      if (row != nullptr && !reading.fallback.empty() && !computed.contains(name)) {
        EXPECT_THAT(std::string(row->fallback), HasSubstr(fmt::format("`{}`", reading.fallback))) << name;
      }
    }
  }
}

// Every setting of which the list may show a default as it would be written.
std::string shown(const Settings& s) {
  const auto ladder = s.webhook_ladder.empty() ? delivery::webhook_ladder() : *delivery::parse_ladder(s.webhook_ladder);
  std::string waits;
  for (const auto wait : ladder.waits) waits += fmt::format("{} ", wait.count());
  const auto& d = s.discovery;
  const auto& p = *s.postgres;
  std::string out =
      fmt::format("{} {} {} {} {} {} {} {} {} {} {} {} {}\n", to_string(s.roles), s.data_dir, s.server_host,
                  s.server_port, s.metrics_host, s.metrics_port, s.threads, s.production, s.migrate_at_start,
                  s.grace.count(), s.attempt_retention_days, s.log.json, static_cast<int>(s.log.level));
  out += fmt::format("{} {} {} {} {} {} {} {} {}\n", p.host, p.port, p.database, p.user, p.max_connections,
                     p.min_connections, p.acquire_timeout.count(), p.idle_timeout.count(), p.max_lifetime.count());
  out += fmt::format("{} {} {} {} {} {} {} {} {} {} {}\n", s.password_policy, s.registration, s.base_url,
                     s.frontend_url, fmt::join(s.trusted_proxies, " "), s.rate_limit_mode, s.register_per_minute,
                     s.hsts_max_age, fmt::join(s.siwe_domains, " "), s.siwe_uri, s.siwe_strict_checksum);
  out += fmt::format("{} {} {} {} {} {} {} {}\n", d.contact_email, d.contact_github, d.documentation_url,
                     d.security_email, d.security_url, d.security_policy_url, d.security_acknowledgments_url, waits);
  return out + fmt::format("{} {}\n", s.redis->host, s.redis->port);
}

TEST(SettingsTable, ADefaultThatIsShownAsItIsWrittenIsTheDefault) {
  const auto read = [](Environment::Map process) {
    Environment env({}, std::move(process), "");
    auto out = shown(read_settings(env, false));
    EXPECT_TRUE(env.faults().empty()) << env.faults().front().field << " " << env.faults().front().text;
    return out;
  };
  const std::string unset = read(kMuch);
  int literal = 0;
  for (const auto& row : all_rows()) {
    const std::string_view text = row.fallback;
    const bool is_literal = text.starts_with('`') && text.find('`', 1) == text.size() - 1;
    if (!is_literal || kMuch.contains(row.name)) continue;
    auto process = kMuch;
    process[std::string(row.name)] = std::string(text.substr(1, text.size() - 2));
    EXPECT_EQ(read(process), unset) << row.name;
    ++literal;
  }
  EXPECT_GT(literal, 30);
}

TEST(SettingsTable, NoFaultShowsTheValueOfASecret) {
  for (const auto& row : all_rows()) {
    if (!row.is_secret) continue;
    std::string name(row.name);
    if (name == "CHAIN_<id>_RPC_URL") name = "CHAIN_8453_RPC_URL";
    if (name == "<CHAIN>_RPC_<PROVIDER>") name = "BASE_MAINNET_RPC_ANKR";
    for (const std::string marker :
         {"Q7wq-visible", "http://Q7wq-visible.example.org/key", "Q7wq-visible:[@/%zz\x01"}) {
      Environment env({}, {{name, marker}}, "");
      (void)read_settings(env, false);
      for (const auto* list : {&env.faults(), &env.warnings()}) {
        for (const auto& fault : *list) EXPECT_THAT(fault.text, Not(HasSubstr("Q7wq-visible"))) << name;
      }
    }
  }
}

TEST(SettingsTable, TheDocumentHoldsTheListAsTheProgramPrintsIt) {
  std::ifstream file("docs/configuration.md");
  std::stringstream page;
  ASSERT_TRUE(file && page << file.rdbuf()) << "this test runs in the project's folder";
  const std::string text = page.str();
  const auto begin = text.find("<!-- printed by `agentauri check-config --document`");
  const auto end = text.find("<!-- end of what the program prints -->\n");
  ASSERT_NE(begin, std::string::npos);
  ASSERT_NE(end, std::string::npos);
  const auto first = text.find('\n', begin) + 1;
  EXPECT_TRUE(text.substr(first, end - first) == settings_document()) << "run script/document-settings";
}

}   // namespace
}   // namespace agentauri::app
