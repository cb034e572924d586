// docs/upgrade.md: its commands, and what it promises about the schema: migrations only add, so that a program runs on the schema
// of the next release, and going back is a matter of programs.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { chmod, mkdir, readFile, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { AgentAuri, BINARY, Client, JWT_SECRET, ROOT } from '../lib/agentauri.mjs';
import { Host, Page } from '../lib/pages.mjs';
import { Postgres } from '../lib/postgres.mjs';
import { runOk } from '../lib/process.mjs';
import { until } from '../lib/wait.mjs';

const page = await Page.read('upgrade.md');
const FOLDERS = ['database/migrations', 'src/store/sqlite/migrations'];
// What a later release may do to the tables that this program knows.
const LATER = `BEGIN;
ALTER TABLE accounts ADD COLUMN later_note text;
ALTER TABLE triggers ADD COLUMN later_flag boolean NOT NULL DEFAULT false;
CREATE TABLE later_things (id uuid PRIMARY KEY, trigger_id uuid NOT NULL REFERENCES triggers (id) ON DELETE CASCADE);
CREATE INDEX later_by_name ON triggers (name);
INSERT INTO agentauri_migrations (version, name) VALUES (9000, 'later');
COMMIT;`;

// Statements that take something away, or ask of older programs what they do not give.
function faultsOf(sql) {
  // What a function would do when it is called is no part of the migration.
  const bare = sql.replaceAll(/--[^\n]*/g, '').replaceAll(/(\bFUNCTION\b[^;]*?\bAS\s*)(\$\w*\$).*?\2/gs, "$1''").replaceAll(/'(?:[^']|'')*'/g, "''");
  const faults = [];
  for (const statement of bare.split(';').map((text) => text.replaceAll(/\s+/g, ' ').trim())) {
    if (/\bDROP (TABLE|COLUMN|VIEW|TYPE|SCHEMA)\b/i.test(statement) || /\bTRUNCATE\b|\bDELETE FROM\b/i.test(statement)) faults.push(statement);
    if (/\bRENAME (TO|COLUMN)\b/i.test(statement) || /\bALTER COLUMN \S+ (TYPE|SET NOT NULL|SET DATA)\b/i.test(statement)) faults.push(statement);
    for (const column of statement.split(/\bADD COLUMN\b/i).slice(1))
      if (/\bNOT NULL\b/i.test(column) && !/\bDEFAULT\b/i.test(column)) faults.push(statement);
  }
  return faults;
}

let postgres;
const apps = [];
before(async () => {
  postgres = await Postgres.start();
});
after(async () => {
  for (const app of apps) await app.stop();
  await postgres?.stop();
});

describe('migrations', () => {
  test('what takes away is seen by this test', () => {
    for (const bad of ['ALTER TABLE a DROP COLUMN b', 'DROP TABLE a', 'ALTER TABLE a RENAME COLUMN b TO c', 'ALTER TABLE a RENAME TO b', 'ALTER TABLE a ALTER COLUMN b TYPE bigint', 'ALTER TABLE a ALTER COLUMN b SET NOT NULL',
      'ALTER TABLE a ADD COLUMN b text NOT NULL', 'DELETE FROM a', 'DO $$ BEGIN DELETE FROM a; END $$;']) assert.equal(faultsOf(bad).length, 1, bad);
    for (const good of [LATER, 'CREATE OR REPLACE FUNCTION f(n int) RETURNS int LANGUAGE plpgsql AS $f$ BEGIN DELETE FROM a; RETURN 1; END $f$;', "INSERT INTO a VALUES ('DROP TABLE b')", '-- DROP TABLE a']) assert.deepEqual(faultsOf(good), []);
  });

  for (const folder of FOLDERS) {
    test(`each of ${folder} only adds`, async () => {
      const files = (await readdir(path.join(ROOT, folder))).filter((name) => name.endsWith('.sql'));
      assert.ok(files.length >= 12);
      for (const name of files) assert.deepEqual(faultsOf(await readFile(path.join(ROOT, folder, name), 'utf8')), [], name);
    });
  }

  test('on PostgreSQL this program runs on the schema of a later release', async () => {
    await postgres.createDatabase('later_schema');
    const app = await AgentAuri.prepare({ ...postgres.environment('later_schema'), JWT_SECRET, ENVIRONMENT: 'development' });
    apps.push(app);
    assert.equal((await app.command(['migrate', 'up'])).code, 0);
    await postgres.query('later_schema', LATER);
    const status = await app.command(['migrate', 'status']);
    assert.equal(status.code, 0, status.output);
    assert.match(status.output, /^9000_later +unknown to this program/m);
    assert.equal((await app.command(['migrate', 'verify'])).code, 1);
    assert.equal((await app.command(['migrate', 'up'])).code, 0, 'a service that migrates before it starts does start');
    await app.launch();
    assert.equal((await fetch(`${app.url}/api/v1/health/ready`)).status, 200);
    const user = await Client.registered(app.url);
    const { trigger } = await user.trigger({ name: 'Later', registry: 'reputation', conditions: [{ condition_type: 'score_threshold', field: 'score', operator: '<', value: '60' }],
      actions: [{ action_type: 'webhook', config: { url: `http://127.0.0.1:${app.metricsPort}/` } }] });
    const sent = await user.post(`/api/v1/triggers/${trigger.id}/test`, { send: true });
    assert.equal(sent.status, 202, JSON.stringify(sent.body));
    await until('its attempt', async () => (await user.deliveries(trigger))[0]?.attempts?.length > 0 || (await user.deliveries(trigger))[0]?.status !== 'pending');
    assert.equal((await user.delete(`/api/v1/triggers/${trigger.id}`)).status < 300, true);
  });

  test('a migration that fails leaves nothing, and can be tried again', async () => {
    await postgres.createDatabase('half_way');
    const app = await AgentAuri.prepare({ ...postgres.environment('half_way'), JWT_SECRET });
    apps.push(app);
    for (const file of ['0001_ledger.sql', '0002_accounts.sql']) await postgres.query('half_way', await readFile(path.join(ROOT, FOLDERS[0], file), 'utf8'));
    await postgres.query('half_way', 'CREATE TABLE events (other int)');
    const failed = await app.command(['migrate', 'up']);
    assert.notEqual(failed.code, 0);
    assert.match(failed.output, /0003_chain/);
    assert.equal(await postgres.query('half_way', "SELECT to_regclass('chains') IS NULL"), 't');
    await postgres.query('half_way', 'DROP TABLE events');
    const again = await app.command(['migrate', 'up']);
    assert.equal(again.code, 0, again.output);
  });
});

describe('there and back', () => {
  let host, app, root;
  after(async () => {
    await host?.remove();
    page.assertAllRan();
  });

  test("the page's commands: the new program runs after the first ones, the old one after the last", { timeout: 120_000 }, async () => {
    await postgres.createDatabase('there_and_back');
    app = await AgentAuri.prepare({ ...postgres.environment('there_and_back'), JWT_SECRET });
    apps.push(app);
    host = await Host.make(app.environment);
    root = path.join(host.directory, 'opt');
    const here = { '/opt/api.agentauri.ai': root };
    // The release that runs, and the new one: the same program, told apart by where it is. Both are small scripts, so that the
    // path of the program that is run can be seen.
    await mkdir(path.join(root, 'bin'), { recursive: true });
    await mkdir(path.join(root, 'releases/0.1.0'), { recursive: true });
    await mkdir(path.join(host.home, 'build/release/bin'), { recursive: true });
    const script = '#!/bin/bash\nAGENTAURI_RELEASE="$(readlink -f "$0")"; export AGENTAURI_RELEASE\nexec -a api-gateway ' + `${BINARY} "$@"\n`;
    for (const file of [path.join(root, 'releases/0.1.0/api-gateway'), path.join(host.home, 'build/release/bin/agentauri')]) {
      await writeFile(file, script);
      await chmod(file, 0o755);
    }
    await symlink(path.join(root, 'releases/0.1.0/api-gateway'), path.join(root, 'bin/api-gateway'));
    await host.program('systemctl', `[ "$*" = "restart api-gateway" ] && echo restart >>${host.directory}/asked`);
    app.program = path.join(root, 'bin/api-gateway');
    const restart = async () => {
      assert.equal(await readFile(path.join(host.directory, 'asked'), 'utf8'), 'restart\n');
      await rm(path.join(host.directory, 'asked'));
      await app.stop.call(Object.assign(Object.create(AgentAuri.prototype), app, { ownsData: false }));
      await app.launch();
      return (await readFile(`/proc/${app.child.pid}/environ`, 'utf8')).split('\0').find((entry) => entry.startsWith('AGENTAURI_RELEASE=')).split('=')[1];
    };

    assert.equal((await app.command(['migrate', 'up'])).code, 0);
    await app.launch();
    const user = await Client.registered(app.url);
    const before = await host.runOk(page.commands('before'));
    assert.match(before, /^\d+\.\d+\.\d+$/m);
    assert.match(before, /^0001_ledger +applied/m);

    await host.runOk(page.commands('release', here));
    assert.equal(await restart(), path.join(root, 'releases/0.2.0/api-gateway'));
    assert.equal((await user.get('/api/v1/auth/me')).status, 200, 'sessions go on');

    await postgres.query('there_and_back', LATER);
    await host.runOk(page.commands('back', here));
    assert.equal(await restart(), path.join(root, 'releases/0.1.0/api-gateway'));
    assert.equal((await user.get('/api/v1/auth/me')).status, 200, 'and back, on the newer schema');
  });

  test('SQLite: what a newer program migrated is refused by this one, and the copied folder is the way back', async () => {
    const first = await AgentAuri.start({});
    apps.push(first);
    const user = await Client.registered(first.url);
    const end = (one) => one.stop.call(Object.assign(Object.create(AgentAuri.prototype), one, { ownsData: false }));
    await end(first);
    const copy = path.join(first.data, 'copy');
    await runOk('bash', ['-euc', `mkdir ${copy} && cp ${first.data}/agentauri.db ${first.data}/jwt_secret ${copy}/`]);
    await runOk('bash', ['-euc', `python3 -c "import sqlite3; db = sqlite3.connect('${first.data}/agentauri.db'); db.execute(\\"INSERT INTO agentauri_migrations (version, name, checksum, applied_at) SELECT 9000, 'later', checksum, applied_at FROM agentauri_migrations WHERE version = 1\\"); db.commit()"`]);
    const refused = await (await AgentAuri.prepare({}, { data: first.data })).command(['serve']);
    assert.equal(refused.code, 78, refused.output);
    assert.match(refused.output, /was migrated by a newer AgentAuri \(9000_later\); use that one, or restore a backup/);
    const back = await AgentAuri.prepare({}, { data: copy });
    await back.launch();
    user.url = back.url;
    assert.equal((await user.get('/api/v1/auth/me')).status, 200);
    await end(back);
  });
});
