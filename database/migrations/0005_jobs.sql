-- Jobs and their attempts.
BEGIN;
SET LOCAL search_path = public;

DO $$
BEGIN
  IF to_regclass('public.agentauri_migrations') IS NULL THEN
    RAISE EXCEPTION 'apply 0001_ledger.sql first: this database is not AgentAuri''s';
  END IF;
END $$;

-- No foreign keys: a job outlives its trigger, and says what became of it.
CREATE TABLE IF NOT EXISTS jobs (
  id               bytea PRIMARY KEY,    -- hash of the occurrence; the webhook-id
  organization_id  uuid NOT NULL,
  trigger_id       uuid NOT NULL,
  action_id        integer NOT NULL,
  action_type      text NOT NULL,
  kind             text NOT NULL,        -- alert
  state            text NOT NULL CHECK (state IN ('held', 'pending', 'leased', 'succeeded', 'dead', 'cancelled', 'expired')),
  reason           text,                 -- of cancelled, dead and expired
  priority         integer NOT NULL,
  chain_id         bigint NOT NULL,
  block_num        bigint NOT NULL,
  block_hash       bytea NOT NULL,
  seq              bigint NOT NULL,      -- place in the chain's block log
  hold_until_block bigint,
  orphaned         boolean NOT NULL DEFAULT false,   -- its block has left the chain
  event_id         text NOT NULL,
  event_data       text NOT NULL,        -- JSON: what templates can see
  body             text,                 -- rendered; fixed from the first attempt on
  explanation      text NOT NULL,        -- JSON: why it fired
  endpoint         text,                 -- scheme://host:port, for per-endpoint limits
  next_at          timestamptz NOT NULL,
  expires_at       timestamptz,
  attempts         integer NOT NULL DEFAULT 0,
  lease_instance   uuid,
  lease_epoch      bigint NOT NULL DEFAULT 0,        -- grows with each claim; a result must name it
  request_id       text NOT NULL,
  created_at       timestamptz NOT NULL,
  updated_at       timestamptz NOT NULL,
  finished_at      timestamptz
);
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
  job_id      bytea NOT NULL,
  n           integer NOT NULL,          -- 1, 2, …
  intended_at timestamptz NOT NULL,
  finished_at timestamptz,               -- NULL while under way
  outcome     text CHECK (outcome IN ('ok', 'refused', 'network', 'http', 'unknown')),
  status      integer,
  duration_us bigint,
  excerpt     text,                      -- of the answer, or why there is none; at most 4 KiB
  request_id  text NOT NULL,
  PRIMARY KEY (job_id, n)
);

INSERT INTO agentauri_migrations (version, name) VALUES (5, 'jobs') ON CONFLICT DO NOTHING;
COMMIT;
