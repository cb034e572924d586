// Rows 85 to 89: refresh tokens.
import assert from 'node:assert/strict';
import { newClient } from '../system.mjs';

const MAX_SESSIONS = 10;
const HOUR = 3600, DAY = 86_400;
const refresh = (system, token, options) => system.http('POST', '/api/v1/auth/refresh', { body: { refresh_token: token }, ...options });
const sees = async (system, token) => (await system.http('GET', '/api/v1/auth/me', { token })).status;

export const rows = {
  85: async (system) => {
    await system.gateway();
    const user = await system.user();
    const next = await refresh(system, user.refresh_token);
    assert.equal(next.status, 200, next.text);
    assert.ok(next.body.token && next.body.refresh_token && next.body.refresh_token !== user.refresh_token);
    const again = await refresh(system, user.refresh_token);
    assert.equal(again.status, 200, 'before its successor is used');
    assert.equal(again.body.refresh_token, next.body.refresh_token, 'the same pair');
    assert.equal((await refresh(system, next.body.refresh_token)).status, 200);
    assert.equal((await refresh(system, user.refresh_token)).status, 401, 'after that');
    return 'the old token: the same pair until the new one is used, then 401';
  },

  86: async (system) => {
    await system.gateway();
    const user = await system.user();
    assert.match(user.refresh_token, /^urt_/);
    assert.ok(Buffer.from(user.refresh_token.slice(4), /^[0-9a-f]+$/.test(user.refresh_token.slice(4)) ? 'hex' : 'base64url').length >= 32, '256 bits');
    const hash = (await import('node:crypto')).createHash('sha256').update(user.refresh_token).digest('hex');
    const life = await system.sql(`SELECT round(extract(epoch FROM expires_at - created_at)) FROM refresh_tokens WHERE token_hash = '${hash}'`);
    assert.equal(Number(life), 30 * DAY, 'stored as its SHA-256, for 30 days');
    assert.equal((await system.machine.ok(`PGPASSWORD="$(cat /etc/agentauri/secrets/DB_PASSWORD)" pg_dump -h localhost -U postgres agentauri_backend | grep -cF -e '${user.refresh_token}' -e '${user.token}' || true`)).trim(), '0', 'no plaintext in a dump of the database');
    const claims = JSON.parse(Buffer.from(user.token.split('.')[1], 'base64url'));
    assert.equal(claims.exp - claims.iat, HOUR);
    const sessions = [];
    for (let i = 0; i < MAX_SESSIONS; ++i) sessions.push((await system.login(user)).body);
    assert.equal((await refresh(system, user.refresh_token)).status, 401, 'the eleventh session ended the oldest');
    assert.equal((await refresh(system, sessions[0].refresh_token)).status, 200);
    return 'SHA-256, 256 bits, 30 days; access 1 h; the 11th session ends the oldest';
  },

  87: async (system) => {
    await system.gateway();
    const user = await system.user();
    const other = (await system.login(user)).body;
    const second = (await refresh(system, user.refresh_token)).body;
    const third = (await refresh(system, second.refresh_token)).body;
    assert.equal((await refresh(system, user.refresh_token)).status, 401, 're-use after the grace');
    assert.equal((await refresh(system, third.refresh_token)).status, 401, 'the newest of that chain');
    assert.equal((await refresh(system, other.refresh_token)).status, 200, 'another session of the user');
    const reason = await system.sql(`SELECT revoke_reason FROM sessions s JOIN accounts a ON a.id = s.account_id WHERE lower(a.username) = lower('${user.username}') AND revoked_at IS NOT NULL`);
    assert.match(reason, /reuse|replay/, `it is recorded: ${reason}`);
    return `that session alone, recorded as ${reason}`;
  },

  88: async (system) => {
    await system.gateway();
    const user = await system.user();
    const open = async () => (await system.login(user)).body;
    const [one, two, three] = [await open(), await open(), await open()];
    assert.equal((await system.http('POST', '/api/v1/auth/logout', { body: { refresh_token: one.refresh_token } })).status, 200);
    assert.equal((await refresh(system, one.refresh_token)).status, 401, 'logout');
    assert.equal((await refresh(system, two.refresh_token)).status, 200, 'others stay');
    assert.equal((await system.http('POST', '/api/v1/auth/logout', { token: three.token, body: { all: true } })).status, 200);
    for (const each of [user, three]) assert.equal((await refresh(system, each.refresh_token)).status, 401, 'log out everywhere');
    const [four, five] = [await open(), await open()];
    const changed = await system.http('POST', '/api/v1/auth/password', { token: four.token, body: { current_password: user.password, new_password: 'another quiet river 78' } });
    assert.ok(changed.status < 300, changed.text);
    assert.equal((await refresh(system, five.refresh_token)).status, 401, 'password change');
    return 'logout, everywhere, password change: each with a 401 after';
  },

  89: async (system) => {
    await system.gateway();
    const user = await system.user();
    const answers = await Promise.all(Array.from({ length: 20 }, () => refresh(system, user.refresh_token, { from: newClient() })));
    assert.deepEqual(answers.map((answer) => answer.status), Array(20).fill(200));
    assert.equal(new Set(answers.map((answer) => answer.body.refresh_token)).size, 1);
    assert.equal(new Set(answers.map((answer) => answer.body.token)).size, 1);
    assert.equal(await sees(system, answers[0].body.token), 200);
    return '20 × 200 with one and the same pair';
  },
};
