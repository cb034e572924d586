-- What the engine sets aside: events that it cannot process, and how much of their hour organizations have used.
BEGIN;
SET LOCAL search_path = public;

DO $$
BEGIN
  IF to_regclass('public.agentauri_migrations') IS NULL THEN
    RAISE EXCEPTION 'apply 0001_ledger.sql first: this database is not AgentAuri''s';
  END IF;
END $$;

-- An event that failed again and again and was passed over, so that its chain goes on. It stays in `events`.
CREATE TABLE IF NOT EXISTS event_dead_letters (
  chain_id   bigint NOT NULL,
  block_hash bytea NOT NULL,
  position   bigint NOT NULL,            -- among the block's events, from 0
  event_id   text,                       -- NULL: the row itself cannot be read
  error      text NOT NULL,
  attempts   integer NOT NULL,
  first_seen timestamptz NOT NULL,
  last_seen  timestamptz NOT NULL,
  PRIMARY KEY (chain_id, block_hash, position)
);

-- Organizations near or over their ceiling of jobs: the time up to which their jobs are spread.
CREATE TABLE IF NOT EXISTS organization_pace (
  organization_id uuid PRIMARY KEY,
  used_until      timestamptz NOT NULL
);

-- The circuit breaker of a trigger's evaluation; its state is the trigger_state of condition 0. A reset is a new revision.
ALTER TABLE triggers ADD COLUMN IF NOT EXISTS breaker_threshold bigint NOT NULL DEFAULT 10;
ALTER TABLE triggers ADD COLUMN IF NOT EXISTS breaker_recovery_seconds bigint NOT NULL DEFAULT 3600;
ALTER TABLE triggers ADD COLUMN IF NOT EXISTS breaker_half_open_calls bigint NOT NULL DEFAULT 1;
ALTER TABLE triggers ADD COLUMN IF NOT EXISTS breaker_revision bigint NOT NULL DEFAULT 1;
CREATE INDEX IF NOT EXISTS trigger_state_breakers ON trigger_state (trigger_id) WHERE condition_id = 0;

INSERT INTO agentauri_migrations (version, name) VALUES (6, 'engine') ON CONFLICT DO NOTHING;
COMMIT;
