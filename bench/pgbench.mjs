// Durable units of one row on PostgreSQL against pgbench, which comes with it: over as many connections, on the same
// server (fsync on, as shipped), into the same table, in turn. pgbench once with one statement that commits itself, and
// once with BEGIN, the statement and COMMIT, which is what a unit of work of ours is.
//   node bench/pgbench.mjs [seconds of each] [rounds]
import { execFileSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { ROOT } from '../tests/functional/lib/agentauri.mjs';
import { prepare, stopEngines } from '../tests/functional/lib/engines.mjs';
import { median, note } from './lib.mjs';

const seconds = Math.max(1, Math.round(Number(process.argv[2] ?? 3)));   // pgbench counts whole ones
const rounds = Number(process.argv[3] ?? 3);
const CONNECTIONS = availableParallelism() + 2;   // as the service has
const CALLERS = 512;   // as store_bench; they share the connections
const INSERT = "INSERT INTO counters (name, value) VALUES ('pgbench-' || CAST(:run AS text) || '-' || CAST(:client_id AS text) || '-' || CAST(:n AS text), CAST(:n AS bigint));";

const app = await prepare('postgres');   // not started: it brings the migrated database
const environment = { ...process.env, ...app.environment };
let runs = 0;

async function pgbench(statements) {
  const script = path.join(app.data, 'insert.sql');
  await writeFile(script, `\\set n :n + 1\n${statements.join('\n')}\n`);
  const text = execFileSync('pgbench', ['--no-vacuum', '--protocol=prepared', `--client=${CONNECTIONS}`, `--jobs=${availableParallelism()}`, `--time=${seconds}`,
    '--define=n=0', `--define=run=${++runs}`, `--file=${script}`, '--host=127.0.0.1', `--port=${app.environment.DB_PORT}`, '--username=postgres', app.database],
    { env: { ...environment, PGPASSWORD: app.environment.DB_PASSWORD }, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  return Number(/^tps = ([\d.]+)/m.exec(text)[1]);
}

const units = (callers) => Number(execFileSync(path.join(ROOT, 'build/release/bin/unit_rate'),
  [CONNECTIONS, callers, seconds, ++runs].map(String), { env: environment, encoding: 'utf8' }));

const rates = { alone: [], whole: [], few: [], many: [] };
for (let round = 0; round < rounds; round++) {
  rates.alone.push(await pgbench([INSERT]));
  rates.whole.push(await pgbench(['BEGIN;', INSERT, 'COMMIT;']));
  rates.few.push(units(CONNECTIONS));
  rates.many.push(units(CALLERS));
}
const alone = median(rates.alone), whole = median(rates.whole), few = median(rates.few), many = median(rates.many);
note(`pgbench: one INSERT, ${CONNECTIONS} clients (reference)`, alone, 'commits/s');
note(`pgbench: BEGIN, INSERT, COMMIT, ${CONNECTIONS} clients (reference)`, whole, 'commits/s');
note(`units of one row, ${CONNECTIONS} callers on as many connections`, few, 'commits/s');
note(`units of one row, ${CALLERS} callers on ${CONNECTIONS} connections`, many, 'commits/s');
note(`${CALLERS} callers / pgbench with BEGIN and COMMIT`, many / whole, 'x');
note(`${CALLERS} callers / pgbench with one INSERT`, many / alone, 'x');
note(`${CONNECTIONS} callers / pgbench with BEGIN and COMMIT`, few / whole, 'x');
note(`${CONNECTIONS} callers / pgbench with one INSERT`, few / alone, 'x');
await app.stop();
await stopEngines();
