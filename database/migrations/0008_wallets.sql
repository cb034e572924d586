-- Wallets of accounts, the texts that were issued for signing, and agents linked to organizations.
BEGIN;
SET LOCAL search_path = public;

DO $$
BEGIN
  IF to_regclass('public.agentauri_migrations') IS NULL THEN
    RAISE EXCEPTION 'apply 0001_ledger.sql first: this database is not AgentAuri''s';
  END IF;
END $$;

-- How else an account signs in: a wallet now, other providers later.
CREATE TABLE IF NOT EXISTS identities (
  id               uuid PRIMARY KEY,
  account_id       uuid NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
  provider         text NOT NULL,
  provider_user_id text NOT NULL,        -- of a wallet: its lower-case address, of a contract with its chain before it
  wallet_address   text,                 -- lower-case
  chain_id         bigint,
  email            text,
  display_name     text,
  avatar           text,
  created_at       timestamptz NOT NULL,
  last_used_at     timestamptz NOT NULL,
  UNIQUE (provider, provider_user_id)
);
CREATE INDEX IF NOT EXISTS identities_by_account ON identities (account_id, created_at);

CREATE TABLE IF NOT EXISTS auth_nonces (
  nonce      uuid PRIMARY KEY,
  purpose    text NOT NULL CHECK (purpose IN ('login', 'agent_link')),
  address    text NOT NULL,              -- lower-case: the one it was issued for
  chain_id   bigint NOT NULL,
  message    text NOT NULL,              -- as issued
  attempts   integer NOT NULL DEFAULT 0, -- bad signatures so far
  created_at timestamptz NOT NULL,
  expires_at timestamptz NOT NULL,
  used_at    timestamptz
);
CREATE INDEX IF NOT EXISTS auth_nonces_by_expiry ON auth_nonces (expires_at);

CREATE TABLE IF NOT EXISTS agent_links (
  id              uuid PRIMARY KEY,
  chain_id        bigint NOT NULL,
  registry        text NOT NULL,         -- the identity registry, lower-case
  agent_id        text NOT NULL,         -- uint256, decimal
  organization_id uuid NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  wallet_address  text NOT NULL,         -- as sent: the owner of the agent when it was linked
  linked_by       uuid NOT NULL,
  signature       text NOT NULL,
  status          text NOT NULL CHECK (status IN ('active', 'revoked')),
  revoke_reason   text,
  revoked_at      timestamptz,
  created_at      timestamptz NOT NULL,
  checked_at      timestamptz NOT NULL   -- when the chain last said that the wallet owns the agent
);
CREATE UNIQUE INDEX IF NOT EXISTS agent_links_active ON agent_links (chain_id, registry, agent_id) WHERE status = 'active';
CREATE INDEX IF NOT EXISTS agent_links_by_check ON agent_links (checked_at) WHERE status = 'active';
-- Who got an agent: few rows among many, and asked for again and again.
CREATE INDEX IF NOT EXISTS events_transfers ON events (agent_id, chain_id, inserted_at) WHERE event_type = 'Transfer';
CREATE INDEX IF NOT EXISTS agent_links_by_organization ON agent_links (organization_id, created_at DESC);

INSERT INTO agentauri_migrations (version, name) VALUES (8, 'wallets') ON CONFLICT DO NOTHING;
COMMIT;
