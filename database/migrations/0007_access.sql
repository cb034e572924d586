-- Who invited a member; API keys, what was done with them, and what looked like one and was none.
BEGIN;
SET LOCAL search_path = public;

DO $$
BEGIN
  IF to_regclass('public.agentauri_migrations') IS NULL THEN
    RAISE EXCEPTION 'apply 0001_ledger.sql first: this database is not AgentAuri''s';
  END IF;
END $$;

ALTER TABLE members ADD COLUMN IF NOT EXISTS invited_by uuid;   -- NULL: the owner from the start

-- A change of a key also appends its id to `revocations`: every process forgets what it knew of it.
CREATE TABLE IF NOT EXISTS api_keys (
  id                  uuid PRIMARY KEY,
  organization_id     uuid NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  name                text NOT NULL,
  key_hash            text NOT NULL UNIQUE,   -- SHA-256 of the whole key, hex; the key itself is nowhere
  prefix              text NOT NULL,          -- its first 16 characters
  environment         text NOT NULL CHECK (environment IN ('live', 'test')),
  key_type            text NOT NULL CHECK (key_type IN ('standard', 'restricted', 'admin')),
  permissions         text NOT NULL,          -- JSON array of read, write, delete, admin
  rate_limit_override bigint CHECK (rate_limit_override BETWEEN 1 AND 100000),   -- requests per hour
  expires_at          timestamptz,
  created_at          timestamptz NOT NULL,
  created_by          uuid NOT NULL REFERENCES accounts (id),
  last_used_at        timestamptz,
  last_used_ip        text,
  revoked_at          timestamptz,
  revoke_reason       text
);
CREATE INDEX IF NOT EXISTS api_keys_by_organization ON api_keys (organization_id, created_at DESC, id DESC);

-- No foreign keys: a row outlives its key and its organization, until it is a month old.
CREATE TABLE IF NOT EXISTS api_key_audit (
  id              uuid PRIMARY KEY,
  key_id          uuid NOT NULL,
  organization_id uuid NOT NULL,
  event_type      text NOT NULL CHECK (event_type IN ('created', 'updated', 'revoked', 'rotated', 'used', 'auth_failed', 'rate_limited')),
  ip              text,
  user_agent      text,
  endpoint        text,                       -- path of the request
  actor_id        uuid,                       -- the user; NULL for the use of a key
  details         text,                       -- JSON
  created_at      timestamptz NOT NULL
);
CREATE INDEX IF NOT EXISTS api_key_audit_by_organization ON api_key_audit (organization_id, event_type, created_at);
CREATE INDEX IF NOT EXISTS api_key_audit_by_time ON api_key_audit (created_at);

CREATE TABLE IF NOT EXISTS auth_failures (
  id           uuid PRIMARY KEY,
  failure_type text NOT NULL CHECK (failure_type IN ('invalid_format', 'invalid_key')),
  key_prefix   text,
  ip           text,
  user_agent   text,
  endpoint     text,
  details      text,                          -- JSON
  created_at   timestamptz NOT NULL
);
CREATE INDEX IF NOT EXISTS auth_failures_by_time ON auth_failures (created_at);

INSERT INTO agentauri_migrations (version, name) VALUES (7, 'access') ON CONFLICT DO NOTHING;
COMMIT;
