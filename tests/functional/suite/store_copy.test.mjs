// `agentauri store copy`: a store moved from the embedded engine to PostgreSQL and back, broken off and gone on with.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { cp, mkdir, mkdtemp, readdir, rm } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { BINARY, AgentAuri, Client, JWT_SECRET } from '../lib/agentauri.mjs';
import { ENGINES } from '../lib/engines.mjs';
import { Postgres } from '../lib/postgres.mjs';
import { fillSqlite, fillThroughApi } from '../lib/store_content.mjs';
import { run, runOk, start } from '../lib/process.mjs';
import { until } from '../lib/wait.mjs';

const EX_NO = 1, EX_USAGE = 64, EX_UNAVAILABLE = 69, EX_CONFIG = 78;
const EVENTS = 6000;

describe('store copy', { skip: ENGINES.length < 2 }, () => {
  let scratch, postgres, content, source, password;
  const apps = [];
  let databases = 0;

  before(async () => {
    scratch = await mkdtemp(path.join(tmpdir(), 'agentauri-store-copy-'));
    postgres = await Postgres.start();
    password = postgres.password;
    source = path.join(scratch, 'source');
    await mkdir(source);
    const app = await AgentAuri.prepare({ AGENTAURI_DATA_DIR: source, JWT_SECRET });
    apps.push(app);
    await app.launch();
    content = await fillThroughApi(app);
    const busy = await copy(`sqlite:${source}`, urlOf(await emptyDatabase()));
    assert.equal(busy.code, EX_UNAVAILABLE, 'a server has the source');
    assert.match(busy.output, /another process uses the data folder/);
    await app.stop();
    await fillSqlite(source, EVENTS);
  });
  after(async () => {
    for (const app of apps) await app.stop();
    await postgres?.stop();
    await rm(scratch, { recursive: true, force: true });
  });

  const environment = () => ({ PATH: process.env.PATH, HOME: scratch, PGPASSWORD: password });
  const urlOf = (database) => `postgresql://postgres@127.0.0.1:${postgres.port}/${database}`;
  const emptyDatabase = () => postgres.createDatabase(`copy_${process.pid}_${++databases}`);
  const copy = (from, to) => run(BINARY, ['store', 'copy', '--from', from, '--to', to], { env: environment(), cwd: scratch });
  const serves = async (settings) => {
    const app = await AgentAuri.prepare({ JWT_SECRET, ENVIRONMENT: 'development', ...settings });
    apps.push(app);
    await app.launch();
    const client = new Client(app.url);
    const answer = await client.post('/api/v1/auth/login', { username: 'keeper', password: 'a quiet river 77' });
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
    client.session = answer.body;
    const trigger = await client.get(`/api/v1/triggers/${content.trigger.id}`);
    assert.equal(trigger.status, 200);
    assert.equal(trigger.body.data.name, content.trigger.name);
    return { app, client };
  };

  test('everything arrives, PostgreSQL goes on numbering, and the way back gives the same store', async () => {
    const database = await emptyDatabase();
    const done = await copy(`sqlite:${source}`, urlOf(database));
    assert.equal(done.code, 0, done.output);
    assert.match(done.output, new RegExp(`events: ${EVENTS} of ${EVENTS} rows`));
    assert.match(done.output, /copied: \d+ tables, \d+ rows compared/);
    assert.equal(await postgres.query(database, 'SELECT count(DISTINCT value), min(value), max(value), max(feedback_index) FROM events'),
      '3|-170141183460469231731687303715884105728|170141183460469231731687303715884105727|18446744073709551615');
    assert.equal(await postgres.query(database, `SELECT to_regclass('store_copy') IS NULL`), 't');
    const back = path.join(scratch, 'back');
    const returned = await copy(urlOf(database), `sqlite:${back}`);
    assert.equal(returned.code, 0, returned.output);
    assert.deepEqual((await readdir(back)).sort(), ['agentauri.db', 'lock']);
    const { app: embedded } = await serves({ AGENTAURI_DATA_DIR: back });
    await embedded.stop();

    const { app, client } = await serves(postgres.environment(database));
    const added = await client.post(`/api/v1/triggers/${content.trigger.id}/conditions`, { condition_type: 'score_threshold', field: 'score', operator: '<', value: '10' });
    assert.equal(added.status, 201, JSON.stringify(added.body));
    const again = await copy(`sqlite:${source}`, urlOf(database));
    assert.equal(again.code, EX_UNAVAILABLE, 'a server has the target');
    await app.stop();
    await until('the server to be forgotten', async () => (await postgres.query(database, `SELECT count(*) FROM instances WHERE heartbeat_at > now() - INTERVAL '5 seconds'`)) === '0');
    const full = await copy(`sqlite:${source}`, urlOf(database));
    assert.equal(full.code, EX_NO, full.output);
    assert.match(full.output, /not empty/);
  });

  test('killed at many points, it goes on, and nobody serves from the half of it', async () => {
    const database = await emptyDatabase();
    const settings = { JWT_SECRET, ENVIRONMENT: 'development', ...postgres.environment(database) };
    const server = await AgentAuri.prepare(settings);
    apps.push(server);
    assert.equal((await server.command(['migrate', 'up'])).code, 0);
    // The database itself holds the copy up at a row of our choice, so that each kill meets it there.
    const holdUpAt = (row) => postgres.query(database, `CREATE OR REPLACE FUNCTION hold_up() RETURNS trigger LANGUAGE plpgsql AS
      $f$ BEGIN IF NEW.log_index = ${row} THEN PERFORM pg_sleep(600); END IF; RETURN NEW; END $f$`);
    await holdUpAt(-1);
    await postgres.query(database, 'CREATE TRIGGER hold_up BEFORE INSERT ON events FOR EACH ROW EXECUTE FUNCTION hold_up()');
    const sleeping = `FROM pg_stat_activity WHERE datname = '${database}' AND wait_event = 'PgSleep'`;
    let last = -1;
    // By primary key the rows come in the order of their numbers as text.
    for (const row of [0, 1500, 4321, EVENTS - 1]) {
      await holdUpAt(row);
      const child = start(BINARY, ['store', 'copy', '--from', `sqlite:${source}`, '--to', urlOf(database)], { env: environment(), cwd: scratch });
      await until('the copy to come to that row', async () => {
        if (child.exitCode !== null) throw new Error(child.output);
        return (await postgres.query(database, `SELECT count(*) ${sleeping}`)) === '1';
      }, { timeoutMs: 120_000 });
      child.kill('SIGKILL');
      await child.ended;
      await postgres.query(database, `SELECT pg_terminate_backend(pid) ${sleeping}`);
      await until('its transaction to be gone', async () => (await postgres.query(database, `SELECT count(*) ${sleeping}`)) === '0');
      const copied = Number(await postgres.query(database, `SELECT copied FROM store_copy WHERE table_name = 'events'`));
      assert.equal(await postgres.query(database, 'SELECT count(*) FROM events'), String(copied), 'rows and their count are one transaction');
      assert.ok(copied > last, `${copied} rows`);
      last = copied;
    }
    assert.ok(last > 0 && last < EVENTS);

    const refused = await server.command(['serve']);
    assert.equal(refused.code, EX_CONFIG, refused.output);
    assert.match(refused.output, /a part of a copy/);
    const other = path.join(scratch, 'other');
    await cp(source, other, { recursive: true });
    await runOk('python3', ['-c', 'import sqlite3,sys; c=sqlite3.connect(sys.argv[1]); c.execute("UPDATE accounts SET failed_logins = 1"); c.commit()', path.join(other, 'agentauri.db')]);
    const mixed = await copy(`sqlite:${other}`, urlOf(database));
    assert.equal(mixed.code, EX_NO, mixed.output);
    assert.match(mixed.output, /another store/);

    await postgres.query(database, 'DROP TRIGGER hold_up ON events; DROP FUNCTION hold_up');
    const whole = await copy(`sqlite:${source}`, urlOf(database));
    assert.equal(whole.code, 0, whole.output);
    assert.equal(await postgres.query(database, 'SELECT count(*) FROM events'), String(EVENTS));
    await (await serves(postgres.environment(database))).app.stop();
  });

  test('a backup of a running server can be copied', async () => {
    const data = path.join(scratch, 'running');
    await cp(source, data, { recursive: true });
    const { app } = await serves({ AGENTAURI_DATA_DIR: data });
    const made = await run(BINARY, ['backup', '--to', path.join(scratch, 'backups')], { env: { ...environment(), AGENTAURI_DATA_DIR: data }, cwd: scratch });
    assert.equal(made.code, 0, made.output);
    const file = (await readdir(path.join(scratch, 'backups'))).find((name) => name.endsWith('.db.gz'));
    const database = await emptyDatabase();
    const done = await copy(`sqlite:${path.join(scratch, 'backups', file)}`, urlOf(database));
    assert.equal(done.code, 0, done.output);
    assert.equal(await postgres.query(database, 'SELECT count(*) FROM events'), String(EVENTS));
    await app.stop();
  });

  test('what cannot be copied is refused before anything is written', async () => {
    const foreign = await emptyDatabase();
    await postgres.query(foreign, 'CREATE TABLE users (id int)');
    for (const [from, to, code, pattern] of [
      [`sqlite:${scratch}/nothing`, urlOf(await emptyDatabase()), EX_USAGE, /neither the data folder/],
      [`sqlite:${source}`, `sqlite:${scratch}/x`, EX_USAGE, /from one engine to the other/],
      [urlOf(foreign), urlOf(foreign), EX_USAGE, /from one engine to the other/],
      [`sqlite:${source}`, 'mysql://x', EX_USAGE, /--to must be/],
      [`sqlite:${source}`, urlOf('no_such_database'), EX_UNAVAILABLE, /no_such_database/],
      [`sqlite:${source}`, urlOf(foreign), EX_NO, /not AgentAuri's/],
    ]) {
      const result = await copy(from, to);
      assert.equal(result.code, code, result.output);
      assert.match(result.output, pattern);
      assert.ok(!result.output.includes(password));
    }
    assert.ok(!existsSync(path.join(scratch, 'x')));
  });
});
