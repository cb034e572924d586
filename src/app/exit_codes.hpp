// Exit codes of the program (sysexits.h; design.md 7 fixes 78 and 69).
#pragma once

namespace agentauri::app {

inline constexpr int kExitOk = 0;
inline constexpr int kExitNo = 1;   // ran, and the answer is no
inline constexpr int kExitUsage = 64;
inline constexpr int kExitUnavailable = 69;   // the database cannot be reached; the data folder is in use
inline constexpr int kExitOs = 71;            // the listening address cannot be had
inline constexpr int kExitConfig = 78;

}   // namespace agentauri::app
