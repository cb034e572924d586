// Block visible at the node -> signed webhook arrived and verified, with the four roles as processes of their own on one
// PostgreSQL: every step on the way is a commit of one process and a hint to another. Four blocks a second.
//   node bench/roles.mjs [seconds]
import { Anvil } from '../tests/functional/lib/anvil.mjs';
import { Cluster } from '../tests/functional/lib/cluster.mjs';
import { Postgres } from '../tests/functional/lib/postgres.mjs';
import { Receiver } from '../tests/functional/lib/receiver.mjs';
import { until } from '../tests/functional/lib/wait.mjs';
import { watchBlocks } from './block_watch.mjs';
import { cpuSeconds, note, nowMs, percentile, report, sleep, webhookTrigger } from './lib.mjs';

const seconds = Number(process.argv[2] ?? 30);
const WARM_UP_MS = Math.min(10_000, seconds * 500);   // the follower learns the rhythm

const postgres = await Postgres.start();
const anvil = await Anvil.start({ blockTime: 0.25 });
const receiver = await Receiver.start();
const cluster = await Cluster.start({ postgres, environment: anvil.environment(), counts: { gateway: 1, indexer: 1, engine: 1, worker: 1 } });
const user = await cluster.register();
const { secrets } = await user.trigger(webhookTrigger('every feedback', receiver.url));
receiver.secrets = secrets;
const arrived = new Map();   // block -> ms
receiver.answer = (delivery) => {
  const at = nowMs();
  const block = JSON.parse(delivery.body).event.block_number;
  if (!arrived.has(block)) arrived.set(block, at);
  return { status: 200 };
};

const blocks = await watchBlocks(anvil);
const { address, abi } = anvil.registries.reputation;
let agent = 0;
blocks.onBlock = () => {
  const data = abi.encodeFunctionData('feedback', [++agent, 10, 0, 'starred', '', '']);
  anvil.rpc('eth_sendTransaction', { from: anvil.account, to: address, data, gas: '0x7a120' }).catch(() => {});
};
await sleep(WARM_UP_MS);
const cpu = () => Promise.all([...cluster.processes, postgres].map((one) => cpuSeconds(one.child.pid)));
const before = await cpu();
const from = blocks.latest + 1;
await sleep(seconds * 1000);
const to = blocks.latest - 2;
const cores = (await cpu()).map((used, i) => (used - before[i]) / seconds);
blocks.onBlock = () => {};
await until('the last webhook', () => [...arrived.keys()].some((block) => block >= to));
if (receiver.unverified.length > 0) throw new Error(`${receiver.unverified.length} webhooks were not signed as they should be`);

const latencies = [];
for (let block = from; block <= to; block++) {
  if (arrived.has(block)) latencies.push(arrived.get(block) - blocks.visible.get(block));
}
const lag = await blocks.announcementLag();
[...cluster.processes.map((app) => app.role), 'PostgreSQL'].forEach((name, i) => note(`roles as processes: cores in use by the ${name}`, cores[i], ''));
note('roles as processes: blocks with an event', latencies.length, `of ${to - from + 1}`);
note('roles as processes: block visible -> webhook arrived, p50', percentile(latencies, 0.5) + lag, 'ms');
report('roles as processes: block visible -> webhook arrived, p99', percentile(latencies, 0.99) + lag, 'ms', { atMost: 300 });

blocks.close();
await cluster.stop();
await anvil.stop();
await receiver.close();
await postgres.stop();
