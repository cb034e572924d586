-- Answers of requests that carried an Idempotency-Key, for a day.
BEGIN;
SET LOCAL search_path = public;

DO $$
BEGIN
  IF to_regclass('public.agentauri_migrations') IS NULL THEN
    RAISE EXCEPTION 'apply 0001_ledger.sql first: this database is not AgentAuri''s';
  END IF;
END $$;

CREATE TABLE IF NOT EXISTS idempotency_keys (
  principal    text NOT NULL,          -- user:<id> or key:<id>
  route        text NOT NULL,          -- method and template of the path
  key          text NOT NULL,          -- the client's
  request_hash text NOT NULL,          -- SHA-256 of path, query, organization and body, hex
  status       bigint,                 -- NULL while the request is under way, which no other transaction sees
  body         text,                   -- JSON; NULL: the answer has no body, or held a secret
  secret_of    text,                   -- id of what was made, when the answer held a secret
  created_at   timestamptz NOT NULL,
  PRIMARY KEY (principal, route, key)
);
CREATE INDEX IF NOT EXISTS idempotency_keys_by_time ON idempotency_keys (created_at);

INSERT INTO agentauri_migrations (version, name) VALUES (11, 'idempotency') ON CONFLICT DO NOTHING;
COMMIT;
