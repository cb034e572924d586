// Between our cells and PostgreSQL's wire format, by type OID.
#pragma once

#include <libpq-fe.h>

#include <string>

#include "store/database.hpp"

namespace agentauri::store::postgres {

// `:name` becomes `$n`, numbered by first appearance; strings, quoted names and comments are left alone. Fills `names`.
std::string number_parameters(std::string_view sql, std::vector<std::string>& names);

struct Encoded {
  std::string bytes;
  bool binary = true;
  bool null = false;
};
// Code::overflow when the number does not fit the type, Code::invalid when the kinds do not go together.
Result<Encoded> encode_cell(const Params::Param& param, Oid type);
Result<Cell> decode_cell(std::string_view bytes, Oid type);

}   // namespace agentauri::store::postgres
