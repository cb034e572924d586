// One X-Request-ID through nginx, the gateway, a job and the lines of another process that delivers it (rows 92-95 of the
// deployment guide's list).
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Client } from '../lib/agentauri.mjs';
import { Anvil } from '../lib/anvil.mjs';
import { launch, prepare, stopEngines } from '../lib/engines.mjs';
import { newAddress, Nginx } from '../lib/nginx.mjs';
import { Receiver } from '../lib/receiver.mjs';
import { until } from '../lib/wait.mjs';

const UUID_V4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;

describe('correlation', () => {
  let anvil, receiver, gateway, worker, nginx, user, trigger;
  before(async () => {
    anvil = await Anvil.start();
    receiver = await Receiver.start();
    gateway = await launch('postgres', { ...anvil.environment(), ROLES: 'gateway', TRUSTED_PROXIES: '127.0.0.1/32', WEBHOOK_RETRY_SECONDS: '0' });
    worker = await prepare('postgres', { ...anvil.environment(), ROLES: 'indexer,engine,worker', WEBHOOK_RETRY_SECONDS: '0' });
    for (const name of ['DB_NAME', 'JWT_SECRET']) worker.environment[name] = gateway.environment[name];
    worker.spawn();
    await until('the worker', async () => (await fetch(`http://127.0.0.1:${worker.metricsPort}/health`)).status === 200);
    nginx = await Nginx.start(gateway.port);
    user = await Client.registered(gateway.url);
    const definition = { name: 'low', chain_id: 31337, registry: 'reputation', conditions: [], actions: [{ action_type: 'webhook', config: { url: receiver.url } }] };
    ({ trigger } = await user.trigger(definition));
  });
  after(async () => {
    await nginx?.stop();
    await worker?.stop();
    await gateway?.stop();
    await receiver?.close();
    await anvil?.stop();
    await stopEngines();
  });

  const through = (method, target, body, headers = {}) => nginx.request(method, target, {
    from: newAddress(),
    headers: { 'content-type': 'application/json', ...('x-api-key' in headers ? {} : { authorization: `Bearer ${user.session.token}` }), ...headers },
    body: body === undefined ? undefined : JSON.stringify(body),
  });
  const linesOf = (app, id) => app.logLines().filter((line) => line.request_id === id);
  const line = (app, id, message) => until(`"${message}" of ${id}`, () => linesOf(app, id).find((one) => one.message === message));
  const tryOut = (headers) => through('POST', `/api/v1/triggers/${trigger.id}/test`, { send: true }, headers);
  const attempts = () => gateway.postgres.query(gateway.database, 'SELECT request_id FROM attempts ORDER BY intended_at');

  test('92, 95: the id that is sent is in nginx, gateway, job, worker, attempt and what leaves', async () => {
    const id = `check-${Date.now()}:a.b_c`;
    const answer = await tryOut({ 'x-request-id': id });
    assert.equal(answer.status, 202);
    assert.deepEqual(answer.values('x-request-id'), [id]);
    assert.equal((await nginx.logLine(id)).status, 202);
    const access = await line(gateway, id, 'request');
    assert.deepEqual([access.status, access.route], [202, '/api/v1/triggers/{id}/test']);
    await line(gateway, id, 'test deliveries are made');
    const delivered = await line(worker, id, 'delivered');
    assert.equal(delivered.job_id, answer.body.data.actions[0].delivery_id);
    assert.equal(receiver.deliveries.at(-1).headers['x-request-id'], id);
    await until('the attempt row', async () => (await attempts()).split('\n').includes(id));
    const job = await gateway.postgres.query(gateway.database, `SELECT count(*) FROM jobs WHERE request_id = '${id}'`);
    assert.equal(job, '1');
  });

  test('92: without one, a fresh UUID v4 is in all of them', async () => {
    const answer = await tryOut({});
    const id = answer.header('x-request-id');
    assert.match(id, UUID_V4);
    await nginx.logLine(id);
    await line(gateway, id, 'request');
    await line(worker, id, 'delivered');
  });

  test('93: an unfit one is replaced, and nginx logs what the gateway logs', async () => {
    for (const unfit of ['two words', 'x'.repeat(129), 'a"},{"b', 'semi;colon']) {
      const answer = await tryOut({ 'x-request-id': unfit });
      const id = answer.header('x-request-id');
      assert.match(id, UUID_V4, unfit);
      await nginx.logLine(id);
      await line(gateway, id, 'request');
      await line(worker, id, 'delivered');
    }
    assert.ok(!worker.child.output.includes('two words') && !gateway.child.output.includes('two words'));
    assert.ok(!(await nginx.accessLog()).some((one) => one.request_id.includes(' ')));
  });

  test('94: on every kind of answer', async () => {
    const big = 'x'.repeat(1_200_000);
    const cases = [
      [404, 'GET', '/nothing'], [401, 'GET', '/api/v1/triggers', undefined, { authorization: '' }], [405, 'PATCH', '/api/v1/triggers'],
      [413, 'POST', '/api/v1/triggers', { name: big }], [400, 'POST', '/api/v1/triggers', { name: '' }],
    ];
    for (const [status, method, target, body, headers] of cases) {
      const id = `kind-${status}`;
      const answer = await through(method, target, body, { 'x-request-id': id, ...headers });
      assert.equal(answer.status, status, target);
      assert.deepEqual(answer.values('x-request-id'), [id], `${status}`);
      assert.equal((await nginx.logLine(id)).status, status);
    }
    // Without nginx in front, the server's own answers too.
    for (const [status, init] of [[404, {}], [413, { method: 'POST', body: big }]]) {
      const answer = await fetch(`${gateway.url}/nothing`, { ...init, headers: { 'x-request-id': `direct-${status}` } });
      assert.deepEqual([answer.status, answer.headers.get('x-request-id')], [status, `direct-${status}`]);
      await line(gateway, `direct-${status}`, 'request');
    }
  });

  test('95: a chain event has an id of its own in the lines of the engine and the worker', async () => {
    receiver.answer = () => ({ status: 500 });
    await anvil.call('reputation', 'feedback', 42, 45, 0, 'starred', '', '');
    const made = await until('the engine to tell of it', () => worker.logLines().find((one) => one.message === 'an alert is made'));
    assert.match(made.request_id, /^job-[0-9a-f]{24}$/);
    const failed = await line(worker, made.request_id, 'not delivered');
    assert.equal(failed.job_id, made.job_id);
    assert.equal(failed.event_id, made.event_id);
    assert.equal(receiver.deliveries.at(-1).headers['x-request-id'], made.request_id);

    // Sent again by hand: from then on it is that request's.
    await until('it to be dead', async () => (await user.deliveries(trigger)).some((row) => row.state === 'dead'));
    receiver.answer = () => ({ status: 200 });
    const id = 'again-by-hand';
    const answer = await through('POST', `/api/v1/triggers/${trigger.id}/dlq/replay`, {}, { 'x-request-id': id });
    assert.equal(answer.status, 202, JSON.stringify(answer.body));
    await line(gateway, id, 'dead deliveries are sent again');
    const delivered = await line(worker, id, 'delivered');
    assert.equal(delivered.job_id, made.job_id);
    const rows = await until('both attempts', async () => {
      const found = (await user.deliveries(trigger)).find((row) => row.id === made.job_id);
      return found.state === 'succeeded' && found.attempts;
    });
    assert.deepEqual(rows.map((row) => row.request_id), [made.request_id, id]);
  });

  test('95: audit rows', async () => {
    const id = 'key-for-audit';
    const organization = (await user.get('/api/v1/organizations')).body.data[0].id;
    const created = await through('POST', `/api/v1/api-keys?organization_id=${organization}`, { name: 'k', environment: 'live', permissions: ['read'] }, { 'x-request-id': id });
    assert.equal(created.status, 201, JSON.stringify(created.body));
    const used = 'key-in-use', guessed = 'key-that-is-none';
    const withKey = (key, requestId) => through('GET', '/api/v1/triggers', undefined, { 'x-api-key': key, 'x-request-id': requestId });
    assert.equal((await withKey(created.body.data.key, used)).status, 200);
    assert.equal((await withKey('sk_live_none', guessed)).status, 401);
    const audit = () => gateway.postgres.query(gateway.database,
      "SELECT event_type || ' ' || (CAST(details AS jsonb)->>'request_id') FROM api_key_audit UNION ALL SELECT failure_type || ' ' || (CAST(details AS jsonb)->>'request_id') FROM auth_failures");
    const wanted = [`created ${id}`, `used ${used}`, `invalid_format ${guessed}`];
    await until('the audit', async () => {
      const rows = (await audit()).split('\n');
      return wanted.every((row) => rows.includes(row));
    });
  });
});
