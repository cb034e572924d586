-- What a hypertable must do for us, on one with rows: run after the migrations made `events` an ordinary table and these rows
-- were put there (rows.sql), and 0013 ran again with TimescaleDB at hand.
DO $$
DECLARE
  rows_there bigint;
  gone bigint;
  total bigint := 0;
BEGIN
  ASSERT event_storage() = 'hypertable', 'events is a hypertable';
  ASSERT (SELECT count(*) FROM events) = 1000, 'the conversion loses no row';
  ASSERT (SELECT count(*) FROM timescaledb_information.chunks WHERE hypertable_name = 'events') >= 4, 'a chunk for 30 days';
  ASSERT (SELECT count(*) FROM timescaledb_information.jobs WHERE hypertable_name = 'events') = 0, 'no policies';

  -- A log is there once, also when it comes again.
  INSERT INTO events SELECT * FROM events ON CONFLICT (chain_id, block_hash, txn_index, log_index, block_time) DO NOTHING;
  GET DIAGNOSTICS rows_there = ROW_COUNT;
  ASSERT rows_there = 0, 'what is there already is not taken again';
  BEGIN
    INSERT INTO events SELECT * FROM events LIMIT 1;
    RAISE EXCEPTION 'a log was taken twice';
  EXCEPTION WHEN unique_violation THEN NULL;
  END;
  UPDATE events SET canonical = false WHERE block_num = 1000;
  ASSERT (SELECT count(*) FROM events WHERE NOT canonical) = 10, 'a block is retracted';

  -- Whole chunks go, and nothing that is younger.
  LOOP
    gone := forget_events('2026-03-01+00', 500);
    EXIT WHEN gone = 0;
    total := total + gone;
  END LOOP;
  ASSERT total > 0, 'old events go';
  ASSERT (SELECT count(*) FROM events) = 1000 - total, 'as many as it says';
  ASSERT (SELECT count(*) FROM events WHERE block_time >= '2026-03-01+00') = (SELECT 1000 - 10 * 59), 'younger ones stay';
  -- A late one comes into a range that went.
  INSERT INTO events (chain_id, block_hash, txn_index, log_index, block_time, id, txn_hash, contract, txn_ordinal, content_hash,
                      block_num, registry, event_type, canonical, live, inserted_at)
    VALUES (1, '\x00', 0, 0, '2026-01-05+00', 'late', '\x00', '\x00', 0, '\x00', 1, 'identity', 'Registered', true, false, now());
  ASSERT (SELECT count(*) FROM events WHERE id = 'late') = 1, 'the chunk is made again';
  DELETE FROM events;
END $$;
