// What a flood of logins costs everybody else, and what a login costs beside bare Argon2id; both as ratios within one
// run, on SQLite. The flood comes from ever new addresses and names, as one that no limit stops would, with limits
// enforced; every login of it costs a whole verification, since the time must not tell who exists.
//   node bench/flood.mjs [seconds of each] [rounds]
import { fork, execFileSync } from 'node:child_process';
import http from 'node:http';
import { availableParallelism } from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { AgentAuri, Client, ROOT } from '../tests/functional/lib/agentauri.mjs';
import { launchLogged, median, note, percentile, report, sleep } from './lib.mjs';

const OFFERED = 200;      // logins a second: several times what the lane can do, so that its queue is always full
const MAX_IN_FLIGHT = 256;
const READS = 50;         // a second, of the route that is watched
const CALLERS = 8;        // of the throughput: enough to keep the lane busy, too few to fill its queue
const LANE = Math.max(1, Math.floor(availableParallelism() / 2));   // its threads

function ask(agent, url, { method = 'GET', body, headers = {} } = {}) {
  return new Promise((resolve, reject) => {
    const request = http.request(url, { agent, method, headers: { ...(body ? { 'content-type': 'application/json' } : {}), ...headers } }, (response) => {
      response.resume();
      response.on('end', () => resolve(response.statusCode));
    });
    request.on('error', reject);
    request.end(body);
  });
}

// A process of its own, so that what it costs is not measured as latency here.
async function flood(url) {
  const agent = new http.Agent({ keepAlive: true, maxSockets: MAX_IN_FLIGHT });
  const seen = {};
  let sent = 0, inFlight = 0, running = true;
  process.on('message', () => { running = false; });
  const started = performance.now();
  while (running) {
    const due = ((performance.now() - started) / 1000) * OFFERED;
    for (; sent < due && inFlight < MAX_IN_FLIGHT; sent++) {
      inFlight++;
      const address = `198.18.${(sent >> 8) & 255}.${sent & 255}`;   // named by a trusted proxy, which loopback is
      ask(agent, `${url}/api/v1/auth/login`, { method: 'POST', body: JSON.stringify({ username: `nobody${sent}`, password: 'whatever it is' }), headers: { 'x-forwarded-for': address } })
        .catch(() => 'broken').then((status) => { seen[status] = (seen[status] ?? 0) + 1; inFlight--; });
    }
    if (sent < due) sent = Math.ceil(due);   // what found no room is not sent later
    await sleep(5);
  }
  while (inFlight > 0) await sleep(20);   // the queue is empty for what is measured next
  process.send(seen, () => process.exit(0));
}

async function readTimes(url, key, seconds) {
  const agent = new http.Agent({ keepAlive: true });
  const times = [], all = [];
  const until = performance.now() + seconds * 1000;
  for (let next = performance.now(); next < until; next += 1000 / READS) {
    await sleep(Math.max(0, next - performance.now()));
    const begun = performance.now();
    all.push(ask(agent, `${url}/api/v1/triggers`, { headers: { 'x-api-key': key } }).then((status) => {
      if (status !== 200) throw new Error(`the route that is watched answered ${status}`);
      times.push(performance.now() - begun);
    }));
  }
  await Promise.all(all);
  agent.destroy();
  return times;
}

async function loginRate(url, user, seconds) {
  const agent = new http.Agent({ keepAlive: true });
  const body = JSON.stringify({ username: user.username, password: 'a quiet river 77' });
  const until = performance.now() + seconds * 1000;
  let done = 0;
  const begun = performance.now();
  await Promise.all(Array.from({ length: CALLERS }, async (_, caller) => {
    for (let i = 0; performance.now() < until; i++) {
      const status = await ask(agent, `${url}/api/v1/auth/login`, { method: 'POST', body, headers: { 'x-forwarded-for': `198.19.${caller}.${i & 255}` } });
      if (status !== 200) throw new Error(`a login answered ${status}`);
      done++;
    }
  }));
  agent.destroy();
  return done / ((performance.now() - begun) / 1000);
}

async function measure(seconds, rounds) {
  const app = await AgentAuri.prepare();
  await launchLogged(app);
  const user = await Client.registered(app.url, 'bench');
  const personal = (await user.get('/api/v1/auth/me')).body.organizations[0].id;
  const made = await user.post(`/api/v1/organizations/${personal}/api-keys`, { name: 'bench', environment: 'live', permissions: ['read'], rate_limit_override: 100000 });
  const key = made.body.data.key;
  const rest = [], flooded = [], bare = [], logins = [];
  const answers = {};
  await readTimes(app.url, key, 1);
  for (let round = 0; round < rounds; round++) {
    bare.push(Number(execFileSync(path.join(ROOT, 'build/release/bin/argon_rate'), [String(LANE), String(seconds / 2)], { encoding: 'utf8' })));
    logins.push(await loginRate(app.url, user, seconds / 2));
    rest.push(...await readTimes(app.url, key, seconds));
    const child = fork(fileURLToPath(import.meta.url), ['--flood', app.url]);
    await sleep(1000);   // the queue is full now
    flooded.push(...await readTimes(app.url, key, seconds));
    const ended = new Promise((resolve) => child.on('message', resolve));
    child.send('stop');
    for (const [status, count] of Object.entries(await ended)) answers[status] = (answers[status] ?? 0) + count;
  }
  note(`Argon2id alone, ${LANE} thread${LANE > 1 ? 's' : ''} (reference)`, median(bare), '/s');
  note(`logins that succeed, ${CALLERS} callers`, median(logins), '/s');
  note('logins / Argon2id alone', median(logins) / median(bare), 'x');
  for (const [status, count] of Object.entries(answers)) note(`of the flood: answered ${status}`, count, 'logins');
  note('another route at rest, p50', percentile(rest, 0.5), 'ms');
  note('another route at rest, p99', percentile(rest, 0.99), 'ms');
  note('another route during the flood, p50', percentile(flooded, 0.5), 'ms');
  note('another route during the flood, p99', percentile(flooded, 0.99), 'ms');
  report('p99 of another route during a login flood / at rest', percentile(flooded, 0.99) / percentile(rest, 0.99), 'x', { atMost: 2 });
  await app.stop();
}

if (process.argv[2] === '--flood') await flood(process.argv[3]);
else await measure(Number(process.argv[2] ?? 10), Number(process.argv[3] ?? 3));
