-- Where PostgreSQL has a narrower type, a CHECK named range_<column> stands for it; it is reported as an overflow.
-- The ledger of migrations, and the guard: a schema that is not ours is refused, never adopted.
CREATE TABLE IF NOT EXISTS agentauri_migrations (
  version    INTEGER PRIMARY KEY,
  name       TEXT NOT NULL,
  checksum   TEXT,                       -- SHA-256 of the file; NULL until `agentauri migrate` adopts what psql applied
  applied_at INTEGER NOT NULL
) STRICT;

-- Gap-free sequences, drawn inside the transaction that uses them, so that a reader that polls past n misses nothing.
CREATE TABLE IF NOT EXISTS counters (
  name  TEXT PRIMARY KEY,
  value INTEGER NOT NULL
) STRICT;
INSERT INTO counters (name, value) VALUES ('trigger_revisions', 0), ('revocations', 0) ON CONFLICT DO NOTHING;

-- Processes and what they hold. A lease is void when its holder's heartbeat is older than 3 s on this clock.
CREATE TABLE IF NOT EXISTS instances (
  id           BLOB PRIMARY KEY,
  host         TEXT NOT NULL,            -- boot id and pid namespace: where `pid` can be looked up
  pid          INTEGER NOT NULL,
  pid_start    INTEGER NOT NULL,          -- start time of that pid, so that a reused number is not taken for it
  roles        TEXT NOT NULL,
  started_at   INTEGER NOT NULL,
  heartbeat_at INTEGER NOT NULL
) STRICT;
CREATE TABLE IF NOT EXISTS leases (
  name        TEXT PRIMARY KEY,
  instance_id BLOB NOT NULL,
  epoch       INTEGER NOT NULL,           -- grows with each take-over; checked in every commit that it guards
  acquired_at INTEGER NOT NULL
) STRICT;

