// Rows 96 to 101: metrics, rules, alerts, dashboards.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readFile, readdir } from 'node:fs/promises';
import path from 'node:path';
import { ROOT } from '../../functional/lib/agentauri.mjs';
import { newAddress } from '../../functional/lib/nginx.mjs';
import { run, runOk } from '../../functional/lib/process.mjs';
import { until } from '../../functional/lib/wait.mjs';
import { GATEWAY, METRICS, PROMETHEUS } from '../system.mjs';

const RULES = path.join(ROOT, 'deploy/prometheus');
const DASHBOARDS = path.join(ROOT, 'deploy/grafana/dashboards');
// What of the rules and dashboards comes from programs that this host has no need of.
const OPTIONAL = /^nginx_|^container_/;

const LINT = 3;   // promtool's exit code for remarks
const CONTRACT_NAMES = /^(ponder_rpc_latency_ms|a2a_tasks_duration_ms) metric names should not contain abbreviated units$/;

const shipped = () => {
  for (const folder of [RULES, DASHBOARDS]) if (!existsSync(folder)) throw new Error(`${path.relative(ROOT, folder)} is not there`);
  return import('../../functional/lib/promql.mjs');
};
const ask = async (target) => {
  const answer = await (await fetch(`${PROMETHEUS}/api/v1/${target}`)).json();
  assert.equal(answer.status, 'success', `${target}: ${answer.error}`);
  return answer.data;
};
const firing = async () => (await ask('alerts')).alerts.filter((alert) => alert.state === 'firing').map((alert) => alert.labels.alertname);

// The things that alerts are about, stopped all at once, and back again: when each alert fired, and what the receiver got.
let outage;
function dependenciesDown(system) {
  outage ??= (async () => {
    await system.monitoring();
    const { machine, alertReceiver: receiver } = system;
    const wanted = ['APIGatewayDown', 'WorkerDown', 'PostgreSQLDown', 'RedisDown'];
    await until('nothing of them to fire before', async () => (await firing()).every((name) => !wanted.includes(name)), { timeoutMs: 60_000, everyMs: 500 });
    const fired = {};
    const began = Date.now();
    await machine.ok('systemctl stop api-gateway redis-server postgresql@15-main');
    try {
      await until(`${wanted.join(', ')} to fire`, async () => {
        for (const name of await firing()) if (wanted.includes(name)) fired[name] ??= Date.now() - began;
        const left = wanted.filter((name) => !(name in fired));
        if (left.length > 0) throw new Error(`not yet: ${left.join(', ')}`);
        return true;
      }, { timeoutMs: 90_000, everyMs: 500 });
      await until('the notice', () => receiver.texts().some((text) => text.includes('APIGatewayDown') && /firing/i.test(text)), { timeoutMs: 60_000, everyMs: 500 });
    } finally {
      await machine.ok('systemctl start postgresql@15-main redis-server api-gateway');
      await system.healthy();
    }
    await until('them to be resolved', async () => (await firing()).every((name) => !wanted.includes(name)), { timeoutMs: 60_000, everyMs: 500 });
    await until('the resolved notice', () => receiver.texts().some((text) => text.includes('APIGatewayDown') && /resolved/i.test(text)), { timeoutMs: 90_000, everyMs: 500 });
    return fired;
  })();
  return outage;
}

export const rows = {
  96: async (system) => {
    await system.nginx();
    const answer = await fetch(METRICS);
    assert.equal(answer.status, 200);
    assert.equal(answer.headers.get('content-type'), 'text/plain; version=0.0.4; charset=utf-8');
    const checked = await run('bash', ['-euo', 'pipefail', '-c', `curl -sf ${METRICS} | promtool check metrics`]);
    // Its rules of naming came later than two names that the contract of the metrics fixes.
    const remarks = checked.output.split('\n').filter((line) => line && !CONTRACT_NAMES.test(line));
    assert.ok([0, LINT].includes(checked.code) && remarks.length === 0, `promtool ended with ${checked.code}: ${checked.output}`);
    assert.equal((await fetch(`${GATEWAY}/metrics`)).status, 404);
    assert.equal((await system.site.request('GET', '/metrics', { from: newAddress() })).status, 404);
    const listening = (await system.machine.ok('ss -ltnH')).split('\n').map((line) => line.trim().split(/\s+/)[3]).filter((address) => address?.endsWith(':9464'));
    assert.deepEqual([...new Set(listening)], ['127.0.0.1:9464']);
    return `promtool takes it${checked.code === LINT ? `, with a remark on a name that is fixed (${checked.output.trim()})` : ''}; 404 on the public listener; loopback only`;
  },

  97: async (system, row) => {
    const { metricNames, queriesOf, shippedDashboards, shippedRules, withoutVariables } = await shipped();
    await system.monitoring();
    const rules = await shippedRules();
    const recorded = new Set(rules.map((rule) => rule.record).filter(Boolean));
    const expressions = [...rules.map((rule) => rule.expr), ...queriesOf(await shippedDashboards()).map((query) => withoutVariables(query.expr))];
    const names = new Set(expressions.flatMap((each) => [...metricNames(each)]).filter((name) => !recorded.has(name)));
    const present = () => Promise.all([ask('metadata'), ask('label/__name__/values')]).then(([described, values]) => new Set([...Object.keys(described), ...values]));
    const has = (all, name) => all.has(name) || all.has(name.replace(/_(bucket|sum|count)$/, ''));
    let missing;
    await until('every metric', async () => {
      const all = await present();
      missing = [...names].filter((name) => !has(all, name) && !OPTIONAL.test(name));
      return missing.length === 0;
    }, { timeoutMs: 20_000, everyMs: 1000 }).catch(() => assert.fail(`${missing.length} of ${names.size} are in no scrape: ${missing.sort().join(' ')}`));
    const optional = [...names].filter((name) => OPTIONAL.test(name));
    if (optional.length > 0) row.without(`exporters that are optional: ${optional.join(' ')}`);
    return `${names.size} metrics`;
  },

  98: async () => {
    await shipped();
    const rules = (await readdir(path.join(RULES, 'alerts'))).map((name) => path.join(RULES, 'alerts', name));
    const checked = await run('promtool', ['check', 'rules', ...rules]);
    assert.equal(checked.code, 0, checked.output);
    const tests = (await readdir(path.join(RULES, 'tests'))).map((name) => path.join(RULES, 'tests', name));
    const tested = await run('promtool', ['test', 'rules', ...tests]);
    assert.equal(tested.code, 0, tested.output);
    const text = (await Promise.all(tests.map((name) => readFile(name, 'utf8')))).join('\n');
    const alerts = (await Promise.all(rules.map((name) => readFile(name, 'utf8')))).join('\n').match(/(?<=- alert: )\w+/g);
    for (const name of new Set(alerts)) {
      const cases = [...text.matchAll(new RegExp(`alertname: ${name}\\b(.*?)(?=alertname:|$)`, 'gs'))].map(([, rest]) => rest);
      assert.ok(cases.length >= 2, `${name}: ${cases.length} cases`);
    }
    return `${new Set(alerts).size} alerts, each with a firing and a silent case`;
  },

  99: async (system) => {
    await shipped();
    await system.monitoring();
    const file = system.machine.file('/etc/prometheus/alertmanager.yml');
    await runOk('nsenter', ['-t', String(system.machine.leader), '-m', 'amtool', 'check-config', '/etc/prometheus/alertmanager.yml']);
    const route = async (...labels) => (await runOk('amtool', ['config', 'routes', 'test', `--config.file=${file}`, ...labels])).trim().split('\n').at(-1);   // after a warning about the flag
    const routes = { critical: await route('severity=critical'), warning: await route('severity=warning'), gateway: await route('severity=critical', 'service=api-gateway'), database: await route('severity=warning', 'service=database'), other: await route('severity=info') };
    assert.match(routes.critical, /critical/);
    assert.match(routes.warning, /warnings/);
    assert.match(routes.gateway, /api.*critical/);
    assert.match(routes.database, /database.*warnings/);
    assert.equal(routes.other, 'default');
    await dependenciesDown(system);
    return `${Object.entries(routes).map(([name, receivers]) => `${name} → ${receivers}`).join(', ')}; the receiver got APIGatewayDown firing and resolved`;
  },

  100: async (system, row) => {
    const { queriesOf, shippedDashboards, withoutVariables } = await shipped();
    await system.monitoring();
    const dashboards = await shippedDashboards();
    assert.equal(new Set(dashboards.map((each) => each.uid)).size, dashboards.length, 'unique uids');
    const provisioned = await readFile(path.join(ROOT, 'deploy/grafana/provisioning/datasources/prometheus.yml'), 'utf8');
    const used = new Set([...JSON.stringify(dashboards).matchAll(/"datasource":\{[^}]*"uid":"([^"]+)"/g)].map(([, uid]) => uid).filter((uid) => !uid.startsWith('-- ')));
    for (const uid of used) assert.match(provisioned, new RegExp(`uid: *["']?${uid.replaceAll(/[^\w-]/g, '.')}["']?`), `data source ${uid}`);
    const queries = queriesOf(dashboards);
    for (const { dashboard, panel, expr } of queries) {
      const answer = await (await fetch(`${PROMETHEUS}/api/v1/query?query=${encodeURIComponent(withoutVariables(expr))}`)).json();
      assert.equal(answer.status, 'success', `${dashboard}, ${panel}: ${answer.error}`);
    }
    row.without('Grafana itself (not in Debian)');
    return `${dashboards.length} dashboards, ${queries.length} queries that Prometheus takes`;
  },

  101: async (system) => {
    await shipped();
    const fired = await dependenciesDown(system);
    return `${Object.entries(fired).map(([name, ms]) => `${name} after ${(ms / 1000).toFixed(0)} s`).join(', ')} (${system.shortened})`;
  },
};
