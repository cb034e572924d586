-- Administrators, and invitations to register.
BEGIN;
SET LOCAL search_path = public;

DO $$
BEGIN
  IF to_regclass('public.agentauri_migrations') IS NULL THEN
    RAISE EXCEPTION 'apply 0001_ledger.sql first: this database is not AgentAuri''s';
  END IF;
END $$;

ALTER TABLE accounts ADD COLUMN IF NOT EXISTS is_admin boolean NOT NULL DEFAULT false;

CREATE TABLE IF NOT EXISTS invitations (
  id         uuid PRIMARY KEY,
  token_hash text NOT NULL UNIQUE,       -- SHA-256 of its text, hex; the text itself is nowhere
  email      text,                       -- as written; NULL: for whoever holds the text
  created_at timestamptz NOT NULL,
  created_by uuid,                       -- NULL: from the command line
  expires_at timestamptz NOT NULL,
  used_at    timestamptz,
  used_by    uuid                        -- the account that it made
);
CREATE INDEX IF NOT EXISTS invitations_by_end ON invitations (expires_at);

-- Whose keys stop when a user is disabled.
CREATE INDEX IF NOT EXISTS api_keys_by_creator ON api_keys (created_by) WHERE revoked_at IS NULL;

INSERT INTO agentauri_migrations (version, name) VALUES (10, 'registration') ON CONFLICT DO NOTHING;
COMMIT;
