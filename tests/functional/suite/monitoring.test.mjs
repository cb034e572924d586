// Monitoring against the running system: what breaks raises the right alert and the chat hears of it and of its end; every
// metric that rules and dashboards name is really scraped; every query of the dashboards has an answer; every command of the
// runbooks runs. How the shipped files are hurried up for it: lib/monitored_stack.mjs.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { existsSync } from 'node:fs';
import { readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { Client, ROOT } from '../lib/agentauri.mjs';
import { MonitoredStack } from '../lib/monitored_stack.mjs';
import { freePort, run, runOk } from '../lib/process.mjs';
import { GIVEN_NAMES, RESERVED, metricNames, queriesOf, shippedDashboards, shippedRules, withoutVariables } from '../lib/promql.mjs';
import { Receiver } from '../lib/receiver.mjs';
import { until } from '../lib/wait.mjs';

const RUNBOOKS = path.join(ROOT, 'docs/runbooks');

describe('monitoring', () => {
  let stack, receiver, user;
  before(async () => {
    receiver = await Receiver.start();
    stack = await MonitoredStack.start({ WEBHOOK_RETRY_SECONDS: '0' });
    await until('the first scrapes', async () => (await stack.query('up == 1')).length >= 9);
    user = await Client.registered(stack.gateway.url);
    const action = (url) => [{ action_type: 'webhook', config: { url } }];
    const nobody = `http://127.0.0.1:${await freePort()}/`;
    for (const url of [receiver.url, nobody]) {
      await user.trigger({ name: url, chain_id: 31337, registry: 'reputation', conditions: [{ condition_type: 'score_threshold', field: 'score', operator: '<', value: '60' }], actions: action(url) });
    }
    await traffic();
    await until('a delivery', () => receiver.deliveries.length > 0);
  });
  after(async () => {
    await stack?.stop();
    await receiver?.close();
  });

  // A little of everything that is counted.
  async function traffic() {
    await stack.anvil.call('reputation', 'feedback', 42, 10, 0, 'starred', '', '');
    const somebody = new Client(stack.gateway.url);
    await somebody.post('/api/v1/auth/login', { username: user.username, password: 'not this one' });
    await somebody.get('/api/v1/triggers', { authorization: 'Bearer nonsense' });
    await somebody.get('/api/v1/triggers', { 'x-api-key': 'sk_live_nonsense' });
    await somebody.get('/nowhere');
    await user.get('/api/v1/triggers');
  }

  const fires = (alert, channels) => until(`${alert} to reach ${channels}`, () => channels.every((channel) => stack.chat.heard(channel, alert, 'FIRING')), { timeoutMs: 60_000 });
  const isOver = (alert, channels) => until(`${alert} to be over in ${channels}`, () => channels.every((channel) => stack.chat.heard(channel, alert, 'RESOLVED')), { timeoutMs: 60_000 });

  test('roles and Redis that stop raise their alerts, and the chat hears when they are back', async () => {
    const alerts = { gateway: ['APIGatewayDown', '#agentauri-api'], worker: ['WorkerDown'], engine: ['EngineDown'], indexer: ['IndexerDown'] };
    await stack.redis.halt();
    await fires('RedisDown', ['#agentauri-database', '#agentauri-critical']);
    await traffic();   // limits without Redis
    await until('degraded checks to be scraped', async () => (await stack.query('rate_limit_checks_total{result="degraded"} > 0')).length > 0);
    await Promise.all(Object.keys(alerts).map((role) => stack.stopRole(role)));
    await Promise.all(Object.values(alerts).map(([alert, ...channels]) => fires(alert, [...channels, '#agentauri-critical'])));
    await stack.redis.launch();
    await Promise.all(Object.keys(alerts).map((role) => stack.startRole(role)));
    await isOver('RedisDown', ['#agentauri-database', '#agentauri-critical']);
    await Promise.all(Object.values(alerts).map(([alert, ...channels]) => isOver(alert, [...channels, '#agentauri-critical'])));

    const { title, text, color, actions, path: where } = stack.chat.heard('#agentauri-critical', 'WorkerDown', 'FIRING');
    assert.equal(title, '[FIRING: 1] WorkerDown (production)');
    assert.equal(color, 'danger');
    assert.match(text, /\*WorkerDown\*: The worker at 127\.0\.0\.1:\d+ does not answer\n/);
    assert.match(text, /\*Runbook:\* https:\/\/docs\.agentauri\.ai\/runbooks\/worker-down\n/);
    assert.match(text, /\*Now:\* 1\. say in this channel/);
    assert.match(actions.find((each) => each.text === 'Silence').url, /#\/silences\/new\?filter=%7B.*alertname%3D%22WorkerDown%22/);
    assert.equal(where, '/services/T0/B0/secret');
    assert.equal(stack.chat.heard('#agentauri-critical', 'WorkerDown', 'RESOLVED').color, 'good');
    assert.equal(stack.chat.messages.some((each) => each.channel === '#agentauri-warnings' && each.title.includes('WorkerDown')), false);
  });

  test('PostgreSQL that stops raises its alert, and the chat hears when it is back', async () => {
    await stack.postgres.pause();
    await fires('PostgreSQLDown', ['#agentauri-database', '#agentauri-critical']);
    await stack.postgres.launch();
    await isOver('PostgreSQLDown', ['#agentauri-database', '#agentauri-critical']);
    await until('the gateway to be ready', async () => (await fetch(`${stack.gateway.url}/api/v1/health/ready`)).ok);
  });

  test('an empty list of targets raises an alert, which "down" could not', async () => {
    const file = path.join(stack.etc, 'targets/node.yml');
    const targets = await readFile(file, 'utf8');
    await writeFile(file, '[]\n');
    await fires('TargetMissing', ['#agentauri-critical']);
    assert.match(stack.chat.heard('#agentauri-critical', 'TargetMissing', 'FIRING').text, /no target for node/);
    await writeFile(file, targets);
    await isOver('TargetMissing', ['#agentauri-critical']);
  });

  test('every metric that rules and dashboards name is scraped', async () => {
    const named = new Map();
    for (const rule of (await shippedRules())) for (const name of metricNames(rule.expr)) named.set(name, rule.alert ?? rule.record);
    for (const each of queriesOf(await shippedDashboards())) for (const name of metricNames(withoutVariables(each.expr))) named.set(name, `${each.dashboard}: ${each.panel}`);
    const answer = await (await fetch(`http://127.0.0.1:${stack.ports.prometheus}/api/v1/label/__name__/values`)).json();
    const scraped = new Set(answer.data);
    const missing = [...named].filter(([name]) => !scraped.has(name) && !RESERVED.test(name));
    assert.deepEqual(missing, []);
    assert.ok(named.size > 70);
    // What is reserved must not stay in that list when it is there.
    assert.deepEqual([...named.keys()].filter((name) => RESERVED.test(name) && !name.startsWith('a2a:') && scraped.has(name)), []);
  });

  test('promtool takes what the roles export, but for units in names that are given', async () => {
    for (const [role, app] of Object.entries(stack.roles)) {
      const said = await run('bash', ['-o', 'pipefail', '-c', 'curl -fsS "$1" | promtool check metrics', '_', `http://127.0.0.1:${app.metricsPort}/metrics`]);
      assert.ok([0, 3].includes(said.code), `${role}: ${said.output}`);   // 3: remarks about style
      assert.deepEqual(said.output.split('\n').filter((line) => line.trim() && !GIVEN_NAMES.test(line)), [], role);
    }
  });

  test('every query of the dashboards has an answer', async () => {
    await traffic();
    let empty;
    await until('answers to all of them', async () => {
      empty = [];
      for (const each of queriesOf(await shippedDashboards())) {
        const names = [...metricNames(withoutVariables(each.expr))];
        if (names.some((name) => RESERVED.test(name))) continue;
        if ((await stack.query(withoutVariables(each.expr))).length === 0) empty.push(`${each.dashboard}: ${each.panel}: ${each.expr}`);
      }
      return empty.length === 0;
    }, { timeoutMs: 20_000, everyMs: 500 }).catch(() => {});
    assert.deepEqual(empty, []);
  });

  test('every alert\'s expression is evaluated without a fault', async () => {
    const { data } = await (await fetch(`http://127.0.0.1:${stack.ports.prometheus}/api/v1/rules`)).json();
    const rules = data.groups.flatMap((group) => group.rules);
    assert.deepEqual(rules.filter((rule) => rule.health !== 'ok').map((rule) => `${rule.name}: ${rule.lastError}`), []);
    assert.equal(rules.length, (await shippedRules()).length);
  });

  test('every command of the runbooks runs', async () => {
    const units = (await readdir(path.join(ROOT, 'deploy/systemd'))).map((name) => name.replace(/@?\.service$/, ''));
    const packaged = ['postgresql@15-main', 'redis-server', 'nginx', 'certbot.timer', 'prometheus', 'prometheus-alertmanager', 'prometheus-node-exporter', 'prometheus-postgres-exporter', 'prometheus-redis-exporter'];
    const failures = [];
    let executed = 0;
    for (const file of await readdir(RUNBOOKS)) {
      const text = await readFile(path.join(RUNBOOKS, file), 'utf8');
      for (const [, link] of text.matchAll(/\]\(([\w-]+\.md)\)/g)) assert.ok(existsSync(path.join(RUNBOOKS, link)), `${file} leads to ${link}`);
      for (const [, mark, block] of text.matchAll(/^```(.*)\n([\s\S]*?)^```$/gm)) {
        if (mark.startsWith('sh not-run: ')) {
          // What it names exists, at least.
          for (const [, names] of block.matchAll(/^systemctl (?:status|restart|reload) (.+)$/gm)) {
            for (const name of names.split(' ')) assert.ok(packaged.includes(name) || units.includes(name.replace(/@\w+$/, '')), `${file}: ${name}`);
          }
          await runOk('bash', ['-n', '-c', block]);
          continue;
        }
        assert.equal(mark, 'sh run', `${file}: ${block}`);
        const result = await stack.runBlock(block);
        executed += block.trim().split('\n').length;
        if (result.code !== 0) failures.push(`${file}: ${block}${result.output.slice(-800)}`);
      }
    }
    assert.deepEqual(failures, []);
    assert.ok(executed > 100, `${executed} commands`);
  });

  test('a critical silences the warning about the same thing, and no other', async () => {
    const alert = (alertname, severity, topic) => ({ labels: { alertname, severity, topic, service: 'engine', cluster: 'agentauri', environment: 'production' } });
    const url = `http://127.0.0.1:${stack.ports.alertmanager}/api/v2/alerts`;
    const given = [alert('CriticalQueueDepth', 'critical', 'queue-depth'), alert('HighQueueDepth', 'warning', 'queue-depth'), alert('EngineLag', 'warning', 'engine-lag')];
    const answer = await fetch(url, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify(given) });
    assert.equal(answer.status, 200);
    const silencedBy = async (name) => (await (await fetch(url)).json()).find((each) => each.labels.alertname === name)?.status.inhibitedBy.length;
    await until('the warning to be silenced', async () => (await silencedBy('HighQueueDepth')) === 1);
    assert.equal(await silencedBy('EngineLag'), 0);
    assert.equal(await silencedBy('CriticalQueueDepth'), 0);
  });

  test('a message by hand reaches the chat', async () => {
    await runOk('amtool', [`--alertmanager.url=http://127.0.0.1:${stack.ports.alertmanager}`, 'alert', 'add', 'alertname=ByHand', 'severity=info', 'service=monitoring', '--annotation=summary=a trial']);
    await until('the message', () => stack.chat.messages.some((each) => each.channel === '#agentauri-alerts' && each.title.includes('ByHand')));
  });
});
