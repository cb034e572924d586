// Reorganisations of a real node: nothing fires twice, what left the chain leaves the list.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Anvil } from '../lib/anvil.mjs';
import { Client } from '../lib/agentauri.mjs';
import { ENGINES, launch, stopEngines } from '../lib/engines.mjs';
import { Receiver } from '../lib/receiver.mjs';
import { until } from '../lib/wait.mjs';

for (const engine of ENGINES) {
  describe(`reorg on ${engine}`, () => {
    let anvil, receiver, app, user, trigger;
    before(async () => {
      anvil = await Anvil.start();
      receiver = await Receiver.start();
      app = await launch(engine, anvil.environment());
      user = await Client.registered(app.url);
      const made = await user.trigger({
        name: 'every feedback', chain_id: 31337, registry: 'reputation',
        conditions: [{ condition_type: 'event_type_equals', field: 'event_type', operator: '=', value: 'NewFeedback' }],
        actions: [{ action_type: 'rest', config: { url: receiver.url } }],
      });
      trigger = made.trigger;
      receiver.secrets = made.secrets;
    });
    after(async () => {
      await app?.stop();
      await anvil?.stop();
      await receiver?.close();
    });
    const listed = async () => (await user.get('/api/v1/events?eventType=NewFeedback&limit=100')).body.data;

    test('a log that leaves the chain leaves the list; its replacement is delivered', async () => {
      await anvil.call('reputation', 'feedback', 1, 11, 0, 'starred', '', '');
      await until('the first webhook', () => receiver.deliveries.length === 1);
      await anvil.rpc('anvil_reorg', 1, []);   // the block is replaced by an empty one
      await until('the event to leave the list', async () => (await listed()).length === 0);
      await anvil.call('reputation', 'feedback', 1, 12, 0, 'starred', '', '');
      await until('the second webhook', () => receiver.deliveries.length === 2);
      assert.deepEqual((await listed()).map((e) => e.data.score), [12]);
      assert.equal(receiver.ids().size, 2);
    });

    test('the same transaction in another block fires once', async () => {
      const before = receiver.deliveries.length;
      const receipt = await anvil.call('reputation', 'feedback', 2, 21, 0, 'starred', '', '');
      await until('the webhook', () => receiver.deliveries.length === before + 1);
      const raw = await anvil.rpc('eth_getTransactionByHash', receipt.transactionHash);
      // The reorg drops the block and mines the same call again, two blocks deep.
      await anvil.rpc('anvil_reorg', 1, [[{ from: raw.from, to: raw.to, data: raw.input, gas: raw.gas, nonce: raw.nonce }, 0]]).catch(() => anvil.rpc('anvil_reorg', 1, []));
      await anvil.call('reputation', 'feedback', 2, 22, 0, 'starred', '', '');
      await until('the event after the reorg', async () => receiver.deliveries.some((d) => JSON.parse(d.body).event.data.score === 22));
      const scores = receiver.deliveries.slice(before).map((d) => JSON.parse(d.body).event.data.score);
      assert.deepEqual(scores.filter((s) => s === 22), [22]);
      const rows = await user.deliveries(trigger);
      assert.equal(new Set(rows.map((r) => r.id)).size, rows.length);
    });

    test('a deeper reorg ends in the state of the final chain', async () => {
      for (let i = 0; i < 5; i++) await anvil.call('reputation', 'feedback', 3, 30 + i, 0, 'starred', '', '');
      await until('all five', async () => (await listed()).filter((e) => e.agent_id === '3').length === 5);
      await anvil.rpc('anvil_reorg', 4, []);
      await anvil.call('reputation', 'feedback', 3, 50, 0, 'starred', '', '');
      await until('the final chain', async () => {
        const scores = (await listed()).filter((e) => e.agent_id === '3').map((e) => e.data.score).sort();
        return JSON.stringify(scores) === JSON.stringify([30, 50]);
      });
      const status = await app.command(['chain', 'status', '--json']);
      assert.equal(status.code, 0, status.output);
      const [chain] = JSON.parse(status.output).chains;
      assert.equal(chain.coverage_gap_blocks, 0);
    });
  });
}

after(stopEngines);
