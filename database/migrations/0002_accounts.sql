-- Accounts, organizations, sessions.
BEGIN;
SET LOCAL search_path = public;

DO $$
BEGIN
  IF to_regclass('public.agentauri_migrations') IS NULL THEN
    RAISE EXCEPTION 'apply 0001_ledger.sql first: this database is not AgentAuri''s';
  END IF;
END $$;

CREATE TABLE IF NOT EXISTS accounts (
  id             uuid PRIMARY KEY,
  username       text NOT NULL,          -- as written
  username_key   text NOT NULL UNIQUE,   -- how it is compared: case-folded
  email          text NOT NULL,
  email_key      text NOT NULL UNIQUE,
  password_hash  text,                   -- Argon2id, PHC string; NULL without a password
  name           text,
  avatar         text,
  is_active      boolean NOT NULL DEFAULT true,
  failed_logins  integer NOT NULL DEFAULT 0,
  last_failed_at timestamptz,
  locked_until   timestamptz,
  last_login_at  timestamptz,
  created_at     timestamptz NOT NULL,
  updated_at     timestamptz NOT NULL
);

CREATE TABLE IF NOT EXISTS organizations (
  id          uuid PRIMARY KEY,
  name        text NOT NULL,
  slug        text NOT NULL,
  description text,
  owner_id    uuid NOT NULL REFERENCES accounts (id),
  plan        text NOT NULL DEFAULT 'free' CHECK (plan IN ('free', 'starter', 'pro', 'enterprise')),
  is_personal boolean NOT NULL DEFAULT false,
  created_at  timestamptz NOT NULL,
  updated_at  timestamptz NOT NULL,
  UNIQUE (owner_id, slug)
);

CREATE TABLE IF NOT EXISTS members (
  id              uuid PRIMARY KEY,
  organization_id uuid NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  account_id      uuid NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
  role            text NOT NULL CHECK (role IN ('owner', 'admin', 'member', 'viewer')),
  created_at      timestamptz NOT NULL,
  UNIQUE (organization_id, account_id)
);
CREATE INDEX IF NOT EXISTS members_by_account ON members (account_id);

CREATE TABLE IF NOT EXISTS sessions (
  id            uuid PRIMARY KEY,        -- the `sid` of access tokens and the family of refresh tokens
  account_id    uuid NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
  created_at    timestamptz NOT NULL,
  last_used_at  timestamptz NOT NULL,
  expires_at    timestamptz NOT NULL,
  revoked_at    timestamptz,
  revoke_reason text,
  user_agent    text,
  ip            text
);
CREATE INDEX IF NOT EXISTS sessions_by_account ON sessions (account_id, created_at);
CREATE INDEX IF NOT EXISTS sessions_by_end ON sessions (expires_at);
CREATE INDEX IF NOT EXISTS sessions_revoked ON sessions (revoked_at) WHERE revoked_at IS NOT NULL;

CREATE TABLE IF NOT EXISTS refresh_tokens (
  id         uuid PRIMARY KEY,
  session_id uuid NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
  token_hash text NOT NULL UNIQUE,       -- SHA-256, hex
  created_at timestamptz NOT NULL,       -- also `iat` of the access token issued with it
  expires_at timestamptz NOT NULL,
  used_at    timestamptz,                -- first presented: its own predecessor is dead from then on
  user_agent text,
  ip         text
);
CREATE INDEX IF NOT EXISTS refresh_tokens_by_session ON refresh_tokens (session_id);
CREATE INDEX IF NOT EXISTS refresh_tokens_by_end ON refresh_tokens (expires_at);
CREATE INDEX IF NOT EXISTS refresh_tokens_used ON refresh_tokens (used_at) WHERE used_at IS NOT NULL;

-- Sessions revoked, in order; every process polls it (counter `revocations`).
CREATE TABLE IF NOT EXISTS revocations (
  seq        bigint PRIMARY KEY,
  session_id uuid NOT NULL,
  at         timestamptz NOT NULL
);
CREATE INDEX IF NOT EXISTS revocations_by_time ON revocations (at);

INSERT INTO agentauri_migrations (version, name) VALUES (2, 'accounts') ON CONFLICT DO NOTHING;
COMMIT;
