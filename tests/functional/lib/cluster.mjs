// Roles as processes: several of each on one PostgreSQL, as on several machines.
import { writeFile } from 'node:fs/promises';
import path from 'node:path';
import { AgentAuri, Client, JWT_SECRET } from './agentauri.mjs';
import { until } from './wait.mjs';

export const ROLES = ['gateway', 'indexer', 'engine', 'worker'];
const LEASES = { indexer: 'chain:31337', engine: 'engine:0' };

export class Cluster {
  // counts: how many processes of each role. `environment` may depend on the process: async (role, n) => variables.
  static async start({ postgres, database, counts = {}, environment = {} }) {
    const self = new Cluster();
    self.postgres = postgres;
    self.database = await postgres.createDatabase(database ?? `roles_${process.pid}_${Math.random().toString(36).slice(2, 8)}`);
    self.processes = [];
    const common = { ...postgres.environment(self.database), JWT_SECRET, ENVIRONMENT: 'development', THREADS: '1' };
    const tool = await AgentAuri.prepare(common);
    self.tool = tool;
    const migrated = await tool.command(['migrate', 'up']);
    if (migrated.code !== 0) throw new Error(`migrate up: ${migrated.output}`);
    for (const role of ROLES) {
      for (let n = 0; n < (counts[role] ?? 2); n++) {
        const own = typeof environment === 'function' ? await environment(role, n) : environment;
        const app = await AgentAuri.prepare({ ...common, ...own, ROLES: role });
        app.role = role;
        self.processes.push(app);
      }
    }
    for (const app of self.processes) await self.launch(app);   // side by side, they would start slower
    return self;
  }

  of(role) {
    return this.processes.filter((app) => app.role === role);
  }

  // Resolves when it says that it has started.
  async launch(app) {
    app.spawn();
    app.isFrozen = false;
    await until(`the ${app.role} to start`, () => {
      if (app.child.exitCode !== null) throw new Error(`it ended with ${app.child.exitCode}:\n${app.child.output.slice(-4000)}`);
      return app.child.output.includes('"message":"started"');
    }, { timeoutMs: 120_000 });
  }

  freeze(app) {
    app.isFrozen = true;
    app.child.kill('SIGSTOP');
  }
  thaw(app) {
    app.isFrozen = false;
    app.child.kill('SIGCONT');
  }

  // --- what the database says ---

  async rows(sql) {
    const text = await this.postgres.query(this.database, `SELECT coalesce(json_agg(r), '[]') FROM (${sql}) r`);
    return JSON.parse(text);
  }

  // Processes that are there, with the age of their last heartbeat.
  instances() {
    return this.rows('SELECT id, pid, roles, extract(epoch FROM now() - heartbeat_at) AS silent_s FROM instances');
  }

  // {epoch, pid, acquiredAt} of the role's lease; pid is undefined when its holder is gone.
  async lease(role) {
    const [row] = await this.rows(`SELECT l.epoch, i.pid, extract(epoch FROM l.acquired_at) * 1000 AS at
      FROM leases l LEFT JOIN instances i ON i.id = l.instance_id WHERE l.name = '${LEASES[role]}'`);
    return row && { epoch: row.epoch, pid: row.pid ?? undefined, acquiredAt: row.at };
  }

  async holder(role) {
    return until(`a holder of the lease ${LEASES[role]}`, async () => {
      const lease = await this.lease(role);
      const app = this.of(role).find((candidate) => candidate.child.pid === lease?.pid);
      return app && { app, ...lease };
    });
  }

  // The lease once it is of a later epoch than `before`.
  async passedOn(role, before) {
    return until(`the lease ${LEASES[role]} to pass on`, async () => {
      const lease = await this.lease(role);
      return lease && lease.epoch > before.epoch && lease;
    }, { timeoutMs: 20_000, everyMs: 50 });
  }

  // --- the API ---

  register() {
    return Client.registered(this.of('gateway')[0].url);
  }

  // KEEP_LOGS: a folder in which the log of each process stays.
  async stop() {
    if (process.env.KEEP_LOGS) {
      for (const [n, app] of this.processes.entries()) await writeFile(path.join(process.env.KEEP_LOGS, `${this.database}-${n}-${app.role}.log`), app.child.output);
    }
    for (const app of this.processes) if (app.isFrozen) this.thaw(app);
    await Promise.all(this.processes.map((app) => app.stop()));
    await this.tool.stop();
  }
}
