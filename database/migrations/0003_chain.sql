-- Chains, blocks, the block log, coverage and events. No foreign key into or out of `events`.
BEGIN;
SET LOCAL search_path = public;

DO $$
BEGIN
  IF to_regclass('public.agentauri_migrations') IS NULL THEN
    RAISE EXCEPTION 'apply 0001_ledger.sql first: this database is not AgentAuri''s';
  END IF;
END $$;

CREATE TABLE IF NOT EXISTS chains (
  chain_id        bigint PRIMARY KEY,
  name            text NOT NULL,
  start_block     bigint NOT NULL,       -- first block of history
  live_from_block bigint NOT NULL,       -- the head when the chain was attached; below it is history
  last_seq        bigint NOT NULL DEFAULT 0,
  epoch           bigint NOT NULL DEFAULT 0,   -- of the lease; every ingest commit checks it
  head_num        bigint NOT NULL,       -- last live block that is ingested
  head_hash       bytea,                 -- NULL before the first
  safe_num        bigint,
  finalized_num   bigint,
  state           text NOT NULL DEFAULT 'ok' CHECK (state IN ('ok', 'down', 'halted')),
  reason          text,
  updated_at      timestamptz NOT NULL
);

-- Blocks with events, and the recent window that reorgs need.
CREATE TABLE IF NOT EXISTS blocks (
  chain_id    bigint NOT NULL,
  hash        bytea NOT NULL,
  num         bigint NOT NULL,
  parent_hash bytea NOT NULL,
  time        timestamptz NOT NULL,
  canonical   boolean NOT NULL,
  has_events  boolean NOT NULL,
  seen_at     timestamptz NOT NULL,      -- when the indexer first saw it
  PRIMARY KEY (chain_id, hash)
);
CREATE INDEX IF NOT EXISTS blocks_by_num ON blocks (chain_id, num);
CREATE INDEX IF NOT EXISTS blocks_without_events ON blocks (chain_id, num) WHERE NOT has_events;   -- those to forget

-- The order of everything: +1 a block with events joined the chain, -1 it left. Append-only.
CREATE TABLE IF NOT EXISTS block_log (
  chain_id   bigint NOT NULL,
  seq        bigint NOT NULL,
  op         smallint NOT NULL CHECK (op IN (1, -1)),
  block_hash bytea NOT NULL,
  block_num  bigint NOT NULL,
  PRIMARY KEY (chain_id, seq)
);

-- Contiguous verified ranges: "no block unscanned" is a query.
CREATE TABLE IF NOT EXISTS coverage (
  chain_id   bigint NOT NULL,
  contract   bytea NOT NULL,
  from_block bigint NOT NULL,
  to_block   bigint NOT NULL,
  level      text NOT NULL CHECK (level IN ('header_checked', 'provider_trusted')),
  PRIMARY KEY (chain_id, contract, from_block),
  CHECK (to_block >= from_block)
);

-- Each log once per block it was seen in. `canonical` is the only column that changes.
CREATE TABLE IF NOT EXISTS events (
  chain_id          bigint NOT NULL,
  block_hash        bytea NOT NULL,
  txn_index         bigint NOT NULL,
  log_index         bigint NOT NULL,
  block_time        timestamptz NOT NULL,   -- taken from `blocks` by the INSERT itself
  id                text NOT NULL,          -- public: {registry}-{chain}-{txn hash}-{log index}
  txn_hash          bytea NOT NULL,
  contract          bytea NOT NULL,
  txn_ordinal       bigint NOT NULL,
  content_hash      bytea NOT NULL,
  block_num         bigint NOT NULL,
  registry          text NOT NULL,
  event_type        text NOT NULL,
  agent_id          text,                   -- uint256, decimal
  owner             text,
  token_uri         text,
  metadata_key      text,
  metadata_value    text,
  client_address    text,
  feedback_index    numeric(20,0),
  value             numeric(39,0),
  value_decimals    smallint,
  score             integer,
  tag1              text,
  tag2              text,
  tag1_hash         text,
  endpoint          text,
  file_uri          text,
  file_hash         text,
  validator_address text,
  request_hash      text,
  request_uri       text,
  response          integer,
  response_uri      text,
  response_hash     text,
  tag               text,
  parse_error       text,
  raw               text,
  canonical         boolean NOT NULL,
  live              boolean NOT NULL,       -- false: history, which no trigger sees
  inserted_at       timestamptz NOT NULL,
  PRIMARY KEY (chain_id, block_hash, txn_index, log_index, block_time)
);
CREATE INDEX IF NOT EXISTS events_by_time ON events (block_time DESC, block_num DESC);
CREATE INDEX IF NOT EXISTS events_by_agent ON events (agent_id, block_time DESC, block_num DESC);
CREATE INDEX IF NOT EXISTS events_by_type ON events (event_type, block_time DESC, block_num DESC);
CREATE INDEX IF NOT EXISTS events_by_chain ON events (chain_id, block_time DESC, block_num DESC);

INSERT INTO agentauri_migrations (version, name) VALUES (3, 'chain') ON CONFLICT DO NOTHING;
COMMIT;
