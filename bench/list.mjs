// What a page of triggers costs: GET /api/v1/triggers with 20 rows and an API key, over keep-alive connections, against
// pgbench asking PostgreSQL the page's own statement, prepared, over as many connections as the service has; and the same
// on SQLite. Limits are counted but refuse nothing (shadow mode).
//   node bench/list.mjs [seconds of each] [rounds]
import { execFile, execFileSync } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';
import { Client } from '../tests/functional/lib/agentauri.mjs';
import { prepare, stopEngines } from '../tests/functional/lib/engines.mjs';
import { cpuSeconds, launchLogged, median, note, report, sleep } from './lib.mjs';

const seconds = Math.max(1, Math.round(Number(process.argv[2] ?? 5)));
const rounds = Number(process.argv[3] ?? 3);
const ROWS = 20;
const CONNECTIONS = availableParallelism() + 2;   // of the service to PostgreSQL
const CALLERS = 4 * CONNECTIONS;

async function serve(engine) {
  const app = await prepare(engine, { RATE_LIMIT_MODE: 'shadow', LOG_LEVEL: 'info' });
  await launchLogged(app);
  const user = await Client.registered(app.url, 'bench');
  for (let i = 0; i < ROWS; i++) {
    await user.trigger({
      name: `low scores of agent ${i}`, chain_id: 11155111, registry: 'reputation',
      conditions: [{ condition_type: 'score_threshold', field: 'score', operator: '<', value: '60' }],
      actions: [{ action_type: 'rest', config: { url: 'https://example.org/hook' } }],
    });
  }
  app.organization = (await user.get('/api/v1/auth/me')).body.organizations[0].id;
  const made = await user.post(`/api/v1/organizations/${app.organization}/api-keys`, { name: 'bench', environment: 'live', permissions: ['read'] });
  app.key = made.body.data.key;
  return app;
}

// Requests a second, and CPU microseconds of the program for each.
async function load(app) {
  const before = await cpuSeconds(app.child.pid);
  const { stdout: text } = await promisify(execFile)('wrk', ['--threads', '1', '--connections', String(CALLERS), '--duration', `${seconds}s`,
    '--header', `X-API-Key: ${app.key}`, `${app.url}/api/v1/triggers?limit=${ROWS}`]);
  const spent = (await cpuSeconds(app.child.pid)) - before;
  if (/Non-2xx|Socket errors/.test(text)) throw new Error(text);
  const count = Number(/(\d+) requests in/.exec(text)[1]);
  return { rate: Number(/Requests\/sec:\s+([\d.]+)/.exec(text)[1]), us: (spent / count) * 1e6 };
}

const postgres = await serve('postgres'), sqlite = await serve('sqlite');
const environment = { ...process.env, PGPASSWORD: postgres.environment.DB_PASSWORD };
const server = ['--host=127.0.0.1', `--port=${postgres.environment.DB_PORT}`, '--username=postgres'];

// The statement as the server was sent it: whoever changes it there need not remember to change it here.
async function statement() {
  const running = load(postgres);
  const ask = "SELECT query FROM pg_stat_activity WHERE query LIKE '%FROM triggers WHERE organization_id = $1%LIMIT%OFFSET%' AND application_name = 'agentauri' LIMIT 1";
  let text = '';
  for (let i = 0; i < 50 && !text; i++) {
    const { stdout } = await promisify(execFile)('psql', [...server, '--dbname', postgres.database, '-qtAc', ask], { env: environment });
    text = stdout.trim();
  }
  await running;
  if (!text) throw new Error('the statement of the page was never seen');
  return text;
}

async function pgbench(text) {
  const script = path.join(postgres.data, 'page.sql');
  await writeFile(script, `${text.replace('$1', ':organization').replace('$2', ':limit').replace('$3', ':offset')};\n`);
  const out = execFileSync('pgbench', ['--no-vacuum', '--protocol=prepared', `--client=${CONNECTIONS}`, `--jobs=${availableParallelism()}`, `--time=${seconds}`,
    `--define=organization=${postgres.organization}`, `--define=limit=${ROWS + 1}`, '--define=offset=0', `--file=${script}`, ...server, postgres.database], { env: environment, encoding: 'utf8', stdio: ['ignore', 'pipe', 'pipe'] });
  return Number(/^tps = ([\d.]+)/m.exec(out)[1]);
}

const text = await statement();
const rates = { bare: [], postgres: [], sqlite: [] }, costs = { postgres: [], sqlite: [] };
for (let round = 0; round < rounds; round++) {
  rates.bare.push(await pgbench(text));
  for (const [name, app] of Object.entries({ postgres, sqlite })) {
    const one = await load(app);
    rates[name].push(one.rate);
    costs[name].push(one.us);
    await sleep(200);
  }
}
note(`pgbench -M prepared, the page's statement, ${CONNECTIONS} clients (reference)`, median(rates.bare), '/s');
note(`GET /triggers, ${ROWS} rows, PostgreSQL, ${CALLERS} callers`, median(rates.postgres), '/s');
note('CPU of the program for each, PostgreSQL', median(costs.postgres), 'us');
report('GET /triggers on PostgreSQL / pgbench', median(rates.postgres) / median(rates.bare), 'x', { atLeast: 0.55 });
note(`GET /triggers, ${ROWS} rows, SQLite, ${CALLERS} callers`, median(rates.sqlite), '/s');
note('CPU of the program for each, SQLite', median(costs.sqlite), 'us');
await postgres.stop();
await sqlite.stop();
await stopEngines();
