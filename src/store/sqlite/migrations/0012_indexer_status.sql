-- What the public status of the indexer shows without counting events: how many of each type a chain has, and how far
-- the chain itself was when we last heard of it.
ALTER TABLE chains ADD COLUMN tip_num INTEGER;   -- of the node, when head_num was last moved; NULL: not known

-- Events that are part of the chain as it is; written in the transactions that write `events`.
CREATE TABLE IF NOT EXISTS event_counts (
  chain_id   INTEGER NOT NULL,
  event_type TEXT NOT NULL,
  count      INTEGER NOT NULL,
  PRIMARY KEY (chain_id, event_type)
) STRICT;
INSERT INTO event_counts (chain_id, event_type, count)
  SELECT chain_id, event_type, count(*) FROM events WHERE canonical GROUP BY chain_id, event_type;
