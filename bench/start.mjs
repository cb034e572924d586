// Start to the first health answer, memory at rest, size of the program. The reference is the same program asked for its
// version: what loading it costs.
//   node bench/start.mjs [rounds]
import { rm, stat } from 'node:fs/promises';
import http from 'node:http';
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { tmpdir } from 'node:os';
import { AgentAuri, BINARY } from '../tests/functional/lib/agentauri.mjs';
import { median, memoryMb, note, nowMs, percentile, report, sleep } from './lib.mjs';

const rounds = Number(process.argv[2] ?? 15);
const IDLE_MS = 5000;   // until first work is done and freed

const answers = (url) => new Promise((resolve) => {
  http.get(url, { agent: false }, (response) => {
    response.resume();
    resolve(response.statusCode === 200);
  }).on('error', () => resolve(false));
});

async function startMs(app) {
  const started = nowMs();
  app.spawn();
  while (!(await answers(`${app.url}/api/v1/health`))) {
    if (app.child.exitCode !== null) throw new Error(app.child.output);
    await sleep(1);
  }
  return nowMs() - started;
}

async function end(app) {
  app.child.kill('SIGTERM');
  await app.child.ended;
}

const first = [], again = [], version = [];
let resident, anonymous;
for (let round = 0; round < rounds; round++) {
  const before = nowMs();
  execFileSync(BINARY, ['--version']);
  version.push(nowMs() - before);
  const app = await AgentAuri.prepare();
  first.push(await startMs(app));
  await end(app);
  again.push(await startMs(app));
  if (round === rounds - 1) {
    await sleep(IDLE_MS);
    resident = await memoryMb(app.child.pid, 'VmRSS');
    anonymous = await memoryMb(app.child.pid, 'RssAnon');
  }
  await app.stop();
}

note('`agentauri --version` (reference: loading the program)', median(version), 'ms');
note('first start in an empty folder, schema made', median(first), 'ms');
note('start to first health 200, slowest', percentile(again, 1), 'ms');
report('start to first health 200 (SQLite, median)', median(again), 'ms', { atMost: 100 });
note('of the idle memory: not shared with files', anonymous, 'MB');
report('idle memory, no chain (VmRSS)', resident, 'MB', { atMost: 25 });
const stripped = path.join(tmpdir(), 'agentauri-stripped');
execFileSync('llvm-strip-19', ['-o', stripped, BINARY]);
note('size without symbols', (await stat(stripped)).size / 1e6, 'MB');
await rm(stripped);
report('size of the program as built', (await stat(BINARY)).size / 1e6, 'MB', { atMost: 20 });
