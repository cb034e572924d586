// What both engines take as a value, whatever their own types would let through: one rule, so that they behave alike.
#pragma once

#include <string_view>

#include "store/database.hpp"

namespace agentauri::store {

// UTF-8 without NUL.
bool is_storable_text(std::string_view text);

// Code::invalid: text that is not storable, or a number that is not a whole decimal in its shortest form (PostgreSQL
// would round or rewrite it). Code::overflow: more than 39 digits, or a time outside the years 1 to 9999. `field` is
// the parameter's name.
Result<void> check_value(const Params::Param& param, std::string_view query);

}   // namespace agentauri::store
