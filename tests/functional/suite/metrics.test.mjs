// docs/metrics.md and what the running program exports say the same; and the listener that serves it.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import http from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { AgentAuri, Client, ROOT } from '../lib/agentauri.mjs';
import { Anvil } from '../lib/anvil.mjs';
import { launch, stopEngines } from '../lib/engines.mjs';
import { runOk } from '../lib/process.mjs';
import { Receiver } from '../lib/receiver.mjs';
import { Redis } from '../lib/redis.mjs';
import { until } from '../lib/wait.mjs';

// Names of the contract that Prometheus' own linter would spell otherwise.
const GIVEN_NAMES = ['ponder_rpc_latency_ms metric names should not contain abbreviated units'];

// name -> {type, labels}, of the tables' rows.
async function documented() {
  const found = new Map();
  for (const line of (await readFile(path.join(ROOT, 'docs/metrics.md'), 'utf8')).split('\n')) {
    const [, names, type, labels] = line.split('|').map((cell) => cell.trim());
    if (!names?.startsWith('`')) continue;
    const words = (cell) => [...cell.matchAll(/`([^`]+)`/g)].map((match) => match[1]);
    for (const name of words(names)) {
      assert.ok(!found.has(name), `${name} is there twice`);
      found.set(name, { type, labels: words(labels).sort() });
    }
  }
  return found;
}

// The same of a scrape; every series of a family has the same labels.
function exported(text) {
  const found = new Map();
  for (const line of text.split('\n')) {
    const typed = /^# TYPE (\S+) (\S+)$/.exec(line);
    if (typed) found.set(typed[1], { type: typed[2] });
    const series = /^([a-zA-Z_:][\w:]*)(?:\{(.*)\})? \S+$/.exec(line);
    if (!series) continue;
    const family = found.has(series[1]) ? series[1] : series[1].replace(/_(bucket|sum|count)$/, '');
    const labels = [...(series[2] ?? '').matchAll(/(\w+)="(?:[^"\\]|\\.)*"/g)].map((match) => match[1]).filter((name) => name !== 'le').sort();
    const entry = found.get(family);
    assert.ok(entry, `${line} has no TYPE`);
    assert.deepEqual(labels, entry.labels ?? labels, `labels of ${family}`);
    entry.labels = labels;
  }
  return found;
}

function promtool(text) {
  return new Promise((resolve, reject) => {
    const child = spawn('promtool', ['check', 'metrics'], { stdio: ['pipe', 'pipe', 'pipe'] });
    let output = '';
    for (const stream of [child.stdout, child.stderr]) stream.setEncoding('utf8').on('data', (chunk) => { output += chunk; });
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, lines: output.split('\n').filter(Boolean) }));
    child.stdin.end(text);
  });
}

const request = (port, method, target) => new Promise((resolve, reject) => {
  http.request({ host: '127.0.0.1', port, method, path: target, agent: false }, async (response) => {
    const chunks = [];
    for await (const chunk of response) chunks.push(chunk);
    resolve({ status: response.statusCode, headers: response.headers, body: Buffer.concat(chunks).toString('utf8') });
  }).on('error', reject).end();
});

describe('metrics', () => {
  let folder, anvil, receiver, redis, app, user;
  before(async () => {
    folder = await mkdtemp(path.join(tmpdir(), 'agentauri-metrics-'));
    await runOk('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-subj', '/CN=x', '-days', '90',
      '-addext', 'subjectAltName=DNS:api.example.org', '-keyout', `${folder}/key.pem`, '-out', `${folder}/cert.pem`]);
    await mkdir(`${folder}/backups`);
    await writeFile(`${folder}/backups/status.json`, JSON.stringify({ last_success_at: 1_795_000_000, last_file: 'a.sql.gz', last_size_bytes: 4096 }));
    anvil = await Anvil.start();
    receiver = await Receiver.start();
    redis = await Redis.start();
    app = await launch('postgres', {
      ...anvil.environment(),
      REDIS_HOST: '127.0.0.1',
      REDIS_PORT: String(redis.port),
      BACKUP_DIR: `${folder}/backups`,
      TLS_CERTIFICATE_FILES: `${folder}/cert.pem`,
      WEBHOOK_RETRY_SECONDS: '0',   // what fails is dead at once
    });
    user = await Client.registered(app.url);
    await traffic();
  });
  after(async () => {
    await app?.stop();
    await redis?.stop();
    await receiver?.close();
    await anvil?.stop();
    await stopEngines();
    await rm(folder, { recursive: true, force: true });
  });

  // Something of everything that is counted by what it meets.
  async function traffic() {
    receiver.answer = () => ({ status: 500 });
    const { trigger } = await user.trigger({ name: 'any', chain_id: 31337, registry: 'reputation', conditions: [], actions: [{ action_type: 'webhook', config: { url: receiver.url } }] });
    await anvil.call('reputation', 'feedback', 42, 45, 0, 'starred', '', '');
    const state = (wanted) => until(`a delivery that is ${wanted}`, async () => (await user.deliveries(trigger)).find((row) => row.state === wanted));
    await state('dead');
    receiver.answer = () => ({ status: 200 });
    assert.equal((await user.post(`/api/v1/triggers/${trigger.id}/dlq/replay`, {})).status, 202);
    await state('succeeded');
    assert.equal((await user.post(`/api/v1/triggers/${trigger.id}/test`, { send: true })).status, 202);
    const stranger = new Client(app.url);
    assert.equal((await stranger.post('/api/v1/auth/login', { username: user.username, password: 'wrong' })).status, 401);
    assert.equal((await stranger.get('/api/v1/triggers', { 'x-api-key': 'sk_live_x' })).status, 401);
    assert.equal((await stranger.get('/nothing/here')).status, 404);
  }

  test('every documented metric is exported, and every exported one documented', async () => {
    const wanted = await documented();
    assert.ok(wanted.size > 100, 'the tables were read');
    const probed = () => app.metric('indexer_contract_deployed');
    await until('a first look for contracts', async () => (await probed()) !== undefined);
    const real = exported(await app.metrics());
    assert.deepEqual([...wanted.keys()].filter((name) => !real.has(name)), [], 'documented, not exported');
    assert.deepEqual([...real.keys()].filter((name) => !wanted.has(name)), [], 'exported, not documented');
    for (const [name, { type, labels }] of wanted) assert.deepEqual({ name, ...real.get(name) }, { name, type, labels });
  });

  test('96: a scrape passes promtool', async () => {
    const answer = await request(app.metricsPort, 'GET', '/metrics');
    assert.equal(answer.status, 200);
    assert.equal(answer.headers['content-type'], 'text/plain; version=0.0.4; charset=utf-8');
    const checked = await promtool(answer.body);
    assert.deepEqual(checked.lines, GIVEN_NAMES);
  });

  test('figures are those of what happened', async () => {
    const value = (name, labels) => app.metric(name, labels);
    assert.equal(await value('events_processed_total', { chain_id: '31337', registry: 'reputation' }), 1);
    assert.equal(await value('triggers_matched_total'), 1);
    assert.equal(await value('action_worker_jobs_processed_total', { action_type: 'rest', status: 'dlq' }), 1);
    await until('the replayed and the tried one', async () => (await value('actions_executed_total', { action_type: 'rest', status: 'success' })) === 2);
    assert.equal(await value('action_worker_retries_total', { action_type: 'rest', attempt: '2' }), 1);
    assert.equal(await value('action_retries_total', { action_type: 'rest' }), 1);
    assert.equal(await value('action_duration_seconds_count', { action_type: 'rest' }), 3);
    assert.equal(await value('auth_failures_total', { reason: 'invalid_credentials' }), 1);
    assert.equal(await value('auth_failures_total', { reason: 'api_key_invalid' }), 1);
    assert.equal(await value('api_key_auth_attempts_total', { result: 'malformed' }), 1);
    assert.equal(await value('http_requests_total', { path: '{unmatched}', status: '404' }), 1);
    assert.equal(await value('http_errors_total', { endpoint: '/api/v1/auth/login', error_type: 'invalid_credentials' }), 1);
    assert.equal(await value('circuit_breaker_state', { state: 'open' }), 0);
    await until('the trigger to be known', async () => (await value('circuit_breaker_state', { state: 'closed' })) === 1);
    assert.equal(await value('backup_last_success_timestamp_seconds'), 1_795_000_000);
    assert.equal(await value('backup_last_verified_timestamp_seconds'), 0);
    const days = ((await value('tls_certificate_expiry_timestamp_seconds', { domain: 'api.example.org' })) - Date.now() / 1000) / 86_400;
    assert.ok(days > 89 && days <= 90, `${days} days`);
    assert.ok((await value('jwt_validation_duration_seconds_count')) > 0);
    assert.ok((await value('background_task_executions_total', { task: 'sessions' })) >= 1);
    assert.match(await app.metrics(), /build_info\{commit="[0-9a-f]*",version="[^"]+"\} 1/);
  });

  test('requests that a limit refuses are counted', async () => {
    const stranger = new Client(app.url);
    await Promise.all(Array.from({ length: 70 }, () => stranger.get('/api/v1/ponder/status')));
    assert.ok((await app.metric('http_requests_total', { path: '/api/v1/ponder/status', status: '429' })) >= 1);
    assert.ok((await app.metric('rate_limit_rejections_total', { scope: 'ip', endpoint_class: 'anonymous-read' })) >= 1);
    assert.ok((await app.metric('http_errors_total', { error_type: 'rate_limited' })) >= 1);
  });

  test('checks that this process decides alone are told apart', async () => {
    assert.equal(await app.metric('rate_limit_checks_total', { result: 'degraded' }), 0);
    await redis.halt();
    await until('a degraded check', async () => {
      await user.get('/api/v1/triggers?limit=1');
      return (await app.metric('rate_limit_checks_total', { scope: 'user', result: 'degraded' })) > 0;
    });
  });

  test('probing makes no series', async () => {
    const count = async () => (await app.metrics()).split('\n').filter((line) => line.startsWith('http_')).length;
    const stranger = new Client(app.url);
    await stranger.get('/one');
    const series = await count();
    for (let i = 0; i < 20; ++i) await stranger.get(`/${i}/${Math.random()}`);
    assert.ok((await count()) <= series + 40, 'at most the same with another status');
    assert.ok(!(await app.metrics()).includes('/0.'), 'no path of a client is a label');
  });
});

describe('the listener of metrics', () => {
  test('health of a role without the API; other paths and methods', async () => {
    const app = await AgentAuri.prepare({ ROLES: 'engine,worker' });
    app.spawn();
    try {
      const answer = await until('the listener', () => request(app.metricsPort, 'GET', '/health'));
      assert.equal(answer.status, 200);
      assert.equal(answer.headers['content-type'], 'application/json');
      const body = JSON.parse(answer.body);
      assert.deepEqual([body.status, body.roles, body.database], ['healthy', ['engine', 'worker'], 'connected']);
      assert.equal((await request(app.metricsPort, 'HEAD', '/health')).status, 200);
      for (const target of ['/', '/api/v1/health', '/metrics/', '/healthz']) assert.equal((await request(app.metricsPort, 'GET', target)).status, 404, target);
      for (const target of ['/metrics', '/health']) {
        const refused = await request(app.metricsPort, 'POST', target);
        assert.deepEqual([refused.status, refused.headers.allow], [405, 'GET, HEAD'], target);
      }
      await assert.rejects(request(app.port, 'GET', '/metrics'), 'there is no API');
      const checked = await promtool((await request(app.metricsPort, 'GET', '/metrics')).body);
      assert.deepEqual(checked, { code: 0, lines: [] });
    } finally {
      await app.stop();
    }
  });
});
