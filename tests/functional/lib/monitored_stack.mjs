// The whole service as on a host with one unit per role, watched: PostgreSQL, Redis, a chain, the four roles, exporters,
// Prometheus and Alertmanager with the shipped files, and a chat that takes the alerts. Everything on free loopback ports.
import { createServer } from 'node:http';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { AgentAuri, JWT_SECRET, ROOT } from './agentauri.mjs';
import { Anvil } from './anvil.mjs';
import { Postgres } from './postgres.mjs';
import { freePort, run, runOk, start } from './process.mjs';
import { Redis } from './redis.mjs';
import { until } from './wait.mjs';

export const ROLES = ['gateway', 'indexer', 'engine', 'worker'];
const JOB_OF = { gateway: 'api-gateway', indexer: 'indexer', engine: 'engine', worker: 'worker' };
const REDIS_PASSWORD = 'open-sesame';

// Takes messages as Slack's incoming webhooks do.
class Chat {
  messages = [];   // {channel, title, text, color}
  static async start() {
    const self = new Chat();
    self.server = createServer(async (request, response) => {
      const chunks = [];
      for await (const chunk of request) chunks.push(chunk);
      const { channel, attachments: [{ title, text, color, actions }] } = JSON.parse(Buffer.concat(chunks).toString('utf8'));
      self.messages.push({ channel, title, text, color, actions, path: request.url });
      response.end('ok');
    });
    await new Promise((resolve) => self.server.listen(0, '127.0.0.1', resolve));
    self.url = `http://127.0.0.1:${self.server.address().port}/services/T0/B0/secret`;
    return self;
  }

  // Has `channel` heard that the alert fires (or is over)?
  heard(channel, alert, status) {
    return this.messages.find((each) => each.channel === channel && each.title.startsWith(`[${status}`) && each.title.includes(`] ${alert} (`));
  }

  async close() {
    this.server.closeAllConnections();
    await new Promise((resolve) => this.server.close(resolve));
  }
}

export class MonitoredStack {
  processes = new Map();   // name → child
  roles = {};

  static async start(environment = {}) {
    const self = new MonitoredStack();
    try {
      await self.#start(environment);
    } catch (error) {
      await self.stop();
      throw error;
    }
    return self;
  }

  async #start(environment) {
    this.folder = await mkdtemp(path.join(tmpdir(), 'agentauri-monitored-'));
    [this.postgres, this.redis, this.anvil, this.chat] = await Promise.all([Postgres.start(), Redis.start({ password: REDIS_PASSWORD }), Anvil.start(), Chat.start()]);
    await this.postgres.createDatabase('agentauri_backend');
    this.environment = {
      ...this.postgres.environment('agentauri_backend'), ...this.anvil.environment(), JWT_SECRET, ENVIRONMENT: 'development',
      REDIS_HOST: '127.0.0.1', REDIS_PORT: String(this.redis.port), REDIS_PASSWORD, ...environment,
    };
    const certificate = path.join(this.folder, 'certificate.pem');
    await runOk('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-keyout', '/dev/null', '-out', certificate, '-days', '90',
      '-subj', '/CN=api.example.org', '-addext', 'subjectAltName=DNS:api.example.org']);
    this.environment.TLS_CERTIFICATE_FILES = certificate;
    for (const role of ROLES) {
      const logs = path.join(this.folder, 'logs', role);
      await mkdir(logs, { recursive: true });
      this.roles[role] = await AgentAuri.prepare({ ...this.environment, ROLES: role, LOG_DIR: logs });
    }
    this.gateway = this.roles.gateway;
    const migrated = await this.gateway.command(['migrate', 'up']);
    if (migrated.code !== 0) throw new Error(migrated.output);
    await Promise.all(ROLES.map((role) => this.startRole(role)));
    await this.#startExporters();
    await this.#startPrometheus();
  }

  async startRole(role) {
    const app = this.roles[role];
    if (role === 'gateway') return app.launch();
    app.spawn();
    return until(`the ${role} to serve its metrics`, async () => {
      if (app.child.exitCode !== null) throw new Error(app.child.output.slice(-4000));
      return app.metrics();
    });
  }

  async stopRole(role) {
    this.roles[role].child.kill('SIGTERM');
    await this.roles[role].child.ended;
  }

  async #spawn(name, file, args, options) {
    const child = start(file, args, { cwd: this.folder, ...options });
    this.processes.set(name, child);
    return child;
  }

  async #startExporters() {
    this.ports = { prometheus: await freePort(), alertmanager: await freePort(), postgresql: await freePort(), redis: await freePort(), node: await freePort() };
    const at = (name) => `--web.listen-address=127.0.0.1:${this.ports[name]}`;
    const base = { PATH: process.env.PATH };
    // As docs/monitoring.md does it. The exporter does not start with a password that has a blank in it.
    const monitor = 'prometheus';
    await this.postgres.query('agentauri_backend', `CREATE ROLE prometheus LOGIN PASSWORD '${monitor}' IN ROLE pg_monitor`);
    await this.#spawn('postgresql', 'prometheus-postgres-exporter', [at('postgresql'), '--disable-default-metrics', '--disable-settings-metrics'], {
      env: { ...base, DATA_SOURCE_NAME: `user=prometheus host=${this.postgres.directory} port=${this.postgres.port} dbname=agentauri_backend sslmode=disable password=${monitor}` },
    });
    await this.#spawn('redis', 'prometheus-redis-exporter', [at('redis')], { env: { ...base, REDIS_ADDR: `redis://127.0.0.1:${this.redis.port}`, REDIS_PASSWORD } });
    await this.#spawn('node', 'prometheus-node-exporter', [at('node')], { env: base });
  }

  // The shipped files by the shipped script; then the targets of this host, and everything that takes minutes takes a second:
  // scrapes every two seconds, evaluations every second, `for` a second, groups wait 0.2 and repeat after 1 s. Expressions stay as they are.
  async #startPrometheus() {
    const root = path.join(this.folder, 'root');
    await runOk('bash', [path.join(ROOT, 'deploy/prometheus/install'), '--root', root], { env: { PATH: process.env.PATH, ALERT_WEBHOOK_URL: this.chat.url } });
    this.etc = path.join(root, 'etc/prometheus');
    const change = async (file, ...replacements) => {
      let text = await readFile(path.join(this.etc, file), 'utf8');
      for (const [from, to] of replacements) {
        const changed = text.replaceAll(from, to);
        if (changed === text) throw new Error(`${file} has nothing that matches ${from}`);
        text = changed;
      }
      await writeFile(path.join(this.etc, file), text);
    };
    await change('prometheus.yml', [/(scrape|evaluation)_interval: 15s/g, '$1_interval: 2s'], ['scrape_timeout: 10s', 'scrape_timeout: 2s'], ['127.0.0.1:9090', `127.0.0.1:${this.ports.prometheus}`]);
    for (const file of await readdir(path.join(this.etc, 'alerts'))) await change(`alerts/${file}`, [/^( +)interval: 30s$/gm, '$1interval: 1s']);
    for (const file of await readdir(path.join(this.etc, 'alerts'))) {
      const text = await readFile(path.join(this.etc, 'alerts', file), 'utf8');
      await writeFile(path.join(this.etc, 'alerts', file), text.replaceAll(/^( +)for: \d+[smh]$/gm, '$1for: 1s'));
    }
    await change('alertmanager.yml', ['/etc/prometheus/secrets/', path.join(this.etc, 'secrets/')], [/group_wait: \d+s/g, 'group_wait: 200ms'], [/group_interval: \d+m/g, 'group_interval: 1s']);
    const targets = { alertmanager: this.ports.alertmanager, postgresql: this.ports.postgresql, redis: this.ports.redis, node: this.ports.node };
    for (const role of ROLES) targets[JOB_OF[role]] = this.roles[role].metricsPort;
    for (const [job, port] of Object.entries(targets)) await writeFile(path.join(this.etc, 'targets', `${job}.yml`), `- targets: ["127.0.0.1:${port}"]\n`);

    await this.#spawn('alertmanager', 'prometheus-alertmanager', [`--config.file=${this.etc}/alertmanager.yml`, `--storage.path=${this.folder}/alertmanager`,
      `--web.listen-address=127.0.0.1:${this.ports.alertmanager}`, '--cluster.listen-address=']);
    await this.#spawn('prometheus', 'prometheus', [`--config.file=${this.etc}/prometheus.yml`, `--storage.tsdb.path=${this.folder}/prometheus`,
      `--web.listen-address=127.0.0.1:${this.ports.prometheus}`, '--web.enable-lifecycle']);
    for (const name of ['alertmanager', 'prometheus']) {
      await until(`${name} to be ready`, async () => {
        const child = this.processes.get(name);
        if (child.exitCode !== null) throw new Error(child.output.slice(-4000));
        return (await fetch(`http://127.0.0.1:${this.ports[name]}/-/ready`)).ok;
      });
    }
  }

  async #ask(question, parameters) {
    const response = await fetch(`http://127.0.0.1:${this.ports.prometheus}/api/v1/${question}`, { method: 'POST', body: new URLSearchParams(parameters) });
    const answer = await response.json();
    if (answer.status !== 'success') throw new Error(`${parameters.query}: ${answer.error}`);
    return answer.data;
  }

  // [{metric, value}] of an expression now.
  async query(expression) {
    return (await this.#ask('query', { query: expression })).result;
  }

  async alerts() {
    const response = await fetch(`http://127.0.0.1:${this.ports.prometheus}/api/v1/alerts`);
    return (await response.json()).data.alerts.filter((each) => each.state === 'firing').map((each) => each.labels.alertname);
  }

  // A runbook's block, with this stack's ports and paths in the place of a host's. `sudo` changes nobody, and `agentauri-admin`
  // is the program with the settings of the roles.
  async runBlock(block) {
    const ports = {
      8080: this.gateway.port, 9464: this.gateway.metricsPort, 9465: this.roles.indexer.metricsPort, 9466: this.roles.engine.metricsPort, 9467: this.roles.worker.metricsPort,
      9090: this.ports.prometheus, 9093: this.ports.alertmanager, 9187: this.ports.postgresql, 9121: this.ports.redis, 9100: this.ports.node,
    };
    let text = block.replaceAll(/127\.0\.0\.1:(\d+)/g, (whole, port) => {
      if (!ports[port]) throw new Error(`port ${port} is nobody's`);
      return `127.0.0.1:${ports[port]}`;
    });
    text = text.replaceAll('-p 5432', `-p ${this.postgres.port}`).replaceAll('/var/log/agentauri', path.join(this.folder, 'logs')).replaceAll('/etc/prometheus', this.etc);
    const shims = `
sudo() { [ "$1" != -u ] || shift 2; "$@"; }
redis-cli() { command redis-cli -h 127.0.0.1 -p "$STACK_REDIS_PORT" "$@"; }
agentauri-admin() { "$STACK_PROGRAM" "$@"; }
`;
    return run('bash', ['-euc', shims + text], {
      cwd: this.gateway.data,
      env: {
        ...this.gateway.environment, STACK_PROGRAM: this.gateway.program, STACK_REDIS_PORT: String(this.redis.port), REDISCLI_AUTH: REDIS_PASSWORD,
        PGHOST: '127.0.0.1', PGPORT: String(this.postgres.port), PGUSER: 'postgres', PGPASSWORD: this.postgres.password, PAGER: '',
      },
    });
  }

  async stop() {
    for (const child of this.processes.values()) child.kill('SIGTERM');
    await Promise.all([...this.processes.values()].map((child) => child.ended));
    await Promise.all(Object.values(this.roles).map((app) => app.stop()));
    await Promise.all([this.postgres, this.redis, this.anvil].map((each) => each?.stop()));
    await this.chat?.close();
    if (this.folder) await rm(this.folder, { recursive: true, force: true });
  }
}
