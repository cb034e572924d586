// The shipped nginx files, in a real nginx, before the real gateway. The numbers are those of the deployment guide's list.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { readFile, writeFile } from 'node:fs/promises';
import http from 'node:http';
import path from 'node:path';
import tls from 'node:tls';
import zlib from 'node:zlib';
import { AgentAuri, Client } from '../lib/agentauri.mjs';
import { Anvil } from '../lib/anvil.mjs';
import { EventSource } from '../lib/event_source.mjs';
import { DEPLOY, DOMAIN, Nginx, hasSecurityHeaders, isRefusal, newAddress } from '../lib/nginx.mjs';
import { run } from '../lib/process.mjs';
import { until } from '../lib/wait.mjs';

const UUID_V4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const JSON_BODY = { 'content-type': 'application/json' };
const LOGIN = { method: 'POST', target: '/api/v1/auth/login', body: JSON.stringify({ username: 'test', password: 'wrong' }) };
const count = (list, value) => list.filter((one) => one === value).length;

describe('nginx before the gateway', () => {
  let anvil, app, nginx;
  before(async () => {
    anvil = await Anvil.start();
    app = await AgentAuri.start({ ...anvil.environment(), TRUSTED_PROXIES: '127.0.0.1/32' });
    nginx = await Nginx.start(app.port);
  });
  after(async () => {
    await nginx?.stop();
    await app?.stop();
    await anvil?.stop();
  });
  const lineOfGateway = (requestId) => until(`the gateway's line of ${requestId}`, () => app.logLines().find((line) => line.message === 'request' && line.request_id === requestId));

  test('21-23, 25: zones, upstream and certificate are those of the guide', async () => {
    const loaded = await nginx.command('-T');
    assert.equal(loaded.code, 0, loaded.output);
    // From 1.25.1 on there is a newer spelling that 1.22 does not know.
    assert.doesNotMatch(loaded.output, /\[(warn|emerg)\](?! the "listen ... http2" directive is deprecated)/);
    assert.match(loaded.output, /limit_req_zone \$binary_remote_addr zone=auth_limit:10m rate=3r\/m;/);
    assert.match(loaded.output, /limit_req_zone \$binary_remote_addr zone=api_limit:10m rate=10r\/s;/);
    const shipped = await readFile(path.join(DEPLOY, 'conf.d/api.agentauri.ai.conf'), 'utf8');
    assert.match(shipped, /upstream api_gateway \{\s+server 127\.0\.0\.1:8080;/);
    assert.match(shipped, /ssl_certificate \/etc\/letsencrypt\/live\/api\.yourdomain\.com\/fullchain\.pem;/);
    assert.match(shipped, /ssl_certificate_key \/etc\/letsencrypt\/live\/api\.yourdomain\.com\/privkey\.pem;/);
  });

  test('24: HTTP/2, TLS 1.2 and 1.3, nothing older', async () => {
    const curl = await run('curl', ['-s', '--http2', '--cacert', `${nginx.directory}/ca.pem`, '--resolve', `${DOMAIN}:${nginx.port}:127.0.0.1`,
      '-o', '/dev/null', '-w', '%{http_version} %{http_code}', `https://${DOMAIN}:${nginx.port}/api/v1/health`]);
    assert.equal(curl.output, '2 200');
    const handshake = (version) => new Promise((resolve) => {
      const socket = tls.connect({ ...nginx.tls(), minVersion: version, maxVersion: version, ciphers: 'DEFAULT@SECLEVEL=0' }, () => {
        resolve(socket.getProtocol());
        socket.destroy();
      });
      socket.on('error', () => resolve('refused'));
    });
    for (const version of ['TLSv1.3', 'TLSv1.2']) assert.equal(await handshake(version), version);
    for (const version of ['TLSv1.1', 'TLSv1']) assert.equal(await handshake(version), 'refused');
  });

  test('26: security headers exactly once, whoever answers', async () => {
    const from = newAddress();
    const answers = {
      200: await nginx.request('GET', '/api/v1/openapi.json', { from }),
      401: await nginx.request('GET', '/api/v1/triggers', { from }),
      404: await nginx.request('GET', '/nothing/here', { from }),
      413: await nginx.request('POST', '/api/v1/triggers', { from, headers: JSON_BODY, body: 'x'.repeat(2_000_000) }),
      console: await nginx.request('GET', '/console/', { from }),
    };
    for (const [what, answer] of Object.entries(answers)) hasSecurityHeaders(answer, what);
    for (const status of [200, 401, 404, 413]) assert.equal(answers[status].status, status);
    assert.match(answers.console.header('content-security-policy'), /script-src 'self'/, "the console's own policy comes through");
  });

  test('27: a body of 1 MiB is served, one byte more is 413, here and there', async () => {
    const limit = 1_048_576;
    const from = newAddress();
    const direct = async (size) => (await fetch(`${app.url}/api/v1/triggers`, { method: 'POST', headers: JSON_BODY, body: 'x'.repeat(size) })).status;
    const through = (size, headers) => nginx.request('POST', '/api/v1/triggers', { from, headers: { ...JSON_BODY, ...headers }, body: 'x'.repeat(size) });
    assert.equal(await direct(limit), 401);
    assert.equal((await through(limit)).status, 401);
    assert.equal(await direct(limit + 1), 413);
    isRefusal(await through(limit + 1), 413, 'payload_too_large');
    isRefusal(await through(limit + 1, { 'transfer-encoding': 'chunked' }), 413, 'payload_too_large');
    const [second] = await nginx.requests2(1, { ':method': 'POST', ':path': '/api/v1/triggers' }, { from, body: 'x'.repeat(2_000_000) });
    isRefusal(second, 413, 'payload_too_large');
  });

  test("28, 30: the guide's ten bad logins are three 401 and seven 429, direct and through nginx", async () => {
    const guide = (base, ...options) => run('bash', ['-c', `seq 10 | xargs -P10 -I{} curl -s -o /dev/null -w '%{http_code}\\n' ${options.join(' ')} ` +
      `-X POST ${base}${LOGIN.target} -H 'Content-Type: application/json' -d '${LOGIN.body}'`]);
    const direct = (await guide(app.url)).output.trim().split('\n');
    assert.equal(count(direct, '401'), 3, String(direct));
    assert.equal(count(direct, '429'), 7, String(direct));
    const from = newAddress();
    const through = (await guide(`https://${DOMAIN}:${nginx.port}`, '--cacert', `${nginx.directory}/ca.pem`, '--resolve', `${DOMAIN}:${nginx.port}:127.0.0.1`, '--interface', from)).output.trim().split('\n');
    assert.equal(count(through, '401'), 3, String(through));
    assert.equal(count(through, '429'), 7, String(through));
    assert.equal(app.logLines().filter((line) => line.message === 'request' && line.client_ip === from).length, 6, 'one and a burst of five reach the gateway');
  });

  test('28: a refusal by nginx reads like one by the gateway; a signed-in page is not counted there', async () => {
    const from = newAddress();
    const answers = await nginx.requests2(10, { ':method': 'POST', ':path': LOGIN.target, ...JSON_BODY }, { from, body: LOGIN.body });
    const refused = answers.filter((answer) => answer.status === 429 && !answer.header('ratelimit-policy'));
    assert.equal(refused.length, 4);
    for (const answer of refused) {
      isRefusal(answer, 429, 'rate_limited');
      assert.deepEqual(answer.values('retry-after'), ['20']);
      assert.equal((await nginx.logLine(answer.header('x-request-id'))).limit, 'REJECTED');
    }
    for (const [method, name] of [['GET', 'me'], ['POST', 'refresh'], ['POST', 'logout'], ['GET', 'password-policy']]) {
      const answer = await nginx.request(method, `/api/v1/auth/${name}`, { from, headers: method === 'POST' ? JSON_BODY : {}, body: method === 'POST' ? '{}' : undefined });
      assert.notEqual(answer.status, 429, name);
      assert.ok(answer.header('ratelimit-policy'), `${name} reaches the gateway`);
    }
  });

  test('29, 30: 10 a second and a burst of 20, the rest 429', async () => {
    const started = Date.now();
    const answers = await nginx.requests2(60, { ':method': 'GET', ':path': '/api/v1/openapi.json' }, { from: newAddress() });
    const seconds = (Date.now() - started) / 1000;
    const admitted = count(answers.map((answer) => answer.status), 200);
    assert.ok(admitted >= 21 && admitted <= 22 + 10 * seconds, `${admitted} admitted in ${seconds} s`);
    assert.equal(count(answers.map((answer) => answer.status), 429), 60 - admitted);
    const refused = answers.find((answer) => answer.status === 429);
    isRefusal(refused, 429, 'rate_limited');
    assert.deepEqual(refused.values('retry-after'), ['1']);
  });

  test('31: the gateway counts the address that nginx saw, whatever the client claims', async () => {
    const from = newAddress();
    for (const headers of [{}, { 'x-forwarded-for': '203.0.113.9', 'x-real-ip': '203.0.113.9' }]) {
      const answer = await nginx.request('GET', '/api/v1/triggers', { from, headers });
      assert.equal((await lineOfGateway(answer.header('x-request-id'))).client_ip, from);
    }
  });

  test('32: health is not limited and not logged', async () => {
    const from = newAddress();
    const last = await nginx.request('GET', '/api/v1/triggers', { from });
    await nginx.logLine(last.header('x-request-id'));
    const lines = (await nginx.accessLog()).length;
    const answers = await nginx.requests2(100, { ':method': 'GET', ':path': '/api/v1/health' }, { from });
    assert.equal(count(answers.map((answer) => answer.status), 200), 100);
    const next = await nginx.request('GET', '/api/v1/triggers', { from });
    await nginx.logLine(next.header('x-request-id'));
    assert.equal((await nginx.accessLog()).length, lines + 1);
  });

  test("33: port 80 sends to https, and answers Let's Encrypt", async () => {
    await writeFile(`${nginx.directory}/var/www/certbot/token`, 'proof');
    const get = (target) => new Promise((resolve, reject) => {
      http.get({ host: '127.0.0.1', port: nginx.plainPort, path: target, headers: { host: DOMAIN }, agent: false }, async (response) => {
        let text = '';
        for await (const chunk of response.setEncoding('utf8')) text += chunk;
        resolve({ status: response.statusCode, location: response.headers.location, text });
      }).on('error', reject);
    });
    const moved = await get('/x?y=1');
    assert.equal(moved.status, 301);
    assert.equal(moved.location, `https://${DOMAIN}/x?y=1`);
    assert.equal((await get('/.well-known/acme-challenge/none')).status, 404, 'no redirect');
    await run('bash', ['-c', `mkdir -p '${nginx.directory}/var/www/certbot/.well-known/acme-challenge' && mv '${nginx.directory}/var/www/certbot/token' "$_"`]);
    assert.deepEqual(await get('/.well-known/acme-challenge/token'), { status: 200, location: undefined, text: 'proof' });
  });

  test('request ids: one in the answer and in both logs; no line holds a query', async () => {
    const from = newAddress();
    const given = await nginx.request('GET', '/api/v1/triggers?code=private', { from, headers: { 'x-request-id': 'order:42.a_b-c' } });
    assert.equal(given.header('x-request-id'), 'order:42.a_b-c');
    for (const bad of [undefined, 'not fit', 'x'.repeat(129)]) {
      const made = await nginx.request('GET', '/api/v1/triggers', { from, headers: bad ? { 'x-request-id': bad } : {} });
      assert.match(made.header('x-request-id'), UUID_V4);
      assert.equal(made.body.request_id, made.header('x-request-id'));
      await lineOfGateway(made.header('x-request-id'));
    }
    assert.equal((await lineOfGateway('order:42.a_b-c')).client_ip, from);
    const line = await nginx.logLine('order:42.a_b-c');
    assert.deepEqual([line.client_ip, line.method, line.path, line.status, line.upstream_status], [from, 'GET', '/api/v1/triggers', 401, '401']);
  });

  test('what the gateway packs comes through as it is, and nginx packs nothing', async () => {
    const from = newAddress();
    for (const [coding, unpack] of [['gzip', zlib.gunzipSync], ['br', zlib.brotliDecompressSync]]) {
      const answer = await nginx.request('GET', '/api/v1/openapi.json', { from, headers: { 'accept-encoding': coding } });
      assert.deepEqual(answer.values('content-encoding'), [coding]);
      assert.equal(JSON.parse(unpack(answer.bytes)).openapi.slice(0, 3), '3.1');
    }
    const secret = await nginx.request('GET', '/api/v1/auth/password-policy', { from, headers: { 'accept-encoding': 'gzip, br' } });
    assert.equal(secret.status, 200);
    assert.deepEqual(secret.values('content-encoding'), []);
  });

  test('/metrics is nowhere, the rest of what is public is', async () => {
    const from = newAddress();
    for (const target of ['/metrics', '/metrics/', '/%6detrics']) isRefusal(await nginx.request('GET', target, { from }), 404, 'not_found');
    assert.equal((await nginx.request('GET', '/console/', { from })).status, 200);
    // Whether or not the gateway has it yet, it is asked.
    await lineOfGateway((await nginx.request('GET', '/api-docs/', { from })).header('x-request-id'));
    const card = await nginx.request('GET', '/.well-known/agent-card.json', { from });
    assert.equal(card.status, 200);
    assert.deepEqual(card.values('access-control-allow-origin'), ['*']);
    assert.equal((await nginx.request('GET', '/.well-known/security.txt', { from })).status, 200);
  });

  test('events come through as they happen, and through a reload', async () => {
    const from = newAddress();
    const user = await Client.registered(app.url);
    const open = (lastEventId) => EventSource.open(`https://127.0.0.1:${nginx.port}/api/v1/events/stream`, { host: DOMAIN, authorization: `Bearer ${user.session.token}` }, lastEventId,
      { ...nginx.tls(from), agent: false });
    const stream = await open();
    const rate = (score) => anvil.call('reputation', 'feedback', 1, score, 0, 'starred', '', '');
    const scores = () => stream.messages.map((message) => JSON.parse(message.data).data.score);
    await rate(11);
    await until('the first event', () => stream.messages.length === 1);
    const workers = await nginx.workers();
    assert.equal((await nginx.reload()).code, 0);
    await until('new workers', async () => (await nginx.workers()).some((pid) => !workers.includes(pid)));
    await rate(12);
    await until('the second event', () => stream.messages.length === 2);
    assert.deepEqual(scores(), [11, 12]);
    stream.close();
  });
});
