-- Chains, blocks, the block log, coverage and events. No foreign key into or out of `events`.
CREATE TABLE IF NOT EXISTS chains (
  chain_id        INTEGER PRIMARY KEY,
  name            TEXT NOT NULL,
  start_block     INTEGER NOT NULL,       -- first block of history
  live_from_block INTEGER NOT NULL,       -- the head when the chain was attached; below it is history
  last_seq        INTEGER NOT NULL DEFAULT 0,
  epoch           INTEGER NOT NULL DEFAULT 0,   -- of the lease; every ingest commit checks it
  head_num        INTEGER NOT NULL,       -- last live block that is ingested
  head_hash       BLOB,                 -- NULL before the first
  safe_num        INTEGER,
  finalized_num   INTEGER,
  state           TEXT NOT NULL DEFAULT 'ok' CHECK (state IN ('ok', 'down', 'halted')),
  reason          TEXT,
  updated_at      INTEGER NOT NULL
) STRICT;

-- Blocks with events, and the recent window that reorgs need.
CREATE TABLE IF NOT EXISTS blocks (
  chain_id    INTEGER NOT NULL,
  hash        BLOB NOT NULL,
  num         INTEGER NOT NULL,
  parent_hash BLOB NOT NULL,
  time        INTEGER NOT NULL,
  canonical   INTEGER NOT NULL,
  has_events  INTEGER NOT NULL,
  seen_at     INTEGER NOT NULL,      -- when the indexer first saw it
  PRIMARY KEY (chain_id, hash)
) STRICT;
CREATE INDEX IF NOT EXISTS blocks_by_num ON blocks (chain_id, num);
CREATE INDEX IF NOT EXISTS blocks_without_events ON blocks (chain_id, num) WHERE NOT has_events;   -- those to forget

-- The order of everything: +1 a block with events joined the chain, -1 it left. Append-only.
CREATE TABLE IF NOT EXISTS block_log (
  chain_id   INTEGER NOT NULL,
  seq        INTEGER NOT NULL,
  op         INTEGER NOT NULL CHECK (op IN (1, -1)),
  block_hash BLOB NOT NULL,
  block_num  INTEGER NOT NULL,
  PRIMARY KEY (chain_id, seq)
) STRICT;

-- Contiguous verified ranges: "no block unscanned" is a query.
CREATE TABLE IF NOT EXISTS coverage (
  chain_id   INTEGER NOT NULL,
  contract   BLOB NOT NULL,
  from_block INTEGER NOT NULL,
  to_block   INTEGER NOT NULL,
  level      TEXT NOT NULL CHECK (level IN ('header_checked', 'provider_trusted')),
  PRIMARY KEY (chain_id, contract, from_block),
  CHECK (to_block >= from_block)
) STRICT;

-- Each log once per block it was seen in. `canonical` is the only column that changes.
CREATE TABLE IF NOT EXISTS events (
  chain_id          INTEGER NOT NULL,
  block_hash        BLOB NOT NULL,
  txn_index         INTEGER NOT NULL,
  log_index         INTEGER NOT NULL,
  block_time        INTEGER NOT NULL,   -- taken from `blocks` by the INSERT itself
  id                TEXT NOT NULL,          -- public: {registry}-{chain}-{txn hash}-{log index}
  txn_hash          BLOB NOT NULL,
  contract          BLOB NOT NULL,
  txn_ordinal       INTEGER NOT NULL,
  content_hash      BLOB NOT NULL,
  block_num         INTEGER NOT NULL,
  registry          TEXT NOT NULL,
  event_type        TEXT NOT NULL,
  agent_id          TEXT,                   -- uint256, decimal
  owner             TEXT,
  token_uri         TEXT,
  metadata_key      TEXT,
  metadata_value    TEXT,
  client_address    TEXT,
  feedback_index    TEXT CONSTRAINT range_feedback_index CHECK (length(ltrim(feedback_index, '-')) <= 20),
  value             TEXT,
  value_decimals    INTEGER CONSTRAINT range_value_decimals CHECK (value_decimals BETWEEN -32768 AND 32767),
  score             INTEGER CONSTRAINT range_score CHECK (score BETWEEN -2147483648 AND 2147483647),
  tag1              TEXT,
  tag2              TEXT,
  tag1_hash         TEXT,
  endpoint          TEXT,
  file_uri          TEXT,
  file_hash         TEXT,
  validator_address TEXT,
  request_hash      TEXT,
  request_uri       TEXT,
  response          INTEGER CONSTRAINT range_response CHECK (response BETWEEN -2147483648 AND 2147483647),
  response_uri      TEXT,
  response_hash     TEXT,
  tag               TEXT,
  parse_error       TEXT,
  raw               TEXT,
  canonical         INTEGER NOT NULL,
  live              INTEGER NOT NULL,       -- false: history, which no trigger sees
  inserted_at       INTEGER NOT NULL,
  PRIMARY KEY (chain_id, block_hash, txn_index, log_index, block_time)
) STRICT;
CREATE INDEX IF NOT EXISTS events_by_time ON events (block_time DESC, block_num DESC);
CREATE INDEX IF NOT EXISTS events_by_agent ON events (agent_id, block_time DESC, block_num DESC);
CREATE INDEX IF NOT EXISTS events_by_type ON events (event_type, block_time DESC, block_num DESC);
CREATE INDEX IF NOT EXISTS events_by_chain ON events (chain_id, block_time DESC, block_num DESC);

