// Block visible at the node -> signed webhook arrived and verified, at four blocks a second, with the settings that a
// user gets, and how many calls the node was asked for each block.
//   node bench/latency.mjs [seconds]     BENCH_SERIES=1: also each block, as number:ms until seen/ms since the block before
import { AgentAuri, Client } from '../tests/functional/lib/agentauri.mjs';
import { Anvil } from '../tests/functional/lib/anvil.mjs';
import { Receiver } from '../tests/functional/lib/receiver.mjs';
import { until } from '../tests/functional/lib/wait.mjs';
import { watchBlocks } from './block_watch.mjs';
import { alertTimes, median, note, nowMs, percentile, report, sleep } from './lib.mjs';

const seconds = Number(process.argv[2] ?? 60);
const WARM_UP_MS = Math.min(10_000, seconds * 500);   // the follower learns the rhythm

const anvil = await Anvil.start({ blockTime: 0.25 });
const receiver = await Receiver.start();
const app = await AgentAuri.start({ ...anvil.environment() });
const user = await Client.registered(app.url);
const { secrets } = await user.trigger({
  name: 'every feedback', chain_id: 31337, registry: 'reputation', conditions: [],
  actions: [{ action_type: 'rest', config: { url: receiver.url } }],
});
receiver.secrets = secrets;
const arrived = new Map();   // block -> ms
receiver.answer = (delivery) => {
  const at = nowMs();
  const block = JSON.parse(delivery.body).event.block_number;
  if (!arrived.has(block)) arrived.set(block, at);
  return { status: 200 };
};

const blocks = await watchBlocks(anvil);
// One feedback into each block: the next is sent when the last block was seen, long before the one after it is due.
const { address, abi } = anvil.registries.reputation;
let agent = 0;
blocks.onBlock = () => {
  const data = abi.encodeFunctionData('feedback', [++agent, 10, 0, 'starred', '', '']);
  anvil.rpc('eth_sendTransaction', { from: anvil.account, to: address, data, gas: '0x7a120' }).catch(() => {});
};

await sleep(WARM_UP_MS);
// By method.
async function calls() {
  const out = new Map();
  for (const line of (await app.metrics()).split('\n')) {
    const match = /^rpc_calls_total\{.*method="(\w+)".*\} (\S+)$/.exec(line);
    if (match) out.set(match[1], (out.get(match[1]) ?? 0) + Number(match[2]));
  }
  return out;
}
const ingested = () => app.metric('ponder_sync_blocks_total');
const [callsBefore, ingestedBefore] = [await calls(), await ingested()];
const from = blocks.latest + 1;
await sleep(seconds * 1000);
const to = blocks.latest - 2;
const [callsAfter, ingestedAfter] = [await calls(), await ingested()];
blocks.onBlock = () => {};
await until('the last webhook', () => arrived.has(to));

const latencies = [];
let empty = 0;
for (let block = from; block <= to; block++) {
  if (arrived.has(block)) latencies.push(arrived.get(block) - blocks.visible.get(block));
  else empty++;
}
const lag = await blocks.announcementLag();
const roundTrips = [];
for (let i = 0; i < 50; i++) {
  const before = nowMs();
  await anvil.rpc('eth_blockNumber');
  roundTrips.push(nowMs() - before);
}
// Where the time of an alert goes, by the stamps in its rows: each is taken before the step that it begins.
function stages() {
  const alerts = alertTimes(app).filter(({ block }) => block >= from && block <= to && arrived.has(block));
  const names = ['visible -> seen by the follower', 'seen -> handed to the store (logs asked for)', 'handed to the store -> engine begins (commit)',
    'engine begins -> attempt begins (match, commit, claim)', 'attempt begins -> webhook arrived (commit, send)'];
  names.forEach((name, i) => {
    const spans = alerts.map(({ block, seenMs, handedMs, dueMs, sentMs }) => {
      const places = [blocks.visible.get(block) - lag, seenMs, handedMs, dueMs, sentMs, arrived.get(block)];
      return places[i + 1] - places[i];
    });
    note(`${name}, p50`, percentile(spans, 0.5), 'ms');
    note(`${name}, p99`, percentile(spans, 0.99), 'ms');
  });
}
stages();
if (process.env.BENCH_SERIES) {
  const alerts = alertTimes(app).filter(({ block }) => blocks.visible.has(block));
  console.log(alerts.map(({ block, seenMs }) => `${block}:${(seenMs - blocks.visible.get(block)).toFixed(0)}/${(blocks.visible.get(block) - blocks.visible.get(block - 1)).toFixed(0)}`).join(' '));
}
note('one call to the node and back (reference)', median(roundTrips), 'ms');
note('the node announces a block after it could be asked for', lag, 'ms');
note('blocks measured', latencies.length, `(${empty} without an event)`);
report('block visible -> webhook arrived, p50', percentile(latencies, 0.5) + lag, 'ms', { atMost: 25 });
report('block visible -> webhook arrived, p99', percentile(latencies, 0.99) + lag, 'ms', { atMost: 60 });
let allCalls = 0;
for (const [method, count] of callsAfter) {
  const each = (count - (callsBefore.get(method) ?? 0)) / (ingestedAfter - ingestedBefore);
  allCalls += each;
  if (each > 0) note(`of the calls: ${method}`, each, 'per block');
}
report('RPC calls for each block', allCalls, 'calls', { atMost: 2.2 });
if (receiver.unverified.length > 0) throw new Error(`${receiver.unverified.length} webhooks were not signed as they should be`);

blocks.close();
await app.stop();
await anvil.stop();
await receiver.close();
