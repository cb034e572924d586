// Where tools get a new password from: standard input, the terminal, or randomness. Never from an argument, where other
// users of the machine and the shell's history could read it.
#pragma once

#include <string>

#include "core/base/result.hpp"

namespace agentauri::app {

enum class PasswordSource : std::uint8_t { terminal, standard_input, generated };

// From the terminal twice, without echo; from standard input its first line. Code::invalid, a sentence that names the
// flag, when there is no terminal to ask, nothing to read, or the two differ.
Result<std::string> read_new_password(PasswordSource source);

// 23 characters of about 115 random bits that every policy takes.
std::string generate_password();

}   // namespace agentauri::app
