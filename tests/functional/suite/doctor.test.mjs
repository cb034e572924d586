// agentauri doctor and db stats, as an operator calls them: beside a running service, and when its database is gone.
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, test } from 'node:test';
import { ROOT } from '../lib/agentauri.mjs';
import { ENGINES, launch, prepare, stopEngines } from '../lib/engines.mjs';

after(stopEngines);

const report = (ran) => JSON.parse(ran.stdout ?? ran.output);
const finding = (ran, id) => report(ran).checks.find((check) => check.id === id);

for (const engine of ENGINES) {
  test(`doctor looks at a running service (${engine})`, async (t) => {
    const app = await launch(engine, { BACKUP_DIR: '/nonexistent' });
    t.after(() => app.stop());
    const ran = await app.command(['doctor', '--json']);
    assert.equal(finding(ran, 'database.reachable').verdict, 'ok');
    assert.equal(finding(ran, 'database.migrations').verdict, 'ok');
    assert.equal(finding(ran, 'pipeline.roles').verdict, 'ok');
    assert.equal(finding(ran, 'secret.data_keys_fit').verdict, 'ok');
    assert.match(finding(ran, 'backup.age').finding, /never/);
    assert.equal(ran.code, report(ran).good ? 0 : 1);
    const text = await app.command(['doctor']);
    assert.match(text.output, /ok +database\.reachable/);
    for (const secret of [app.environment.JWT_SECRET, app.environment.DB_PASSWORD].filter(Boolean)) assert(!(ran.output + text.output).includes(secret));
  });

  test(`db stats names every table, the largest first (${engine})`, async (t) => {
    const app = await launch(engine);
    t.after(() => app.stop());
    const stats = report(await app.command(['db', 'stats', '--json']));
    const bytes = stats.tables.map((table) => table.bytes);
    assert.deepEqual(bytes, [...bytes].sort((a, b) => b - a));
    for (const name of ['events', 'jobs', 'accounts', 'agentauri_migrations']) assert(stats.tables.some((table) => table.name === name && /\d (B|kB|MB)$/.test(table.size)), name);
    if (engine === 'sqlite') assert(stats.pages > 0);
    else assert(stats.connections > 0 && stats.max_connections >= stats.connections);
    const text = await app.command(['db', 'stats']);
    assert.match(text.output, engine === 'sqlite' ? /pages/ : /connections +\d+ of \d+/);
  });
}

test('a database that is down is one finding, and the rest goes on', async () => {
  const app = await prepare('postgres');
  app.environment.DB_PORT = '1';
  const ran = await app.command(['doctor', '--json']);
  assert.equal(ran.code, 1);
  assert.equal(finding(ran, 'database.reachable').verdict, 'critical');
  assert.equal(finding(ran, 'pipeline.engine').verdict, 'skipped');
  assert.equal(finding(ran, 'secret.jwt').verdict, 'ok');
});

test('settings that keep the service from starting are findings', async () => {
  const app = await prepare('postgres');
  Object.assign(app.environment, { JWT_SECRET: 'short', SERVER_PORT: 'x' });
  const ran = await app.command(['doctor', '--json']);
  assert.match(finding(ran, 'config.faults').finding, /SERVER_PORT/);
  assert.equal(finding(ran, 'secret.jwt').verdict, 'critical');
  assert(!ran.output.includes('"short"'));
});

test('events stay a table without TimescaleDB, and it says why', async () => {
  const app = await prepare('postgres');
  const ran = await app.command(['db', 'convert-events']);
  assert.equal(ran.code, 1);
  assert.match(ran.output, /TimescaleDB is not installed on this server/);
});

test("script/go-live-check goes through the guide's rows", async (t) => {
  const app = await prepare('postgres');
  const folder = await mkdtemp(path.join(tmpdir(), 'go-live-'));
  t.after(() => rm(folder, { recursive: true }));
  const file = path.join(folder, 'agentauri.env');
  await writeFile(file, `# settings\n${Object.entries(app.environment).filter(([name]) => /^(DB_|JWT_)/.test(name)).map(([name, value]) => `${name}="${value}"`).join('\n')}\n`);
  const ran = await new Promise((resolve) => {
    execFile(path.join(ROOT, 'script/go-live-check'), ['--env-file', file, '--program', app.program, '--json'], { env: { PATH: process.env.PATH }, cwd: folder },
      (error, stdout, stderr) => resolve({ code: error?.code ?? 0, output: stdout, stderr }));
  });
  assert.equal(ran.code, 1, ran.stderr);   // no backup, at least
  assert.deepEqual([...new Set(report(ran).checks.map((check) => check.guide_row))], [47, 48, 49, 50, 51, 52, 53, 54, 55, 56, 57]);
  assert.equal(finding(ran, 'secret.jwt_length').verdict, 'ok');
});
