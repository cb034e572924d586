#include "store/database.hpp"

namespace agentauri::store {

Params& Params::add(std::string_view name, Kind kind, Cell value) {
  params_.push_back({name, kind, std::move(value)});
  return *this;
}

Params& Params::null(std::string_view name) {
  return add(name, Kind::null, {});
}

Params& Params::i64(std::string_view name, std::optional<std::int64_t> value) {
  return value ? add(name, Kind::i64, *value) : null(name);
}
Params& Params::boolean(std::string_view name, std::optional<bool> value) {
  return value ? add(name, Kind::boolean, *value) : null(name);
}
Params& Params::text(std::string_view name, std::optional<std::string> value) {
  return value ? add(name, Kind::text, std::move(*value)) : null(name);
}
Params& Params::blob(std::string_view name, ByteView value) {
  return add(name, Kind::blob, Bytes(value.begin(), value.end()));
}
Params& Params::uuid(std::string_view name, const std::optional<Uuid>& value) {
  return value ? add(name, Kind::uuid, Bytes(value->data.begin(), value->data.end())) : null(name);
}
Params& Params::time(std::string_view name, std::optional<Time> value) {
  return value ? add(name, Kind::time, to_micros(*value)) : null(name);
}
Params& Params::numeric(std::string_view name, std::optional<std::string> decimal_text) {
  return decimal_text ? add(name, Kind::numeric, std::move(*decimal_text)) : null(name);
}

Rows::Rows(std::size_t columns, std::vector<Cell> cells, std::int64_t affected)
    : columns_(columns), cells_(std::move(cells)), affected_(affected) {}

const Cell& Rows::cell(std::size_t row, std::size_t column) const {
  ENSURE(row < size() && column < columns_, "a cell outside the answer was asked for");
  return cells_[row * columns_ + column];
}

bool Rows::is_null(std::size_t row, std::size_t column) const {
  return std::holds_alternative<std::monostate>(cell(row, column));
}

std::int64_t Rows::i64(std::size_t row, std::size_t column) const {
  const auto* value = std::get_if<std::int64_t>(&cell(row, column));
  ENSURE(value != nullptr, "the column is not an integer");
  return *value;
}

bool Rows::boolean(std::size_t row, std::size_t column) const {
  const Cell& value = cell(row, column);
  if (const auto* flag = std::get_if<bool>(&value)) return *flag;
  const auto* number = std::get_if<std::int64_t>(&value);
  ENSURE(number != nullptr, "the column is not a boolean");
  return *number != 0;
}

const std::string& Rows::text(std::size_t row, std::size_t column) const {
  const auto* value = std::get_if<std::string>(&cell(row, column));
  ENSURE(value != nullptr, "the column is not text");
  return *value;
}

Bytes Rows::blob(std::size_t row, std::size_t column) const {
  const auto* value = std::get_if<Bytes>(&cell(row, column));
  ENSURE(value != nullptr, "the column is not binary");
  return *value;
}

Uuid Rows::uuid(std::size_t row, std::size_t column) const {
  return fixed<16>(row, column);
}

Time Rows::time(std::size_t row, std::size_t column) const {
  return from_micros(i64(row, column));
}

std::optional<std::int64_t> Rows::i64_or_null(std::size_t row, std::size_t column) const {
  if (is_null(row, column)) return std::nullopt;
  return i64(row, column);
}
std::optional<std::string> Rows::text_or_null(std::size_t row, std::size_t column) const {
  if (is_null(row, column)) return std::nullopt;
  return text(row, column);
}
std::optional<Uuid> Rows::uuid_or_null(std::size_t row, std::size_t column) const {
  if (is_null(row, column)) return std::nullopt;
  return uuid(row, column);
}
std::optional<Time> Rows::time_or_null(std::size_t row, std::size_t column) const {
  if (is_null(row, column)) return std::nullopt;
  return time(row, column);
}

}   // namespace agentauri::store
