// docs/troubleshoot.md: each case is brought about, and the page's sentence is compared with the program's. The three cases of
// the deployment guide (operations.md 1.11, rows 67 to 73) are among them.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { createHash, createHmac } from 'node:crypto';
import { createServer } from 'node:net';
import { AgentAuri, Client, JWT_SECRET } from '../lib/agentauri.mjs';
import { Nginx, newAddress } from '../lib/nginx.mjs';
import { Host, Page } from '../lib/pages.mjs';
import { Postgres } from '../lib/postgres.mjs';
import { until } from '../lib/wait.mjs';

const OTHER_SECRET = 'Aa1Bb2Cc3Dd4Ee5Ff6Gg7Hh8Ii9Jj0+Kk/Ll=';
const DATA_ENCRYPTION_KEYS = `k1:${Buffer.alloc(32, 7).toString('base64')}`;
const page = await Page.read('troubleshoot.md');
const plain = (text) => text.replaceAll(/[`\\]/g, '').replaceAll(/\s+/g, ' ');

let postgres, host;
const apps = [];
const prepare = async (environment, options) => {
  const app = await AgentAuri.prepare(environment, options);
  apps.push(app);
  return app;
};
before(async () => {
  postgres = await Postgres.start();
  host = await Host.make();
  for (const name of ['empty', 'served', 'another']) await postgres.createDatabase(name);
  await postgres.query('another', 'CREATE TABLE users (id int)');
});
after(async () => {
  for (const app of apps) await app.stop();
  await postgres?.stop();
  await host?.remove();
  page.assertAllRan();
});

describe('the service does not start', () => {
  const onPostgres = (environment) => prepare({ ...postgres.environment('empty'), JWT_SECRET, ...environment });
  const serve = (app) => app.command(['serve']);
  // By the page's sentence: what brings it about.
  const cases = {
    'JWT_SECRET must be set': async () => serve(await onPostgres({ JWT_SECRET: '' })),
    'JWT_SECRET must have at least 32 characters, not 31': async () => serve(await onPostgres({ JWT_SECRET: JWT_SECRET.slice(0, 31) })),
    'DB_PASSWORD must be set when a database is configured': async () => serve(await onPostgres({ DB_PASSWORD: '' })),
    'SERVER_PORT must be a whole number from 0 to 65535, not "http"': async () => serve(await onPostgres({ SERVER_PORT: 'http' })),
    'DB_PASSWROD is not a setting; did you mean DB_PASSWORD?': async () => serve(await onPostgres({ DB_PASSWROD: 'x' })),
    'migration 0001_ledger is not applied: run agentauri migrate up first': async () => serve(await onPostgres({})),
    "holds tables that are not AgentAuri's (of agentauri migrate up)": async () => (await onPostgres({ DB_NAME: 'another' })).command(['migrate', 'up']),
    'the secrets in this store cannot be read': async () => {
      const before = await prepare({ JWT_SECRET });
      await before.launch();
      await before.stop.call({ ...before, ownsData: false });
      return serve(await prepare({ JWT_SECRET: OTHER_SECRET }, { data: before.data }));
    },
    'failed: FATAL: password authentication failed for user': async () => serve(await onPostgres({ DB_PASSWORD: 'very-private' })),
    'failed: FATAL: database "nothing_here" does not exist': async () => serve(await onPostgres({ DB_NAME: 'nothing_here' })),
    'failed: Connection refused': async () => serve(await onPostgres({ DB_PORT: '1', DB_PASSWORD: 'very-private' })),
    'another process uses the data folder': async () => {
      const first = await prepare({});
      await first.launch();
      return serve(await prepare({}, { data: first.data }));
    },
    'is in use by another process': async () => {
      const app = await prepare({});
      const blocker = createServer();
      await new Promise((resolve) => blocker.listen(app.port, '127.0.0.1', resolve));
      const result = await serve(app);
      await new Promise((resolve) => blocker.close(resolve));
      assert.match(result.output, new RegExp(`127\\.0\\.0\\.1:${app.port} is in use`));
      return result;
    },
  };
  const rows = page.table('exit');

  test('every row of the page is such a case', () => {
    assert.deepEqual(rows.map(([, sentence]) => sentence), Object.keys(cases));
  });

  // Side by side: an unreachable database takes 15 s each.
  const results = {};
  before(async () => {
    await Promise.all(Object.entries(cases).map(async ([sentence, cause]) => { results[sentence] = await cause(); }));
  });

  for (const [exit, sentence] of rows) {
    test(`${exit}: ${sentence}`, () => {
      const { code, output } = results[sentence];
      assert.equal(code, Number(exit), output);
      assert.ok(plain(output).includes(sentence.replace(/ \(of .*\)$/, '')), output);
      assert.doesNotMatch(output, /very-private|terminate called|\bat 0x/);
      if (sentence.includes('(of ')) return;
      // Row 67: what `journalctl -n 50` would show holds the line.
      const errors = output.trim().split('\n').slice(-50).filter((line) => line.startsWith('{')).map((line) => JSON.parse(line)).filter((line) => line.level === 'error');
      assert.equal(errors.length, sentence.startsWith('DB_PASSWROD') ? errors.length : 1, output);
      assert.ok(errors.some((line) => plain(line.message).includes(sentence)), output);
    });
  }

  test('a database that cannot be had: five tries, each told with its number and the next wait', () => {
    const { output } = results['failed: Connection refused'];
    const tries = output.split('\n').filter((line) => line.startsWith('{')).map((line) => JSON.parse(line)).filter((line) => line.level === 'warn');
    assert.deepEqual(tries.map((line) => [line.attempt, line.next_in_ms]), [[1, 1000], [2, 2000], [3, 4000], [4, 8000]]);
    const last = output.split('\n').find((line) => line.includes('"level":"error"'));
    for (const named of ['127.0.0.1:1', 'database empty', 'as user postgres', 'DB_HOST', 'DB_PASSWORD']) assert.ok(last.includes(named), last);
  });

  test('who has the port, and whether the database can be had', async () => {
    const app = apps.find((one) => one.child && one.child.exitCode === null);
    assert.match(await host.runOk(page.commands('who has the port', { 8080: String(app.port) })), new RegExp(`:${app.port}\\b.*agentauri`));
    const environment = { ...postgres.environment('empty'), PGPASSWORD: postgres.password };
    const commands = page.commands('can the database be had');
    await host.runOk(commands, environment);
    assert.notEqual((await host.run(commands, { ...environment, PGPASSWORD: 'wrong' })).code, 0);
  });
});

describe('401 everywhere', () => {
  // Three gateways on one database: `two` has another secret, `three` another name.
  let one, two, three, user;
  before(async () => {
    const environment = { ...postgres.environment('served'), JWT_SECRET, DATA_ENCRYPTION_KEYS, ROLES: 'gateway', ALLOWED_ORIGINS: 'https://app.example.org' };
    one = await prepare(environment);
    assert.equal((await one.command(['migrate', 'up'])).code, 0);
    two = await prepare({ ...environment, JWT_SECRET: OTHER_SECRET });
    three = await prepare({ ...environment, BASE_URL: 'https://elsewhere.example.org' });
    await Promise.all([one, two, three].map((app) => app.launch()));
    user = await Client.registered(one.url);
  });
  const ask = async (app, headers) => {
    const answer = await fetch(`${app.url}/api/v1/triggers`, { headers });
    const id = answer.headers.get('x-request-id');
    const line = await until(`the line of ${id}`, () => app.logLines().find((each) => each.message === 'request' && each.request_id === id));
    return { status: answer.status, error: (await answer.json()).error, cause: line.cause };
  };
  const bearer = (token) => ({ authorization: `Bearer ${token}` });
  // The token as it would be had it been issued two hours earlier.
  const aged = (token) => {
    const [head, payload] = token.split('.');
    const claims = JSON.parse(Buffer.from(payload, 'base64url'));
    for (const name of ['iat', 'nbf', 'exp']) if (claims[name] !== undefined) claims[name] -= 7200;
    const text = `${head}.${Buffer.from(JSON.stringify(claims)).toString('base64url')}`;
    return `${text}.${createHmac('sha256', JWT_SECRET).update(text).digest('base64url')}`;
  };

  test('the cases of the page, told apart in the answer and in the log', async () => {
    const ended = await Client.registered(one.url);
    const token = ended.session.token;
    assert.ok((await ended.post('/api/v1/auth/logout', { refresh_token: ended.session.refresh_token })).status < 300);
    const cases = {
      'the request holds no credential': await ask(one, {}),
      'the token is past its expiry': await ask(one, bearer(aged(user.session.token))),
      'the token is signed with a secret that this process does not know': await ask(two, bearer(user.session.token)),
      "the token's issuer or audience is not this service": await ask(three, bearer(user.session.token)),
      'the session was ended': await ask(one, bearer(token)),
      'the text is not that of an API key': await ask(one, { 'x-api-key': 'sk_live_abc' }),
    };
    const rows = page.table('`error`');
    assert.deepEqual(rows.map(([, cause]) => cause), Object.keys(cases));
    for (const [error, cause] of rows) assert.deepEqual(cases[cause], { status: 401, error, cause });
  });

  test('with the same secret, or with the old one as JWT_SECRET_PREVIOUS, a token is good everywhere', async () => {
    const environment = { ...postgres.environment('served'), DATA_ENCRYPTION_KEYS, ROLES: 'gateway' };
    for (const secrets of [{ JWT_SECRET }, { JWT_SECRET: OTHER_SECRET, JWT_SECRET_PREVIOUS: JWT_SECRET }]) {
      const other = await prepare({ ...environment, ...secrets });
      await other.launch();
      assert.equal((await fetch(`${other.url}/api/v1/triggers`, { headers: bearer(user.session.token) })).status, 200);
    }
  });

  test('the commands of the page', async () => {
    const digest = await host.runOk(page.commands('same secret'), { JWT_SECRET });
    assert.equal(digest, `${createHash('sha256').update(JWT_SECRET).digest('hex')}  -\n`);
    const cors = page.commands('cors', { '127.0.0.1:8080': `127.0.0.1:${one.port}` });
    assert.match(await host.runOk(cors), /^access-control-allow-origin: https:\/\/app\.example\.org\s*$/i);
    const foreign = await host.run(cors.replace('https://app.example.org', 'https://evil.example'));
    assert.equal(foreign.output, '');
  });
});

describe('limits are too strict', () => {
  let app, nginx;
  before(async () => {
    app = await prepare({ TRUSTED_PROXIES: '127.0.0.1/32', MONITORING_TOKEN: 'mON1tor', RATE_LIMIT_REGISTER_PER_MINUTE: '2' });
    await app.launch();
    nginx = await Nginx.start(app.port);
  });
  after(() => nginx?.stop());

  test("nginx: the page's change of the site file, and a reload, let more through", async () => {
    const refused = async () => {
      const answers = await nginx.requests2(60, { ':method': 'GET', ':path': '/api/v1/openapi.json' }, { from: newAddress() });
      return answers.filter((answer) => answer.status === 429);
    };
    const before = await refused();
    assert.ok(before.length >= 30, `${before.length} of 60 are refused`);
    assert.equal(before[0].header('ratelimit-policy'), undefined, 'not by the program');
    assert.equal((await nginx.logLine(before[0].header('x-request-id'))).limit, 'REJECTED');

    const old = new Set(await nginx.workers());
    const quoted = nginx.arguments().map((argument) => `'${argument}'`).join(' ');
    await host.program('nginx', `exec ${nginx.program} ${quoted} "$@"`);
    await host.program('systemctl', `[ "$*" = "reload nginx" ] && exec ${nginx.program} ${quoted} -s reload`);
    await host.runOk(page.commands('nginx limits', { '/etc/nginx': `${nginx.directory}/etc/nginx` }));
    await until('workers with the new limits', async () => {
      const workers = await nginx.workers();
      return workers.length > 0 && workers.every((worker) => !old.has(worker));
    });
    assert.equal((await refused()).length, 0);
  });

  const post = (target, body, headers = {}) => fetch(app.url + target, { method: 'POST', headers: { 'content-type': 'application/json', ...headers }, body: JSON.stringify(body) });

  test('the program: its refusals name their limit, and its settings change it', async () => {
    const register = (n) => post('/api/v1/auth/register', { username: `strict${n}`, email: `strict${n}@example.org`, password: 'a quiet river 77' });
    const answers = [await register(1), await register(2), await register(3)];
    assert.deepEqual(answers.map((answer) => answer.status), [201, 201, 429]);
    assert.ok(answers[2].headers.get('ratelimit-policy'));
    const ask = async (headers) => {
      const statuses = await Promise.all(Array.from({ length: 70 }, async () => (await fetch(`${app.url}/api/v1/ponder/events`, { headers })).status));
      return statuses.filter((status) => status === 429).length;
    };
    assert.equal(await ask({ 'x-monitoring-token': 'mON1tor' }), 0);
    assert.equal(await ask({}), 10);
  });

  test('shadow refuses nobody and says whom it would', async () => {
    const shadow = await prepare({ RATE_LIMIT_MODE: 'shadow' });
    await shadow.launch();
    const last = [];
    for (let n = 0; n < 4; ++n)
      last.push(await fetch(`${shadow.url}/api/v1/auth/login`, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ username: 'nobody', password: 'wrong' }) }));
    assert.deepEqual(last.map((answer) => answer.status), [401, 401, 401, 401]);
    assert.equal(last[3].headers.get('x-ratelimit-status'), 'shadow-violation');
  });
});
