// The shipped nginx files before an upstream that tells what it got, and what certificates nginx serves.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { readFile, writeFile } from 'node:fs/promises';
import http from 'node:http';
import path from 'node:path';
import tls from 'node:tls';
import zlib from 'node:zlib';
import { EventSource } from '../lib/event_source.mjs';
import { DEPLOY, DOMAIN, Nginx, isRefusal, newAddress } from '../lib/nginx.mjs';
import { run } from '../lib/process.mjs';
import { Upstream } from '../lib/upstream.mjs';
import { until } from '../lib/wait.mjs';

const JSON_BODY = { 'content-type': 'application/json' };

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
    await answering((request, response) => (request.url === '/console/slow' ? (release = () => response.end('done')) : response.end('quick')), async () => {
      const held = nginx.request('GET', '/console/slow', { from: newAddress() });
      await until('the slow request to arrive', () => release);
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
      assert.equal((await held).body, 'done');
      assert.ok(statuses.every((status) => status === 200), String(statuses));
    });
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
