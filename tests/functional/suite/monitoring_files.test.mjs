// deploy/prometheus, deploy/alertmanager and deploy/grafana by themselves: what Prometheus' own tools say of them, the cases of
// each alert, who gets which, and dashboards whose queries parse. monitoring.test.mjs meets them in the running system.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { existsSync } from 'node:fs';
import { cp, mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { ROOT } from '../lib/agentauri.mjs';
import { run, runOk } from '../lib/process.mjs';
import { metricNames, queriesOf, readYaml, readYamls, shippedDashboards, shippedRules, withoutVariables } from '../lib/promql.mjs';

const PROMETHEUS = path.join(ROOT, 'deploy/prometheus');
const ALERTMANAGER = path.join(ROOT, 'deploy/alertmanager/alertmanager.yml');
const GRAFANA = path.join(ROOT, 'deploy/grafana');
const JOBS = ['api-gateway', 'engine', 'worker', 'indexer', 'prometheus', 'postgresql', 'redis', 'node', 'nginx'];

// What must be there, with its severity, how long it holds before it fires, and its service.
const PROMISED = `
HighAPIErrorRate critical 5m api-gateway | HighAPILatency warning 5m api-gateway | CriticalAPILatency critical 5m api-gateway
APIGatewayDown critical 1m api-gateway | HighQueueDepth warning 5m engine | CriticalQueueDepth critical 5m engine
EngineDown critical 1m engine | LowEventProcessingRate warning 10m engine | HighActionFailureRate warning 5m worker
WorkerDown critical 1m worker | DatabaseConnectionPoolExhausted critical 5m database | HighDatabaseLatency warning 5m database
PostgreSQLDown critical 1m database | HighRedisLatency warning 5m redis | RedisDown critical 1m redis
HighCPUUsage warning 10m system | CriticalCPUUsage critical 5m system | HighMemoryUsage warning 10m system
CriticalMemoryUsage critical 5m system | LowDiskSpace warning 5m system | CriticalDiskSpace critical 5m system
HighRateLimitRejections warning 5m api-gateway | HighAuthFailureRate warning 5m api-gateway | PotentialBruteForce critical 2m security
IndexerDown critical 1m indexer | PonderSyncStalled critical 5m indexer | PonderHighRPCErrorRate warning 5m indexer
PonderCircuitBreakerOpen warning 1m indexer | PonderLowSyncRate warning 10m indexer | PonderHighSyncLag warning 5m indexer
A2AHighFailureRate warning 5m api-gateway | A2AHighTimeoutRate warning 5m api-gateway | A2ASlowProcessing warning 10m api-gateway
TargetMissing critical 2m monitoring | DLQGrowing warning - worker | CircuitBreakersOpen warning 10m engine
BackupTooOld critical 15m database | BackupUnverified warning 15m database | RateLimiterDegraded warning 5m api-gateway
MigrationsPending warning 10m database | SecretTooOld warning 1h security
CertificateExpiring warning 1h security | CertificateExpiring critical 10m security
CoverageGap critical 15m indexer | EngineStalled critical 1m engine | EngineLag warning 5m engine | EventSetAside critical - engine
DeliveryOverdue critical 2m worker`.trim().split(/\s*[|\n]\s*/).map((line) => line.split(' '));

describe('monitoring files', () => {
  let rules, alerts, dashboards, folder;
  before(async () => {
    rules = await shippedRules();
    alerts = rules.filter((rule) => rule.alert);
    dashboards = await shippedDashboards();
    folder = await mkdtemp(path.join(tmpdir(), 'agentauri-monitoring-'));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  test('promtool takes the configuration and the rules', async () => {
    await runOk('promtool', ['check', 'config', path.join(PROMETHEUS, 'prometheus.yml')]);
    const files = (await readdir(path.join(PROMETHEUS, 'alerts'))).map((file) => path.join(PROMETHEUS, 'alerts', file));
    await runOk('promtool', ['check', 'rules', ...files]);
  });

  test('every job is scraped, every 15 s; alerts carry cluster and environment', async () => {
    const config = await readYaml(path.join(PROMETHEUS, 'prometheus.yml'));
    const jobs = config.scrape_configs.map((each) => each.job_name);
    for (const job of JOBS) assert.ok(jobs.includes(job), job);
    assert.equal(config.global.scrape_interval, '15s');
    assert.deepEqual(Object.keys(config.global.external_labels), ['cluster', 'environment']);
    const lists = config.scrape_configs.filter((each) => each.file_sd_configs).map((each) => path.basename(each.file_sd_configs[0].files[0]));
    const files = [path.join(PROMETHEUS, 'targets'), path.join(ROOT, 'deploy/docker/targets')].flatMap((where) => lists.map((list) => path.join(where, list)));
    for (const [n, groups] of (await readYamls(files)).entries()) {
      if (!files[n].endsWith('nginx.yml')) assert.match(groups[0].targets[0], /^[\w.-]+:\d+$/, files[n]);
    }
  });

  test('the alerts that are promised, with their severity and patience', () => {
    for (const [name, severity, patience, service] of PROMISED) {
      const found = alerts.find((rule) => rule.alert === name && rule.labels.severity === severity);
      assert.ok(found, `${name} (${severity})`);
      assert.equal(found.for ?? '-', patience, name);
      assert.equal(found.labels.service, service, name);
    }
    const recorded = rules.filter((rule) => rule.record).map((rule) => rule.record);
    assert.deepEqual(recorded, ['a2a:tasks:success_rate_5m', 'a2a:tasks:avg_duration_ms', 'a2a:tasks:timeout_rate_5m']);
  });

  test('every alert says what is the matter, and has a runbook', () => {
    for (const rule of alerts) {
      assert.deepEqual(Object.keys(rule.annotations), ['summary', 'description', 'runbook_url'], rule.alert);
      assert.equal(rule.annotations.runbook_url, `https://docs.agentauri.ai/runbooks/${rule.labels.topic}`, rule.alert);
      assert.ok(existsSync(path.join(ROOT, 'docs/runbooks', `${rule.labels.topic}.md`)), `docs/runbooks/${rule.labels.topic}.md`);
      assert.match(rule.labels.severity, /^(warning|critical)$/, rule.alert);
    }
  });

  test('every alert has a case in which it fires and one in which it does not', async () => {
    const files = (await readdir(path.join(PROMETHEUS, 'tests'))).map((file) => path.join(PROMETHEUS, 'tests', file));
    const fires = new Set(), silent = new Set();
    for (const { tests } of await readYamls(files)) {
      for (const each of tests) {
        for (const { alertname, exp_alerts: expected } of each.alert_rule_test) {
          for (const { exp_labels: labels, exp_annotations: annotations } of expected) {
            fires.add(`${alertname} ${labels.severity}`);
            assert.doesNotMatch(JSON.stringify(annotations), /error expanding|<no value>/, alertname);
          }
        }
        // Silent is a case in which it never fires, not the time before another one does.
        if (each.alert_rule_test.every((step) => step.exp_alerts.length === 0)) {
          const severity = /, (warning|critical) is silent/.exec(each.name)?.[1];
          for (const { alertname } of each.alert_rule_test) silent.add(severity ? `${alertname} ${severity}` : alertname);
        }
      }
    }
    const lacking = alerts.flatMap((rule) => {
      const name = `${rule.alert} ${rule.labels.severity}`;
      const several = alerts.filter((other) => other.alert === rule.alert).length > 1;
      return [...(fires.has(name) ? [] : [`${name}: firing`]), ...(silent.has(several ? name : rule.alert) ? [] : [`${name}: silent`])];
    });
    assert.deepEqual(lacking, []);
    await runOk('promtool', ['test', 'rules', ...files]);
  });

  test('Alertmanager: routes, and alerts that silence others exist', async () => {
    await runOk('amtool', ['check-config', ALERTMANAGER]);
    const cases = {
      'severity=critical service=worker': 'critical', 'severity=warning service=worker': 'warnings', 'severity=info service=worker': 'default',
      'severity=critical service=database': 'database,critical', 'severity=warning service=redis': 'database,warnings',
      'severity=critical service=api-gateway': 'api,critical', 'severity=warning service=api-gateway': 'api,warnings', 'service=system': 'default',
    };
    for (const [labels, receivers] of Object.entries(cases)) {
      const said = await run('amtool', ['config', 'routes', 'test', `--config.file=${ALERTMANAGER}`, `--verify.receivers=${receivers}`, ...labels.split(' ')]);
      assert.equal(said.code, 0, `${labels}: ${said.output}`);
    }
    const config = await readYaml(ALERTMANAGER);
    const channels = Object.fromEntries(config.receivers.map((each) => [each.name, each.slack_configs[0].channel]));
    assert.deepEqual(channels, { default: '#agentauri-alerts', critical: '#agentauri-critical', warnings: '#agentauri-warnings', database: '#agentauri-database', api: '#agentauri-api' });
    for (const each of config.receivers) assert.equal(each.slack_configs[0].send_resolved, true, each.name);
    const names = new Set(alerts.map((rule) => rule.alert));
    for (const each of config.inhibit_rules) {
      for (const matcher of [...each.source_matchers, ...each.target_matchers]) {
        const [, listed] = /^alertname=~?"([\w|]+)"$/.exec(matcher) ?? [];
        for (const name of listed?.split('|') ?? []) assert.ok(names.has(name), name);
      }
    }
    // A warning and its critical are paired by their topic: the one must not silence what is about something else.
    for (const rule of alerts.filter((each) => /^Critical/.test(each.alert))) {
      assert.ok(alerts.some((each) => each.labels.severity === 'warning' && each.labels.topic === rule.labels.topic && each.labels.service === rule.labels.service), rule.alert);
    }
  });

  test('the checks that docs/monitoring.md names', async () => {
    const text = await readFile(path.join(ROOT, 'docs/monitoring.md'), 'utf8');
    const [, block] = /^After a change:\n```sh\n([\s\S]*?)```$/m.exec(text);
    const commands = block.trim().split('\n').filter((line) => !line.startsWith('promtool test'));   // that one ran above
    assert.equal(commands.length, 3);
    for (const command of commands) await runOk('bash', ['-euc', command], { cwd: ROOT });
  });

  test('install writes what the tools take, keeps targets, and touches nothing when they refuse', async () => {
    const root = path.join(folder, 'root');
    const etc = path.join(root, 'etc/prometheus');
    const install = (script, args = [], environment = {}) => run('bash', [script, '--root', root, ...args], { env: { PATH: process.env.PATH, ...environment } });
    const script = path.join(PROMETHEUS, 'install');
    const refused = await install(script);
    assert.notEqual(refused.code, 0);
    assert.match(refused.output, /set ALERT_WEBHOOK_URL/);
    assert.equal(existsSync(etc), false);

    const first = await install(script, ['--one-process'], { ALERT_WEBHOOK_URL: 'https://hooks.example.com/T0/secret' });
    assert.equal(first.code, 0, first.output);
    assert.doesNotMatch(first.output, /T0\/secret/);
    assert.deepEqual(await readYaml(path.join(etc, 'targets/engine.yml')), [{ targets: ['127.0.0.1:9464'] }]);
    assert.equal((await readFile(path.join(etc, 'secrets/alertmanager-webhook-url'), 'utf8')).trim(), 'https://hooks.example.com/T0/secret');
    assert.equal((await stat(path.join(etc, 'secrets/alertmanager-webhook-url'))).mode & 0o777, 0o640);
    assert.equal((await stat(path.join(etc, 'secrets'))).mode & 0o777, 0o750);
    await runOk('promtool', ['check', 'config', path.join(etc, 'prometheus.yml')]);
    await runOk('amtool', ['check-config', path.join(etc, 'alertmanager.yml')]);

    await writeFile(path.join(etc, 'targets/worker.yml'), '- targets: [10.0.0.5:9467]\n');
    const again = await install(script);
    assert.equal(again.code, 0, again.output);
    assert.deepEqual(await readYaml(path.join(etc, 'targets/worker.yml')), [{ targets: ['10.0.0.5:9467'] }]);

    const copy = path.join(folder, 'deploy');
    await mkdir(copy);
    for (const part of ['prometheus', 'alertmanager']) await cp(path.join(ROOT, 'deploy', part), path.join(copy, part), { recursive: true });
    await writeFile(path.join(copy, 'prometheus/alerts/worker.yml'), 'groups: [{name: worker, rules: [{alert: X, expr: "sum("}]}]\n');
    const before = await readFile(path.join(etc, 'alerts/worker.yml'), 'utf8');
    const broken = await install(path.join(copy, 'prometheus/install'));
    assert.notEqual(broken.code, 0);
    assert.match(broken.output, /things are as they were/);
    assert.equal(await readFile(path.join(etc, 'alerts/worker.yml'), 'utf8'), before);
  });

  test('dashboards are what make-dashboards makes', async () => {
    const made = path.join(folder, 'dashboards');
    await mkdir(made);
    await runOk('python3', [path.join(GRAFANA, 'make-dashboards'), made]);
    for (const [shipped, same] of [['dashboards', ''], ['cloud/dashboards', 'cloud']]) {
      const files = (await readdir(path.join(GRAFANA, shipped))).sort();
      assert.deepEqual((await readdir(path.join(made, same))).filter((file) => file.endsWith('.json')).sort(), files);
      for (const file of files) {
        assert.equal(await readFile(path.join(GRAFANA, shipped, file), 'utf8'), await readFile(path.join(made, same, file), 'utf8'), `${file}: run deploy/grafana/make-dashboards`);
      }
    }
  });

  test('dashboards of the cloud: uids of their own, one data source, every variable is defined, no resource is named', async () => {
    const { datasources: [source] } = await readYaml(path.join(GRAFANA, 'cloud/cloudwatch.yml'));
    const uids = dashboards.map((each) => each.uid);
    for (const file of await readdir(path.join(GRAFANA, 'cloud/dashboards'))) {
      const text = await readFile(path.join(GRAFANA, 'cloud/dashboards', file), 'utf8');
      const each = JSON.parse(text);
      assert.ok(!uids.includes(each.uid), each.uid);
      uids.push(each.uid);
      for (const [, uid] of text.matchAll(/"uid": "(?!agentauri-[a-z-]+",\n "title")([^"]+)"/g)) assert.equal(uid, source.uid, file);
      const variables = each.templating.list.map((variable) => variable.name);
      for (const [, name] of text.matchAll(/"\$(\w+)"/g)) if (name !== '__all') assert.ok(variables.includes(name), `${file}: $${name}`);
      assert.doesNotMatch(text, /arn:aws|\b\d{12}\b|us-east-1/, file);
      for (const panel of each.panels.filter((one) => one.type !== 'row')) {
        const ids = panel.targets.map((target) => target.id).filter(Boolean);
        for (const target of panel.targets.filter((one) => one.metricEditorMode === 1)) for (const id of ids) assert.match(target.expression, new RegExp(`\\b${id}\\b`), panel.title);
        assert.equal(new Set(ids).size, ids.length, panel.title);
      }
    }
    assert.equal(uids.length, 11);
  });

  test('dashboards: a uid each, panels side by side, a data source that is provisioned', async () => {
    assert.deepEqual(dashboards.map((each) => each.uid), ['a2a', 'api-gateway', 'engine', 'indexer', 'ops', 'security', 'system'].map((name) => `agentauri-${name}`));
    const { datasources } = await readYaml(path.join(GRAFANA, 'provisioning/datasources/prometheus.yml'));
    const known = new Map(datasources.map((each) => [each.uid, each.type]));
    assert.equal(datasources.filter((each) => each.isDefault).length, 1);
    const { providers } = await readYaml(path.join(GRAFANA, 'provisioning/dashboards/agentauri.yml'));
    assert.equal(providers[0].folder, 'AgentAuri');
    for (const each of dashboards) {
      assert.ok(each.title && each.refresh && each.schemaVersion, each.file);
      const ids = each.panels.map((panel) => panel.id);
      assert.equal(new Set(ids).size, ids.length, each.file);
      const taken = new Set();
      for (const panel of each.panels) {
        const { x, y, w, h } = panel.gridPos;
        assert.ok(x >= 0 && x + w <= 24, `${each.uid}: ${panel.title}`);
        for (let column = x; column < x + w; column++) {
          for (let line = y; line < y + h; line++) {
            assert.ok(!taken.has(`${column},${line}`), `${each.uid}: ${panel.title} lies upon another panel`);
            taken.add(`${column},${line}`);
          }
        }
        if (panel.type === 'row') continue;
        assert.ok(panel.targets.length > 0, `${each.uid}: ${panel.title}`);
        for (const source of [panel.datasource, ...panel.targets.map((target) => target.datasource)]) assert.equal(known.get(source.uid), source.type, `${each.uid}: ${panel.title}`);
      }
    }
  });

  test('every query of the dashboards parses', async () => {
    const queries = queriesOf(dashboards);
    assert.ok(queries.length > 80);
    const file = path.join(folder, 'queries.yml');
    const recorded = queries.map(({ expr }, n) => ({ record: `query:${n}`, expr: withoutVariables(expr) }));
    await writeFile(file, JSON.stringify({ groups: [{ name: 'dashboards', rules: recorded }] }));
    await runOk('promtool', ['check', 'rules', file]);
    for (const each of queries) assert.ok(metricNames(each.expr).size > 0, each.expr);
    assert.deepEqual([...metricNames('sum by (le) (rate(a_bucket{job="x",le=~"(b)"}[5m])) / on (c) group_left (d) max(e) or vector(0) > 26 * 3600')], ['a_bucket', 'e']);
  });
});
