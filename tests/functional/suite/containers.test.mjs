// deploy/docker without a container runtime: the stack's file says what it must, what it sets the program accepts, and the
// health check tells a working process from one that is none. Where Docker Compose is, it reads the file too.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { access, mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { AgentAuri, BINARY, JWT_SECRET, ROOT } from '../lib/agentauri.mjs';
import { freePort, run, runOk } from '../lib/process.mjs';

const DOCKER = path.join(ROOT, 'deploy/docker');
const ROLES = ['gateway', 'indexer', 'engine', 'worker'];
const REQUIRED = ['JWT_SECRET', 'DB_PASSWORD', 'REDIS_PASSWORD', 'GRAFANA_ADMIN_PASSWORD', 'ALERT_WEBHOOK_URL'];
// In the slim image already.
const BASE_PACKAGES = ['libc6', 'libgcc-s1'];

const hasCompose = (await run('docker', ['compose', 'version'])).code === 0;
const hasHadolint = (await run('hadolint', ['--version'])).code === 0;

describe('containers', () => {
  let stack;
  let text;
  let folder;

  before(async () => {
    text = await readFile(path.join(DOCKER, 'compose.yaml'), 'utf8');
    stack = JSON.parse(await runOk('python3', ['-c', 'import json, sys, yaml; json.dump(yaml.safe_load(open(sys.argv[1])), sys.stdout)', path.join(DOCKER, 'compose.yaml')]));
    folder = await mkdtemp(path.join(tmpdir(), 'agentauri-containers-'));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  test('one service per role, confined and bounded', () => {
    for (const role of ROLES) {
      const service = stack.services[role];
      assert.equal(service.environment.ROLES, role);
      assert.equal(service.read_only, true);
      assert.deepEqual(service.cap_drop, ['ALL']);
      assert.ok(service.security_opt.includes('no-new-privileges:true'));
      assert.deepEqual(service.deploy.resources.limits, { cpus: '2.0', memory: '2G', pids: 512 });
      assert.deepEqual(service.deploy.resources.reservations, { cpus: '0.5', memory: '512M' });
      assert.equal(service.depends_on.migrate.condition, 'service_completed_successfully');
      assert.equal(service.user, undefined, 'the user of the image');
    }
  });

  test('limits and health checks of the others', () => {
    const expected = { postgres: ['2.0', '4G', '1.0', '2G', '10s'], redis: ['1.0', '2G', '0.5', '512M', '10s'], prometheus: ['1.0', '2G', '0.5', '512M'], grafana: ['0.5', '1G', '0.25', '256M'],
      alertmanager: ['0.25', '256M', '0.1', '64M', '30s'], nginx: ['0.5', '256M', '0.25', '128M', '30s'] };
    for (const [name, [cpus, memory, reservedCpus, reservedMemory, interval]] of Object.entries(expected)) {
      const service = stack.services[name];
      assert.deepEqual(service.deploy.resources, { limits: { cpus, memory }, reservations: { cpus: reservedCpus, memory: reservedMemory } }, name);
      assert.equal(service.healthcheck?.interval, interval, name);
    }
    assert.deepEqual(stack.services.nginx.profiles, ['production']);
  });

  test('Prometheus, Alertmanager and Grafana are given the files of a host', async () => {
    const mounted = (name) => Object.fromEntries(stack.services[name].volumes.filter((each) => each.startsWith('.')).map((each) => each.split(':').slice(0, 2).reverse()));
    assert.deepEqual(mounted('prometheus'), { '/etc/prometheus/prometheus.yml': '../prometheus/prometheus.yml', '/etc/prometheus/alerts': '../prometheus/alerts', '/etc/prometheus/targets': './targets' });
    assert.deepEqual(mounted('alertmanager'), { '/etc/alertmanager': '../alertmanager' });
    assert.deepEqual(mounted('grafana'), { '/etc/grafana/provisioning': '../grafana/provisioning', '/var/lib/grafana/dashboards': '../grafana/dashboards' });
    for (const name of ['prometheus', 'alertmanager', 'grafana']) for (const file of Object.values(mounted(name))) await access(path.join(DOCKER, file));
    const hook = stack.services.alertmanager.secrets[0];
    assert.match(await readFile(path.join(DOCKER, '../alertmanager/alertmanager.yml'), 'utf8'), new RegExp(`slack_api_url_file: ${hook.target}$`, 'm'));
    // Each target is a service of this stack.
    for (const file of await readdir(path.join(DOCKER, 'targets'))) {
      const [, service] = /targets: \[([\w-]+):\d+\]/.exec(await readFile(path.join(DOCKER, 'targets', file), 'utf8')) ?? [];
      if (service) assert.ok(stack.services[service], `${file}: ${service}`);
      else assert.equal(file, 'nginx.yml');
    }
  });

  test('nothing is published to others but what nginx listens on', () => {
    for (const [name, service] of Object.entries(stack.services)) {
      for (const port of service.ports ?? []) assert.match(port, /^127\.0\.0\.1:\d+:\d+$/, name);
      if (name !== 'nginx') assert.notEqual(service.network_mode, 'host', name);
    }
  });

  test('a missing secret stops everything with a sentence; secrets are files', () => {
    for (const name of REQUIRED) {
      assert.match(stack.secrets[name]['x-required'], new RegExp(`^\\$\\{${name}:\\?set ${name}, .+\\}$`));
      assert.equal(stack.secrets[name].environment, name);
    }
    for (const [name, service] of Object.entries(stack.services)) {
      for (const [variable, value] of Object.entries(service.environment ?? {})) {
        if (/SECRET|PASSWORD/.test(variable)) assert.match(variable, /_FILE$/, name);
        assert.doesNotMatch(String(value), new RegExp(REQUIRED.join('|').replaceAll(/\w+/g, '\\$\\{$&')), name);
      }
    }
    assert.doesNotMatch(text, /(PASSWORD|SECRET): ["']?[A-Za-z0-9+/=]{12}/);
  });

  test('what the roles are given, the program accepts and knows', async () => {
    const bytes = await readFile(BINARY);
    for (const secret of REQUIRED) await writeFile(path.join(folder, secret), `${secret === 'JWT_SECRET' ? JWT_SECRET : 'pass/word+'}\n`);
    for (const name of ['migrate', ...ROLES]) {
      const environment = { PATH: process.env.PATH };
      for (const [variable, value] of Object.entries(stack.services[name].environment)) {
        environment[variable] = String(value).replace(/\$\{\w+:-(.*)\}/, '$1').replace('/run/agentauri', folder);
        assert.ok(bytes.includes(variable.replace(/_FILE$/, '')) || /^CHAIN_\d+_RPC_URL$/.test(variable), `${name} sets ${variable}`);
      }
      const result = await run(BINARY, ['check-config'], { env: environment, cwd: folder });
      assert.equal(result.code, 0, `${name}: ${result.output}`);
      assert.doesNotMatch(result.output, /is not a setting/, name);
      assert.match(result.output, /PostgreSQL, database agentauri_backend at postgres:5432/);
      if (ROLES.includes(name)) assert.match(result.output, new RegExp(`roles +${name}$`, 'm'));
    }
  });

  test('the image: an ordinary user, a health check, and the libraries that the program needs', async () => {
    const dockerfile = await readFile(path.join(DOCKER, 'Dockerfile'), 'utf8');
    const runtime = dockerfile.slice(dockerfile.lastIndexOf('\nFROM '));
    assert.match(runtime, /^USER [1-9]\d*:[1-9]\d*$/m);
    assert.match(runtime, /^HEALTHCHECK --interval=30s --timeout=5s --start-period=10s --retries=3 CMD \["agentauri-healthcheck"\]$/m);
    assert.match(runtime, /^CMD \["api-gateway"\]$/m);
    assert.doesNotMatch(runtime, /curl|-dev\b/);
    const installed = /install -y --no-install-recommends ([^&]+)/.exec(runtime)[1].replaceAll('\\', ' ').trim().split(/\s+/);
    const needed = [...(await runOk('objdump', ['-p', BINARY])).matchAll(/NEEDED\s+(\S+)/g)].map(([, library]) => library);
    assert.ok(needed.length > 3);
    for (const library of needed) {
      const found = await run('dpkg', ['-S', `*/${library}`]);
      if (found.code !== 0) continue;   // no Debian: the packages' names cannot be asked for
      const packages = found.output.trim().split('\n').map((line) => line.split(':')[0]);
      assert.ok(packages.some((each) => installed.includes(each) || BASE_PACKAGES.includes(each)), `${library} is in ${packages}, which the image lacks`);
    }
  });

  test('the health check', async () => {
    const check = (environment) => run('bash', [path.join(DOCKER, 'healthcheck')], { env: { PATH: process.env.PATH, ...environment } });
    const app = await AgentAuri.start();
    try {
      const ports = { SERVER_PORT: String(app.port), METRICS_ADDR: `0.0.0.0:${app.metricsPort}` };
      const nobody = String(await freePort());
      assert.equal((await check(ports)).code, 0);
      assert.equal((await check({ ...ports, ROLES: 'gateway,worker' })).code, 0);
      assert.notEqual((await check({ ...ports, ROLES: 'gateway', SERVER_PORT: nobody })).code, 0);
      assert.equal((await check({ ...ports, ROLES: 'worker', SERVER_PORT: nobody })).code, 0, 'a worker has no API');
      assert.equal((await check({ ...ports, HEALTHCHECK_PATH: '/api/v1/health/live' })).code, 0);
      assert.notEqual((await check({ ...ports, HEALTHCHECK_PATH: '/nowhere' })).code, 0, 'it asks for what it is told to');
      assert.notEqual((await check({ ROLES: 'worker', METRICS_ADDR: `0.0.0.0:${nobody}` })).code, 0);
      const answer = await check({ SERVER_PORT: String(app.metricsPort) });
      assert.notEqual(answer.code, 0, 'another listener answers 404');
      assert.match(answer.output, /answered 404/);
    } finally {
      await app.stop();
    }
  });

  test('Docker Compose reads the stack, and refuses it without its secrets', { skip: hasCompose ? false : 'Docker Compose is not installed' }, async () => {
    const file = path.join(DOCKER, 'compose.yaml');
    const config = (environment) => run('docker', ['compose', '-f', file, '--profile', 'production', 'config', '-q'], { env: { PATH: process.env.PATH, HOME: folder, ...environment }, cwd: folder });
    const all = Object.fromEntries(REQUIRED.map((name) => [name, 'x']));
    assert.equal((await config(all)).code, 0);
    for (const name of REQUIRED) {
      const refused = await config({ ...all, [name]: '' });
      assert.notEqual(refused.code, 0, name);
      assert.match(refused.output, new RegExp(`set ${name}, `));
    }
  });

  test('hadolint finds nothing', { skip: hasHadolint ? false : 'hadolint is not installed' }, async () => {
    const result = await run('hadolint', [path.join(DOCKER, 'Dockerfile')]);
    assert.equal(result.code, 0, result.output);
  });
});
