// The units of deploy/systemd: clean for systemd, and what they run starts, refuses and stops as they promise. The whole life
// of the package under a systemd of its own is tests/package.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { chmod, chown, copyFile, cp, mkdir, mkdtemp, readFile, readdir, rm, symlink, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { BINARY, JWT_SECRET, ROOT } from '../lib/agentauri.mjs';
import { Postgres } from '../lib/postgres.mjs';
import { freePort, run, runOk, start } from '../lib/process.mjs';
import { environmentOf, readUnit } from '../lib/units.mjs';
import { until } from '../lib/wait.mjs';

const UNITS = path.join(ROOT, 'deploy/systemd');
const ROLES = { gateway: 9464, indexer: 9465, engine: 9466, worker: 9467 };
const ONESHOTS = ['agentauri-migrate.service', 'agentauri-backup.service', 'agentauri-verify-backup.service'];
const TIMERS = ['agentauri-backup.timer', 'agentauri-verify-backup.timer'];
const SERVICES = ['api-gateway.service', ...ONESHOTS, ...Object.keys(ROLES).map((role) => `agentauri@${role}.service`)];
const MAX_EXPOSURE = 2.0;
const SECRETS = ['JWT_SECRET', 'JWT_SECRET_PREVIOUS', 'DATA_ENCRYPTION_KEYS', 'DB_PASSWORD', 'REDIS_PASSWORD'];
const EX_CONFIG = 78;
const STOP_MS = 5000;

const analyze = ['/usr/bin/systemd-analyze', '/bin/systemd-analyze'].find((file) => existsSync(file));
const skip = analyze ? false : 'systemd-analyze is not installed';

describe('systemd units', () => {
  let root;   // laid out like the root of a host: the program, the units, folders for logs and secrets
  let postgres;

  before(async () => {
    root = await mkdtemp(path.join(tmpdir(), 'agentauri-units-'));
    await chmod(root, 0o755);
    for (const folder of ['usr/bin', 'bin', 'opt/api.agentauri.ai/bin', 'etc/systemd/system', 'run/credentials', 'var/log', 'var/lib']) await mkdir(path.join(root, folder), { recursive: true });
    await copyFile(BINARY, path.join(root, 'usr/bin/agentauri'));
    await chmod(path.join(root, 'usr/bin/agentauri'), 0o755);
    await symlink('agentauri', path.join(root, 'usr/bin/api-gateway'));
    await symlink('../../../usr/bin/api-gateway', path.join(root, 'opt/api.agentauri.ai/bin/api-gateway'));
    await writeFile(path.join(root, 'bin/kill'), '', { mode: 0o755 });
    for (const name of await readdir(UNITS)) if (/\.(service|target|timer|d)$/.test(name)) await cp(path.join(UNITS, name), path.join(root, 'etc/systemd/system', name), { recursive: true });
    postgres = await Postgres.start();
  });
  after(async () => {
    await postgres?.stop();
    await rm(root, { recursive: true, force: true });
  });

  test('systemd-analyze verify finds nothing', { skip }, async () => {
    // The units that ours are ordered after belong to the host.
    for (const target of ['timers', 'time-set', 'time-sync', 'multi-user', 'network', 'network-online', 'sysinit', 'basic', 'shutdown']) await writeFile(path.join(root, `etc/systemd/system/${target}.target`), '[Unit]\n');
    for (const slice of ['system', 'system-agentauri']) await writeFile(path.join(root, `etc/systemd/system/${slice}.slice`), '[Unit]\n');
    for (const name of [...SERVICES, ...TIMERS, 'agentauri.target']) {
      const result = await run(analyze, ['verify', `--root=${root}`, name]);
      assert.equal(result.output.trim(), '', name);
      assert.equal(result.code, 0, name);
    }
  });

  test(`systemd-analyze security finds at most ${MAX_EXPOSURE}`, { skip }, async () => {
    for (const name of ['api-gateway.service', 'agentauri@.service', ...ONESHOTS]) {
      const result = await run(analyze, ['security', '--offline=true', '--no-pager', path.join(UNITS, name)]);
      const [, exposure] = /Overall exposure level for \S+: ([\d.]+)/.exec(result.output) ?? assert.fail(result.output);
      assert.ok(Number(exposure) <= MAX_EXPOSURE, `${name}: ${exposure}`);
    }
  });

  test('they say what the deployment guide asks for', () => {
    const { Unit, Service, Install } = readUnit(UNITS, 'api-gateway.service');
    assert.match(Unit.Description[0], /API Gateway.*api\.agentauri\.ai/);
    for (const other of ['network.target', 'postgresql.service', 'redis.service']) assert.ok(Unit.After.join(' ').split(' ').includes(other), other);
    const expected = { User: 'apigateway', WorkingDirectory: '/opt/api.agentauri.ai', ExecStart: '/opt/api.agentauri.ai/bin/api-gateway', PrivateTmp: 'yes', NoNewPrivileges: 'yes', ProtectSystem: 'strict',
      ProtectHome: 'yes', ReadWritePaths: '-/opt/api.agentauri.ai/logs', LogsDirectory: 'api-gateway', Restart: 'always', RestartSec: '10' };
    for (const [key, value] of Object.entries(expected)) assert.deepEqual(Service[key], [value], key);
    assert.deepEqual(Install.WantedBy, ['multi-user.target']);
    const environment = environmentOf(readUnit(UNITS, 'api-gateway.service'));
    for (const [key, value] of Object.entries({ SERVER_HOST: '127.0.0.1', SERVER_PORT: '8080', ALLOWED_ORIGINS: 'https://app.yourdomain.com', LOG_LEVEL: 'info', LOG_DIR: '/var/log/api-gateway' })) assert.equal(environment[key], value, key);
  });

  test('a backup is made every day at 02:00 and verified every week', () => {
    const [backup, verify] = TIMERS.map((name) => readUnit(UNITS, name));
    assert.deepEqual(backup.Timer.OnCalendar, ['*-*-* 02:00:00']);
    assert.deepEqual(verify.Timer.OnCalendar, ['Sun *-*-* 04:00:00']);
    for (const timer of [backup, verify]) {
      assert.deepEqual(timer.Timer.Persistent, ['true']);
      assert.deepEqual(timer.Install.WantedBy, ['timers.target']);
    }
  });

  test('every role has a metrics port of its own, and none of the units holds a secret', () => {
    for (const [role, port] of Object.entries(ROLES)) {
      const unit = readUnit(UNITS, `agentauri@${role}.service`);
      assert.equal(environmentOf(unit).METRICS_ADDR, `127.0.0.1:${port}`);
      assert.deepEqual(unit.Service.ExecStart, [`/usr/bin/agentauri serve --roles ${role}`]);
    }
    for (const name of SERVICES) {
      const { Service } = readUnit(UNITS, name);
      for (const secret of SECRETS) {
        assert.ok(Service.LoadCredential.includes(`${secret}:/etc/agentauri/secrets/${secret}`), `${name} loads ${secret}`);
        assert.ok(Service.SetCredential.includes(`${secret}:\\n`), `${name}: ${secret} may be missing`);
        assert.equal(environmentOf({ Service })[`${secret}_FILE`], `/run/credentials/${name}/${secret}`);
        assert.equal(environmentOf({ Service })[secret], undefined);
      }
      if (!ONESHOTS.includes(name)) {
        assert.ok(Service.RestartPreventExitStatus[0].split(' ').includes(String(EX_CONFIG)), name);
        assert.ok(Number(Service.TimeoutStopSec[0]) * 1000 > STOP_MS, name);
      }
    }
  });

  // A unit as systemd would run it, without systemd: its environment, credentials and folders below `root`, as an ordinary user.
  async function prepare(name, { secrets = {}, environment = {} } = {}) {
    const unit = readUnit(UNITS, name);
    const below = (text) => text.replaceAll(/(^|=)\/(opt|usr|var|run)\//g, `$1${root}/$2/`);
    const credentials = path.join(root, 'run/credentials', name);
    const owner = process.getuid() === 0 ? { uid: Number(await runOk('id', ['-u', 'nobody'])), gid: Number(await runOk('id', ['-g', 'nobody'])) } : undefined;
    const folders = [credentials, below(environmentOf(unit).LOG_DIR ?? '/var/lib/none'), below(unit.Service.WorkingDirectory[0])];
    for (const folder of folders) {
      await mkdir(folder, { recursive: true });
      if (owner) await chown(folder, owner.uid, owner.gid);
    }
    for (const secret of SECRETS) {
      const file = path.join(credentials, secret);
      await rm(file, { force: true });
      await writeFile(file, `${secrets[secret] ?? ''}\n`, { mode: 0o400 });
      if (owner) await chown(file, owner.uid, owner.gid);
    }
    const [program, ...args] = below(unit.Service.ExecStart[0]).split(' ');
    const settings = Object.fromEntries(Object.entries(environmentOf(unit)).map(([key, value]) => [key, below(value)]));
    return { program, args, options: { cwd: folders[2], env: { PATH: process.env.PATH, ...settings, ...environment }, ...owner } };
  }

  test('every name that they set is one that the program knows', async () => {
    const bytes = await readFile(BINARY);
    for (const name of SERVICES) {
      const unit = await prepare(name, { secrets: { JWT_SECRET, DB_PASSWORD: 'x', REDIS_PASSWORD: 'y' } });
      const result = await run(unit.program, ['check-config'], unit.options);
      assert.equal(result.code, 0, `${name}: ${result.output}`);
      assert.doesNotMatch(result.output, /is not a setting/, name);
      for (const variable of Object.keys(environmentOf(readUnit(UNITS, name)))) {
        assert.ok(bytes.includes(variable.replace(/_FILE$/, '')), `${name} sets ${variable}`);
      }
    }
    const example = await readFile(path.join(UNITS, 'agentauri.env'), 'utf8');
    for (const [, variable] of example.matchAll(/^#?([A-Z][A-Z0-9_]+)=/gm)) {
      assert.ok(bytes.includes(variable) || /^CHAIN_\d+_RPC_URL$/.test(variable), `agentauri.env names ${variable}`);
    }
  });

  test('without secrets: exit 78, which systemd does not try again, and both are named', async () => {
    for (const name of SERVICES) {
      const unit = await prepare(name);
      const result = await run(unit.program, unit.args, unit.options);
      assert.equal(result.code, EX_CONFIG, `${name}: ${result.output}`);
      assert.match(result.output, /JWT_SECRET must be set/, name);
      assert.match(result.output, /DB_PASSWORD must be set/, name);
    }
  });

  test('migration, start, and a stop under load that cuts nobody off', async () => {
    const database = await postgres.createDatabase(`agentauri_units_${process.pid}`);
    const { DB_PASSWORD, ...connection } = postgres.environment(database);
    const [port, metrics] = [await freePort(), await freePort()];
    const secrets = { JWT_SECRET, DB_PASSWORD };
    const migrate = await prepare('agentauri-migrate.service', { secrets, environment: connection });
    const migrated = await run(migrate.program, migrate.args, migrate.options);
    assert.equal(migrated.code, 0, migrated.output);

    const unit = await prepare('api-gateway.service', { secrets, environment: { ...connection, SERVER_PORT: String(port), METRICS_ADDR: `127.0.0.1:${metrics}` } });
    const child = start(unit.program, unit.args, unit.options);
    await until('the gateway to be healthy', async () => {
      if (child.exitCode !== null) throw new Error(child.output);
      return (await fetch(`http://127.0.0.1:${port}/api/v1/health`)).status === 200;
    });

    // Sign-ins wait for a password hash each, so several are in hand when the first was answered. What asks without a pause
    // meanwhile either gets a whole answer, or is refused because it came after the end.
    const faults = [];
    const ask = (method, target, body) => new Promise((resolve) => {
      const request = http.request({ host: '127.0.0.1', port, method, path: target, agent: false, headers: body ? { 'content-type': 'application/json' } : {} }, (response) => {
        response.on('data', () => {}).on('end', () => resolve(response.statusCode)).on('error', (error) => resolve(error.code));
      });
      request.on('error', (error) => resolve(error.code));
      request.end(body);
    });
    let stopping = false;
    const load = Array.from({ length: 4 }, async () => {
      for (;;) {
        const answer = await ask('GET', '/api/v1/health');
        if (answer === 'ECONNREFUSED' && stopping) return;
        // A connection that the kernel had taken but the program not yet is reset with the listening socket.
        if (answer === 'ECONNRESET' && stopping) return;
        if (answer !== 200) return void faults.push(answer);
      }
    });
    const signIns = Array.from({ length: 6 }, (_, n) => ask('POST', '/api/v1/auth/login', JSON.stringify({ username: `nobody${n}`, password: 'a quiet river 77' })));
    await Promise.race(signIns);
    const began = Date.now();
    stopping = true;
    child.kill('SIGTERM');
    const ended = await child.ended;
    assert.ok(Date.now() - began <= STOP_MS + 500, `the stop took ${Date.now() - began} ms`);
    assert.equal(ended.code, 0, child.output.slice(-2000));
    assert.deepEqual(await Promise.all(signIns), Array(6).fill(401));
    await Promise.all(load);
    assert.deepEqual(faults, []);
    const lines = child.output.split('\n');
    assert.ok(lines.some((line) => line.includes('"message":"stopping"')) && lines.some((line) => line.includes('"message":"stopped"')));
    assert.match(await readFile(path.join(root, 'var/log/api-gateway/api-gateway.log'), 'utf8'), /"message":"started"/);
  });
});
