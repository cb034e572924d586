// Runs ingest_bench on SQLite and on a PostgreSQL of its own (fsync on, as shipped).
//   node bench/ingest.mjs [events] [rounds]
import { spawnSync } from 'node:child_process';
import path from 'node:path';
import { ROOT } from '../tests/functional/lib/agentauri.mjs';
import { prepare, stopEngines } from '../tests/functional/lib/engines.mjs';

const [events = '100000', rounds = '3'] = process.argv.slice(2);
const program = path.join(ROOT, 'build/release/bin/ingest_bench');

for (const engine of ['sqlite', 'postgres']) {
  const app = await prepare(engine);   // not started: it brings the migrated database
  const ended = spawnSync(program, [engine, events, rounds], { cwd: ROOT, env: { ...process.env, ...app.environment }, stdio: ['ignore', 'inherit', 'inherit'] });
  await app.stop();
  if (ended.status !== 0) process.exitCode = 1;
}
await stopEngines();
