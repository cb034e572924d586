-- What the engine sets aside: events that it cannot process, and how much of their hour organizations have used.
-- An event that failed again and again and was passed over, so that its chain goes on. It stays in `events`.
CREATE TABLE IF NOT EXISTS event_dead_letters (
  chain_id   INTEGER NOT NULL,
  block_hash BLOB NOT NULL,
  position   INTEGER NOT NULL,            -- among the block's events, from 0
  event_id   TEXT,                        -- NULL: the row itself cannot be read
  error      TEXT NOT NULL,
  attempts   INTEGER NOT NULL CONSTRAINT range_attempts CHECK (attempts BETWEEN -2147483648 AND 2147483647),
  first_seen INTEGER NOT NULL,
  last_seen  INTEGER NOT NULL,
  PRIMARY KEY (chain_id, block_hash, position)
) STRICT;

-- Organizations near or over their ceiling of jobs: the time up to which their jobs are spread.
CREATE TABLE IF NOT EXISTS organization_pace (
  organization_id BLOB PRIMARY KEY,
  used_until      INTEGER NOT NULL
) STRICT;

-- The circuit breaker of a trigger's evaluation; its state is the trigger_state of condition 0. A reset is a new revision.
ALTER TABLE triggers ADD COLUMN breaker_threshold INTEGER NOT NULL DEFAULT 10;
ALTER TABLE triggers ADD COLUMN breaker_recovery_seconds INTEGER NOT NULL DEFAULT 3600;
ALTER TABLE triggers ADD COLUMN breaker_half_open_calls INTEGER NOT NULL DEFAULT 1;
ALTER TABLE triggers ADD COLUMN breaker_revision INTEGER NOT NULL DEFAULT 1;
CREATE INDEX trigger_state_breakers ON trigger_state (trigger_id) WHERE condition_id = 0;
