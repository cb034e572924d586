// Rows 80 to 84: the application's own limits.
import assert from 'node:assert/strict';
import { until } from '../../functional/lib/wait.mjs';
import { count } from '../http.mjs';
import { BASE_URL, GATEWAY, METRICS, newClient } from '../system.mjs';

const READS = 300, WRITES = 60;   // of a session, in a minute
const remaining = (answer) => Number(answer.header('x-ratelimit-remaining'));
const read = (system, user, options) => system.http('GET', '/api/v1/triggers?limit=1', { token: user.token, ...options });

// `limit` requests pass, the next is 429 and says so.
async function meets(what, limit, request) {
  const answers = await Promise.all(Array.from({ length: limit + 1 }, request));
  const refused = answers.filter((answer) => answer.status === 429);
  assert.equal(refused.length, 1, `${what}: ${limit + 1} requests, ${refused.length} × 429 (${[...new Set(answers.map((answer) => answer.status))].join(' ')})`);
  assert.equal(refused[0].body.error, 'rate_limited', what);
  return `${what} ${limit}`;
}

const MENDED_MS = 5000;

export const rows = {
  80: async (system) => {
    await system.gateway();
    const [ann, ben] = [await system.user(), await system.user()];
    const from = newClient();
    const first = await read(system, ann, { from });
    const second = await read(system, ann, { from });
    const other = await read(system, ben, { from });
    const elsewhere = await read(system, ann, { from: newClient() });
    assert.equal(remaining(first), READS - 1);
    assert.equal(remaining(second), READS - 2);
    assert.equal(remaining(other), READS - 1, 'another user at the same address has a counter of their own');
    assert.equal(remaining(elsewhere), READS - 3, 'the same user at another address has the same');
    return 'two users at one address: 299 and 298 apart from 299; one user at two addresses: one counter';
  },

  81: async (system) => {
    await system.gateway();
    const user = await system.user();
    return system.withGateway({ BASE_URL, REDIS_PASSWORD: system.redisPassword }, async (base) => {
      const answers = await Promise.all(Array.from({ length: READS + 60 }, (_, i) => read(system, user, { base: i % 2 ? base : GATEWAY })));
      const statuses = answers.map((answer) => answer.status);
      assert.equal(count(statuses, 200), READS);
      assert.equal(count(statuses, 429), 60);
      const keys = (await system.redisCommand('--scan', '--pattern', 'rl:*')).split('\n').filter(Boolean);
      assert.ok(keys.length > 0);
      for (const key of keys.slice(0, 20)) {
        const ttl = Number(await system.redisCommand('TTL', key));
        assert.ok(ttl > 0 || ttl === -2, `${key} lives ${ttl} s`);   // -2: gone in the meantime
      }
      return `two gateways admitted ${READS} of ${READS + 60} together; ${keys.length} keys rl:*, each with a TTL`;
    });
  },

  82: async (system) => {
    await system.gateway();
    const seen = [];
    let address = newClient();
    seen.push(await meets('failed logins', 3, () => system.http('POST', '/api/v1/auth/login', { from: address, body: { username: 'limit-nobody', password: 'wrong' } })));
    const elsewhere = await system.http('GET', '/api/v1/auth/password-policy', { from: address });
    assert.equal(elsewhere.status, 200, 'other endpoints are not affected');
    address = newClient();
    seen.push(await meets('registrations', 3, () => system.http('POST', '/api/v1/auth/register', { from: address, body: { username: `u${Math.random().toString(36).slice(2, 10)}`, email: `${Math.random()}@example.org`, password: 'a quiet river 77' } })));
    address = newClient();
    seen.push(await meets('/auth', 60, () => system.http('GET', '/api/v1/auth/password-policy', { from: address })));
    address = newClient();
    seen.push(await meets('anonymous reads', 60, () => system.http('GET', '/api/v1/ponder/status', { from: address })));
    const user = await system.user();
    seen.push(await meets('session reads', READS, () => read(system, user)));
    // Refused as too short or not, each counts.
    seen.push(await meets('session writes', WRITES, () => system.http('POST', '/api/v1/organizations', { token: user.token, body: {} })));
    const { token } = await system.user();
    const organization = (await system.http('GET', '/api/v1/organizations', { token })).body.data[0];
    const key = await system.http('POST', `/api/v1/api-keys?organization_id=${(organization.organization ?? organization).id}`, { token, body: { name: 'walk', environment: 'live' } });
    assert.equal(key.status, 201, key.text);
    const secret = key.body.data?.key ?? key.body.key;
    const asKey = await system.http('GET', '/api/v1/triggers', { headers: { 'x-api-key': secret } });
    const plan = Number(asKey.header('x-ratelimit-limit')), cost = plan - remaining(asKey);
    assert.ok(plan > 0 && cost >= 1);
    seen.push(`${await meets('API key', Math.floor(plan / cost) - 1, () => system.http('GET', '/api/v1/triggers', { headers: { 'x-api-key': secret } }))} + 1`);
    const owner = await system.user();
    const changes = await Promise.all(Array.from({ length: 5 }, () => system.http('POST', '/api/v1/triggers', { token: owner.token, body: {} })));
    assert.equal(changes.filter((answer) => /;q=300;w=3600$/.test(answer.header('ratelimit-policy'))).length + changes.filter((answer) => answer.header('x-ratelimit-limit') === '60').length, 5, changes[0].header('ratelimit-policy'));
    const counted = await system.redisCommand('--scan', '--pattern', 'rl:org:*');
    assert.match(counted, /rl:org:.*trigger/, 'changes of triggers are counted by organization');
    for (let i = 0; i < 40; ++i) assert.equal((await system.http('GET', '/api/v1/health')).status, 200);
    return seen.join(', ');
  },

  83: async (system) => {
    await system.gateway();
    const from = newClient();
    const answers = await Promise.all(Array.from({ length: 61 }, () => system.http('GET', '/api/v1/ponder/status', { from })));
    const refusal = answers.find((answer) => answer.status === 429);
    for (const [name, pattern] of Object.entries({
      'retry-after': /^\d+$/, 'x-ratelimit-limit': /^60$/, 'x-ratelimit-remaining': /^0$/, 'x-ratelimit-reset': /^\d{10}$/, 'x-ratelimit-window': /^60$/, ratelimit: /;r=0;t=\d+$/, 'ratelimit-policy': /;q=60;w=60$/,
      'x-request-id': /^[0-9a-f-]{36}$/, 'x-content-type-options': /^nosniff$/, 'x-frame-options': /^DENY$/, 'referrer-policy': /^strict-origin-when-cross-origin$/, 'strict-transport-security': /max-age=31536000/, 'content-type': /^application\/json/,
    })) assert.match(refusal.header(name) ?? '(none)', pattern, name);
    assert.equal(refusal.body.error, 'rate_limited');
    assert.equal(refusal.body.request_id, refusal.header('x-request-id'));
  },

  84: async (system) => {
    await system.gateway();
    const user = await system.user();
    const { machine } = system;
    const since = (await machine.ok('date +%s')).trim();
    const pid = await system.show('MainPID');
    let going = true;
    const seen = {};
    const callers = Array.from({ length: 4 }, async () => {
      while (going) {
        const { status } = await read(system, user);
        seen[status] = (seen[status] ?? 0) + 1;
      }
    });
    let took;
    try {
      await machine.ok('systemctl stop redis-server');
      const degraded = await until('a degraded answer', async () => {
        const answer = await system.http('GET', '/api/v1/ponder/status');
        return answer.header('x-ratelimit-status') === 'degraded' && answer;
      });
      assert.ok(degraded.status < 500);
    } finally {
      await machine.ok('systemctl start redis-server');
    }
    const began = Date.now();
    await until('limits in Redis again', async () => (await system.http('GET', '/api/v1/ponder/status')).header('x-ratelimit-status') === null, { timeoutMs: MENDED_MS });
    took = Date.now() - began;
    going = false;
    await Promise.all(callers);
    assert.deepEqual(Object.keys(seen).filter((status) => !['200', '429'].includes(status)), [], JSON.stringify(seen));
    assert.equal(await system.show('MainPID'), pid, 'no restart');
    const warnings = (await machine.ok(`journalctl --no-pager -o cat -u api-gateway --since @${since}`)).split('\n').filter((line) => line.includes('"level":"warn"') && line.includes('Redis'));
    assert.ok(warnings.length >= 1 && warnings.length <= 2, `${warnings.length} WARN lines: ${warnings.join(' ').slice(0, 400)}`);
    assert.match(await (await fetch(METRICS)).text(), /^rate_limit_(redis_errors_total|checks_total\{[^}]*degraded)/m);
    return `${JSON.stringify(seen)}, back after ${took} ms`;
  },
};
