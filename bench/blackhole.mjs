// What silent receivers cost the others: 20 endpoints of four organizations at 400 webhooks a second, first all of them
// healthy, then with two (10 %) that accept connections and never answer. The same 18 are compared.
//   node bench/blackhole.mjs [seconds of each run]
import { createServer } from 'node:net';
import { Client } from '../tests/functional/lib/agentauri.mjs';
import { Anvil } from '../tests/functional/lib/anvil.mjs';
import { prepare } from '../tests/functional/lib/engines.mjs';
import { until } from '../tests/functional/lib/wait.mjs';
import { watchBlocks } from './block_watch.mjs';
import { FastReceiver, launchLogged, note, percentile, report, sleep, webhookTrigger } from './lib.mjs';

const seconds = Number(process.argv[2] ?? 25);
const WARM_UP_MS = Math.min(6000, seconds * 750);
const ENDPOINTS = 20, SILENT = 2, ORGANIZATIONS = 4;
const EVENTS_OF_BLOCK = 5;   // four blocks a second

const anvil = await Anvil.start({ blockTime: 0.25 });
const receiver = await FastReceiver.start(ENDPOINTS);
const app = await prepare('sqlite', anvil.environment());
await launchLogged(app);
const users = [];
for (let i = 0; i < ORGANIZATIONS; i++) users.push(await Client.registered(app.url, `bench${i}`));

let silentConnections = 0;
const silent = [];
for (let i = 0; i < SILENT; i++) {
  const server = createServer(() => silentConnections++);
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  silent.push(server);
}

const owner = (endpoint) => users[endpoint % ORGANIZATIONS];
async function watch(endpoint, url) {
  const { trigger, secrets } = await owner(endpoint).trigger(webhookTrigger(`endpoint ${endpoint}`, url));
  await receiver.expect({ [trigger.id]: secrets[0] });
  return trigger;
}
const triggers = [];
for (let i = 0; i < ENDPOINTS; i++) triggers.push(await watch(i, receiver.urls[i]));

const blocks = await watchBlocks(anvil);
const { address, abi } = anvil.registries.reputation;
const data = abi.encodeFunctionData('feedbacks', [1, 0, EVENTS_OF_BLOCK, 'starred']);
const traffic = () => {
  anvil.rpc('eth_sendTransaction', { from: anvil.account, to: address, data, gas: '0x1e8480' }).catch(() => {});
};

// Latencies of the endpoints that are healthy in both runs.
async function measure() {
  blocks.onBlock = traffic;
  await sleep(WARM_UP_MS);
  const from = blocks.latest + 1;
  await sleep(seconds * 1000);
  const to = blocks.latest;
  blocks.onBlock = () => {};
  const healthy = ENDPOINTS - SILENT;
  const measured = async () => (await receiver.arrivals()).filter((a) => a.block >= from && a.block <= to && a.port < healthy);
  const wanted = (to - from + 1) * EVENTS_OF_BLOCK * healthy;
  // A block may have missed its transaction; what matters is that nothing more comes.
  let last = -1;
  await until('the last webhook', async () => {
    const count = (await measured()).length;
    const settled = count === wanted || (count === last && count > 0);
    last = count;
    return settled;
  }, { everyMs: 2000, timeoutMs: 60_000 });
  return (await measured()).map((a) => a.atMs - blocks.visible.get(a.block));
}

const without = await measure();
for (let i = ENDPOINTS - SILENT; i < ENDPOINTS; i++) {
  await owner(i).delete(`/api/v1/triggers/${triggers[i].id}`);
  await watch(i, `http://127.0.0.1:${silent[i - (ENDPOINTS - SILENT)].address().port}/hook`);
}
const beside = await measure();

note('webhooks measured without and with silent receivers', without.length, `and ${beside.length}`);
note('connections to the silent receivers', silentConnections, '');
note('healthy receivers: p50 without (reference) ', percentile(without, 0.5), 'ms');
note('healthy receivers: p50 beside 10 % silent ones', percentile(beside, 0.5), 'ms');
note('healthy receivers: p99 without (reference)', percentile(without, 0.99), 'ms');
note('healthy receivers: p99 beside 10 % silent ones', percentile(beside, 0.99), 'ms');
report('p99 of the healthy beside silent receivers / without', percentile(beside, 0.99) / percentile(without, 0.99), 'x', { atMost: 1.5 });

blocks.close();
for (const server of silent) server.close();
app.child.kill('SIGKILL');   // its attempts on the silent receivers would be waited for
await app.child.ended;
await app.stop();
await receiver.stop();
await anvil.stop();
process.exit();   // the silent servers' connections are still open
