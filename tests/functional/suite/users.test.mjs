// `agentauri user …`: what an operator does to users, beside a server where the store allows it.
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { Client } from '../lib/agentauri.mjs';
import { prepare, stopEngines, ENGINES } from '../lib/engines.mjs';
import { spawn } from 'node:child_process';
import { until } from '../lib/wait.mjs';

const EX_USAGE = 64, EX_UNAVAILABLE = 69;

// Standard output and standard error apart, and something to read.
function command(app, args, input) {
  return new Promise((resolve) => {
    const child = spawn(app.program, ['user', ...args], { env: app.environment, cwd: app.data, stdio: ['pipe', 'pipe', 'pipe'] });
    let data = '', talk = '';
    child.stdout.setEncoding('utf8').on('data', (chunk) => { data += chunk; });
    child.stderr.setEncoding('utf8').on('data', (chunk) => { talk += chunk; });
    child.on('close', (code) => resolve({ code, data, talk }));
    child.stdin.end(input ?? '');
  });
}
const login = (app, username, password) => new Client(app.url).post('/api/v1/auth/login', { username, password });

describe('users', () => {
  const apps = [];
  const prepared = async (engine, environment) => {
    const app = await prepare(engine, environment);
    apps.push(app);
    return app;
  };
  after(async () => {
    for (const app of apps) await app.stop();
    await stopEngines();
  });

  for (const engine of ENGINES) {
    test(`${engine}: an administrator is made before anything was served, and signs in`, async () => {
      const app = await prepared(engine, { REGISTRATION: 'closed', PASSWORD_POLICY: 'strict' });
      const made = await command(app, ['create', 'ada', '--email', 'ada@example.org', '--admin', '--generate', '--json']);
      assert.equal(made.code, 0, made.talk);
      const { user, password } = JSON.parse(made.data);
      assert.equal(user.is_admin, true);
      assert.equal((await command(app, ['create', 'ADA', '--email', 'x@example.org', '--generate'])).code, 1);
      await app.launch();
      const answer = await login(app, 'ada', password);
      assert.equal(answer.status, 200);
      const client = new Client(app.url);
      client.session = answer.body;
      assert.equal((await client.get('/api/v1/auth/me')).body.is_admin, true);
      assert.equal((await client.post('/api/v1/auth/register', { username: 'eve', email: 'eve@example.org', password: 'Quartz!Lamp42x' })).status, 403);
      const list = await command(app, ['list', '--json']);
      assert.equal(list.code, 0, list.talk);
      assert.deepEqual(JSON.parse(list.data).users.map((row) => [row.username, row.is_admin, row.is_active]), [['ada', true, true]]);
    });
  }

  test('a password comes from standard input or a terminal, and meets the policy', async () => {
    const app = await prepared('sqlite');
    const unasked = await command(app, ['create', 'ada', '--email', 'ada@example.org']);
    assert.equal(unasked.code, EX_USAGE);
    assert.match(unasked.talk, /--password-stdin or --generate/);
    const weak = await command(app, ['create', 'ada', '--email', 'ada@example.org', '--password-stdin'], 'password1\n');
    assert.equal(weak.code, EX_USAGE);
    assert.match(weak.talk, /too common/);
    const made = await command(app, ['create', 'ada', '--email', 'ada@example.org', '--password-stdin'], 'a quiet river 77\n');
    assert.equal(made.code, 0, made.talk);
    assert.equal(made.data, '', 'a password that is known is not printed');
    assert.equal((await command(app, ['reset-password', 'nobody', '--generate'])).code, 1);
    const reset = await command(app, ['reset-password', 'Ada@example.org', '--generate']);
    assert.equal(reset.code, 0, reset.talk);
    await app.launch();
    assert.equal((await login(app, 'ada', 'a quiet river 77')).status, 401);
    assert.equal((await login(app, 'ada', reset.data.trim())).status, 200);
    const beside = await command(app, ['disable', 'ada']);
    assert.equal(beside.code, EX_UNAVAILABLE, 'the embedded store has one writer');
    assert.match(beside.talk, /another process uses the data folder/);
  });

  test('a user that is disabled beside a running server is refused within a second', { skip: !ENGINES.includes('postgres') }, async () => {
    const app = await prepared('postgres');
    await app.launch();
    const user = await Client.registered(app.url, 'orbit7');
    const personal = (await user.get('/api/v1/auth/me')).body.organizations[0].id;
    const key = (await user.post(`/api/v1/organizations/${personal}/api-keys`, { name: 'k', environment: 'live' })).body.data.key;
    const byKey = () => new Client(app.url).get('/api/v1/triggers', { 'x-api-key': key });
    assert.equal((await byKey()).status, 200);
    const disabled = await command(app, ['disable', 'orbit7', '--json']);
    const from = performance.now();
    assert.equal(disabled.code, 0, disabled.talk);
    assert.deepEqual(JSON.parse(disabled.data), { success: true, sessions_ended: 1 });
    await until('session and key to be refused', async () => (await user.get('/api/v1/auth/me')).status === 401 && (await byKey()).status === 401, { everyMs: 20 });
    assert.ok(performance.now() - from < 1000, `took ${performance.now() - from} ms`);
    assert.equal((await login(app, 'orbit7', 'a quiet river 77')).status, 403);
    assert.equal((await command(app, ['enable', 'orbit7'])).code, 0);
    assert.equal((await byKey()).status, 200);
  });

  test('an invitation makes one account', async () => {
    const app = await prepared('sqlite', { REGISTRATION: 'invited' });
    const made = await command(app, ['invite', '--email', 'ada@example.org', '--days', '2']);
    assert.equal(made.code, 0, made.talk);
    const spare = JSON.parse((await command(app, ['invite', '--json'])).data);
    assert.equal((await command(app, ['uninvite', spare.id])).code, 0);
    assert.equal((await command(app, ['uninvite', spare.id])).code, 1);
    assert.equal((await command(app, ['invite', '--days', '0'])).code, EX_USAGE);
    await app.launch();
    const register = (username, invitation) => new Client(app.url).post('/api/v1/auth/register', { username, email: `${username}@example.org`, password: 'a quiet river 77', invitation });
    assert.equal((await register('ada')).body.error, 'invitation_required');
    assert.equal((await register('ada', spare.invitation)).body.error, 'invitation_invalid');
    assert.equal((await register('eve', made.data.trim())).body.error, 'invitation_invalid');
    assert.equal((await register('ada', made.data.trim())).status, 201);
    const list = JSON.parse((await command(app, ['invitations', '--json'])).data).invitations;
    assert.deepEqual(list.map((row) => row.state), ['used']);
  });
});
