// The command line: sub-commands and flags, turned into settings and one function to run.
#pragma once

#include <functional>
#include <string>

#include "core/config/environment.hpp"

namespace agentauri::app {

// Runs the program and returns its exit code. `program` is the name it was started under.
int run_program(int argc, char** argv);

}   // namespace agentauri::app
