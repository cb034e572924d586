// What the benches of the whole program share: lines as report.cpp prints them, CPU time of processes, percentiles.
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { open, readFile, readdir } from 'node:fs/promises';
import path from 'node:path';
import { ROOT } from '../tests/functional/lib/agentauri.mjs';
import { until } from '../tests/functional/lib/wait.mjs';

const digits = (figure) => (Math.abs(figure) >= 100 ? figure.toFixed(0) : Math.abs(figure) >= 10 ? figure.toFixed(1) : figure.toFixed(2));

// goal: {atLeast} or {atMost}
export function report(what, figure, unit, goal) {
  const least = goal.atLeast !== undefined;
  const met = least ? figure >= goal.atLeast : figure <= goal.atMost;
  const bound = least ? `at least ${goal.atLeast}` : `at most ${goal.atMost}`;
  console.log(`${(met ? 'met' : 'MISSED').padEnd(8)}${what.padEnd(64)}${digits(figure).padStart(9)} ${unit.padEnd(12)}(goal: ${bound})`);
}

// A figure that explains another one and has no goal of its own.
export function note(what, figure, unit) {
  console.log(`${''.padEnd(8)}${what.padEnd(64)}${digits(figure).padStart(9)} ${unit}`);
}

export function percentile(values, p) {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(p * (sorted.length - 1))];
}
export const median = (values) => percentile(values, 0.5);

// Milliseconds since 1970 with the resolution of the clock that never jumps.
export const nowMs = () => performance.timeOrigin + performance.now();

const TICKS = Number(execFileSync('getconf', ['CLK_TCK']));

async function stat(pid) {
  const text = await readFile(`/proc/${pid}/stat`, 'utf8');
  const fields = text.slice(text.lastIndexOf(')') + 2).split(' ');
  return { parent: Number(fields[1]), ticks: Number(fields[11]) + Number(fields[12]), reaped: Number(fields[13]) + Number(fields[14]) };
}

// CPU seconds of a process and of its children, those that have ended and were waited for included.
export async function cpuSeconds(pid) {
  let { ticks, reaped } = await stat(pid);
  ticks += reaped;
  for (const name of await readdir('/proc')) {
    if (!/^\d+$/.test(name)) continue;
    const child = await stat(name).catch(() => undefined);   // it may have ended meanwhile
    if (child?.parent === pid) ticks += child.ticks + child.reaped;
  }
  return ticks / TICKS;
}

// TCP connections that anybody on this machine has opened since it started: a new one for each request would show.
export async function connectionsOpened() {
  const [names, values] = (await readFile('/proc/net/snmp', 'utf8')).split('\n').filter((line) => line.startsWith('Tcp:')).map((line) => line.split(' '));
  return Number(values[names.indexOf('ActiveOpens')]);
}

// A line of /proc/<pid>/status in MB.
export async function memoryMb(pid, field) {
  const text = await readFile(`/proc/${pid}/status`, 'utf8');
  return (Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(text)[1]) * 1024) / 1e6;
}

export const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

// The program with its log in a file, as under a service manager: reading it here would cost more than writing it there.
export async function launchLogged(app) {
  const log = await open(path.join(app.data, 'log.jsonl'), 'a');
  app.child = spawn(app.program, ['serve'], { env: app.environment, cwd: app.data, stdio: ['ignore', log.fd, log.fd] });
  app.child.ended = new Promise((resolve) => app.child.on('close', (code, signal) => resolve({ code, signal })));
  process.on('exit', () => app.child.kill('SIGKILL'));
  await log.close();
  await until('the gateway to be healthy', async () => {
    if (app.child.exitCode !== null) throw new Error(`it ended with ${app.child.exitCode}; its log is in ${app.data}`);
    return (await fetch(`${app.url}/api/v1/health`)).status === 200;
  }, { everyMs: 5 });
}

// webhook_receiver.cpp
export class FastReceiver {
  static async start(ports) {
    const self = new FastReceiver();
    self.child = spawn(path.join(ROOT, 'build/release/bin/webhook_receiver'), [String(ports)], { stdio: ['pipe', 'pipe', 'inherit'] });
    const [line] = await once(self.child.stdout.setEncoding('utf8'), 'data');
    self.urls = line.trim().split(' ').map((port) => `http://127.0.0.1:${port}/hook`);
    return self;
  }

  async ask(method, what, body) {
    const answer = await fetch(new URL(what, this.urls[0]), { method, body });
    if (answer.status !== 200) throw new Error(`${what}: ${answer.status}`);
    return answer.text();
  }

  // secrets: {trigger id: whsec_…}, on top of those known
  expect(secrets) {
    return this.ask('PUT', '/secrets', JSON.stringify(secrets));
  }
  async stats() {
    return JSON.parse(await this.ask('GET', '/stats'));
  }
  reset() {
    return this.ask('POST', '/reset');
  }
  // [{atMs, block, port, id}]
  async arrivals() {
    const text = await this.ask('GET', '/arrivals');
    return text.trim().split('\n').filter(Boolean).map((line) => {
      const [us, block, port, id] = line.split(' ');
      return { atMs: Number(us) / 1000, block: Number(block), port: Number(port), id };
    });
  }

  async stop() {
    this.child.stdin.end();
    await once(this.child, 'close');
  }
}

// paced_node.cpp
export class PacedNode {
  static async start({ blocksPerSecond, eventsOfBlock }) {
    const self = new PacedNode();
    self.child = spawn(path.join(ROOT, 'build/release/bin/paced_node'), [String(Math.round(1e6 / blocksPerSecond)), String(eventsOfBlock)],
      { stdio: ['pipe', 'pipe', 'inherit'] });
    const [line] = await once(self.child.stdout.setEncoding('utf8'), 'data');
    const [url, identity, reputation, validation] = line.trim().split(' ');
    self.environment = {
      CHAIN_31337_RPC_URL: url,
      CHAIN_31337_START_BLOCK: '0',
      CHAIN_31337_IDENTITY_ADDRESS: identity,
      CHAIN_31337_REPUTATION_ADDRESS: reputation,
      CHAIN_31337_VALIDATION_ADDRESS: validation,
    };
    return self;
  }

  // Before and after, its blocks are empty.
  begin() {
    this.child.stdin.write('events\n');
  }
  pause() {
    this.child.stdin.write('none\n');
  }
  async stop() {
    this.child.stdin.end();
    await once(this.child, 'close');
  }
}

// The stamps that every alert of a store left on its way (alert_times.cpp): [{block, seenMs, handedMs, dueMs, sentMs, id}]
export function alertTimes(app) {
  const text = execFileSync(path.join(ROOT, 'build/release/bin/alert_times'), [app.postgres ? 'postgres' : app.data],
    { encoding: 'utf8', env: { ...process.env, ...app.environment }, maxBuffer: 64e6 });
  return text.trim().split('\n').filter(Boolean).map((line) => {
    const fields = line.split(' ');
    const [seenMs, handedMs, dueMs, sentMs] = fields.slice(1, 5).map((us) => Number(us) / 1000);
    return { block: Number(fields[0]), seenMs, handedMs, dueMs, sentMs, id: fields[6] };
  });
}

export const webhookTrigger = (name, url) => ({
  name, chain_id: 31337, registry: 'reputation', conditions: [],
  actions: [{ action_type: 'rest', config: { url } }],
});
