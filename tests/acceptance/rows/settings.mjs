// Rows 9 to 16: variables and secrets.
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';
import { existsSync } from 'node:fs';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { ROOT } from '../../functional/lib/agentauri.mjs';
import { runOk } from '../../functional/lib/process.mjs';
import { until } from '../../functional/lib/wait.mjs';
import { preflight } from '../origins.mjs';

const EX_CONFIG = 78;

// It must not start; what it said.
export async function refused(system, environment) {
  const child = system.beside(system.variables(environment));
  const { code } = await child.ended;
  assert.notEqual(code, 0, `it started with ${JSON.stringify(environment)}`);
  return { code, output: child.output };
}

export const shortSecret = async (system) => {
  const secret = 'Zk3q9Vb7Lw2Xn5Rt8Yp1Cd4Fg6Hj0Ks';   // 31 characters
  const { code, output } = await refused(system, { JWT_SECRET: secret });
  assert.equal(code, EX_CONFIG);
  assert.match(output, /JWT_SECRET.*at least 32 characters, not 31.*openssl rand -base64 32/s);
  assert.ok(!output.includes(secret), 'the value is not repeated');
};

// What a secret looks like that is no placeholder of a test.
const SECRETS = ['-----BEGIN [A-Z ]*PRIVATE KEY-----', 'AKIA[0-9A-Z]{16}', 'gh[pousr]_[A-Za-z0-9]{36}', 'xox[baprs]-[0-9]{10,}-[A-Za-z0-9-]{20,}', 'AIza[0-9A-Za-z_-]{35}', '[0-9]{9,10}:AA[A-Za-z0-9_-]{33}'];

export const rows = {
  9: async () => {
    const git = (...args) => runOk('git', ['-C', ROOT, ...args]);
    await git('check-ignore', '-q', '.env');
    const names = (await git('log', '--all', '--format=', '--name-only', '--diff-filter=A')).split('\n');
    assert.deepEqual(names.filter((name) => /(^|\/)\.env$|\.(pem|key|p12|pfx)$|(^|\/)id_(rsa|ed25519)$/.test(name)), [], 'files of secrets were committed');
    const found = await runOk('bash', ['-c', `git -C "$1" log --all -p --no-color --format=%h -G '${SECRETS.join('|')}' --extended-regexp -- . ':!tests/acceptance/rows/settings.mjs' | grep -E '^\\+' | grep -E -e '${SECRETS.join('|')}' | cut -c1-120 | sort -u || true`, '_', ROOT]);
    assert.equal(found.trim(), '', `it looks like a secret: ${found}`);
    const example = path.join(ROOT, '.env.example');
    assert.ok(existsSync(example), '.env.example is missing');
    for (const [, name, value] of (await readFile(example, 'utf8')).matchAll(/^#?([A-Z_]*(?:SECRET|PASSWORD|TOKEN|KEYS?))=(.*)$/gm)) assert.match(value, /^(<.*>)?$/, `${name} in .env.example is no placeholder`);
    return 'history, .gitignore and .env.example';
  },

  10: async (system) => {
    await system.migrated();
    const unset = await refused(system, { JWT_SECRET: undefined });
    assert.equal(unset.code, EX_CONFIG);
    assert.match(unset.output, /JWT_SECRET must be set/);
    await shortSecret(system);
    const secret = (await system.machine.ok('openssl rand -base64 32')).trim();
    await system.withGateway({ JWT_SECRET: secret, DB_NAME: await system.freshDatabase() }, async () => {});
    return 'unset and 31 characters end with 78; a random one starts';
  },

  11: async (system) => {
    await system.migrated();
    await system.withGateway({}, async (base) => assert.equal((await (await fetch(`${base}/api/v1/health`)).json()).database, 'connected'));
    const { output } = await refused(system, { DB_PASSWORD: undefined });
    assert.match(output, /DB_PASSWORD must be set/);
    const password = 'p/+=@:#?% word';
    await system.sql(`CREATE ROLE odd LOGIN SUPERUSER PASSWORD '${password}'`);
    await system.withGateway({ DB_USER: 'odd', DB_PASSWORD: password }, async () => {});
    return 'connects with these alone, and with a password of / + = @ : # ? % and a space';
  },

  12: async (system) => {
    await system.gateway();
    const { output } = await refused(system, { REDIS_PASSWORD: 'open-sesame-7' });
    assert.match(output, /REDIS_PASSWORD/);
    assert.ok(!output.includes('open-sesame-7'), 'the value is not repeated');
    await system.withGateway({ REDIS_PASSWORD: system.redisPassword }, async (base) => {
      assert.equal((await (await fetch(`${base}/api/v1/health`)).json()).redis, 'connected');
      assert.ok((await fetch(`${base}/api/v1/triggers`)).headers.get('ratelimit-policy'), 'limits are active');
    });
    await system.withGateway({ REDIS_PASSWORD: system.redisPassword, REDIS_PORT: '1' }, async (base) => {
      assert.equal((await (await fetch(`${base}/api/v1/health`)).json()).redis, 'disconnected');
    });
    return 'right: limits in Redis; wrong: refused by name; unreachable: starts';
  },

  13: async (system) => {
    await system.gateway();
    for (const origin of ['https://app.yourdomain.com', 'https://www.yourdomain.com']) assert.equal(await preflight(origin), origin);
    for (const origin of ['https://evil.example', 'http://app.yourdomain.com', 'https://app.yourdomain.com.evil.example', 'null']) assert.equal(await preflight(origin), null, origin);
  },

  14: async (system) => {
    await system.migrated();
    await system.withGateway({ SERVER_PORT: '18081', SERVER_HOST: '0.0.0.0' }, async () => {
      const listening = (await system.machine.ok('ss -ltnpH')).split('\n').filter((line) => line.includes('api-gateway') && !/127\.0\.0\.1:(8080|9464)\b/.test(line));
      // One listener for each of its threads.
      assert.deepEqual([...new Set(listening.map((line) => line.trim().split(/\s+/)[3]))].sort(), ['0.0.0.0:18081', '127.0.0.1:19464']);
    });
    for (const port of ['http', '65536', '-1']) assert.match((await refused(system, { SERVER_PORT: port })).output, /SERVER_PORT.*0 to 65535/);
    return 'on 0.0.0.0:18081 and METRICS_ADDR only';
  },

  15: async (system) => {
    await system.gateway();
    await system.machine.ok('systemctl stop api-gateway');   // which has the default address of the metrics
    try {
      const variables = { METRICS_ADDR: undefined, REDIS_PASSWORD: system.redisPassword };
      await system.withGateway(variables, async (base) => assert.equal((await (await fetch(`${base}/api/v1/health`)).json()).redis, 'connected'));
      await system.machine.ok('systemctl stop redis-server');
      await system.withGateway(variables, async (base) => assert.equal((await fetch(`${base}/api/v1/health`)).status, 200));
    } finally {
      await system.machine.ok('systemctl start redis-server api-gateway');
      await system.healthy();
      await until('Redis to be used again', async () => (await (await fetch('http://127.0.0.1:8080/api/v1/health')).json()).redis === 'connected');
    }
    return 'health 200, with Redis up and down';
  },

  16: async (system) => {
    await system.packages();
    // Two of each by the guide's own command, the rest by the same: so many random bytes in base64.
    const own = (await system.machine.ok('for n in 1 2; do echo "$(openssl rand -base64 32) $(openssl rand -base64 24) $(openssl rand -base64 24)"; done')).trim().split('\n').map((line) => line.split(' '));
    const sets = [...own, ...Array.from({ length: 198 }, () => [32, 24, 24].map((size) => randomBytes(size).toString('base64')))];
    await system.machine.write('/root/generated', sets.map((set) => `${set.join(' ')}\n`).join(''), 0o600);
    const said = await system.machine.ok(`xargs -P2 -L1 sh -c 'env -i JWT_SECRET="$0" DB_HOST=localhost DB_PASSWORD="$1" REDIS_PASSWORD="$2" /usr/bin/api-gateway check-config >/dev/null && echo taken' <generated; rm generated`);
    assert.equal(said.trim().split('\n').length, sets.length);
    return `${sets.length} of each, ${sets.flat().filter((value) => value.includes('/')).length} with a slash`;
  },
};
