-- Who invited a member; API keys, what was done with them, and what looked like one and was none.
ALTER TABLE members ADD COLUMN invited_by BLOB;   -- NULL: the owner from the start

-- A change of a key also appends its id to `revocations`: every process forgets what it knew of it.
CREATE TABLE IF NOT EXISTS api_keys (
  id                  BLOB PRIMARY KEY,
  organization_id     BLOB NOT NULL REFERENCES organizations (id) ON DELETE CASCADE,
  name                TEXT NOT NULL,
  key_hash            TEXT NOT NULL UNIQUE,   -- SHA-256 of the whole key, hex; the key itself is nowhere
  prefix              TEXT NOT NULL,          -- its first 16 characters
  environment         TEXT NOT NULL CHECK (environment IN ('live', 'test')),
  key_type            TEXT NOT NULL CHECK (key_type IN ('standard', 'restricted', 'admin')),
  permissions         TEXT NOT NULL,          -- JSON array of read, write, delete, admin
  rate_limit_override INTEGER CHECK (rate_limit_override BETWEEN 1 AND 100000),   -- requests per hour
  expires_at          INTEGER,
  created_at          INTEGER NOT NULL,
  created_by          BLOB NOT NULL REFERENCES accounts (id),
  last_used_at        INTEGER,
  last_used_ip        TEXT,
  revoked_at          INTEGER,
  revoke_reason       TEXT
) STRICT;
CREATE INDEX IF NOT EXISTS api_keys_by_organization ON api_keys (organization_id, created_at DESC, id DESC);

-- No foreign keys: a row outlives its key and its organization, until it is a month old.
CREATE TABLE IF NOT EXISTS api_key_audit (
  id              BLOB PRIMARY KEY,
  key_id          BLOB NOT NULL,
  organization_id BLOB NOT NULL,
  event_type      TEXT NOT NULL CHECK (event_type IN ('created', 'updated', 'revoked', 'rotated', 'used', 'auth_failed', 'rate_limited')),
  ip              TEXT,
  user_agent      TEXT,
  endpoint        TEXT,                       -- path of the request
  actor_id        BLOB,                       -- the user; NULL for the use of a key
  details         TEXT,                       -- JSON
  created_at      INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS api_key_audit_by_organization ON api_key_audit (organization_id, event_type, created_at);
CREATE INDEX IF NOT EXISTS api_key_audit_by_time ON api_key_audit (created_at);

CREATE TABLE IF NOT EXISTS auth_failures (
  id           BLOB PRIMARY KEY,
  failure_type TEXT NOT NULL CHECK (failure_type IN ('invalid_format', 'invalid_key')),
  key_prefix   TEXT,
  ip           TEXT,
  user_agent   TEXT,
  endpoint     TEXT,
  details      TEXT,                          -- JSON
  created_at   INTEGER NOT NULL
) STRICT;
CREATE INDEX IF NOT EXISTS auth_failures_by_time ON auth_failures (created_at);
