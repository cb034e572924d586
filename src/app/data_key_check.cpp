#include "app/data_key_check.hpp"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "store/key_canaries.hpp"

namespace agentauri::app {
namespace {

constexpr std::string_view kKnown = "agentauri";

std::string canary_aad(std::string_view kid) {
  return fmt::format("key_canaries:sealed:{}", kid);
}

std::unexpected<Error> wrong_keys(const std::string& kid, const crypto::DataKeys& keys, std::string_view who) {
  return fail(
      Code::invalid, "DATA_ENCRYPTION_KEYS",
      fmt::format("the secrets in this store cannot be read: {} the data key {}, and the configured keys ({}) do not "
                  "open it. Give this process the same JWT_SECRET and DATA_ENCRYPTION_KEYS as the others; after a "
                  "change keep the old values, in JWT_SECRET_PREVIOUS or as a further entry of DATA_ENCRYPTION_KEYS. "
                  "docs/configuration.md, \"Data keys\", says what to do when a key is lost",
                  who, kid, fmt::join(keys.kids(), ", ")));
}

bool opens(const crypto::DataKeys& keys, const store::KeyCanary& canary) {
  const auto opened = keys.decrypt(canary.sealed, canary_aad(canary.kid));
  return opened && *opened == kKnown;
}

}   // namespace

std::optional<std::string> fault_of_canary(const store::KeyCanary& canary, const crypto::DataKeys& keys) {
  if (opens(keys, canary)) return std::nullopt;
  return wrong_keys(canary.kid, keys, "it is in use with").error().text;
}

Result<void> check_data_keys(store::Database& db, const crypto::DataKeys& keys) {
  return db.transact_blocking<void>(store::Priority::interactive, [&keys](store::Tx& tx) -> Result<void> {
    auto canaries = store::read_key_canaries(tx);
    if (!canaries) return fail(canaries);
    for (const auto& canary : *canaries) {
      if (opens(keys, canary)) continue;
      // Somebody may be encrypting with the newest key right now; an older one matters while something needs it.
      if (&canary == &canaries->front()) return wrong_keys(canary.kid, keys, "it is in use with");
      auto rows = store::count_rows_under_key(tx, canary.kid);
      if (!rows) return fail(rows);
      if (*rows > 0) return wrong_keys(canary.kid, keys, fmt::format("{} actions and waiting jobs need", *rows));
    }
    const std::string& active = keys.active_kid();
    if (!canaries->empty() && canaries->front().kid == active) return {};
    return store::put_key_canary(tx, {active, keys.encrypt(kKnown, canary_aad(active))});
  });
}

}   // namespace agentauri::app
