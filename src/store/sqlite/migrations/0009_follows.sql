-- Agents that an organization follows; dead deliveries that are sent again; events by their transaction.
-- Whether a follow is enabled, and what it does, is what its triggers say: there is no second truth.
CREATE TABLE IF NOT EXISTS agent_follows (
  id              BLOB PRIMARY KEY,
  organization_id BLOB NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  account_id      BLOB NOT NULL,          -- who made it
  agent_id        TEXT NOT NULL,          -- uint256, decimal
  chain_id        INTEGER NOT NULL,
  created_at      INTEGER NOT NULL,
  updated_at      INTEGER NOT NULL,
  UNIQUE (organization_id, chain_id, agent_id)
) STRICT;
CREATE INDEX IF NOT EXISTS agent_follows_by_organization ON agent_follows (organization_id, created_at DESC, id DESC);

-- One for each registry, while the trigger exists; the follow goes with the last of them.
CREATE TABLE IF NOT EXISTS agent_follow_triggers (
  trigger_id BLOB PRIMARY KEY REFERENCES triggers (id) ON DELETE CASCADE,
  follow_id  BLOB NOT NULL REFERENCES agent_follows (id) ON DELETE CASCADE,
  registry   TEXT NOT NULL CHECK (registry IN ('identity', 'reputation', 'validation')),
  UNIQUE (follow_id, registry)
) STRICT;

-- Attempts up to this one belong to an earlier life of the job: a replay starts the waits between attempts anew.
ALTER TABLE jobs ADD COLUMN ladder_from INTEGER NOT NULL DEFAULT 0;

-- An event of a given id is looked for by the transaction in it.
CREATE INDEX IF NOT EXISTS events_by_txn ON events (txn_hash);
