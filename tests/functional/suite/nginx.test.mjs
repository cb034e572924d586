// The shipped nginx files, in a real nginx, before the real gateway. The numbers are those of the deployment guide's list.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { readFile, writeFile } from 'node:fs/promises';
import http from 'node:http';
import http2 from 'node:http2';
import path from 'node:path';
import tls from 'node:tls';
import zlib from 'node:zlib';
import { AgentAuri, Client } from '../lib/agentauri.mjs';
import { Anvil } from '../lib/anvil.mjs';
import { EventSource } from '../lib/event_source.mjs';
import { DEPLOY, DOMAIN, Nginx } from '../lib/nginx.mjs';
import { run } from '../lib/process.mjs';
import { Upstream } from '../lib/upstream.mjs';
import { until } from '../lib/wait.mjs';

const UUID_V4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const JSON_BODY = { 'content-type': 'application/json' };
const LOGIN = { method: 'POST', target: '/api/v1/auth/login', body: JSON.stringify({ username: 'test', password: 'wrong' }) };

// Every address has limits of its own: each test calls from another one.
let used = 0;
const newAddress = () => `127.1.${++used >> 8}.${used & 255}`;
const count = (list, value) => list.filter((one) => one === value).length;

function hasSecurityHeaders(answer, what) {
  const wanted = {
    'x-frame-options': 'SAMEORIGIN',
    'x-content-type-options': 'nosniff',
    'x-xss-protection': '1; mode=block',
    'strict-transport-security': 'max-age=31536000; includeSubDomains',
  };
  for (const [name, value] of Object.entries(wanted)) assert.deepEqual(answer.values(name), [value], `${name} of ${what}`);
  for (const name of ['referrer-policy', 'content-security-policy', 'x-request-id', 'content-type']) assert.equal(answer.values(name).length, 1, `${name} of ${what}`);
}

function isRefusal(answer, status, code) {
  assert.equal(answer.status, status);
  assert.equal(answer.header('content-type'), 'application/json');
  assert.deepEqual(Object.keys(answer.body), ['error', 'message', 'request_id']);
  assert.equal(answer.body.error, code);
  assert.equal(answer.body.request_id, answer.header('x-request-id'));
  hasSecurityHeaders(answer, status);
}

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

describe('nginx before an upstream that tells what it got', () => {
  let upstream, nginx;
  before(async () => {
    upstream = await Upstream.start();
    nginx = await Nginx.start(upstream.port);
  });
  after(async () => {
    await nginx?.stop();
    await upstream?.close();
  });
  const answering = async (answer, body) => {
    const usual = upstream.answer;
    upstream.answer = answer;
    try {
      return await body();
    } finally {
      upstream.answer = usual;
    }
  };

  test('31: Host, X-Real-IP, X-Forwarded-For (appended), X-Forwarded-Proto, each once', async () => {
    const from = newAddress();
    const { body } = await nginx.request('GET', '/api/v1/x?y=%2F', { from, headers: { 'x-forwarded-for': '203.0.113.9', 'x-real-ip': '203.0.113.9', 'x-forwarded-proto': 'http' } });
    assert.equal(body.url, '/api/v1/x?y=%2F');
    assert.deepEqual(
      ['host', 'x-real-ip', 'x-forwarded-for', 'x-forwarded-proto'].map((name) => body.headers[name]),
      [DOMAIN, from, `203.0.113.9, ${from}`, 'https']);
    for (const name of ['host', 'x-real-ip', 'x-forwarded-for', 'x-forwarded-proto', 'x-request-id'])
      assert.equal(body.raw.filter((field, i) => i % 2 === 0 && field.toLowerCase() === name).length, 1, name);
  });

  test('what is public reaches the gateway as it was asked for', async () => {
    const from = newAddress();
    for (const target of ['/', '/console', '/console/assets/a.js', '/api-docs/', '/.well-known/agent.json', '/.well-known/x?y', '/api/v1/a%2Fb', '/api/v1/auth/me?x=1', '/api/v1/health/ready'])
      assert.equal((await nginx.request('GET', target, { from })).body.url, target);
  });

  test('nginx neither packs nor unpacks, and leaves entity tags alone', async () => {
    const plain = JSON.stringify({ text: 'x'.repeat(5000) });
    const packed = { gzip: zlib.gzipSync(plain), br: zlib.brotliCompressSync(plain) };
    const answer = (request, response) => {
      const coding = request.url.split('/').pop();
      response.writeHead(200, { 'content-type': 'application/json', etag: '"1"', vary: 'Accept-Encoding', ...(packed[coding] ? { 'content-encoding': coding } : {}) });
      response.end(packed[coding] ?? plain);
    };
    await answering(answer, async () => {
      for (const coding of ['gzip', 'br', 'none']) {
        const got = await nginx.request('GET', `/api/v1/${coding}`, { from: newAddress(), headers: { 'accept-encoding': 'gzip, br' } });
        assert.deepEqual(got.values('content-encoding'), packed[coding] ? [coding] : []);
        assert.deepEqual(got.values('etag'), ['"1"']);
        assert.deepEqual(got.values('vary'), ['Accept-Encoding']);
        assert.deepEqual(got.bytes, packed[coding] ?? Buffer.from(plain));
      }
    });
  });

  test('connections to the gateway are used again', async () => {
    const before = upstream.connections;
    for (let i = 0; i < 20; ++i) await nginx.request('GET', '/.well-known/x', { from: newAddress() });
    // Each of the two workers has its own.
    assert.ok(upstream.connections - before <= 2, `${upstream.connections - before} connections`);
  });

  test('an idle connection is closed by nginx, before the gateway would after 5 s', async () => {
    await until('earlier ones to be closed', () => upstream.open === 0);
    await nginx.request('GET', '/.well-known/x', { from: newAddress() });
    assert.equal(upstream.open, 1);
    const idle = Date.now();
    await until('nginx to close it', () => upstream.open === 0);
    assert.ok(Date.now() - idle < 5000, `after ${Date.now() - idle} ms`);
  });

  test('a POST whose connection breaks is sent once; the answer is 502 in our shape', async () => {
    const from = newAddress();
    await nginx.request('GET', '/api/v1/warm', { from });
    const { length } = upstream.requests;
    const answer = await answering((request) => request.socket.destroy(), () => nginx.request('POST', '/api/v1/triggers', { from, headers: JSON_BODY, body: '{}' }));
    isRefusal(answer, 502, 'bad_gateway');
    assert.equal(upstream.requests.length - length, 1);
    assert.equal((await nginx.logLine(answer.header('x-request-id'))).status, 502);
  });

  test('a stream is not held back, though the upstream does not ask for it', async () => {
    for (const target of ['/api/v1/events/stream', '/api/v1/a2a/tasks/0190b7a8/stream']) {
      let answer;
      await answering((request, response) => {
        answer = response;
        // To the end of the connection: pieces of a chunked answer nginx passes on in any case.
        response.removeHeader('transfer-encoding');
        response.writeHead(200, { 'content-type': 'text/event-stream', connection: 'close' });
        response.write('data: 1\n\n');
      }, async () => {
        const stream = await EventSource.open(`https://127.0.0.1:${nginx.port}${target}`, { host: DOMAIN, 'accept-encoding': 'gzip' }, undefined, { ...nginx.tls(newAddress()), agent: false, signal: AbortSignal.timeout(15_000) });
        // The first piece may come with the head; a later one shows.
        for (const piece of ['2', '3']) {
          answer.write(`data: ${piece}\n\n`);
          await until(`piece ${piece}`, () => stream.messages.at(-1).data === piece, { timeoutMs: 5000 });
        }
        answer.end();
        await stream.ended;
      });
    }
    const loaded = (await nginx.command('-T')).output;
    assert.match(loaded, /\/stream\$ \{[^}]*proxy_read_timeout 1h;/);
  });

  test('what is no HTTP gets an answer in our shape too', async () => {
    const raw = (text, secure = true) => new Promise((resolve, reject) => {
      const socket = secure ? tls.connect(nginx.tls(), () => socket.write(text)) : http.request({ host: '127.0.0.1', port: nginx.port, path: '/', agent: false }).on('response', async (response) => {
        let body = `HTTP/1.1 ${response.statusCode}\r\n${response.rawHeaders.join('\r\n')}\r\n\r\n`;
        for await (const chunk of response.setEncoding('utf8')) body += chunk;
        resolve(body);
      }).on('error', reject);
      if (!secure) return socket.end();
      let answer = '';
      socket.setEncoding('utf8').on('data', (chunk) => (answer += chunk)).on('end', () => resolve(answer)).on('error', reject);
    });
    const head = `Host: ${DOMAIN}\r\nConnection: close\r\n`;
    const cases = [
      [`GET / HTTP/1.1\r\nConnection: close\r\n\r\n`, 400, 'bad_request'],
      [`GET /${'x'.repeat(9000)} HTTP/1.1\r\n${head}\r\n`, 414, 'uri_too_long'],
      [`GET / HTTP/1.1\r\n${head}X-Long: ${'x'.repeat(9000)}\r\n\r\n`, 431, 'header_fields_too_large'],
      [`TRACE / HTTP/1.1\r\n${head}\r\n`, 405, 'method_not_allowed'],
    ];
    for (const [text, status, code] of cases) {
      const answer = await raw(text);
      assert.match(answer, new RegExp(`^HTTP/1.1 ${status} `), answer);
      assert.equal(JSON.parse(answer.slice(answer.indexOf('\r\n\r\n'))).error, code);
      assert.equal(answer.match(/X-Frame-Options/g).length, 1);
    }
    assert.match(await raw('', false), /^HTTP\/1.1 400\r\n[^]*"error":"bad_request"/, 'plain HTTP on the TLS port');
    assert.equal((await nginx.request('GET', '/.nginx-refusal', { from: newAddress() })).status, 404);
  });

  test('34: a reload loses no request; broken settings change nothing', async () => {
    // One request in the hands of the old workers until the new ones serve, and others all the while.
    let release;
    const slow = answering((request, response) => (request.url === '/console/slow' ? (release = () => response.end('done')) : response.end('quick')), async () => {
      const held = nginx.request('GET', '/console/slow', { from: newAddress() });
      await until('the slow request to arrive', () => release);
      const session = http2.connect(`https://127.0.0.1:${nginx.port}`, nginx.tls(newAddress()));
      session.on('error', () => {});
      const statuses = [];
      let going = true;
      const quick = (async () => {
        while (going) statuses.push((await nginx.request('GET', '/console/quick', { from: newAddress() })).status);
      })();
      for (let round = 0; round < 5; ++round) {
        const workers = await nginx.workers();
        assert.equal((await nginx.reload()).code, 0);
        const done = statuses.length;
        await until('new workers, and requests served by them', async () => (await nginx.workers()).some((pid) => !workers.includes(pid)) && statuses.length > done + 5);
      }
      going = false;
      await quick;
      release();
      session.destroy();
      assert.equal((await held).body, 'done');
      assert.equal(count(statuses, 200), statuses.length);
    });
    await slow;
    const site = `${nginx.directory}/etc/nginx/conf.d/api.agentauri.ai.conf`;
    const good = await readFile(site, 'utf8');
    await writeFile(site, `${good}\nnonsense;`);
    const broken = await nginx.reload();
    await writeFile(site, good);
    assert.notEqual(broken.code, 0);
    assert.match(broken.output, /nonsense/);
    assert.equal((await nginx.request('GET', '/console/x', { from: newAddress() })).status, 200);
  });
});

describe('certificates', () => {
  let upstream, nginx;
  before(async () => {
    upstream = await Upstream.start();
    nginx = await Nginx.start(upstream.port);
  });
  after(async () => {
    await nginx?.stop();
    await upstream?.close();
  });
  const check = (domain, ...options) => run(path.join(DEPLOY, 'check-certificate'), ['--connect', `127.0.0.1:${nginx.port}`, ...options, domain]);
  const trusted = () => ['--ca', `${nginx.directory}/ca.pem`];
  const served = () => new Promise((resolve, reject) => {
    const socket = tls.connect(nginx.tls(), () => {
      resolve(socket.getPeerCertificate());
      socket.destroy();
    });
    socket.on('error', reject);
  });

  test('a renewed one is served after the hook, not before, and the check tells the days of what is served', async () => {
    const textfile = `${nginx.directory}/certificate.prom`;
    for (const [days, code] of [[29, 1], [6, 2], [31, 0]]) {
      const { serialNumber } = await served();
      await nginx.makeCertificate(days);
      assert.equal((await served()).serialNumber, serialNumber, 'nginx serves what it has read');
      const hook = await nginx.reload();
      assert.equal(hook.code, 0, hook.output);
      const certificate = await until('the new certificate', async () => {
        const now = await served();
        return now.serialNumber !== serialNumber && now;
      });
      const result = await check(DOMAIN, ...trusted(), '--textfile', textfile);
      assert.equal(result.code, code, result.output);
      const metric = /^tls_certificate_expiry_timestamp_seconds\{domain="api\.yourdomain\.com"\} (\d+)$/m.exec(await readFile(textfile, 'utf8'));
      assert.equal(Number(metric[1]) * 1000, Date.parse(certificate.valid_to));
    }
  });

  test('what is not valid is critical: unknown authority, another name, nobody there', async () => {
    for (const [result, expected] of [
      [await check(DOMAIN), /not valid: unable to/],
      [await check('www.yourdomain.com', ...trusted()), /not valid: hostname mismatch/],
      [await run(path.join(DEPLOY, 'check-certificate'), ['--connect', '127.0.0.1:1', DOMAIN]), /serves no certificate/],
    ]) {
      assert.equal(result.code, 2, result.output);
      assert.match(result.output, expected);
    }
  });

  test('a certificate that nginx cannot read stays out', async () => {
    const { serialNumber } = await served();
    const folder = await nginx.makeCertificate(90);
    await writeFile(`${folder}/privkey.pem`, 'broken');
    assert.notEqual((await nginx.reload()).code, 0);
    assert.equal((await served()).serialNumber, serialNumber);
    await nginx.makeCertificate(90);
  });
});
