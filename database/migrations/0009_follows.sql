-- Agents that an organization follows; dead deliveries that are sent again; events by their transaction.
BEGIN;
SET LOCAL search_path = public;

DO $$
BEGIN
  IF to_regclass('public.agentauri_migrations') IS NULL THEN
    RAISE EXCEPTION 'apply 0001_ledger.sql first: this database is not AgentAuri''s';
  END IF;
END $$;

-- Whether a follow is enabled, and what it does, is what its triggers say: there is no second truth.
CREATE TABLE IF NOT EXISTS agent_follows (
  id              uuid PRIMARY KEY,
  organization_id uuid NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  account_id      uuid NOT NULL,          -- who made it
  agent_id        text NOT NULL,          -- uint256, decimal
  chain_id        bigint NOT NULL,
  created_at      timestamptz NOT NULL,
  updated_at      timestamptz NOT NULL,
  UNIQUE (organization_id, chain_id, agent_id)
);
CREATE INDEX IF NOT EXISTS agent_follows_by_organization ON agent_follows (organization_id, created_at DESC, id DESC);

-- One for each registry, while the trigger exists; the follow goes with the last of them.
CREATE TABLE IF NOT EXISTS agent_follow_triggers (
  trigger_id uuid PRIMARY KEY REFERENCES triggers (id) ON DELETE CASCADE,
  follow_id  uuid NOT NULL REFERENCES agent_follows (id) ON DELETE CASCADE,
  registry   text NOT NULL CHECK (registry IN ('identity', 'reputation', 'validation')),
  UNIQUE (follow_id, registry)
);

-- Attempts up to this one belong to an earlier life of the job: a replay starts the waits between attempts anew.
ALTER TABLE jobs ADD COLUMN IF NOT EXISTS ladder_from bigint NOT NULL DEFAULT 0;

-- An event of a given id is looked for by the transaction in it.
CREATE INDEX IF NOT EXISTS events_by_txn ON events (txn_hash);

INSERT INTO agentauri_migrations (version, name) VALUES (9, 'follows') ON CONFLICT DO NOTHING;
COMMIT;
