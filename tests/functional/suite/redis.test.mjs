// Redis beside the gateways: limits that they share, and what is left when it stops, freezes, forgets or talks nonsense.
import assert from 'node:assert/strict';
import net from 'node:net';
import { after, before, describe, test } from 'node:test';
import { Client } from '../lib/agentauri.mjs';
import { launch, prepare, stopEngines } from '../lib/engines.mjs';
import { Redis } from '../lib/redis.mjs';
import { until } from '../lib/wait.mjs';

const EX_CONFIG = 78;
const LIMIT = 300;   // session reads of a user in a minute

describe('redis', () => {
  let redis, first, second, user, other;
  before(async () => {
    redis = await Redis.start({ password: 'open-sesame' });
    first = await launch('postgres', environment());
    second = await prepare('postgres', environment());
    for (const name of ['DB_NAME', 'JWT_SECRET']) second.environment[name] = first.environment[name];
    await second.launch();
    user = await Client.registered(first.url);
    other = new Client(second.url);
    other.session = user.session;
    // Both know of each other: a share of a limit is a half.
    await until('two gateways', async () => (await first.metric('redis_commands_total')) > 0);
  });
  after(async () => {
    await first?.stop();
    await second?.stop();
    await redis?.stop();
    await stopEngines();
  });
  const environment = () => ({ REDIS_HOST: '127.0.0.1', REDIS_PORT: String(redis.port), REDIS_PASSWORD: 'open-sesame' });
  const state = async (app) => (await (await fetch(`${app.url}/api/v1/health`)).json()).redis;
  const becomes = (wanted) => until(`redis to be ${wanted}`, async () => (await state(first)) === wanted && (await state(second)) === wanted, { timeoutMs: 5000 });
  const read = (client) => client.get('/api/v1/triggers?limit=1');

  // Reads as fast as eight callers of each gateway can, until told to end: how often each status came.
  function load(clients) {
    const seen = {};
    let running = true;
    const callers = clients.flatMap((client) => Array.from({ length: 8 }, async () => {
      while (running) {
        const { status } = await read(client);
        seen[status] = (seen[status] ?? 0) + 1;
      }
    }));
    return async () => {
      running = false;
      await Promise.all(callers);
      return seen;
    };
  }

  test('gateways share one limit', async () => {
    assert.equal(await state(first), 'connected');
    const answers = await Promise.all(Array.from({ length: LIMIT + 100 }, (_, i) => read(i % 2 === 0 ? user : other)));
    const admitted = answers.filter((answer) => answer.status === 200);
    assert.equal(admitted.length, LIMIT);
    assert.equal(answers.filter((answer) => answer.status === 429).length, 100);
    assert.equal(answers.find((answer) => answer.headers.has('x-ratelimit-status')), undefined);
    assert.ok(Number(await redis.command('TTL', `rl:user:${user.session.user?.id ?? (await user.get('/api/v1/auth/me')).body.id}:session-read`)) > 0);
  });

  for (const [what, harm, mend] of [
    ['stops', () => redis.halt(), () => redis.launch()],
    ['freezes', () => redis.freeze(), () => redis.thaw()],
  ]) {
    test(`redis ${what} under load: no request fails, and all is as before soon after it is back`, async () => {
      await redis.command('FLUSHALL');
      const fresh = await Client.registered(first.url);
      const there = new Client(second.url);
      there.session = fresh.session;
      const finish = load([fresh, there]);
      await until('some answers', async () => (await first.metric('http_requests_total', { path: '/api/v1/triggers' })) > 20);
      await harm();
      await becomes('disconnected');
      const ready = await (await fetch(`${first.url}/api/v1/health/ready`)).json();
      assert.equal(ready.status, 'ready');
      assert.equal(ready.redis, 'disconnected');
      const alone = await read(fresh);
      assert.equal(alone.headers.get('x-ratelimit-status'), 'degraded');
      assert.equal(alone.headers.get('x-ratelimit-limit'), String(LIMIT / 2), 'each gateway has its share');
      await mend();
      await becomes('connected');
      assert.equal((await read(fresh)).headers.get('x-ratelimit-status'), null);
      const seen = await finish();
      assert.deepEqual(Object.keys(seen).filter((status) => !['200', '429'].includes(status)), [], JSON.stringify(seen));
      const counted = (await first.metric('redis_connection_errors_total') ?? 0) + (await first.metric('rate_limit_redis_errors_total') ?? 0);
      assert.ok(counted > 0, 'an operator sees it');
    });
  }

  test('redis forgets everything under load', async () => {
    const fresh = await Client.registered(first.url);
    const finish = load([fresh]);
    await until('a refusal', async () => (await read(fresh)).status === 429);
    await redis.command('FLUSHALL');
    await redis.command('SCRIPT', 'FLUSH');
    await until('room again', async () => (await read(fresh)).status === 200);
    const seen = await finish();
    assert.deepEqual(Object.keys(seen).filter((status) => !['200', '429'].includes(status)), [], JSON.stringify(seen));
  });

  test('what talks nonsense is done without', async () => {
    await redis.halt();
    const babbler = net.createServer((socket) => socket.on('error', () => {}).resume().end('HTTP/1.1 400 Bad Request\r\n\r\n'));
    await new Promise((resolve) => babbler.listen(redis.port, '127.0.0.1', resolve));
    try {
      await becomes('disconnected');
      const fresh = await Client.registered(second.url);
      assert.equal((await read(fresh)).status, 200);
    } finally {
      await new Promise((resolve) => babbler.close(resolve));
    }
    await redis.launch();
    await becomes('connected');
  });

  test('a wrong password ends the start, and names the variable but not the value', async (t) => {
    const app = await prepare('postgres', { ...environment(), REDIS_PASSWORD: 'close-sesame' });
    t.after(() => app.stop());
    app.environment.DB_NAME = first.environment.DB_NAME;
    app.environment.JWT_SECRET = first.environment.JWT_SECRET;
    const result = await app.command(['serve']);
    assert.equal(result.code, EX_CONFIG, result.output);
    assert.match(result.output, /REDIS_PASSWORD/);
    assert.doesNotMatch(result.output, /close-sesame/);
  });

  test('a start without redis goes on alone, and joins it later', async (t) => {
    await redis.halt();
    const app = await prepare('sqlite', environment());
    t.after(() => app.stop());
    await app.launch();
    assert.equal(await state(app), 'disconnected');
    await redis.launch();
    await until('redis to be used', async () => (await state(app)) === 'connected', { timeoutMs: 5000 });
    await becomes('connected');
  });
});
