-- Answers of requests that carried an Idempotency-Key, for a day.
CREATE TABLE IF NOT EXISTS idempotency_keys (
  principal    TEXT NOT NULL,          -- user:<id> or key:<id>
  route        TEXT NOT NULL,          -- method and template of the path
  key          TEXT NOT NULL,          -- the client's
  request_hash TEXT NOT NULL,          -- SHA-256 of path, query, organization and body, hex
  status       INTEGER,                -- NULL while the request is under way, which no other transaction sees
  body         TEXT,                   -- JSON; NULL: the answer has no body, or held a secret
  secret_of    TEXT,                   -- id of what was made, when the answer held a secret
  created_at   INTEGER NOT NULL,
  PRIMARY KEY (principal, route, key)
) STRICT;
CREATE INDEX IF NOT EXISTS idempotency_keys_by_time ON idempotency_keys (created_at);
