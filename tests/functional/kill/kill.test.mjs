// SIGKILL at random points while events flow: no alert lost, none enqueued twice, one stable webhook-id for each.
//   KILL_ROUNDS=1000 npm run kill       KILL_SEED=7
import assert from 'node:assert/strict';
import { after, describe, test } from 'node:test';
import { Anvil } from '../lib/anvil.mjs';
import { Client } from '../lib/agentauri.mjs';
import { ENGINES, prepare, stopEngines } from '../lib/engines.mjs';
import { Receiver } from '../lib/receiver.mjs';
import { until } from '../lib/wait.mjs';

const ROUNDS = Number(process.env.KILL_ROUNDS ?? 200);
let seed = Number(process.env.KILL_SEED ?? Date.now() % 1_000_000);
console.log(`kill test: ${ROUNDS} rounds, seed ${seed}`);
const random = () => {
  seed = (seed * 1103515245 + 12345) % 2147483648;
  return seed / 2147483648;
};

// Half of the rounds with an instant receiver, half with one that takes 200 ms, over both engines.
const SHAPES = ENGINES.flatMap((engine) => [0, 200].map((delayMs) => ({ engine, delayMs, rounds: Math.ceil(ROUNDS / ENGINES.length / 2) })));

for (const { engine, delayMs, rounds } of SHAPES) {
  describe(`kill on ${engine}, receiver ${delayMs} ms`, () => {
    test(`${rounds} rounds`, async () => {
      const anvil = await Anvil.start({ blockTime: 0.25 });
      const receiver = await Receiver.start();
      receiver.delayMs = delayMs;
      const app = await prepare(engine, anvil.environment());
      try {
        await app.launch();
        const user = await Client.registered(app.url);
        const { trigger, secrets } = await user.trigger({
          name: 'every feedback', chain_id: 31337, registry: 'reputation',
          conditions: [{ condition_type: 'event_type_equals', field: 'event_type', operator: '=', value: 'NewFeedback' }],
          actions: [{ action_type: 'rest', config: { url: receiver.url } }],
        });
        receiver.secrets = secrets;

        // Traffic that never stops: each event has its own agent id, so that it can be told from every other.
        let next = 1;
        let flowing = true;
        const { address, abi } = anvil.registries.reputation;
        const traffic = (async () => {
          while (flowing) {
            const batch = 1 + Math.floor(random() * 4);
            for (let i = 0; i < batch; i++) {
              const data = abi.encodeFunctionData('feedback', [next++, 10, 0, 'starred', '', '']);
              await anvil.rpc('eth_sendTransaction', { from: anvil.account, to: address, data, gas: '0x7a120' });
            }
            await new Promise((resolve) => setTimeout(resolve, 40 + random() * 80));
          }
        })();

        let deaths = 0;
        for (let round = 0; round < rounds; round++) {
          await new Promise((resolve) => setTimeout(resolve, random() * 700));
          await app.kill();
          deaths++;
          app.spawn();
        }
        flowing = false;
        await traffic;
        await until('the gateway after the last kill', async () => (await fetch(`${app.url}/api/v1/health`)).status === 200);
        const expected = next - 1;
        const rows = await until('every job to be delivered', async () => {
          const found = await user.deliveries(trigger);
          return found.length >= expected && found.every((row) => row.state === 'succeeded') && found;
        }, { timeoutMs: 120_000, everyMs: 500 });

        // Exactly one job for each event.
        assert.equal(rows.length, expected);
        assert.equal(new Set(rows.map((row) => row.id)).size, expected);
        assert.equal(new Set(rows.map((row) => row.event_id)).size, expected);
        // Each was delivered at least once, under one id, with one body.
        const bodies = new Map();
        for (const delivery of receiver.deliveries) {
          const agent = JSON.parse(delivery.body).event.data.agent_id;
          const known = bodies.get(delivery.id);
          if (known) assert.equal(known.body, delivery.body);
          bodies.set(delivery.id, { body: delivery.body, agent, count: (known?.count ?? 0) + 1 });
        }
        assert.equal(bodies.size, expected);
        assert.equal(new Set([...bodies.values()].map((b) => b.agent)).size, expected);
        assert.equal(receiver.unverified.length, 0);
        // Only what was in flight at a kill may come twice; every attempt that has no answer says so.
        const unknown = rows.flatMap((row) => row.attempts).filter((attempt) => attempt.outcome === 'unknown').length;
        const repeats = receiver.deliveries.length - expected;
        assert.ok(repeats <= unknown, `${repeats} repeats, ${unknown} attempts without an answer`);
        // No hole in coverage.
        const status = await app.command(['chain', 'status', '--json']);
        const [chain] = JSON.parse(status.output).chains;
        assert.equal(chain.coverage_gap_blocks, 0);
        console.log(`${engine} ${delayMs} ms: ${deaths} kills, ${expected} events, ${repeats} repeats, ${unknown} unknown attempts`);
      } finally {
        await app.stop();
        await anvil.stop();
        await receiver.close();
      }
    });
  });
}

// A ladder of seconds instead of hours, so that the test sees several of its steps.
const LADDER = '0,2,5,10,15,20,20';

for (const engine of ENGINES) {
  test(`a receiver that is down for 30 s gets its alert within 2 s of the next due retry (${engine})`, async () => {
    const downMs = Number(process.env.KILL_DOWN_MS ?? 30_000);
    const anvil = await Anvil.start();
    const receiver = await Receiver.start();
    const app = await prepare(engine, { ...anvil.environment(), WEBHOOK_RETRY_SECONDS: LADDER });
    try {
      await app.launch();
      const user = await Client.registered(app.url);
      const { trigger, secrets } = await user.trigger({
        name: 'down', chain_id: 31337, registry: 'reputation', conditions: [],
        actions: [{ action_type: 'rest', config: { url: receiver.url } }],
      });
      receiver.secrets = secrets;
      const down = Date.now();
      await receiver.close();
      await anvil.call('reputation', 'feedback', 1, 10, 0, 'starred', '', '');
      // Two whose end is recorded: one that is still under way would rightly be `unknown` after the kill.
      const failed = async () => (await user.deliveries(trigger))[0]?.attempts.filter((attempt) => attempt.outcome === 'network');
      await until('two failed attempts', async () => (await failed())?.length === 2, { timeoutMs: 20_000 });
      await app.kill();   // a kill in the middle must not move the due time
      await app.launch();
      await until('the end of the outage', () => Date.now() - down >= downMs, { timeoutMs: downMs + 1000 });
      const due = Date.parse((await until('a due time', async () => (await user.deliveries(trigger)).find((row) => row.next_attempt_at))).next_attempt_at);
      await receiver.listen();
      await until('the delivery', () => receiver.deliveries.length === 1, { timeoutMs: 60_000 });
      const late = receiver.deliveries[0].at - Math.max(due, down + downMs);
      assert.ok(late <= 2000, `${late} ms after it was due`);
      const [row] = await until('the record', async () => { const rows = await user.deliveries(trigger); return rows[0].state === 'succeeded' && rows; });
      assert.ok(row.attempts.slice(0, -1).every((attempt) => attempt.outcome === 'network'));
    } finally {
      await app.stop();
      await anvil.stop();
      await receiver.close().catch(() => {});
    }
  });
}

after(stopEngines);
