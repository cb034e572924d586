// A job is due -> its signed webhook arrived and was verified, at a steady 100 and 1,000 alerts a second: a chain with a
// block every 10 ms, each event of it matched by the trigger of one of ten organizations, the whole program as a user
// starts it. A job counts as due from the stamp that the engine gives it when it begins with its block, so that matching
// and the commit that makes it durable are part of the time.
//   node bench/accept.mjs [seconds of each]     ENGINES=sqlite: on that one alone; RATES=100: at that one alone;
//                                               BLOCKS=20: so many blocks a second, with more events in each
import { Client } from '../tests/functional/lib/agentauri.mjs';
import { prepare, stopEngines } from '../tests/functional/lib/engines.mjs';
import { until } from '../tests/functional/lib/wait.mjs';
import { FastReceiver, PacedNode, alertTimes, cpuSeconds, launchLogged, note, percentile, report, sleep, webhookTrigger } from './lib.mjs';

const seconds = Number(process.argv[2] ?? 15);
const WARM_UP_MS = Math.min(3000, seconds * 500);   // the follower learns the rhythm, connections open
const ORGANIZATIONS = 10;   // as many as paced_node has agents; one alone would meet its hourly ceiling
const BLOCKS_PER_SECOND = Number(process.env.BLOCKS ?? 100);
const DRAIN_MS = 30_000;
const P99_GOAL_MS = { 100: 5, 1000: 50 };

async function watchAgents(app, receiver) {
  const secrets = {};
  for (let agent = 0; agent < ORGANIZATIONS; agent++) {
    const user = await Client.registered(app.url, `bench${agent}`);
    const made = await user.trigger({
      ...webhookTrigger(`feedback on agent ${agent}`, receiver.urls[agent]),
      conditions: [{ condition_type: 'agent_id_equals', field: 'agent_id', operator: '=', value: String(agent) }],
    });
    secrets[made.trigger.id] = made.secrets[0];
  }
  await receiver.expect(secrets);
}

async function measure(engine, rate) {
  const node = await PacedNode.start({ blocksPerSecond: BLOCKS_PER_SECOND, eventsOfBlock: rate / BLOCKS_PER_SECOND });
  const receiver = await FastReceiver.start(ORGANIZATIONS);
  const app = await prepare(engine, node.environment);
  await launchLogged(app);
  await watchAgents(app, receiver);
  node.begin();
  await sleep(WARM_UP_MS);
  const processes = [app.child.pid, node.child.pid, receiver.child.pid, ...(app.postgres ? [app.postgres.child.pid] : [])];
  const before = await Promise.all(processes.map(cpuSeconds));
  const from = Date.now();
  await sleep(seconds * 1000);
  const to = Date.now();
  const cores = (await Promise.all(processes.map(cpuSeconds))).map((cpu, i) => (cpu - before[i]) / seconds);
  node.pause();
  // What is not there by then did not keep up, which the figure shall say instead of a failure.
  let made = -1, missing = 0;
  await until('every webhook and its record', async () => {
    const before = made;
    made = await app.metric('triggers_matched_total');
    missing = made - (await app.metric('jobs', { state: 'succeeded' }));
    return made === before && missing === 0;
  }, { timeoutMs: DRAIN_MS, everyMs: 300 }).catch(() => {});
  if ((await receiver.stats()).refused > 0) throw new Error('a webhook was not signed as it should be');

  const arrived = new Map();
  for (const { id, atMs } of (await receiver.arrivals()).reverse()) arrived.set(id, atMs);   // the first of each counts
  const alerts = alertTimes(app).filter((alert) => alert.dueMs >= from && alert.dueMs < to);
  const what = `${engine}, ${rate}/s`;
  const line = (name, begin, end) => {
    const spans = alerts.map((alert) => end(alert) - begin(alert));
    note(`${what}: ${name}, p50`, percentile(spans, 0.5), 'ms');
    note(`${what}: ${name}, p99`, percentile(spans, 0.99), 'ms');
  };
  const arrival = (alert) => arrived.get(alert.id);
  note(`${what}: webhooks that became due`, alerts.length, `in ${seconds} s`);
  line('event handed to the store -> webhook arrived', (alert) => alert.handedMs, arrival);
  line('job due -> attempt begins (match, commit, claim)', (alert) => alert.dueMs, (alert) => alert.sentMs);
  line('attempt begins -> webhook arrived (commit, send)', (alert) => alert.sentMs, arrival);
  const spans = alerts.map((alert) => arrival(alert) - alert.dueMs);
  note(`${what}: cores in use by the program`, cores[0], `(node, receiver${app.postgres ? ', database' : ''}: ${cores.slice(1).map((n) => n.toFixed(2)).join(', ')})`);
  note(`${what}: accepted (job due) -> webhook arrived, p50`, percentile(spans, 0.5), 'ms');
  if (missing > 0) note(`${what}: not there ${DRAIN_MS / 1000} s after the last event`, missing, 'webhooks');
  report(`${what}: accepted (job due) -> webhook arrived, p99`, missing > 0 ? Infinity : percentile(spans, 0.99), 'ms', { atMost: P99_GOAL_MS[rate] });
  await app.stop();
  await receiver.stop();
  await node.stop();
}

for (const engine of (process.env.ENGINES ?? 'sqlite,postgres').split(',')) {
  for (const rate of (process.env.RATES ?? '100,1000').split(',').map(Number)) await measure(engine, rate);
}
await stopEngines();
