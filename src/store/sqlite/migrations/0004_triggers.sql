-- Triggers, their revisions, and the engine's state with its undo.
CREATE TABLE IF NOT EXISTS triggers (
  id                BLOB PRIMARY KEY,
  organization_id   BLOB NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  account_id        BLOB NOT NULL,
  name              TEXT NOT NULL,
  description       TEXT,
  chain_id          INTEGER,              -- NULL: every chain
  registry          TEXT NOT NULL CHECK (registry IN ('identity', 'reputation', 'validation')),
  enabled           INTEGER NOT NULL,
  is_stateful       INTEGER NOT NULL,
  min_confirmations INTEGER CONSTRAINT range_min_confirmations CHECK (min_confirmations BETWEEN -2147483648 AND 2147483647),
  last_error        TEXT,
  created_at        INTEGER NOT NULL,
  updated_at        INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS triggers_by_organization ON triggers (organization_id, created_at DESC, id DESC);

CREATE TABLE IF NOT EXISTS trigger_conditions (
  id             INTEGER PRIMARY KEY AUTOINCREMENT,
  trigger_id     BLOB NOT NULL REFERENCES triggers (id) ON DELETE CASCADE,
  revision       INTEGER NOT NULL DEFAULT 1,   -- grows with each change: the condition starts with fresh state
  condition_type TEXT NOT NULL,
  field          TEXT NOT NULL,
  operator       TEXT NOT NULL,
  value          TEXT NOT NULL,
  config         TEXT,                   -- JSON, verbatim
  position       INTEGER NOT NULL CONSTRAINT range_position CHECK (position BETWEEN -2147483648 AND 2147483647),
  created_at     INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS trigger_conditions_by_trigger ON trigger_conditions (trigger_id, position, id);

CREATE TABLE IF NOT EXISTS trigger_actions (
  id                      INTEGER PRIMARY KEY AUTOINCREMENT,
  trigger_id              BLOB NOT NULL REFERENCES triggers (id) ON DELETE CASCADE,
  action_type             TEXT NOT NULL CHECK (action_type IN ('telegram', 'rest', 'mcp')),
  priority                INTEGER NOT NULL CONSTRAINT range_priority CHECK (priority BETWEEN -2147483648 AND 2147483647),
  config                  TEXT NOT NULL,  -- JSON; secret members are enc:v1 values
  signing_secret          TEXT,           -- enc:v1, Standard Webhooks `whsec_…`
  previous_signing_secret TEXT,           -- signs beside the new one until it expires
  previous_expires_at     INTEGER,
  disabled_reason         TEXT,           -- set by the worker: 410 Gone, or too many terminal failures
  created_at              INTEGER NOT NULL,
  updated_at              INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS trigger_actions_by_trigger ON trigger_actions (trigger_id, priority, id);

-- Every edit appends the whole trigger as the engine needs it. The engine adopts revisions in order, between batches.
-- No foreign key: a revision outlives its trigger.
CREATE TABLE IF NOT EXISTS trigger_revisions (
  revision   INTEGER PRIMARY KEY,         -- counter `trigger_revisions`
  trigger_id BLOB NOT NULL,
  deleted    INTEGER NOT NULL,
  spec       TEXT NOT NULL,              -- JSON
  created_at INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS trigger_revisions_by_trigger ON trigger_revisions (trigger_id, revision DESC);

CREATE TABLE IF NOT EXISTS engine_cursor (
  shard    INTEGER NOT NULL CONSTRAINT range_shard CHECK (shard BETWEEN -2147483648 AND 2147483647),
  chain_id INTEGER NOT NULL,
  seq      INTEGER NOT NULL,              -- last entry of block_log that is fully processed
  position INTEGER NOT NULL,              -- events done of the entry after it
  revision INTEGER NOT NULL,              -- trigger revision that the last batch used
  epoch    INTEGER NOT NULL,
  PRIMARY KEY (shard, chain_id)
) STRICT;

CREATE TABLE IF NOT EXISTS trigger_state (
  trigger_id    BLOB NOT NULL,
  condition_id  INTEGER NOT NULL,
  condition_rev INTEGER NOT NULL,
  chain_id      INTEGER NOT NULL,
  key           TEXT NOT NULL,           -- '' or the agent id (partition_by)
  state         TEXT NOT NULL,
  block_num     INTEGER NOT NULL,         -- of its last change
  PRIMARY KEY (trigger_id, condition_id, condition_rev, chain_id, key)
) STRICT;

-- What a state was before its first change in a block; NULL: it did not exist. Pruned below finality.
CREATE TABLE IF NOT EXISTS state_images (
  chain_id      INTEGER NOT NULL,
  block_num     INTEGER NOT NULL,
  trigger_id    BLOB NOT NULL,
  condition_id  INTEGER NOT NULL,
  condition_rev INTEGER NOT NULL,
  key           TEXT NOT NULL,
  before        TEXT,
  before_block  INTEGER NOT NULL,
  PRIMARY KEY (chain_id, block_num, trigger_id, condition_id, condition_rev, key)
) STRICT;

-- The keys that secrets in these tables were encrypted with, each with a known text under it. A process that cannot open
-- what is in use does not start.
CREATE TABLE IF NOT EXISTS key_canaries (
  kid     TEXT PRIMARY KEY,
  sealed  TEXT NOT NULL,                 -- enc:v1
  used_at INTEGER NOT NULL               -- when a process last started to encrypt with it
) STRICT;

