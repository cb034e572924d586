// Statements over a batch of jobs: the ids travel as one blob of 32 bytes each, what belongs to them as a JSON array in
// the same order. For the .cpp files of jobs only.
#pragma once

#include "core/base/bytes.hpp"
#include "domain/job.hpp"

namespace agentauri::store {

// The ids of a batch.
#define JOB_IDS                                                                                                  \
  "(WITH RECURSIVE place(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM place WHERE (i + 2) * 32 <= length(:ids)) " \
  "SELECT substr(:ids, i * 32 + 1, 32) FROM place)"
#define JOB_IDS_POSTGRES                                                                                           \
  "(ARRAY(SELECT substr(CAST(:ids AS bytea), i * 32 + 1, 32) FROM generate_series(0, length(CAST(:ids AS bytea)) " \
  "/ 32 - 1) AS place(i)))"

// One row for each id, with its item of the JSON array :rows.
#define JOB_ROWS(COLUMNS) "(SELECT substr(:ids, key * 32 + 1, 32) AS id, " COLUMNS " FROM json_each(:rows)) AS r "
#define JOB_ROWS_POSTGRES(COLUMNS)                                                               \
  "(SELECT substr(CAST(:ids AS bytea), CAST(place - 1 AS integer) * 32 + 1, 32) AS id, " COLUMNS \
  " FROM json_array_elements(CAST(CAST(:rows AS text) AS json)) WITH ORDINALITY AS item(value, place)) AS r "

class JobIdList {
 public:
  void add(const domain::JobId& id) {
    const auto view = id.view();
    bytes_.insert(bytes_.end(), view.begin(), view.end());
  }
  bool empty() const { return bytes_.empty(); }
  const Bytes& bytes() const { return bytes_; }

 private:
  Bytes bytes_;
};

}   // namespace agentauri::store
