// Signed, durable webhooks a second while a backlog is worked off, and what each costs in CPU time over all processes:
// the program, the receiver, and PostgreSQL. The node and this script are at rest meanwhile and not counted.
//   node bench/deliveries.mjs [events; ten jobs each]     ENGINES=sqlite: on that one alone
import { Client } from '../tests/functional/lib/agentauri.mjs';
import { Anvil } from '../tests/functional/lib/anvil.mjs';
import { prepare, stopEngines } from '../tests/functional/lib/engines.mjs';
import { until } from '../tests/functional/lib/wait.mjs';
import { FastReceiver, connectionsOpened, cpuSeconds, launchLogged, note, report, sleep, webhookTrigger } from './lib.mjs';

const events = Number(process.argv[2] ?? 3000);
const ORGANIZATIONS = 10;   // an organization alone would meet its hourly ceiling
const EVENTS_OF_BLOCK = 300;
const jobs = events * ORGANIZATIONS;

// Without a worker: jobs are made and wait.
async function makeBacklog(app, anvil, receiver) {
  app.environment.ROLES = 'gateway,indexer,engine';
  await launchLogged(app);
  const secrets = {};
  for (let i = 0; i < ORGANIZATIONS; i++) {
    const user = await Client.registered(app.url, `bench${i}`);
    const made = await user.trigger(webhookTrigger('every feedback', receiver.urls[i]));
    secrets[made.trigger.id] = made.secrets[0];
  }
  await receiver.expect(secrets);
  for (let made = 0; made < events; made += EVENTS_OF_BLOCK) {
    await anvil.call('reputation', 'feedbacks', 1, 0, Math.min(EVENTS_OF_BLOCK, events - made), 'starred');
  }
  await until('the backlog', async () => (await app.metric('triggers_matched_total')) >= jobs, { timeoutMs: 120_000, everyMs: 100 });
  app.child.kill('SIGTERM');
  await app.child.ended;
}

// Which statements the store's threads spent their time in; waits for locks and the network are part of it.
async function statements(app) {
  const sums = new Map(), counts = new Map();
  for (const line of (await app.metrics()).split('\n')) {
    const match = /^db_query_duration_seconds_(sum|count)\{.*query="(\w+)".*\} (\S+)$/.exec(line);
    if (match) (match[1] === 'sum' ? sums : counts).set(match[2], Number(match[3]));
  }
  return [...sums].sort((a, b) => b[1] - a[1]).slice(0, 6).map(([name, sum]) => ({ name, sum, count: counts.get(name) }));
}

async function measure(engine) {
  const anvil = await Anvil.start();
  const receiver = await FastReceiver.start(ORGANIZATIONS);
  const app = await prepare(engine, anvil.environment());
  await makeBacklog(app, anvil, receiver);
  const others = [receiver.child.pid, ...(app.postgres ? [app.postgres.child.pid] : [])];
  const before = await Promise.all(others.map(cpuSeconds));
  const openedBefore = await connectionsOpened();
  delete app.environment.ROLES;
  await launchLogged(app);
  await until('every webhook', async () => (await receiver.stats()).different >= jobs, { timeoutMs: 150_000, everyMs: 100 });
  // Until each is recorded too: that is part of the work.
  await until('every record', async () => (await app.metric('action_worker_jobs_processed_total', { status: 'success' })) >= jobs, { timeoutMs: 30_000 });
  await sleep(200);
  const own = await cpuSeconds(app.child.pid);
  const after = await Promise.all(others.map(cpuSeconds));
  const opened = (await connectionsOpened()) - openedBefore;
  const slowest = await statements(app);
  const stats = await receiver.stats();
  if (stats.refused > 0) throw new Error(`${stats.refused} webhooks were not signed as they should be`);
  const spent = others.map((_, i) => after[i] - before[i]);
  const seconds = (stats.last_us - stats.first_us) / 1e6;
  const each = (cpu) => (cpu / jobs) * 1e6;
  note(`${engine}: webhooks that came twice`, stats.received - stats.different, '');
  note(`${engine}: connections opened meanwhile on this machine`, opened / jobs, 'per webhook');
  note(`${engine}: CPU of the program, its start included`, each(own), 'us/webhook');
  note(`${engine}: CPU of the receiver (checks every signature)`, each(spent[0]), 'us/webhook');
  if (app.postgres) note(`${engine}: CPU of the database`, each(spent[1]), 'us/webhook');
  for (const { name, sum, count } of slowest) note(`${engine}: statement ${name}, run ${count} times`, each(sum), 'us/webhook');
  const cpu = own + spent.reduce((sum, one) => sum + one, 0);
  note(`${engine}: cores in use`, cpu / seconds, '');
  report(`${engine}: signed webhooks over a backlog of ${jobs}`, (jobs - 1) / seconds, 'per second', { atLeast: engine === 'sqlite' ? 3000 : 2000 });
  report(`${engine}: CPU of a webhook over all processes`, each(cpu), 'us', { atMost: 400 });
  await app.stop();
  await receiver.stop();
  await anvil.stop();
}

for (const engine of (process.env.ENGINES ?? 'sqlite,postgres').split(',')) await measure(engine);
await stopEngines();
