-- Jobs and their attempts.
-- No foreign keys: a job outlives its trigger, and says what became of it.
CREATE TABLE IF NOT EXISTS jobs (
  id               BLOB PRIMARY KEY,    -- hash of the occurrence; the webhook-id
  organization_id  BLOB NOT NULL,
  trigger_id       BLOB NOT NULL,
  action_id        INTEGER NOT NULL CONSTRAINT range_action_id CHECK (action_id BETWEEN -2147483648 AND 2147483647),
  action_type      TEXT NOT NULL,
  kind             TEXT NOT NULL,        -- alert
  state            TEXT NOT NULL CHECK (state IN ('held', 'pending', 'leased', 'succeeded', 'dead', 'cancelled', 'expired')),
  reason           TEXT,                 -- of cancelled, dead and expired
  priority         INTEGER NOT NULL CONSTRAINT range_priority CHECK (priority BETWEEN -2147483648 AND 2147483647),
  chain_id         INTEGER NOT NULL,
  block_num        INTEGER NOT NULL,
  block_hash       BLOB NOT NULL,
  seq              INTEGER NOT NULL,      -- place in the chain's block log
  hold_until_block INTEGER,
  orphaned         INTEGER NOT NULL DEFAULT 0,   -- its block has left the chain
  event_id         TEXT NOT NULL,
  event_data       TEXT NOT NULL,        -- JSON: what templates can see
  body             TEXT,                 -- rendered; fixed from the first attempt on
  explanation      TEXT NOT NULL,        -- JSON: why it fired
  endpoint         TEXT,                 -- scheme://host:port, for per-endpoint limits
  next_at          INTEGER NOT NULL,
  expires_at       INTEGER,
  attempts         INTEGER NOT NULL DEFAULT 0 CONSTRAINT range_attempts CHECK (attempts BETWEEN -2147483648 AND 2147483647),
  lease_instance   BLOB,
  lease_epoch      INTEGER NOT NULL DEFAULT 0,        -- grows with each claim; a result must name it
  request_id       TEXT NOT NULL,
  created_at       INTEGER NOT NULL,
  updated_at       INTEGER NOT NULL,
  finished_at      INTEGER
) STRICT;
CREATE INDEX IF NOT EXISTS jobs_due ON jobs (next_at) WHERE state = 'pending';
CREATE INDEX IF NOT EXISTS jobs_leased ON jobs (lease_instance) WHERE state = 'leased';
CREATE INDEX IF NOT EXISTS jobs_held ON jobs (chain_id, hold_until_block) WHERE state = 'held';
CREATE INDEX IF NOT EXISTS jobs_unsent ON jobs (trigger_id, state) WHERE state IN ('held', 'pending');
CREATE INDEX IF NOT EXISTS jobs_dead ON jobs (trigger_id, finished_at) WHERE state = 'dead';
CREATE INDEX IF NOT EXISTS jobs_by_trigger ON jobs (trigger_id, created_at DESC);
CREATE INDEX IF NOT EXISTS jobs_by_block ON jobs (chain_id, block_hash);
CREATE INDEX IF NOT EXISTS jobs_ended ON jobs (finished_at) WHERE finished_at IS NOT NULL;   -- those to forget first

-- One row per try, durable before bytes leave.
CREATE TABLE IF NOT EXISTS attempts (
  job_id      BLOB NOT NULL,
  n           INTEGER NOT NULL CONSTRAINT range_n CHECK (n BETWEEN -2147483648 AND 2147483647),          -- 1, 2, …
  intended_at INTEGER NOT NULL,
  finished_at INTEGER,               -- NULL while under way
  outcome     TEXT CHECK (outcome IN ('ok', 'refused', 'network', 'http', 'unknown')),
  status      INTEGER CONSTRAINT range_status CHECK (status BETWEEN -2147483648 AND 2147483647),
  duration_us INTEGER,
  excerpt     TEXT,                      -- of the answer, or why there is none; at most 4 KiB
  request_id  TEXT NOT NULL,
  PRIMARY KEY (job_id, n)
) STRICT;

