// The deployment guide on PostgreSQL, word for word: migration loop, start, the five verification commands.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import path from 'node:path';
import { AgentAuri, JWT_SECRET, ROOT } from '../lib/agentauri.mjs';
import { Postgres } from '../lib/postgres.mjs';
import { run } from '../lib/process.mjs';

describe('the deployment guide', () => {
  let postgres, app;
  before(async () => {
    postgres = await Postgres.start();
    await postgres.createDatabase('agentauri_backend');
  });
  after(async () => {
    await app?.stop();
    await postgres?.stop();
  });

  const loop = (stopOnError) =>
    run('bash', ['-c', `set -o pipefail; status=0
for f in database/migrations/*.sql; do
  echo "Running: $f"
  PGPASSWORD=$DB_PASSWORD psql ${stopOnError ? '-v ON_ERROR_STOP=1 ' : ''}-h localhost -p ${postgres.port} -U postgres -d agentauri_backend -f "$f" || status=$?
done
exit $status`], { cwd: ROOT, env: { ...process.env, DB_PASSWORD: postgres.password } });

  test('the migration loop applies twice without an ERROR line', async () => {
    for (const stopOnError of [false, true]) {
      const result = await loop(stopOnError);
      assert.equal(result.code, 0, result.output);
      assert.doesNotMatch(result.output, /ERROR/);
      assert.match(result.output, /Running: database\/migrations\/0001/);
    }
  });

  test('agentauri migrate adopts what psql applied', async () => {
    app = await AgentAuri.prepare({ ...postgres.environment('agentauri_backend'), JWT_SECRET, ALLOWED_ORIGINS: 'https://app.yourdomain.com' },
      { program: path.join(ROOT, 'build/release/bin/api-gateway') });
    for (const command of ['up', 'status', 'verify']) {
      const result = await app.command(['migrate', command]);
      assert.equal(result.code, 0, result.output);
    }
    const again = await loop(true);
    assert.doesNotMatch(again.output, /ERROR/);
  });

  test('it starts with the guide’s variables alone', async () => {
    delete app.environment.RATE_LIMIT_REGISTER_PER_MINUTE;
    delete app.environment.EGRESS_ALLOW;
    delete app.environment.EGRESS_HTTPS_ONLY;
    await app.launch();
    const health = await (await fetch(`${app.url}/api/v1/health`)).json();
    assert.equal(health.status, 'healthy');
    assert.equal(health.database, 'connected');
    assert.match(health.timestamp, /^\d{4}-\d{2}-\d{2}T/);
    const ready = await fetch(`${app.url}/api/v1/health/ready`);
    assert.equal(ready.status, 200);
    assert.deepEqual((await ready.json()).chains, []);
  });

  const shell = (command) => run('bash', ['-c', command], { env: { ...process.env, B: app.url, T: app.token ?? '' } });

  test('register', async () => {
    const result = await shell(`curl -s -X POST $B/api/v1/auth/register -H 'Content-Type: application/json' -d '{"username":"test","email":"test@example.com","password":"testpass123"}' -w '\\n%{http_code}'`);
    const [body, status] = result.output.trim().split('\n');
    assert.equal(status, '201', result.output);
    assert.ok(JSON.parse(body).token);
  });

  test('login', async () => {
    const result = await shell(`curl -s -X POST $B/api/v1/auth/login -H 'Content-Type: application/json' -d '{"username":"test","password":"testpass123"}'`);
    app.token = JSON.parse(result.output).token;
    assert.ok(app.token, result.output);
  });

  test('a protected call', async () => {
    const good = await shell(`curl -s -o /dev/null -w '%{http_code}' $B/api/v1/triggers -H "Authorization: Bearer $T"`);
    assert.equal(good.output, '200');
    const bad = await shell(`curl -s -o /dev/null -w '%{http_code}' $B/api/v1/triggers`);
    assert.equal(bad.output, '401');
  });

  test('ten bad logins: three 401 and seven 429', async () => {
    const result = await shell(`seq 10 | xargs -P10 -I{} curl -s -o /dev/null -w '%{http_code}\\n' -X POST $B/api/v1/auth/login -H 'Content-Type: application/json' -d '{"username":"test","password":"wrong"}'`);
    const codes = result.output.trim().split('\n').sort();
    assert.deepEqual(codes, ['401', '401', '401', '429', '429', '429', '429', '429', '429', '429']);
  });

  test('two megabytes are refused, readably', async () => {
    const result = await shell(`head -c 2000000 /dev/zero | tr '\\0' 'a' | sed 's/^/{"name":"/; s/$/"}/' | curl -s -X POST $B/api/v1/triggers -H "Authorization: Bearer $T" -H 'Content-Type: application/json' --data-binary @- -w '\\n%{http_code}'`);
    const [body, status] = result.output.trim().split('\n');
    assert.equal(status, '413', result.output.slice(0, 500));
    assert.equal(JSON.parse(body).error, 'payload_too_large');
  });

  test('health follows the database and comes back without a restart', async () => {
    await postgres.pause();
    const { until } = await import('../lib/wait.mjs');
    await until('503', async () => (await fetch(`${app.url}/api/v1/health`)).status === 503, { timeoutMs: 5000 });
    assert.equal((await fetch(`${app.url}/api/v1/health/live`)).status, 200);
    const ready = await fetch(`${app.url}/api/v1/health/ready`);
    assert.equal(ready.status, 503);
    await postgres.launch();
    await until('200 again', async () => (await fetch(`${app.url}/api/v1/health`)).status === 200, { timeoutMs: 20_000 });
  });

  test('SIGTERM ends it cleanly', async () => {
    await app.stop();
    assert.equal(app.lastExit.code, 0);
  });

  test('a schema of somebody else is refused, with what to do', async () => {
    await postgres.createDatabase('foreign_db');
    await postgres.query('foreign_db', 'CREATE TABLE users (id int)');
    const other = await AgentAuri.prepare({ ...postgres.environment('foreign_db'), JWT_SECRET });
    const result = await other.command(['migrate', 'up']);
    assert.notEqual(result.code, 0);
    assert.match(result.output, /not AgentAuri's/);
    assert.match(result.output, /createdb|DB_NAME/);
    assert.equal(await postgres.query('foreign_db', "SELECT count(*) FROM pg_tables WHERE schemaname = 'public'"), '1');
    await other.stop();
  });
});
