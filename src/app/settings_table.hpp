// The one list of settings that people read: docs/configuration.md holds what `agentauri check-config --document`
// prints of it. The readers (settings.cpp, *_settings.cpp) decide; settings_table_test.cpp holds every name that they
// ask for, its range and its default against this list. A new setting is a line in its reader and a row here.
#pragma once

#include <span>
#include <string>
#include <string_view>

namespace agentauri::app {

// Texts are Markdown of a table cell.
struct SettingRow {
  // As in the environment; `<id>` stands for a chain's id, `<CHAIN>` and `<PROVIDER>` for older words.
  std::string_view name;
  std::string_view fallback;   // what holds when it is not set: `a literal` in backticks, or words; "–": nothing
  std::string_view accepts;
  std::string_view meaning;
  std::string_view others = {};   // further names that it is known by, a blank between
  std::string_view flag = {};     // of `serve`
  bool is_secret = false;         // never in a log, an answer or a help text
};

struct SettingGroup {
  std::string_view title;
  std::span<const SettingRow> rows;
};
std::span<const SettingGroup> setting_groups();

// The tables of docs/configuration.md, as Markdown that ends with a newline.
std::string settings_document();

}   // namespace agentauri::app
