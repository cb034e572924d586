// Rows 67 to 73: what goes wrong says why.
import assert from 'node:assert/strict';
import { createServer } from 'node:net';
import { newAddress } from '../../functional/lib/nginx.mjs';
import { until } from '../../functional/lib/wait.mjs';
import { count } from '../http.mjs';
import { BASE_URL } from '../system.mjs';
import { refused } from './settings.mjs';
import { forged } from './verification.mjs';

const EX_CONFIG = 78, EX_UNAVAILABLE = 69;
const SITE = '/etc/nginx/conf.d/api.agentauri.ai.conf';

// The service with something broken, until it has ended with `status`: the journal's last 50 lines and how long it took.
async function broken(system, harm, mend, status) {
  const { machine } = system;
  await system.gateway();
  await machine.ok('systemctl stop api-gateway; journalctl --rotate -q; systemctl reset-failed api-gateway');
  const since = (await machine.ok('date +%s')).trim();
  const undo = await harm();
  try {
    const began = Date.now();
    await machine.shell('systemctl start api-gateway');
    await until(`an end with ${status}`, async () => (await system.show('ExecMainStatus')) === String(status), { timeoutMs: 40_000, everyMs: 200 });
    const took = Date.now() - began;
    const ended = await system.show('ActiveState');
    const text = await machine.ok(`journalctl --no-pager -o cat -u api-gateway -n 50 --since @${since}`);
    const lines = text.split('\n').filter((line) => line.startsWith('{')).map((line) => JSON.parse(line));
    return { text, took, ended, errors: lines.filter((line) => line.level === 'error'), warnings: lines.filter((line) => line.level === 'warn') };
  } finally {
    await machine.shell('systemctl stop api-gateway; systemctl reset-failed api-gateway');
    await mend(undo);
    await machine.ok('systemctl start api-gateway');
    await system.healthy();
  }
}

const SECRET = '/etc/agentauri/secrets';
let withoutSecret, withWrongPassword;
const noSecret = (system) => (withoutSecret ??= broken(system, () => system.machine.ok(`mv ${SECRET}/JWT_SECRET /root/`), () => system.machine.ok(`mv /root/JWT_SECRET ${SECRET}/`), EX_CONFIG));
const wrongPassword = (system) => (withWrongPassword ??= broken(system, () => system.machine.ok(`mv ${SECRET}/DB_PASSWORD /root/; (umask 077; echo very-private-7 >${SECRET}/DB_PASSWORD)`),
  () => system.machine.ok(`mv /root/DB_PASSWORD ${SECRET}/`), EX_UNAVAILABLE));
const badPort = (system) => broken(system, () => system.machine.ok("echo 'SERVER_PORT=http' >>/etc/agentauri/agentauri.env"), () => system.machine.ok("sed -i '/^SERVER_PORT=http$/d' /etc/agentauri/agentauri.env"), EX_CONFIG);

// One after the other from an address of their own, as fast as they are answered: how many nginx let through.
const SOME = 60;
async function inARow(system) {
  const from = newAddress();
  const statuses = [];
  for (let i = 0; i < SOME; ++i) statuses.push((await system.site.request('GET', '/api/v1/openapi.json', { from, headers: { 'if-none-match': '*' } })).status);
  return SOME - count(statuses, 429);
}

async function taken(work) {
  const holder = createServer();
  await new Promise((resolve, reject) => holder.once('error', reject).listen(18_081, '127.0.0.1', resolve));
  try {
    return await work();
  } finally {
    await new Promise((resolve) => holder.close(resolve));
  }
}

// Settings with a value that cannot be meant, and what must be said of each besides its name.
const BAD = {
  SERVER_PORT: '99999', METRICS_ADDR: 'nowhere', ENVIRONMENT: 'staging', ROLES: 'gateway,painter', THREADS: 'many', DB_PORT: 'x', DB_SSL_MODE: 'maybe', DB_MAX_CONNECTIONS: '-1', REDIS_PORT: '70000',
  JWT_SECRET: 'short', PASSWORD_POLICY: 'lax', REGISTRATION: 'perhaps', RATE_LIMIT_MODE: 'on', RATE_LIMIT_REGISTER_PER_MINUTE: 'three', LOG_LEVEL: 'loud', LOG_FORMAT: 'xml', ENABLE_HSTS: 'ja', HSTS_MAX_AGE: 'a year',
  SHUTDOWN_GRACE_MS: '5s', TRUSTED_PROXIES: '300.1.2.3', EGRESS_ALLOW: 'everything', EGRESS_HTTPS_ONLY: 'sometimes', WEBHOOK_RETRY_SECONDS: '5,4', ATTEMPT_RETENTION_DAYS: '0', DATA_ENCRYPTION_KEYS: 'k1',
  CHAIN_8453_RPC_URL: 'ftp://x', CHAIN_8453_START_BLOCK: '-5', CHAIN_8453_IDENTITY_ADDRESS: '0x12', CHAIN_8453_CONFIRMATIONS: 'few', MIGRATE_AT_START: 'if needed', BASE_URL: 'api',
};

export const rows = {
  67: async (system) => {
    const seen = [await noSecret(system), await wrongPassword(system), await badPort(system)];
    for (const { errors, text } of seen) assert.equal(errors.length, 1, `one ERROR line: ${text.slice(-600)}`);
    for (const [{ errors }, cause] of seen.map((each, i) => [each, [/JWT_SECRET must be set/, /DB_PASSWORD/, /SERVER_PORT/][i]])) assert.match(JSON.stringify(errors[0]), cause);
    assert.match(JSON.stringify(seen[0].errors[0]), /openssl rand/, 'and the remedy');
    await system.guide('why-no-start');
    return 'no secret, wrong database password, bad port: one ERROR line each with cause and remedy';
  },

  68: async (system) => {
    const { text, ended } = await noSecret(system);
    assert.match(text, /JWT_SECRET must be set/);
    assert.doesNotMatch(text, /gateway listens|#0 |terminate called|Assertion/);
    assert.equal(ended, 'failed', 'systemd does not try again');
    return 'exit 78, no socket, not started again';
  },

  69: async (system) => {
    const { warnings, errors, text, took } = await wrongPassword(system);
    const tries = warnings.filter((line) => /attempt|tr(y|ies)|reach/i.test(JSON.stringify(line)));
    assert.equal(tries.length, 4, `four waits are logged: ${JSON.stringify(tries).slice(0, 800)}`);
    assert.ok(took >= 14_500, `waits of 1, 2, 4 and 8 s: ${took} ms`);
    assert.match(JSON.stringify(tries[0]), /"(attempt|try)":1|1 of 5/);
    const last = JSON.stringify(errors[0]);
    for (const named of [/localhost/, /5432/, /agentauri_backend/, /postgres/, /DB_PASSWORD/, /DB_HOST/]) assert.match(last, named);
    assert.doesNotMatch(text, /very-private-7/);
    return `five attempts in ${(took / 1000).toFixed(1)} s, exit 69`;
  },

  70: async (system) => {
    await system.migrated();
    const began = Date.now();
    const { output } = await taken(() => refused(system, { SERVER_PORT: '18081' }));
    assert.match(output, /127\.0\.0\.1[^\n]*18081[^\n]*in use/);
    assert.ok(Date.now() - began < 10_000);
    await system.gateway();
    assert.match(await system.machine.ok('lsof -i :8080'), /api-gatew/);
    return 'address and port are named; lsof shows who has it';
  },

  71: async (system) => {
    await system.packages();
    const result = await system.machine.run('env', ['-i', 'PATH=/usr/bin', ...Object.entries(BAD).map(([name, value]) => `${name}=${value}`), 'DB_PASSWORD=x', '/usr/bin/api-gateway', 'check-config']);
    assert.equal(result.code, EX_CONFIG, result.output);
    const unnamed = Object.keys(BAD).filter((name) => !new RegExp(`\\b${name}\\b`).test(result.output));
    assert.deepEqual(unnamed, [], `not named: ${unnamed.join(' ')}`);
    return `${Object.keys(BAD).length} settings, all named at once`;
  },

  72: async (system) => {
    await system.gateway();
    const user = await system.user();
    const { secret } = system;
    const past = Math.floor(Date.now() / 1000) - 600;
    const expected = {
      unauthorized: {}, token_expired: { token: forged(user.token, secret, { iat: past - 3600, exp: past }) }, token_invalid: { token: forged(user.token, 'another secret, of more than 32 characters') },
      api_key_invalid: { headers: { 'x-api-key': `sk_live_${'A'.repeat(43)}` } },
    };
    const ids = {};
    for (const [code, options] of Object.entries(expected)) {
      const answer = await system.http('GET', '/api/v1/triggers', options);
      assert.deepEqual([answer.status, answer.body.error], [401, code]);
      ids[code] = answer.body.request_id;
    }
    const malformed = await system.http('GET', '/api/v1/triggers', { token: 'not.a.token' });
    assert.equal(malformed.body.error, 'token_invalid');
    const lines = await until('their lines', async () => {
      const all = (await system.journal()).filter((line) => Object.values(ids).includes(line.request_id));
      return Object.values(ids).every((id) => all.some((line) => line.request_id === id)) && all;
    });
    for (const [code, id] of Object.entries(ids)) assert.match(lines.filter((line) => line.request_id === id).map((line) => JSON.stringify(line)).join(''), /cause|reason|why|error/, `the line of ${code} has the cause`);
    // Another process with the same secret on the same database: its tokens count here, and the other way round.
    await system.withGateway({ BASE_URL }, async (base) => {
      const there = await system.login(user, { base });
      assert.equal((await system.http('GET', '/api/v1/triggers', { token: there.body.token })).status, 200);
      assert.equal((await system.http('GET', '/api/v1/triggers', { token: user.token, base })).status, 200);
    });
    return 'unauthorized, token_expired, token_invalid, api_key_invalid; a token of another process with the same secret counts';
  },

  73: async (system) => {
    await system.nginx();
    const { machine } = system;
    await system.guide('which-limit');
    const text = await machine.read(SITE);
    assert.ok(text.split('\n').slice(0, 10).some((line) => line.includes('rate=10r/s')), 'near the top');
    try {
      await machine.write(SITE, text.replace('rate=10r/s', 'rate=5000r/s'));
      await system.guide('nginx-reload');
      await until('the new limit', async () => (await inARow(system)) === SOME);
    } finally {
      await machine.write(SITE, text);
      await system.guide('nginx-reload');
    }
    await until('the old limit', async () => (await inARow(system)) < SOME);
    return `rate 5000r/s: ${SOME} in a row pass; 10r/s again: they do not`;
  },
};
