-- Wallets of accounts, the texts that were issued for signing, and agents linked to organizations.

-- How else an account signs in: a wallet now, other providers later.
CREATE TABLE IF NOT EXISTS identities (
  id               BLOB PRIMARY KEY,
  account_id       BLOB NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
  provider         TEXT NOT NULL,
  provider_user_id TEXT NOT NULL,        -- of a wallet: its lower-case address, of a contract with its chain before it
  wallet_address   TEXT,                 -- lower-case
  chain_id         INTEGER,
  email            TEXT,
  display_name     TEXT,
  avatar           TEXT,
  created_at       INTEGER NOT NULL,
  last_used_at     INTEGER NOT NULL,
  UNIQUE (provider, provider_user_id)
) STRICT;
CREATE INDEX IF NOT EXISTS identities_by_account ON identities (account_id, created_at);

CREATE TABLE IF NOT EXISTS auth_nonces (
  nonce      BLOB PRIMARY KEY,
  purpose    TEXT NOT NULL CHECK (purpose IN ('login', 'agent_link')),
  address    TEXT NOT NULL,              -- lower-case: the one it was issued for
  chain_id   INTEGER NOT NULL,
  message    TEXT NOT NULL,              -- as issued
  attempts   INTEGER NOT NULL DEFAULT 0 CONSTRAINT range_attempts CHECK (attempts BETWEEN -2147483648 AND 2147483647), -- bad signatures so far
  created_at INTEGER NOT NULL,
  expires_at INTEGER NOT NULL,
  used_at    INTEGER
) STRICT;
CREATE INDEX IF NOT EXISTS auth_nonces_by_expiry ON auth_nonces (expires_at);

CREATE TABLE IF NOT EXISTS agent_links (
  id              BLOB PRIMARY KEY,
  chain_id        INTEGER NOT NULL,
  registry        TEXT NOT NULL,         -- the identity registry, lower-case
  agent_id        TEXT NOT NULL,         -- uint256, decimal
  organization_id BLOB NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  wallet_address  TEXT NOT NULL,         -- as sent: the owner of the agent when it was linked
  linked_by       BLOB NOT NULL,
  signature       TEXT NOT NULL,
  status          TEXT NOT NULL CHECK (status IN ('active', 'revoked')),
  revoke_reason   TEXT,
  revoked_at      INTEGER,
  created_at      INTEGER NOT NULL,
  checked_at      INTEGER NOT NULL       -- when the chain last said that the wallet owns the agent
) STRICT;
CREATE UNIQUE INDEX IF NOT EXISTS agent_links_active ON agent_links (chain_id, registry, agent_id) WHERE status = 'active';
CREATE INDEX IF NOT EXISTS agent_links_by_check ON agent_links (checked_at) WHERE status = 'active';
-- Who got an agent: few rows among many, and asked for again and again.
CREATE INDEX IF NOT EXISTS events_transfers ON events (agent_id, chain_id, inserted_at) WHERE event_type = 'Transfer';
CREATE INDEX IF NOT EXISTS agent_links_by_organization ON agent_links (organization_id, created_at DESC);
