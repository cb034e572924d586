-- Accounts, organizations, sessions.
CREATE TABLE IF NOT EXISTS accounts (
  id             BLOB PRIMARY KEY,
  username       TEXT NOT NULL,          -- as written
  username_key   TEXT NOT NULL UNIQUE,   -- how it is compared: case-folded
  email          TEXT NOT NULL,
  email_key      TEXT NOT NULL UNIQUE,
  password_hash  TEXT,                   -- Argon2id, PHC string; NULL without a password
  name           TEXT,
  avatar         TEXT,
  is_active      INTEGER NOT NULL DEFAULT 1,
  failed_logins  INTEGER NOT NULL DEFAULT 0 CONSTRAINT range_failed_logins CHECK (failed_logins BETWEEN -2147483648 AND 2147483647),
  last_failed_at INTEGER,
  locked_until   INTEGER,
  last_login_at  INTEGER,
  created_at     INTEGER NOT NULL,
  updated_at     INTEGER NOT NULL
) STRICT;

CREATE TABLE IF NOT EXISTS organizations (
  id          BLOB PRIMARY KEY,
  name        TEXT NOT NULL,
  slug        TEXT NOT NULL,
  description TEXT,
  owner_id    BLOB NOT NULL REFERENCES accounts (id),
  plan        TEXT NOT NULL DEFAULT 'free' CHECK (plan IN ('free', 'starter', 'pro', 'enterprise')),
  is_personal INTEGER NOT NULL DEFAULT 0,
  created_at  INTEGER NOT NULL,
  updated_at  INTEGER NOT NULL,
  UNIQUE (owner_id, slug)
) STRICT;

CREATE TABLE IF NOT EXISTS members (
  id              BLOB PRIMARY KEY,
  organization_id BLOB NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  account_id      BLOB NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
  role            TEXT NOT NULL CHECK (role IN ('owner', 'admin', 'member', 'viewer')),
  created_at      INTEGER NOT NULL,
  UNIQUE (organization_id, account_id)
) STRICT;
CREATE INDEX IF NOT EXISTS members_by_account ON members (account_id);

CREATE TABLE IF NOT EXISTS sessions (
  id            BLOB PRIMARY KEY,        -- the `sid` of access tokens and the family of refresh tokens
  account_id    BLOB NOT NULL REFERENCES accounts (id) ON DELETE CASCADE,
  created_at    INTEGER NOT NULL,
  last_used_at  INTEGER NOT NULL,
  expires_at    INTEGER NOT NULL,
  revoked_at    INTEGER,
  revoke_reason TEXT,
  user_agent    TEXT,
  ip            TEXT
) STRICT;
CREATE INDEX IF NOT EXISTS sessions_by_account ON sessions (account_id, created_at);
CREATE INDEX IF NOT EXISTS sessions_by_end ON sessions (expires_at);
CREATE INDEX IF NOT EXISTS sessions_revoked ON sessions (revoked_at) WHERE revoked_at IS NOT NULL;

CREATE TABLE IF NOT EXISTS refresh_tokens (
  id         BLOB PRIMARY KEY,
  session_id BLOB NOT NULL REFERENCES sessions (id) ON DELETE CASCADE,
  token_hash TEXT NOT NULL UNIQUE,       -- SHA-256, hex
  created_at INTEGER NOT NULL,       -- also `iat` of the access token issued with it
  expires_at INTEGER NOT NULL,
  used_at    INTEGER,                -- first presented: its own predecessor is dead from then on
  user_agent TEXT,
  ip         TEXT
) STRICT;
CREATE INDEX IF NOT EXISTS refresh_tokens_by_session ON refresh_tokens (session_id);
CREATE INDEX IF NOT EXISTS refresh_tokens_by_end ON refresh_tokens (expires_at);
CREATE INDEX IF NOT EXISTS refresh_tokens_used ON refresh_tokens (used_at) WHERE used_at IS NOT NULL;

-- Sessions revoked, in order; every process polls it (counter `revocations`).
CREATE TABLE IF NOT EXISTS revocations (
  seq        INTEGER PRIMARY KEY,
  session_id BLOB NOT NULL,
  at         INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS revocations_by_time ON revocations (at);

