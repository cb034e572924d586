-- What the public status of the indexer shows without counting events: how many of each type a chain has, and how far
-- the chain itself was when we last heard of it.
BEGIN;
SET LOCAL search_path = public;

DO $$
BEGIN
  IF to_regclass('public.chains') IS NULL THEN
    RAISE EXCEPTION 'apply 0003_chain.sql first';
  END IF;
END $$;

ALTER TABLE chains ADD COLUMN IF NOT EXISTS tip_num bigint;   -- of the node, when head_num was last moved; NULL: not known

-- Events that are part of the chain as it is; written in the transactions that write `events`.
CREATE TABLE IF NOT EXISTS event_counts (
  chain_id   bigint NOT NULL,
  event_type text NOT NULL,
  count      bigint NOT NULL,
  PRIMARY KEY (chain_id, event_type)
);
INSERT INTO event_counts (chain_id, event_type, count)
  SELECT chain_id, event_type, count(*) FROM events WHERE canonical GROUP BY chain_id, event_type
  ON CONFLICT DO NOTHING;

INSERT INTO agentauri_migrations (version, name) VALUES (12, 'indexer_status') ON CONFLICT DO NOTHING;
COMMIT;
