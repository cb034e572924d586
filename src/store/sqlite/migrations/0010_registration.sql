-- Administrators, and invitations to register.
ALTER TABLE accounts ADD COLUMN is_admin INTEGER NOT NULL DEFAULT 0;

CREATE TABLE IF NOT EXISTS invitations (
  id         BLOB PRIMARY KEY,
  token_hash TEXT NOT NULL UNIQUE,       -- SHA-256 of its text, hex; the text itself is nowhere
  email      TEXT,                       -- as written; NULL: for whoever holds the text
  created_at INTEGER NOT NULL,
  created_by BLOB,                       -- NULL: from the command line
  expires_at INTEGER NOT NULL,
  used_at    INTEGER,
  used_by    BLOB                        -- the account that it made
) STRICT;
CREATE INDEX IF NOT EXISTS invitations_by_end ON invitations (expires_at);

-- Whose keys stop when a user is disabled.
CREATE INDEX IF NOT EXISTS api_keys_by_creator ON api_keys (created_by) WHERE revoked_at IS NULL;
