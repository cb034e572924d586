// What the answers of /auth/* have in common: tokens in the body and as cookies (http-api.md 3.4), and a lane that is
// full.
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "gateway/api/request.hpp"

namespace agentauri::gateway {

using HeaderPairs = std::vector<std::pair<std::string, std::string>>;

HeaderPairs token_cookies(const TokenPair& tokens, bool production);
// Removes both.
HeaderPairs no_token_cookies();
// An AuthResponse with its cookies.
Reply signed_in(SignedIn&& who, int status, bool production);

// 503: too many passwords are being checked.
Refusal lane_full();

}   // namespace agentauri::gateway
