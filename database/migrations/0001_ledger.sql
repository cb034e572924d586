-- The ledger of migrations, and the guard: a schema that is not ours is refused, never adopted.
BEGIN;
SET LOCAL search_path = public;

DO $$
BEGIN
  IF to_regclass('public.agentauri_migrations') IS NULL AND EXISTS (
    SELECT 1 FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE n.nspname = 'public' AND c.relkind IN ('r', 'p', 'v', 'm', 'S')
      AND NOT EXISTS (SELECT 1 FROM pg_depend d WHERE d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'e')
  ) THEN
    RAISE EXCEPTION 'the schema "public" of database "%" holds tables that are not AgentAuri''s', current_database()
      USING HINT = 'Give AgentAuri a database of its own: createdb agentauri_backend, or set DB_NAME. A database of the older service is not migrated in place.';
  END IF;
END $$;

CREATE TABLE IF NOT EXISTS agentauri_migrations (
  version    integer PRIMARY KEY,
  name       text NOT NULL,
  checksum   text,                       -- SHA-256 of the file; NULL until `agentauri migrate` adopts what psql applied
  applied_at timestamptz NOT NULL DEFAULT now()
);

-- Gap-free sequences, drawn inside the transaction that uses them, so that a reader that polls past n misses nothing.
CREATE TABLE IF NOT EXISTS counters (
  name  text PRIMARY KEY,
  value bigint NOT NULL
);
INSERT INTO counters (name, value) VALUES ('trigger_revisions', 0), ('revocations', 0) ON CONFLICT DO NOTHING;

-- Processes and what they hold. A lease is void when its holder's heartbeat is older than 3 s on this clock.
CREATE TABLE IF NOT EXISTS instances (
  id           uuid PRIMARY KEY,
  host         text NOT NULL,            -- boot id and pid namespace: where `pid` can be looked up
  pid          bigint NOT NULL,
  pid_start    bigint NOT NULL,          -- start time of that pid, so that a reused number is not taken for it
  roles        text NOT NULL,
  started_at   timestamptz NOT NULL,
  heartbeat_at timestamptz NOT NULL
);
CREATE TABLE IF NOT EXISTS leases (
  name        text PRIMARY KEY,
  instance_id uuid NOT NULL,
  epoch       bigint NOT NULL,           -- grows with each take-over; checked in every commit that it guards
  acquired_at timestamptz NOT NULL
);

INSERT INTO agentauri_migrations (version, name) VALUES (1, 'ledger') ON CONFLICT DO NOTHING;
COMMIT;
