// Both store engines behind one face, so that each suite runs unchanged on SQLite and on PostgreSQL.
import { AgentAuri, JWT_SECRET } from './agentauri.mjs';
import { Postgres } from './postgres.mjs';

let postgres;
let databases = 0;

export const ENGINES = (process.env.ENGINES ?? 'sqlite,postgres').split(',');

// A prepared (not started) program on a fresh store. PostgreSQL starts once and is shared.
export async function prepare(engine, environment = {}) {
  if (engine === 'sqlite') return AgentAuri.prepare(environment);
  postgres ??= await Postgres.start();
  const database = await postgres.createDatabase(`agentauri_${process.pid}_${++databases}`);
  const app = await AgentAuri.prepare({ ...postgres.environment(database), JWT_SECRET, ENVIRONMENT: 'development', ...environment });
  app.database = database;
  app.postgres = postgres;
  const migrated = await app.command(['migrate', 'up']);
  if (migrated.code !== 0) throw new Error(`migrate up: ${migrated.output}`);
  return app;
}

export async function launch(engine, environment) {
  const app = await prepare(engine, environment);
  await app.launch();
  return app;
}

export async function stopEngines() {
  if (postgres) await postgres.stop();
  postgres = undefined;
}
