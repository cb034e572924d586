// What an operator does to users, from the command line: plain functions over a transaction. A user is named by user
// name or, with an `@`, by e-mail address, and compared without case.
//
// Whatever takes access away revokes the sessions in the same transaction, and tells every process to look again at
// the user's API keys: within a second nobody serves them any more.
#pragma once

#include <string>
#include <vector>

#include "gateway/use_cases/accounts.hpp"

namespace agentauri::gateway {

// 404.
Outcome<store::Account> find_user(store::Tx& tx, const std::string& name);

// Clears a lock too, and ends every session. How many ended.
Outcome<std::size_t> reset_password(store::Tx& tx, domain::AccountId user, const std::string& password_hash, Time now);
// Ends every session; the keys that the user made are refused until the user is enabled again. How many sessions ended.
Outcome<std::size_t> disable_user(store::Tx& tx, domain::AccountId user, Time now);
Outcome<void> enable_user(store::Tx& tx, domain::AccountId user, Time now);
// An administrator, or not any more.
Outcome<void> promote_user(store::Tx& tx, domain::AccountId user, bool is_admin, Time now);
// Clears the lock that wrong passwords brought.
Outcome<void> unlock_user(store::Tx& tx, domain::AccountId user);
// Ends every session. How many ended.
Outcome<std::size_t> sign_out_user(store::Tx& tx, domain::AccountId user, Time now);

}   // namespace agentauri::gateway
