// The one system that the walk looks at: a host set up by the guide's own blocks, each part when a row first needs it.
import { copyFile, mkdir, readdir } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import path from 'node:path';
import { ROOT } from '../functional/lib/agentauri.mjs';
import { Anvil } from '../functional/lib/anvil.mjs';
import { DOMAIN, Nginx } from '../functional/lib/nginx.mjs';
import { until } from '../functional/lib/wait.mjs';
import { block } from './guide.mjs';
import { AlertReceiver } from './alert_receiver.mjs';
import { answerOf } from './http.mjs';
import { notHere } from './verdict.mjs';

export const GATEWAY = 'http://127.0.0.1:8080';
export const BASE_URL = 'https://api.yourdomain.com';   // of the settings: who issues tokens
export const PROMETHEUS = 'http://127.0.0.1:9090';
export const METRICS = 'http://127.0.0.1:9464/metrics';
const PACKAGES = path.join(ROOT, 'build/release/package');

export class System {
  #done = new Map();
  #ran = new Map();

  constructor(machine, reason) {
    this.machine = machine;
    this.reason = reason;
  }

  // Rows that need the host begin with this, or with one of the parts below.
  host() {
    if (!this.machine) notHere(this.reason);
    return this.machine;
  }

  #once(name, work) {
    if (!this.#done.has(name)) this.#done.set(name, work());
    return this.#done.get(name);
  }

  // A block of the guide as it stands there; what it printed. Given again, it is run again.
  async guide(id) {
    const result = await this.host().shell(block(id));
    this.#ran.set(id, result.code);
    if (result.code !== 0) throw new Error(`the guide's block ${id} ended with ${result.code}: ${result.output.trim().slice(-1200)}`);
    return result.output;
  }
  // The output of its first run.
  first(id) {
    return this.#once(`block ${id}`, () => this.guide(id));
  }

  packages() {
    return this.#once('packages', async () => {
      const machine = this.host();
      await this.first('packages');
      const package_ = process.env.AGENTAURI_PACKAGE ?? (await newestPackage());
      await copyFile(package_, machine.file(`/root/${path.basename(package_)}`));
      await this.first('install');
      await this.first('secrets');
    });
  }

  database() {
    return this.#once('database', async () => {
      await this.packages();
      // What Debian's package does on a fresh host, and the machines that run tests tell it not to.
      await this.machine.ok('pg_createcluster 15 main -- --no-sync');
      await this.first('postgresql');
      this.secret = (await this.machine.read('/etc/agentauri/secrets/JWT_SECRET')).trim();
      this.databasePassword = (await this.machine.read('/etc/agentauri/secrets/DB_PASSWORD')).trim();
    });
  }
  migrated() {
    return this.#once('migrated', async () => {
      await this.database();
      await this.first('migrations');
    });
  }
  redis() {
    return this.#once('redis', async () => {
      await this.packages();
      await this.first('redis');
      this.redisPassword = (await this.machine.read('/etc/agentauri/secrets/REDIS_PASSWORD')).trim();
      await until('Redis', async () => (await this.redisCommand('PING')) === 'PONG');
    });
  }
  gateway() {
    return this.#once('gateway', async () => {
      await this.migrated();
      await this.redis();
      await this.first('settings');
      await this.first('start');
      await this.healthy();
    });
  }

  // nginx with the certificate of an ACME authority that runs on the host, in the place of Let's Encrypt.
  nginx() {
    return this.#once('nginx', async () => {
      await this.gateway();
      await this.#startAuthority();
      await this.first('nginx');
      this.site = Nginx.at(443, await this.machine.read('/etc/ssl/acceptance-root.pem'));
      await until('nginx', async () => (await this.site.request('GET', '/api/v1/health')).status === 200);
    });
  }

  async #startAuthority() {
    const machine = this.machine;
    if (!existsSync('/usr/bin/pebble')) notHere('pebble, the ACME authority to test with, is not installed');
    await machine.ok(`
      install -d /root/acme; cd /root/acme
      openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=pebble -addext subjectAltName=IP:127.0.0.1 -days 2 -keyout acme.key -out acme.pem 2>/dev/null
      cat acme.pem >>/etc/ssl/certs/ca-certificates.crt`);
    await machine.write('/root/acme/pebble.json', JSON.stringify({ pebble: {
      listenAddress: '127.0.0.1:14000', managementListenAddress: '127.0.0.1:15000', certificate: '/root/acme/acme.pem', privateKey: '/root/acme/acme.key', httpPort: 80, tlsPort: 443,
    } }));
    await machine.write('/etc/letsencrypt/cli.ini', 'server = https://127.0.0.1:14000/dir\n');
    if (!existsSync(machine.file('/usr/bin/certbot')))
      await machine.write('/usr/bin/certbot', '#!/bin/sh\nexport REQUESTS_CA_BUNDLE=/etc/ssl/certs/ca-certificates.crt\nexec /usr/bin/python3 -c "import sys; from certbot.main import main; sys.argv[0] = \'certbot\'; sys.exit(main())" "$@"\n', 0o755);
    machine.start('pebble-challtestsrv', ['-defaultIPv4', '127.0.0.1', '-defaultIPv6', '', '-http01', '', '-https01', '', '-tlsalpn01', '', '-dns01', '127.0.0.1:8053', '-management', '127.0.0.1:8055']);
    machine.start('pebble', ['-config', '/root/acme/pebble.json', '-dnsserver', '127.0.0.1:8053'], { env: { PEBBLE_VA_NOSLEEP: '1', PEBBLE_WFE_NONCEREJECT: '0' } });
    await until('the authority', async () => (await machine.shell('curl -sf https://127.0.0.1:15000/roots/0 -o /etc/ssl/acceptance-root.pem')).code === 0);
    await machine.ok('cat /etc/ssl/acceptance-root.pem >>/etc/ssl/certs/ca-certificates.crt');
  }

  // A backup by the timers' own services, restored and compared.
  backup() {
    return this.#once('backup', async () => {
      await this.gateway();
      await this.first('backup-timers');
    });
  }

  // Prometheus, Alertmanager and exporters by the guide. A row that stops things would wait for minutes: what the shipped
  // files say of waiting is shortened in the installed ones (promtool tests the shipped ones, row 98).
  monitoring() {
    return this.#once('monitoring', async () => {
      await this.gateway();
      const { machine } = this;
      if (!existsSync(machine.file('/usr/share/agentauri/prometheus/install'))) throw new Error('the package has no /usr/share/agentauri/prometheus/install');
      await this.nginx();
      this.alertReceiver = await AlertReceiver.start();
      // A chain to follow, so that there is something to count.
      this.anvil = await Anvil.start();
      for (const [name, value] of Object.entries(this.anvil.environment())) await machine.ok(`echo '${name}=${value}' >>/etc/agentauri/agentauri.env`);
      await machine.ok('systemctl restart api-gateway');
      await this.healthy();
      await this.anvil.call('reputation', 'feedback', 1, 42, 0, 'starred', '', '');
      await this.first('monitoring-packages');
      await this.first('monitoring-loopback');
      await this.first('exporters');
      await this.first('monitoring');
      await this.first('certificate-check');
      await machine.write('/etc/prometheus/secrets/alertmanager-webhook-url', `http://127.0.0.1:${this.alertReceiver.port}/hook\n`, 0o644);
      await machine.ok(`cd /etc/prometheus
        sed -i 's/_interval: 15s/_interval: 2s/; s/scrape_timeout: .*/scrape_timeout: 2s/' prometheus.yml
        sed -i 's/for: .*/for: 4s/; s/interval: .*/interval: 2s/' alerts/*.yml
        sed -i 's/group_wait: .*/group_wait: 1s/; s/group_interval: .*/group_interval: 3s/' alertmanager.yml
        systemctl restart prometheus prometheus-alertmanager`);
      this.shortened = 'scraped every 2 s, `for` cut to 4 s';
      await until('Prometheus to have scraped everything', async () => {
        const { data } = await (await fetch(`${PROMETHEUS}/api/v1/targets`)).json();
        const down = data.activeTargets.filter((target) => target.health !== 'up').map((target) => `${target.labels.job}: ${target.lastError}`);
        if (down.length > 0) throw new Error(down.join('; '));
        return data.activeTargets.length >= 8;
      }, { timeoutMs: 60_000, everyMs: 500 });
    });
  }

  healthy({ timeoutMs = 60_000 } = {}) {
    return until('the gateway to be healthy', async () => {
      const answer = await fetch(`${GATEWAY}/api/v1/health`);
      if (answer.status === 200) return true;
      throw new Error(`${answer.status} ${await answer.text()}`);
    }, { timeoutMs });
  }

  // Directly; `from` is the address that the gateway takes for the client's, since it believes this host as a proxy.
  async http(method, target, { from = newClient(), headers = {}, body, base = GATEWAY, token } = {}) {
    const response = await fetch(base + target, { method, redirect: 'manual', body: body === undefined || typeof body === 'string' ? body : JSON.stringify(body), headers: {
      'x-forwarded-for': from, ...(body === undefined ? {} : { 'content-type': 'application/json' }), ...(token ? { authorization: `Bearer ${token}` } : {}), ...headers,
    } });
    return answerOf(response);
  }

  // A user with a session of their own: {token, refresh_token, username, password, …}.
  async user(username = `user${Math.random().toString(36).slice(2, 10)}`) {
    const password = 'a quiet river 77';
    const answer = await this.http('POST', '/api/v1/auth/register', { body: { username, email: `${username}@example.org`, password } });
    if (answer.status !== 201) throw new Error(`register: ${answer.status} ${answer.text}`);
    return { ...answer.body, username, password };
  }
  login({ username, password }, options) {
    return this.http('POST', '/api/v1/auth/login', { body: { username, password }, ...options });
  }

  // A database of its own, for what must not be done to the service's.
  async freshDatabase({ migrated = true } = {}) {
    await this.database();
    const name = `fresh_${++databases}`;
    await this.sql(`CREATE DATABASE ${name}`, 'postgres');
    if (migrated) await this.machine.ok(block('migrations').replaceAll('agentauri_backend', name));
    return name;
  }

  // One value, or rows of text, as psql -At prints them.
  async sql(query, database = 'agentauri_backend') {
    await this.database();
    const result = await this.psql(['-v', 'ON_ERROR_STOP=1', '-d', database, '-c', query]);
    if (result.code !== 0) throw new Error(result.output);
    return result.output.trim();
  }
  psql(args) {
    return this.machine.run('psql', ['-X', '-q', '-A', '-t', '-h', 'localhost', '-U', 'postgres', ...args], { env: { PGPASSWORD: this.databasePassword } });
  }
  // The answer as redis-cli prints it.
  async redisCommand(...words) {
    return (await this.machine.run('redis-cli', ['--no-auth-warning', ...words], { env: { REDISCLI_AUTH: this.redisPassword } })).output.trim();
  }

  // Lines of the service's journal, as objects.
  async journal(unit = 'api-gateway') {
    const text = await this.machine.ok(`journalctl --no-pager -o cat -u ${unit}`);
    return text.split('\n').filter((line) => line.startsWith('{')).map((line) => JSON.parse(line));
  }
  async show(property, unit = 'api-gateway') {
    return (await this.machine.ok(`systemctl show --value -p ${property} ${unit}`)).trim();
  }

  // A gateway beside the service, on a port of its own, in a clean environment, as an ordinary user; `environment` is everything that it gets.
  beside(environment, args = []) {
    return this.machine.start('setpriv', ['--reuid=nobody', '--regid=nogroup', '--clear-groups', 'env', '-i', '-C', '/tmp', ...Object.entries(environment).map(([name, value]) => `${name}=${value}`),
      '/usr/bin/api-gateway', ...args]);
  }
  // The guide's variables for one, with the service's own secrets; undefined takes one away.
  variables(more = {}) {
    const settings = {
      JWT_SECRET: this.secret, DB_USER: 'postgres', DB_PASSWORD: this.databasePassword, DB_NAME: 'agentauri_backend', DB_HOST: 'localhost', DB_PORT: '5432',
      ALLOWED_ORIGINS: 'https://app.yourdomain.com', SERVER_HOST: '127.0.0.1', SERVER_PORT: String(++ports), METRICS_ADDR: '127.0.0.1:19464', ...more,
    };
    for (const [name, value] of Object.entries(settings)) if (value === undefined) delete settings[name];
    return settings;
  }
  // Started, healthy, given to `use`, and ended, whatever becomes of it.
  async withGateway(environment, use) {
    const settings = this.variables(environment);
    const child = this.beside(settings);
    const base = `http://127.0.0.1:${settings.SERVER_PORT}`;
    try {
      await until('the gateway beside the service', async () => {
        if (child.exitCode !== null) throw new Error(`it ended with ${child.exitCode}: ${child.output.slice(-1500)}`);
        return (await fetch(`${base}/api/v1/health`)).status === 200;
      }, { timeoutMs: 60_000 });
      return await use(base, child);
    } finally {
      child.kill('SIGTERM');
      await child.ended;
    }
  }

  ran(id) {
    return this.#ran.has(id);
  }

  // Every part that was begun has ended, well or not.
  async stop() {
    await Promise.allSettled(this.#done.values());
  }
}

async function newestPackage() {
  const names = (await readdir(PACKAGES).catch(() => [])).filter((name) => name.endsWith('.deb')).sort();
  if (names.length === 0) throw new Error(`${PACKAGES} has no package: run script/package first`);
  return path.join(PACKAGES, names.at(-1));
}

// Each an address that nobody else in this walk calls from.
let clients = 0, databases = 0, ports = 18_100;
export const newClient = () => `198.18.${++clients >> 8}.${clients & 255}`;
export { DOMAIN };
