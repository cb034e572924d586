// The program under test: started from the release build with a clean environment, on free ports.
import { mkdtemp, rm } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { freePort, run, start } from './process.mjs';
import { until } from './wait.mjs';

export const ROOT = fileURLToPath(new URL('../../..', import.meta.url));
export const BINARY = process.env.AGENTAURI_BINARY ?? path.join(ROOT, 'build/release/bin/agentauri');
export const JWT_SECRET = 'Zk3q9Vb7Lw2Xn5Rt8Yp1Cd4Fg6Hj0Ks+Qm/Tu=';

export class AgentAuri {
  // environment: on top of the settings that every test needs. `data`: an existing data folder (restart).
  static async prepare(environment = {}, { data, program } = {}) {
    if (!existsSync(BINARY)) throw new Error(`${BINARY} is missing: run script/build first`);
    const self = new AgentAuri();
    self.program = program ?? BINARY;
    self.ownsData = data === undefined;
    self.data = data ?? (await mkdtemp(path.join(tmpdir(), 'agentauri-test-')));
    self.port = await freePort();
    self.metricsPort = await freePort();
    self.url = `http://127.0.0.1:${self.port}`;
    self.environment = {
      PATH: process.env.PATH,
      HOME: self.data,
      AGENTAURI_DATA_DIR: self.data,
      SERVER_HOST: '127.0.0.1',
      SERVER_PORT: String(self.port),
      METRICS_ADDR: `127.0.0.1:${self.metricsPort}`,
      EGRESS_ALLOW: '127.0.0.0/8',
      EGRESS_HTTPS_ONLY: 'false',
      RATE_LIMIT_REGISTER_PER_MINUTE: '1000',
      ...environment,
    };
    return self;
  }

  static async start(environment, options) {
    const self = await AgentAuri.prepare(environment, options);
    await self.launch();
    return self;
  }

  spawn(args = ['serve']) {
    this.child = start(this.program, args, { env: this.environment, cwd: this.data });
    return this.child;
  }

  async launch() {
    this.spawn();
    await until('the gateway to be healthy', async () => {
      if (this.child.exitCode !== null) throw new Error(`it ended with ${this.child.exitCode}:\n${this.child.output.slice(-4000)}`);
      return (await fetch(`${this.url}/api/v1/health`)).status === 200;
    }, { everyMs: 5 });
  }

  command(args) {
    return run(this.program, args, { env: this.environment, cwd: this.data });
  }

  async kill() {
    this.child.kill('SIGKILL');
    await this.child.ended;
  }

  async stop() {
    if (this.child && this.child.exitCode === null && this.child.signalCode === null) {
      this.child.kill('SIGTERM');
      this.lastExit = await this.child.ended;
    }
    if (this.ownsData) await rm(this.data, { recursive: true, force: true });
  }

  logLines() {
    return this.child.output.split('\n').filter((line) => line.startsWith('{')).map((line) => JSON.parse(line));
  }

  async metrics() {
    return (await fetch(`http://127.0.0.1:${this.metricsPort}/metrics`)).text();
  }

  // Sum of all series of a metric that carry the given labels.
  async metric(name, labels = {}) {
    let sum = 0;
    let seen = false;
    for (const line of (await this.metrics()).split('\n')) {
      const match = /^([a-zA-Z_:][\w:]*)(\{.*\})? (\S+)$/.exec(line);
      if (!match || match[1] !== name) continue;
      if (!Object.entries(labels).every(([key, value]) => match[2]?.includes(`${key}="${value}"`))) continue;
      sum += Number(match[3]);
      seen = true;
    }
    return seen ? sum : undefined;
  }
}

// A client with a session.
export class Client {
  constructor(url) {
    this.url = url;
  }

  static async registered(url, username = `user${Math.random().toString(36).slice(2, 10)}`) {
    const self = new Client(url);
    self.username = username;
    const answer = await self.post('/api/v1/auth/register', { username, email: `${username}@example.org`, password: 'a quiet river 77' });
    if (answer.status !== 201) throw new Error(`register: ${answer.status} ${JSON.stringify(answer.body)}`);
    self.session = answer.body;
    return self;
  }

  async request(method, target, body, headers = {}) {
    const response = await fetch(this.url + target, {
      method,
      headers: {
        ...(body === undefined ? {} : { 'content-type': 'application/json' }),
        ...(this.session ? { authorization: `Bearer ${this.session.token}` } : {}),
        ...headers,
      },
      body: body === undefined ? undefined : typeof body === 'string' ? body : JSON.stringify(body),
    });
    const text = await response.text();
    let parsed = text;
    try {
      parsed = JSON.parse(text);
    } catch {
      /* not JSON: the text itself */
    }
    return { status: response.status, headers: response.headers, body: parsed };
  }

  get(target, headers) {
    return this.request('GET', target, undefined, headers);
  }
  post(target, body, headers) {
    return this.request('POST', target, body, headers);
  }
  put(target, body, headers) {
    return this.request('PUT', target, body, headers);
  }
  delete(target, headers) {
    return this.request('DELETE', target, undefined, headers);
  }

  // A trigger with its actions; returns {trigger, secrets}.
  async trigger(definition) {
    const answer = await this.post('/api/v1/triggers', definition);
    if (answer.status !== 201) throw new Error(`trigger: ${answer.status} ${JSON.stringify(answer.body)}`);
    const trigger = answer.body.data;
    return { trigger, secrets: (trigger.actions ?? []).map((action) => action.signing_secret), warnings: answer.body.warnings };
  }

  // Newest first by offset: a job that is written between two pages moves a row onto the next page as well, so rows are
  // told apart by their id.
  async deliveries(trigger, limit = 100) {
    const rows = new Map();
    for (let offset = 0; ; offset += limit) {
      const answer = await this.get(`/api/v1/triggers/${trigger.id}/deliveries?limit=${limit}&offset=${offset}`);
      if (answer.status !== 200) throw new Error(`deliveries: ${answer.status} ${JSON.stringify(answer.body)}`);
      for (const row of answer.body.data) rows.set(row.id, row);
      if (!answer.body.pagination.has_more) return [...rows.values()];
    }
  }
}
