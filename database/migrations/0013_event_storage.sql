-- How events are stored and forgotten: in a hypertable of TimescaleDB where it is to be had, else in the ordinary table that
-- 0003 made; the statements on it are the same. See docs/adr/0015.
BEGIN;
SET LOCAL search_path = public;

DO $$
BEGIN
  IF to_regclass('public.events') IS NULL THEN
    RAISE EXCEPTION 'apply 0003_chain.sql first';
  END IF;
END $$;

-- What retention took: events of block times before it may be gone, and so may those of entries of the block log up to that
-- one.
ALTER TABLE chains ADD COLUMN IF NOT EXISTS forgotten_before timestamptz;   -- NULL: nothing was forgotten
ALTER TABLE chains ADD COLUMN IF NOT EXISTS forgotten_seq bigint NOT NULL DEFAULT 0;

-- `table`, `hypertable`, or `lost`: the extension is in this database, and the server was started without its library. Then
-- nothing fails, but rows go past every chunk and every unique key. The library's settings tell: shared_preload_libraries
-- may not be read by everybody, and a setting that postgresql.conf only names answers to current_setting() as well. With
-- agentauri.timescaledb = 'force' nobody looks (a server that brings the library in by another way).
CREATE OR REPLACE FUNCTION event_storage() RETURNS text LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $f$
DECLARE
  is_hypertable boolean;
BEGIN
  IF NOT EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb') THEN
    RETURN 'table';
  END IF;
  IF NOT EXISTS (SELECT FROM pg_settings WHERE name = 'timescaledb.max_background_workers')
     AND current_setting('agentauri.timescaledb', true) IS DISTINCT FROM 'force' THEN
    RETURN 'lost';
  END IF;
  EXECUTE $q$SELECT EXISTS (SELECT FROM timescaledb_information.hypertables
                            WHERE hypertable_schema = 'public' AND hypertable_name = 'events')$q$ INTO is_hypertable;
  RETURN CASE WHEN is_hypertable THEN 'hypertable' ELSE 'table' END;
END $f$;

-- Makes `events` a hypertable if that can be done here and now, and says what came of it. A table of more than `max_rows`
-- rows is left to a maintenance window: the conversion locks it (2.6 s for 200,000 rows, on a fast disk).
CREATE OR REPLACE FUNCTION convert_events(max_rows bigint) RETURNS text LANGUAGE plpgsql AS $f$
DECLARE
  mode text := coalesce(current_setting('agentauri.timescaledb', true), '');
  place name;
  why text;
  rows_now bigint;
BEGIN
  IF mode = 'off' THEN
    why := 'is switched off (agentauri.timescaledb)';
  ELSIF EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb') THEN
    NULL;
  ELSIF NOT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'timescaledb') THEN
    why := 'is not installed on this server';
  -- CREATE EXTENSION would end the connection, and no handler would see it.
  ELSIF mode <> 'force' AND NOT EXISTS (SELECT FROM pg_settings WHERE name = 'timescaledb.max_background_workers') THEN
    why := 'is installed, but not in shared_preload_libraries';
  ELSE
    BEGIN
      CREATE EXTENSION timescaledb;
    EXCEPTION WHEN insufficient_privilege OR feature_not_supported THEN
      why := format('cannot be created: %s', SQLERRM);
    END;
  END IF;
  IF why IS NULL AND public.event_storage() = 'lost' THEN
    why := 'is in this database, but not in shared_preload_libraries';
  END IF;
  IF why IS NULL AND public.event_storage() = 'hypertable' THEN
    RETURN 'events is a hypertable';
  END IF;
  IF why IS NULL AND (SELECT relkind FROM pg_class WHERE oid = 'public.events'::regclass) <> 'r' THEN
    why := 'cannot take over a partitioned table';
  END IF;
  IF why IS NOT NULL THEN
    RETURN format('events stays an ordinary table: TimescaleDB %s', why);
  END IF;
  -- Counted no further than it matters; statistics may be missing or old.
  SELECT count(*) INTO rows_now FROM (SELECT FROM public.events LIMIT max_rows + 1) AS counted;
  IF rows_now > max_rows THEN
    RETURN format('events stays an ordinary table: it has more than %s rows, and converting it locks it. '
                  'In a maintenance window: agentauri db convert-events', max_rows);
  END IF;
  SELECT n.nspname INTO STRICT place FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
    WHERE e.extname = 'timescaledb';
  EXECUTE format($q$SELECT %I.create_hypertable('public.events', 'block_time', chunk_time_interval => INTERVAL '30 days',
                                                create_default_indexes => false, migrate_data => true)$q$, place);
  RETURN 'events is a hypertable now';
END $f$;

-- Forgets events of block times before `before`: up to `batch` rows of the ordinary table, or the oldest chunk that lies
-- before it whole. Returns how many rows went; 0: there are no more. What may still be needed, and thus `before`, is the
-- caller's business. Dropping a chunk takes its owner, so this runs with the owner's rights, for whoever may write events.
CREATE OR REPLACE FUNCTION forget_events(before timestamptz, batch integer) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $f$
DECLARE
  storage text := public.event_storage();
  place name;
  chunk record;
  in_chunk bigint;
  gone bigint := 0;
BEGIN
  IF NOT has_table_privilege(session_user, 'public.events', 'INSERT') THEN
    RAISE insufficient_privilege USING MESSAGE = format('user %I may not forget events, since it may not write them', session_user);
  END IF;
  IF storage = 'lost' THEN
    RAISE object_not_in_prerequisite_state USING MESSAGE = 'TimescaleDB is in this database, but not in shared_preload_libraries';
  END IF;
  IF storage = 'table' THEN
    DELETE FROM public.events WHERE ctid = ANY (ARRAY(
      SELECT e.ctid FROM public.events e WHERE e.block_time < before ORDER BY e.block_time LIMIT batch));
    GET DIAGNOSTICS gone = ROW_COUNT;
    RETURN gone;
  END IF;
  SELECT n.nspname INTO STRICT place FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
    WHERE e.extname = 'timescaledb';
  FOR chunk IN EXECUTE $q$SELECT chunk_schema, chunk_name, range_end FROM timescaledb_information.chunks
                          WHERE hypertable_schema = 'public' AND hypertable_name = 'events' AND range_end <= $1
                          ORDER BY range_end$q$ USING before
  LOOP
    EXECUTE format('SELECT count(*) FROM %I.%I', chunk.chunk_schema, chunk.chunk_name) INTO in_chunk;
    EXECUTE format('SELECT %I.drop_chunks(''public.events''::regclass, older_than => $1)', place) USING chunk.range_end;
    gone := gone + in_chunk;
    EXIT WHEN gone > 0;
  END LOOP;
  RETURN gone;
END $f$;

-- Each run of this file tries, and so does each `agentauri migrate up`: the extension may be installed later.
DO $$
BEGIN
  RAISE NOTICE '%', convert_events(2000000);
END $$;

INSERT INTO agentauri_migrations (version, name) VALUES (13, 'event_storage') ON CONFLICT DO NOTHING;
COMMIT;
