// How the program starts, refuses to start, and says why.
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { rm } from 'node:fs/promises';
import { connect, createServer } from 'node:net';
import path from 'node:path';
import { AgentAuri, BINARY, Client, JWT_SECRET, ROOT } from '../lib/agentauri.mjs';
import { run } from '../lib/process.mjs';
import { until } from '../lib/wait.mjs';

const EX_CONFIG = 78;
const EX_UNAVAILABLE = 69;

describe('start', () => {
  const apps = [];
  const prepare = async (environment, options) => {
    const app = await AgentAuri.prepare(environment, options);
    apps.push(app);
    return app;
  };
  after(async () => {
    for (const app of apps) await app.stop();
  });

  test('embedded: starts without any setting, makes its secrets, keeps them', async () => {
    const app = await prepare();
    await app.launch();
    const user = await Client.registered(app.url);
    assert.equal((await user.get('/api/v1/auth/me')).status, 200);
    await app.stop.call({ ...app, ownsData: false });
    const again = await prepare({}, { data: app.data });
    await again.launch();
    user.url = again.url;
    assert.equal((await user.get('/api/v1/auth/me')).status, 200, 'the session survives a restart');
  });

  test('a store whose secret is missing gets no new one', async () => {
    const app = await prepare();
    await app.launch();
    await app.stop.call({ ...app, ownsData: false });
    await rm(path.join(app.data, 'jwt_secret'));
    const again = await prepare({}, { data: app.data });
    const result = await again.command(['serve']);
    assert.equal(result.code, EX_CONFIG, result.output);
    assert.match(result.output, /jwt_secret is missing.*backup/);
  });

  test('another JWT_SECRET than the store was used with: exit 78, the remedy, and the remedy works', async () => {
    const other = 'Aa1Bb2Cc3Dd4Ee5Ff6Gg7Hh8Ii9Jj0+Kk/Ll=';
    const app = await prepare({ JWT_SECRET });
    await app.launch();
    await app.stop.call({ ...app, ownsData: false });
    const result = await (await prepare({ JWT_SECRET: other }, { data: app.data })).command(['serve']);
    assert.equal(result.code, EX_CONFIG, result.output);
    assert.match(result.output, /JWT_SECRET_PREVIOUS/);
    assert.doesNotMatch(result.output, new RegExp(other.slice(0, 10)));
    const remedied = await prepare({ JWT_SECRET: other, JWT_SECRET_PREVIOUS: JWT_SECRET }, { data: app.data });
    await remedied.launch();
  });

  test('a second process on the same data folder is refused', async () => {
    const app = await prepare();
    await app.launch();
    const second = await prepare({}, { data: app.data });
    const result = await second.command(['serve']);
    assert.equal(result.code, EX_UNAVAILABLE, result.output);
    assert.match(result.output, new RegExp(app.data));
  });

  test('as api-gateway without JWT_SECRET: exit 78, the variable, the remedy', async () => {
    const app = await prepare({ DB_PASSWORD: 'x' }, { program: path.join(ROOT, 'build/release/bin/api-gateway') });
    const result = await app.command(['serve']);
    assert.equal(result.code, EX_CONFIG, result.output);
    assert.match(result.output, /JWT_SECRET/);
    assert.match(result.output, /openssl rand -base64 32/);
  });

  test('every fault is reported at once, typos by name', async () => {
    const app = await prepare({ DB_PASSWROD: 'x', DB_HOST: 'localhost', JWT_SECRET: 'short', SERVER_PORT: '99999', RATE_LIMIT_MODE: 'maybe', CHAIN_1_RPC_URI: 'http://x' });
    const result = await app.command(['check-config']);
    assert.equal(result.code, EX_CONFIG, result.output);
    for (const expected of [/SERVER_PORT.*from 0 to 65535/, /RATE_LIMIT_MODE.*enforcing, shadow/, /JWT_SECRET.*at least 32 characters, not 5/, /DB_PASSWORD/, /DB_PASSWROD.*did you mean DB_PASSWORD/, /CHAIN_1_RPC_URI.*CHAIN_1_RPC_URL/]) {
      assert.match(result.output, expected);
    }
    assert.doesNotMatch(result.output, /\bshort\b/);
  });

  test('an unreachable database: five tries, exit 69, host and port but no password', async () => {
    const app = await prepare({ DB_HOST: '127.0.0.1', DB_PORT: '1', DB_PASSWORD: 'very-private', JWT_SECRET });
    const started = Date.now();
    const result = await app.command(['serve']);
    assert.equal(result.code, EX_UNAVAILABLE, result.output);
    assert.ok(Date.now() - started >= 14_000, 'waits 1, 2, 4 and 8 s between the tries');
    assert.match(result.output, /127\.0\.0\.1/);
    assert.doesNotMatch(result.output, /very-private/);
  });

  test('a port in use is named', async () => {
    const blocker = createServer();
    const app = await prepare();
    await new Promise((resolve) => blocker.listen(app.port, '127.0.0.1', resolve));
    const result = await app.command(['serve']);
    assert.notEqual(result.code, 0);
    assert.match(result.output, new RegExp(`127\\.0\\.0\\.1.*${app.port}.*in use`));
    await new Promise((resolve) => blocker.close(resolve));
  });

  test('--help fits a screen, unknown commands are usage errors', async () => {
    const app = await prepare();
    const help = await app.command(['--help']);
    assert.equal(help.code, 0);
    assert.ok(help.output.split('\n').length <= 45, help.output);
    const unknown = await app.command(['sevre']);
    assert.equal(unknown.code, 64, unknown.output);
  });

  test('a stop lets a request in hand finish within its five seconds, also a slow one', async () => {
    const app = await prepare();
    await app.launch();
    const body = JSON.stringify({ username: 'nobody', password: 'a quiet river 77' });
    const socket = connect(app.port, '127.0.0.1');
    let answer = '';
    socket.setEncoding('utf8').on('data', (text) => { answer += text; });
    const closed = new Promise((resolve) => socket.on('close', resolve).on('error', resolve));
    socket.write(`POST /api/v1/auth/login HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: ${body.length}\r\nExpect: 100-continue\r\n\r\n`);
    await until('the head to be read', () => answer.includes('100 Continue'));
    app.child.kill('SIGTERM');
    // The time itself is what is tested: the client is slower than half of the grace.
    await new Promise((resolve) => setTimeout(resolve, 3000));
    socket.write(body);
    await closed;
    assert.match(answer, /HTTP\/1\.1 401 /, answer);
    assert.match(answer, /connection: close/i);
    assert.equal((await app.child.ended).code, 0);
  });

  test('metrics live on their own listener', async () => {
    const app = await prepare();
    await app.launch();
    assert.equal((await fetch(`${app.url}/metrics`)).status, 404);
    const text = await app.metrics();
    for (const name of ['process_resident_memory_bytes', 'build_info', 'http_requests_total', 'action_queue_depth']) assert.match(text, new RegExp(`^${name}`, 'm'));
  });

  test('the release binary needs no GLIBC above 2.35', async () => {
    const result = await run('bash', ['-c', `objdump -T '${BINARY}' | grep -oE 'GLIBC_[0-9.]+' | sort -uV | tail -1`]);
    const [, major, minor] = /GLIBC_(\d+)\.(\d+)/.exec(result.output);
    assert.ok(Number(major) === 2 && Number(minor) <= 35, result.output);
  });
});
