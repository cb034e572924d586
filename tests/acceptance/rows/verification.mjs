// Rows 61 to 66: what the guide has tried after a deployment, with its own commands.
import assert from 'node:assert/strict';
import { createHmac } from 'node:crypto';
import http from 'node:http';
import { isRefusal, newAddress } from '../../functional/lib/nginx.mjs';
import { block } from '../guide.mjs';
import { count } from '../http.mjs';
import { GATEWAY } from '../system.mjs';

const LIMIT = 1_048_576;
const STRICT = ['password_no_digit', 'password_no_lowercase', 'password_no_special', 'password_no_uppercase', 'password_too_short'];

const ready = async (system) => {
  await system.nginx();
  await system.first('verify-register');
  await system.first('verify-login');
};

// An access token like `token`, with other claims or another secret.
export function forged(token, secret, claims = {}) {
  const [head, body] = token.split('.');
  const payload = Buffer.from(JSON.stringify({ ...JSON.parse(Buffer.from(body, 'base64url')), ...claims })).toString('base64url');
  return `${head}.${payload}.${createHmac('sha256', secret).update(`${head}.${payload}`).digest('base64url')}`;
}

// In pieces, without a length.
const chunked = (size) => new Promise((resolve, reject) => {
  const request = http.request({ host: '127.0.0.1', port: 8080, method: 'POST', path: '/api/v1/triggers', headers: { 'content-type': 'application/json', 'transfer-encoding': 'chunked' } }, (response) => {
    response.resume();
    resolve(response.statusCode);
  });
  request.on('error', reject);
  request.end('x'.repeat(size));
});

export const rows = {
  61: async (system) => {
    await system.nginx();
    const body = JSON.parse(await system.first('verify-register'));
    assert.ok(body.token && body.refresh_token, Object.keys(body).join(' '));
    await system.withGateway({ PASSWORD_POLICY: 'strict', DB_NAME: await system.freshDatabase() }, async (base) => {
      const answer = await system.http('POST', '/api/v1/auth/register', { base, body: { username: 'test', email: 'test@example.com', password: 'testpass123' } });
      assert.equal(answer.status, 400, answer.text);
      const codes = answer.body.details.map((each) => each.code);
      for (const code of ['password_no_uppercase', 'password_no_special']) assert.ok(codes.includes(code), codes.join(' '));
      assert.deepEqual(codes.filter((code) => !STRICT.includes(code)), []);
    });
    return '201 with tokens; strict names the missing classes';
  },

  62: async (system) => {
    await ready(system);
    assert.match((await system.machine.read('/root/token')).trim(), /^[\w-]+\.[\w-]+\.[\w-]+$/);
    for (const body of [{ username: 'test' }, { email: 'test@example.com' }, { username_or_email: 'test' }, { username_or_email: 'test@example.com' }]) {
      const answer = await system.http('POST', '/api/v1/auth/login', { body: { ...body, password: 'testpass123' } });
      assert.equal(answer.status, 200, `${JSON.stringify(body)}: ${answer.text}`);
      assert.ok(answer.body.token);
    }
    return 'username, email, username_or_email';
  },

  63: async (system) => {
    await ready(system);
    assert.ok(Array.isArray(JSON.parse(await system.guide('verify-protected')).data));
    const token = (await system.machine.read('/root/token')).trim();
    const { secret } = system;
    const status = async (given) => (await system.http('GET', '/api/v1/triggers', { token: given })).status;
    assert.equal(await status(token), 200);
    assert.equal(await status(undefined), 401);
    assert.equal(await status(forged(token, secret)), 200, 'a copy signed with the secret is the same token');
    const past = Math.floor(Date.now() / 1000) - 600;
    assert.equal(await status(forged(token, secret, { iat: past - 3600, exp: past })), 401, 'expired');
    assert.equal(await status(forged(token, 'another secret, of more than 32 characters')), 401, 'signed with another secret');
  },

  64: async (system) => {
    await ready(system);
    const check = (said, where) => {
      const codes = said.trim().split('\n');
      assert.deepEqual([count(codes, '401'), count(codes, '429'), codes.length], [3, 7, 10], `${where}: ${codes.join(' ')}`);
    };
    check(await system.guide('verify-limit'), 'through nginx');
    // The same line, to the gateway itself, from another client.
    check(await system.machine.ok(`seq 10 | xargs -P10 -I{} curl -s -o /dev/null -w '%{http_code}\\n' -H 'X-Forwarded-For: 198.18.255.1' -X POST ${GATEWAY}/api/v1/auth/login -H 'Content-Type: application/json' -d '{"username":"test","password":"wrong"}'`), 'direct');
    const refusal = await system.http('POST', '/api/v1/auth/login', { from: '198.18.255.1', body: { username: 'test', password: 'wrong' } });
    assert.equal(refusal.status, 429);
    assert.ok(Number(refusal.header('retry-after')) > 0);
    return '3 × 401 and 7 × 429, both ways';
  },

  65: async (system) => {
    await ready(system);
    const [body, status] = (await system.guide('verify-size')).trim().split('\n');
    assert.equal(status, '413');
    assert.equal(JSON.parse(body).error, 'payload_too_large');
    const direct = await system.machine.ok(block('verify-size').replaceAll('https://api.yourdomain.com', GATEWAY));
    assert.equal(direct.trim().split('\n')[1], '413');
    assert.match(JSON.parse(direct.trim().split('\n')[0]).message, /1048576/);
    return 'a readable 413 through nginx and direct';
  },

  66: async (system) => {
    await system.nginx();
    const direct = async (size) => (await system.http('POST', '/api/v1/triggers', { body: 'x'.repeat(size) })).status;
    const from = newAddress();
    const through = (size, headers) => system.site.request('POST', '/api/v1/triggers', { from, headers: { 'content-type': 'application/json', ...headers }, body: 'x'.repeat(size) });
    assert.deepEqual([await direct(LIMIT), await direct(LIMIT + 1)], [401, 413]);
    assert.deepEqual([await chunked(LIMIT), await chunked(LIMIT + 1)], [401, 413]);
    assert.equal((await through(LIMIT)).status, 401);
    isRefusal(await through(LIMIT + 1), 413, 'payload_too_large');
    isRefusal(await through(LIMIT + 1, { 'transfer-encoding': 'chunked' }), 413, 'payload_too_large');
    return `${LIMIT} bytes pass, one more is 413: direct, chunked, through nginx`;
  },
};
