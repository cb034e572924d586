// Backup and recovery (operations.md 1.12 and 10): the guide's script and lines as cron runs them, and the program's own
// commands, on both engines.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { cp, mkdir, mkdtemp, readFile, readdir, rm, utimes, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { BINARY, AgentAuri, Client, JWT_SECRET, ROOT } from '../lib/agentauri.mjs';
import { launch, stopEngines, ENGINES } from '../lib/engines.mjs';
import { fillThroughApi } from '../lib/store_content.mjs';
import { Postgres } from '../lib/postgres.mjs';
import { run, runOk, start } from '../lib/process.mjs';
import { until } from '../lib/wait.mjs';

const SCRIPT = path.join(ROOT, 'deploy/backup/backup-postgresql');
const EX_NO = 1, EX_USAGE = 64, EX_UNAVAILABLE = 69;
const DAY_MS = 86_400_000;

const statusOf = async (folder) => JSON.parse(await readFile(path.join(folder, 'status.json'), 'utf8'));
const backupsIn = async (folder) => (await readdir(folder)).filter((name) => name.endsWith('.gz')).sort();

async function aged(file, days) {
  await writeFile(file, 'old');
  // An hour into that day, so that the clock of the test does not matter.
  const then = new Date(Date.now() - days * DAY_MS - 3_600_000);
  await utimes(file, then, then);
}

// A folder with a program of this name that stands in front of the real one.
async function programInFront(folder, name, script) {
  await mkdir(folder, { recursive: true });
  await writeFile(path.join(folder, name), `#!/bin/sh\n${script}\n`, { mode: 0o755 });
  return folder;
}

describe('backup', () => {
  const apps = [];
  let scratch;
  let folders = 0;
  before(async () => {
    scratch = await mkdtemp(path.join(tmpdir(), 'agentauri-backup-'));
  });
  after(async () => {
    for (const app of apps) await app.stop();
    await stopEngines();
    await rm(scratch, { recursive: true, force: true });
  });
  const folder = async () => {
    const made = path.join(scratch, `f${++folders}`);
    await mkdir(made);
    return made;
  };
  // A program that serves, with something in its store.
  const serving = async (engine) => {
    const app = await launch(engine);
    apps.push(app);
    app.environment.BACKUP_DIR = await folder();
    app.content = await fillThroughApi(app);
    return app;
  };
  // Serves from a restored store as `app` did: the same secrets, another folder or database.
  const another = async (app, environment) => {
    const { AGENTAURI_DATA_DIR, SERVER_PORT, METRICS_ADDR, ...rest } = app.environment;
    const other = await AgentAuri.prepare({ ...rest, ...environment });
    if (environment.AGENTAURI_DATA_DIR) other.environment.AGENTAURI_DATA_DIR = environment.AGENTAURI_DATA_DIR;
    apps.push(other);
    await other.launch();
    return other;
  };
  const signsIn = async (app, original) => {
    const client = new Client(app.url);
    const answer = await client.post('/api/v1/auth/login', { username: 'keeper', password: 'a quiet river 77' });
    assert.equal(answer.status, 200, JSON.stringify(answer.body));
    client.session = answer.body;
    const trigger = await client.get(`/api/v1/triggers/${original.trigger.id}`);
    assert.equal(trigger.status, 200);
    assert.equal(trigger.body.data.name, original.trigger.name);
    const health = await (await fetch(`${app.url}/api/v1/health/ready`)).json();
    assert.notEqual(health.status, 'unready');
  };

  for (const engine of ENGINES) {
    describe(engine, () => {
      let app;
      before(async () => {
        app = await serving(engine);
      });

      test('a backup of a running server is verified, restored, and served from', async () => {
        const directory = app.environment.BACKUP_DIR;
        const before_ = Math.floor(Date.now() / 1000);
        const made = await app.command(['backup']);
        assert.equal(made.code, 0, made.output);
        const [name, ...others] = await backupsIn(directory);
        assert.deepEqual(others, []);
        assert.match(name, engine === 'postgres' ? new RegExp(`^${app.database}_\\d{8}_\\d{6}\\.sql\\.gz$`) : /^agentauri_\d{8}_\d{6}\.db\.gz$/);
        await runOk('gzip', ['-t', path.join(directory, name)]);
        const manifest = JSON.parse(await readFile(path.join(directory, `${name}.json`), 'utf8'));
        assert.equal(manifest.sha256, (await runOk('sha256sum', [path.join(directory, name)])).split(' ')[0]);
        assert.equal(manifest.tables.find((each) => each.table === 'accounts').rows, 1);
        const status = await statusOf(directory);
        assert.equal(status.last_file, name);
        assert.equal(status.last_size_bytes, manifest.size_bytes);
        assert.ok(status.last_success_at >= before_ && status.last_success_at <= Date.now() / 1000 + 1);
        assert.equal(status.last_verified_at, undefined);

        const verified = await app.command(['verify-backup']);
        assert.equal(verified.code, 0, verified.output);
        assert.match(verified.output, /good: restored, \d+ tables/);
        assert.equal((await statusOf(directory)).last_verified_file, name);
        assert.ok((await readdir(directory)).every((each) => [name, `${name}.json`, 'status.json', '.lock'].includes(each)), 'nothing is left over');

        const file = path.join(directory, name);
        if (engine === 'sqlite') {
          const target = await folder();
          const restored = await app.command(['restore', file, '--to', `sqlite:${target}`]);
          assert.equal(restored.code, 0, restored.output);
          assert.match(restored.output, /jwt_secret/);
          await cp(path.join(app.data, 'jwt_secret'), path.join(target, 'jwt_secret'));
          const other = await another(app, { AGENTAURI_DATA_DIR: target });
          await signsIn(other, app.content);
          const onto = await app.command(['restore', file, '--to', `sqlite:${target}`]);
          assert.equal(onto.code, EX_UNAVAILABLE, 'a server has the folder');
          await other.stop();
          const refused = await app.command(['restore', file, '--to', `sqlite:${target}`]);
          assert.equal(refused.code, EX_NO);
          assert.match(refused.output, /--replace-the-store-that-is-there/);
          const replaced = await app.command(['restore', file, '--to', `sqlite:${target}`, '--replace-the-store-that-is-there']);
          assert.equal(replaced.code, 0, replaced.output);
          assert.ok((await readdir(target)).some((each) => /^agentauri\.db\.replaced-\d+$/.test(each)), 'the old one is kept');
        } else {
          const database = await app.postgres.createDatabase(`${app.database}_restored`);
          const { DB_PASSWORD, DB_PORT } = app.environment;
          const url = `postgresql://postgres@127.0.0.1:${DB_PORT}/${database}`;
          const restored = await app.command(['restore', file, '--to', url]);
          assert.equal(restored.code, 0, restored.output);
          assert.doesNotMatch(restored.output, /ERROR/);
          assert.ok(!restored.output.includes(DB_PASSWORD));
          const other = await another(app, { DB_NAME: database });
          await signsIn(other, app.content);
          const running = await app.command(['restore', file, '--to', url, '--replace-the-store-that-is-there']);
          assert.equal(running.code, EX_UNAVAILABLE, running.output);
          await other.stop();
          await until('the server to be forgotten', async () => (await app.postgres.query(database, `SELECT count(*) FROM instances WHERE heartbeat_at > now() - INTERVAL '5 seconds'`)) === '0');
          const refused = await app.command(['restore', file, '--to', url]);
          assert.equal(refused.code, EX_NO, refused.output);
          await app.postgres.query(database, 'DELETE FROM attempts; UPDATE accounts SET name = $$changed$$');
          const replaced = await app.command(['restore', file, '--to', url, '--replace-the-store-that-is-there']);
          assert.equal(replaced.code, 0, replaced.output);
          const foreign = await app.postgres.createDatabase(`${app.database}_foreign`);
          await app.postgres.query(foreign, 'CREATE TABLE users (id int)');
          const never = await app.command(['restore', file, '--to', `postgresql://postgres@127.0.0.1:${DB_PORT}/${foreign}`, '--replace-the-store-that-is-there']);
          assert.equal(never.code, EX_NO);
          assert.match(never.output, /not AgentAuri's/);
        }
      });

      test('a backup that is damaged, cut short or exchanged is found out, and the status says so', async () => {
        const directory = await folder();
        const made = await app.command(['backup', '--to', directory]);
        assert.equal(made.code, 0, made.output);
        const [name] = await backupsIn(directory);
        const file = path.join(directory, name);
        const bytes = await readFile(file);
        const manifest = await readFile(`${file}.json`, 'utf8');
        // A place for each: a restore that is found to differ leaves what it restored.
        const place = async (what) =>
          engine === 'sqlite' ? `sqlite:${await folder()}` : `postgresql://postgres@127.0.0.1:${app.environment.DB_PORT}/${await app.postgres.createDatabase(`${app.database}_${what.replaceAll(/[^a-z]/g, '_')}`)}`;
        const expectBad = async (what, pattern) => {
          const bad = await app.command(['verify-backup', file]);
          assert.equal(bad.code, EX_NO, `${what}: ${bad.output}`);
          assert.match(bad.output, pattern, what);
          const status = await statusOf(directory);
          assert.match(status.last_failure, pattern);
          assert.equal(status.last_verified_at, undefined);
          const restored = await app.command(['restore', file, '--to', await place(what)]);
          assert.equal(restored.code, EX_NO, `${what}: ${restored.output}`);
        };
        await writeFile(file, bytes.subarray(0, bytes.length - 100));
        await expectBad('cut short', /bytes instead of/);
        const turned = Buffer.from(bytes);
        turned[Math.floor(bytes.length / 2)] ^= 1;
        await writeFile(file, turned);
        await expectBad('one bit', /SHA-256/);
        await writeFile(file, bytes);
        await writeFile(`${file}.json`, manifest.replace(/("table":"accounts","rows":1,"digest":")(.)/, (_, front, digit) => front + (digit === '0' ? '1' : '0')));
        await expectBad('other contents', /accounts has 1 rows as it should, but other contents/);
        // Without its manifest there is still the packing itself.
        await rm(`${file}.json`);
        await writeFile(file, bytes.subarray(0, bytes.length - 100));
        await expectBad('cut short, without a manifest', /ends too early/);
        await writeFile(file, bytes);
        const plain = await app.command(['verify-backup', file]);
        assert.equal(plain.code, 0, plain.output);
        if (engine === 'postgres') assert.equal(await app.postgres.query('postgres', `SELECT count(*) FROM pg_database WHERE datname LIKE 'agentauri_verify%'`), '0');
      });

      test('old backups go by age, never the newest, nor the last good one, nor anything else', async () => {
        const directory = await folder();
        const prefix = engine === 'postgres' ? `${app.database}_` : 'agentauri_';
        const ending = engine === 'postgres' ? '.sql.gz' : '.db.gz';
        const old = (days) => `${prefix}202001${20 - days}_020000${ending}`;
        for (const days of [6, 7, 9]) await aged(path.join(directory, old(days)), days);
        for (const name of [`other_20200101_020000${ending}`, `${prefix}20200101${ending}`, `${prefix}20200101_020000${ending}.bak`, 'notes.txt']) await aged(path.join(directory, name), 99);
        await aged(path.join(directory, `${old(9)}.json`), 9);
        const kept = (await readdir(directory)).filter((name) => !name.includes(old(9)));
        const all = await app.command(['backup', '--to', directory]);
        assert.equal(all.code, 0, all.output);
        assert.ok(existsSync(path.join(directory, old(9))) === false, 'the fourth, and 9 days old');
        for (const name of kept) assert.ok(existsSync(path.join(directory, name)), name);
        assert.ok(!existsSync(path.join(directory, `${old(9)}.json`)));

        for (const days of [7, 6]) await aged(path.join(directory, old(days)), 30 + days);
        await writeFile(path.join(directory, 'status.json'), JSON.stringify({ last_verified_file: old(6), last_verified_at: 1 }));
        const few = await app.command(['backup', '--to', directory, '--keep-min', '1']);
        assert.equal(few.code, 0, few.output);
        assert.ok(existsSync(path.join(directory, old(6))), 'the one that is known to be good');
        assert.ok(!existsSync(path.join(directory, old(7))));
        assert.equal((await backupsIn(directory)).filter((name) => name.startsWith(`${prefix}2020`) && name.endsWith(ending)).length, 2, 'the good one, and one that is not named like a backup');
      });

      test('one at a time', async () => {
        const directory = await folder();
        const holder = start('flock', [path.join(directory, '.lock'), 'sh', '-c', 'echo held; exec cat'], { stdio: ['pipe', 'pipe', 'pipe'] });
        await until('the lock to be held', () => holder.output.includes('held'));
        const second = await app.command(['backup', '--to', directory]);
        assert.equal(second.code, EX_UNAVAILABLE, second.output);
        assert.match(second.output, /under way/);
        holder.stdin.end();
        await holder.ended;
        assert.equal((await app.command(['backup', '--to', directory])).code, 0);
      });
    });
  }

  test('a kill in the middle leaves no backup, and the next run cleans up', { skip: !ENGINES.includes('postgres') }, async () => {
    const app = apps.find((each) => each.postgres);
    const directory = await folder();
    // A dump that stops half-way and waits.
    const front = await programInFront(path.join(scratch, 'slow'), 'pg_dump', `[ "$1" = --version ] && exec /usr/bin/pg_dump --version
      /usr/bin/pg_dump "$@" | { head -c 20000; cat >/dev/null; }; echo $$ >${directory}/pid; exec sleep 300`);
    const environment = { ...app.environment, BACKUP_DIR: directory, PATH: `${front}:${process.env.PATH}` };
    const old = `${app.database}_20200101_020000.sql.gz`;
    await aged(path.join(directory, old), 99);
    const begin = async () => {
      await rm(path.join(directory, 'pid'), { force: true });
      const child = start(BINARY, ['backup', '--keep-min', '1'], { env: environment, cwd: app.data });
      const pid = await until('the dump to be half done', async () => Number(await readFile(path.join(directory, 'pid'), 'utf8')));
      assert.ok((await readdir(directory)).some((name) => name.endsWith('.partial')));
      return { child, pid };
    };
    const ours = await begin();
    ours.child.kill('SIGKILL');
    await ours.child.ended;
    process.kill(ours.pid, 'SIGKILL');
    assert.deepEqual(await backupsIn(directory), [old]);

    const theirs = await begin();
    process.kill(theirs.pid, 'SIGKILL');
    assert.equal((await theirs.child.ended).code, EX_UNAVAILABLE, theirs.child.output);
    assert.match(theirs.child.output, /pg_dump was ended by signal 9/);
    assert.deepEqual((await readdir(directory)).filter((name) => name.endsWith('.partial')), []);
    assert.deepEqual(await backupsIn(directory), [old], 'nothing under the final name, nothing deleted');
    assert.match((await statusOf(directory)).last_failure, /signal 9/);

    const whole = await app.command(['backup', '--to', directory]);
    assert.equal(whole.code, 0, whole.output);
    assert.equal((await backupsIn(directory)).length, 2);
  });

  test('a pg_dump that is too old or missing is named, with what to install', { skip: !ENGINES.includes('postgres') }, async () => {
    const app = apps.find((each) => each.postgres);
    const directory = await folder();
    const front = await programInFront(path.join(scratch, 'old'), 'pg_dump', 'echo "pg_dump (PostgreSQL) 9.6.1"');
    // Debian's folder of versions holds a good one, and it is found.
    const found = await run(BINARY, ['backup', '--to', directory], { env: { ...app.environment, PATH: front }, cwd: app.data });
    assert.equal(found.code, 0, found.output);
  });

  // --- the guide's own words ---------------------------------------------------------------------------------------------

  describe('the guide', { skip: !ENGINES.includes('postgres') }, () => {
    let app;
    let config;
    let home;
    before(async () => {
      app = apps.find((each) => each.postgres);
      config = await folder();
      home = await folder();
    });
    const configured = async (directory, extra = '') => {
      await writeFile(path.join(config, 'agentauri.env'), `# settings\nDB_HOST=localhost\nDB_PORT=${app.environment.DB_PORT}\nDB_NAME=${app.database}\nBACKUP_DIR=${directory}\n${extra}`, { mode: 0o600 });
      await mkdir(path.join(config, 'secrets'), { recursive: true, mode: 0o700 });
      await writeFile(path.join(config, 'secrets/DB_PASSWORD'), `${app.environment.DB_PASSWORD}\n`, { mode: 0o600 });
    };
    // As cron runs it: three variables, and the settings' place, which is /etc/agentauri on a host.
    const cron = (PATH = '/usr/bin:/bin') => run('/usr/bin/env', ['-i', `HOME=${home}`, `PATH=${PATH}`, 'SHELL=/bin/sh', `AGENTAURI_CONFIG=${config}`, '/bin/sh', '-c', SCRIPT]);

    test('the cron line runs the script every day at 02:00', async () => {
      const table = await readFile(path.join(ROOT, 'deploy/backup/crontab'), 'utf8');
      const lines = table.split('\n').filter((line) => line !== '' && !line.startsWith('#') && !/^[A-Z]+=/.test(line));
      assert.deepEqual(lines, ['0 2 * * * root /usr/lib/agentauri/backup-postgresql']);
      assert.match(await readFile(path.join(ROOT, 'cmake/packaging.cmake'), 'utf8'), /deploy\/backup\/backup-postgresql DESTINATION lib\/agentauri/);
    });

    test('the script as cron runs it, and the restore line into an empty database', async () => {
      const directory = await folder();
      await configured(directory);
      await writeFile(path.join(directory, 'status.json'), '{"last_verified_at":17,"last_verified_file":"x.sql.gz","last_failure_at":5,"last_failure":"a \\"quoted\\" word, {and} more"}\n');
      const done = await cron();
      assert.equal(done.code, 0, done.output);
      assert.equal(done.output, '');
      const [name] = await backupsIn(directory);
      assert.match(name, new RegExp(`^${app.database}_\\d{8}_\\d{6}\\.sql\\.gz$`));
      const file = path.join(directory, name);
      await runOk('gzip', ['-t', file]);
      const text = await runOk('gzip', ['-dc', file]);
      assert.match(text, /^SET timescaledb\.restoring = 'on';\n--\n-- PostgreSQL database dump\n--/);
      const status = await statusOf(directory);
      assert.equal(status.last_file, name);
      assert.ok(Math.abs(status.last_success_at - Date.now() / 1000) < 60);
      assert.deepEqual([status.last_verified_at, status.last_verified_file, status.last_failure_at, status.last_failure], [17, 'x.sql.gz', 5, 'a "quoted" word, {and} more']);

      const database = await app.postgres.createDatabase(`${app.database}_guide`);
      const restored = await run('bash', ['-c', 'set -o pipefail; gunzip < "$1" | psql -X -v ON_ERROR_STOP=1 --single-transaction -h localhost -p "$2" -U postgres "$3"', '_', file, app.environment.DB_PORT, database],
        { env: app.postgres.psqlEnvironment() });
      assert.equal(restored.code, 0, restored.output);
      assert.doesNotMatch(restored.output, /ERROR/);
      // The digests of the program's own backups of the two are the same, table by table.
      const tables = async (name_) => {
        const at = await folder();
        const made = await run(BINARY, ['backup', '--to', at], { env: { ...app.environment, DB_NAME: name_ }, cwd: app.data });
        assert.equal(made.code, 0, made.output);
        return JSON.parse(await readFile(path.join(at, `${(await backupsIn(at))[0]}.json`), 'utf8')).tables;
      };
      const stable = (list) => list.filter(({ table }) => table !== 'leases');
      assert.deepEqual(stable(await tables(database)), stable(await tables(app.database)));
      const other = await another(app, { DB_NAME: database });
      await signsIn(other, app.content);
      const verified = await app.command(['verify-backup', file]);
      assert.equal(verified.code, 0, verified.output);
    });

    test('without the root-only file the password comes from ~/.pgpass', async () => {
      const directory = await folder();
      await configured(directory);
      await rm(path.join(config, 'secrets/DB_PASSWORD'));
      await writeFile(path.join(home, '.pgpass'), `localhost:${app.environment.DB_PORT}:*:postgres:${app.environment.DB_PASSWORD.replaceAll(/[\\:]/g, '\\$&')}\n`, { mode: 0o600 });
      const done = await cron();
      assert.equal(done.code, 0, done.output);
      await rm(path.join(home, '.pgpass'));
      const second = () => Math.floor(Date.now() / 1000);   // names of backups have no more than seconds
      const first = second();
      await until('another second', () => second() > first);
      const without = await cron();
      assert.equal(without.code, 1, 'and without either it fails instead of asking');
      assert.match((await statusOf(directory)).last_failure, /pg_dump or gzip did not succeed/);
    });

    test('files of 6, 7 and 9 days: the last one goes, and nothing else in the folder', async () => {
      const directory = await folder();
      await configured(directory);
      const old = (days) => `${app.database}_2020010${days}_020000.sql.gz`;
      for (const days of [6, 7, 9]) await aged(path.join(directory, old(days)), days);
      for (const name of ['other_20200101_020000.sql.gz', `${app.database}_backup.sql.gz`, 'notes.txt', `${old(9)}.asc`]) await aged(path.join(directory, name), 99);
      const expected = (await readdir(directory)).filter((name) => name !== old(9));
      const done = await cron();
      assert.equal(done.code, 0, done.output);
      const left = (await readdir(directory)).filter((name) => name !== '.lock' && name !== 'status.json');
      assert.deepEqual(left.filter((name) => name !== left.find((each) => !expected.includes(each))).sort(), expected.sort());
    });

    test('a dump that is killed, or has no server: exit 1, nothing deleted, nothing under the final name', async () => {
      const directory = await folder();
      await configured(directory);
      await aged(path.join(directory, `${app.database}_20200101_020000.sql.gz`), 99);
      const before_ = await backupsIn(directory);
      const killed = await programInFront(path.join(scratch, 'killed'), 'pg_dump', '/usr/bin/pg_dump "$@" | head -c 20000; kill -KILL $$');
      const short = await programInFront(path.join(scratch, 'short'), 'pg_dump', '/usr/bin/pg_dump "$@" | head -c 20000; exit 0');
      for (const [front, why] of [[killed, /did not succeed/], [short, /no last line/]]) {
        const result = await cron(`${front}:/usr/bin:/bin`);
        assert.equal(result.code, 1, result.output);
        assert.match(result.output, why);
        assert.deepEqual(await backupsIn(directory), before_);
        assert.match((await statusOf(directory)).last_failure, why);
        assert.ok(!(await readdir(directory)).some((name) => name.endsWith('.partial')));
      }
      await writeFile(path.join(config, 'agentauri.env'), `DB_PORT=1\nDB_NAME=${app.database}\nBACKUP_DIR=${directory}\n`);
      const down = await cron();
      assert.equal(down.code, 1, down.output);
      assert.deepEqual(await backupsIn(directory), before_);
      // The program's own command likewise.
      const command = await run(BINARY, ['backup', '--to', directory], { env: { ...app.environment, DB_PORT: '1' }, cwd: app.data });
      assert.equal(command.code, EX_UNAVAILABLE, command.output);
      assert.deepEqual(await backupsIn(directory), before_);
      assert.ok((await statusOf(directory)).last_failure_at > 0);
    });
  });

  // docs/backup.md's own lines, with other folders and another moment.
  test('point-in-time recovery: rows of t1 and t2 are there, that of t3 is not', { skip: !ENGINES.includes('postgres') }, async () => {
    const document = await readFile(path.join(ROOT, 'docs/backup.md'), 'utf8');
    const section = document.slice(document.indexOf('## Point-in-time recovery'), document.indexOf('## Move from SQLite'));
    const [once, daily, back] = [...section.matchAll(/```sh\n([\s\S]*?)```/g)].map((each) => each[1]);
    const server = await Postgres.start();
    try {
      const [wal, base, recovered] = ['wal', 'base', 'recovered'].map((name) => path.join(server.directory, name));
      const here = (text) => text.replaceAll('/var/backups/postgresql-wal', wal).replaceAll('/var/backups/postgresql-base', base)
        .replaceAll('/var/lib/postgresql/15/recovered', recovered).replaceAll(`${base}/20261118`, '"$first"');
      const shell = (script, environment = {}) => runOk('bash', ['-euo', 'pipefail', '-c', script], {
        ...server.user.options, cwd: server.directory,
        env: { PATH: `/usr/lib/postgresql/15/bin:${process.env.PATH}`, PGHOST: '127.0.0.1', PGPORT: String(server.port), PGUSER: 'postgres', PGPASSWORD: server.password, ...environment } });
      await shell(here(once).replace('systemctl restart postgresql', ''));
      await server.pause();
      await server.launch();
      assert.equal(await server.query('postgres', 'SHOW archive_timeout'), '5min');

      const app = await AgentAuri.prepare({ ...server.environment(await server.createDatabase('pitr')), JWT_SECRET, ENVIRONMENT: 'development' });
      apps.push(app);
      assert.equal((await app.command(['migrate', 'up'])).code, 0);
      await server.query('postgres', 'SELECT pg_switch_wal()');
      await shell(here(daily));
      const pieces = (await readdir(wal)).filter((name) => /^[0-9A-F]{24}$/.test(name));
      assert.ok(!pieces.includes('000000010000000000000001'), 'what no base backup needs is gone');
      const mark = (name) => server.query('pitr', `INSERT INTO counters VALUES ('${name}', 1)`);
      await mark('t1');
      await mark('t2');
      const moment = await server.query('pitr', 'SELECT clock_timestamp()');
      await mark('t3');
      const last = await server.query('pitr', 'SELECT pg_walfile_name(pg_switch_wal())');
      await until('the last piece to be archived', async () => existsSync(path.join(wal, last)));
      await server.pause();

      const [first] = await readdir(base);
      await shell(here(back).replace(/'\d{4}-[^']+'/, `'${moment}'`).replace(/^pg_ctl .*$/m, ''), { first: path.join(base, first) });
      server.data = recovered;
      await server.launch();
      await until('the end of the recovery', async () => (await server.query('postgres', 'SELECT pg_is_in_recovery()')) === 'f');
      assert.equal(await server.query('pitr', `SELECT string_agg(name, ' ' ORDER BY name) FROM counters WHERE name LIKE 't_'`), 't1 t2');
      assert.equal((await app.command(['migrate', 'verify'])).code, 0);
    } finally {
      await server.stop();
    }
  });

  test('wrong words are refused before anything is done', async () => {
    const app = await AgentAuri.prepare();
    apps.push(app);
    for (const [args, pattern] of [
      [['restore', 'agentauri_20260101_000000.db.gz', '--to', 'there'], /--to must be sqlite:FOLDER/],
      [['restore', 'agentauri_20260101_000000.db.gz', '--to', 'postgresql:'], /there is none/],
      [['restore', 'x.zip', '--to', `sqlite:${app.data}`], /not named like a backup/],
      [['restore', 'agentauri_20260101_000000.db.gz', '--to', `sqlite:${app.data}`], /there is no file/],
      [['restore', 'a_20260101_000000.sql.gz', '--to', `sqlite:${app.data}`], /store copy/],
      [['verify-backup'], /there is no folder/],
    ]) {
      const result = await app.command(args);
      assert.equal(result.code, EX_USAGE, `${args}: ${result.output}`);
      assert.match(result.output, pattern);
    }
    const nothing = await app.command(['backup']);
    assert.notEqual(nothing.code, 0);
    assert.match(nothing.output, /there is no store in/);
    assert.equal((await app.command(['backup', '--keep-min', '0'])).code, EX_USAGE);
  });
});
