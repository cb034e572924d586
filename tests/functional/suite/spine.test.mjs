// From a chain log to a signed webhook, with a real EVM node and a real receiver, on both engines.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { Anvil } from '../lib/anvil.mjs';
import { Client } from '../lib/agentauri.mjs';
import { ENGINES, launch, stopEngines } from '../lib/engines.mjs';
import { Receiver } from '../lib/receiver.mjs';
import { until } from '../lib/wait.mjs';

const lowScore = (receiver, extra = {}) => ({
  name: 'low score',
  chain_id: 31337,
  registry: 'reputation',
  conditions: [
    { condition_type: 'agent_id_equals', field: 'agent_id', operator: '=', value: '42' },
    { condition_type: 'score_threshold', field: 'score', operator: '<', value: '60' },
  ],
  actions: [{ action_type: 'webhook', config: { url: receiver.url } }],
  ...extra,
});

for (const engine of ENGINES) {
  describe(`spine on ${engine}`, () => {
    let anvil, receiver, app, user;
    before(async () => {
      anvil = await Anvil.start();
      receiver = await Receiver.start();
      app = await launch(engine, anvil.environment());
      user = await Client.registered(app.url);
    });
    after(async () => {
      await app?.stop();
      await anvil?.stop();
      await receiver?.close();
    });

    test('a matching feedback becomes one signed webhook', async () => {
      const { trigger, secrets } = await user.trigger(lowScore(receiver));
      receiver.secrets = secrets;
      await anvil.call('reputation', 'feedback', 43, 10, 0, 'starred', '', '');   // another agent
      await anvil.call('reputation', 'feedback', 42, 60, 0, 'starred', '', '');   // not below 60
      const receipt = await anvil.call('reputation', 'feedback', 42, 45, 0, 'starred', 'week', 'ipfs://file');
      await until('the webhook', () => receiver.deliveries.length > 0);
      const [delivery] = receiver.deliveries;
      const payload = JSON.parse(delivery.body);
      assert.equal(payload.trigger_id, trigger.id);
      assert.equal(payload.event.event_type, 'NewFeedback');
      assert.equal(payload.event.chain_id, 31337);
      assert.equal(payload.event.transaction_hash, receipt.transactionHash);
      assert.equal(payload.event.data.score, 45);
      assert.equal(payload.event.data.tag1, 'starred');
      assert.equal(delivery.headers['x-agentauri-delivery-id'], delivery.id);
      assert.equal(delivery.headers['x-agentauri-trigger-id'], trigger.id);

      // The API says the same, with attempts and the reason.
      const rows = await until('the delivery to be recorded', async () => {
        const found = await user.deliveries(trigger);
        return found.length === 1 && found[0].state === 'succeeded' && found;
      });
      assert.equal(rows[0].id, delivery.id);
      assert.equal(rows[0].attempts.length, 1);
      assert.equal(rows[0].attempts[0].outcome, 'ok');
      assert.equal(rows[0].attempts[0].status, 200);
      assert.equal(rows[0].explanation.decision, 'match');
      assert.equal(rows[0].explanation.steps.length, 2);
      assert.equal(receiver.deliveries.length, 1);
      assert.equal(receiver.unverified.length, 0);
      // One request id from the delivery row to the log and the wire.
      const requestId = rows[0].attempts[0].request_id;
      assert.equal(delivery.headers['x-request-id'], requestId);
      assert.ok(app.logLines().some((line) => line.request_id === requestId), 'the attempt is in the log');
      await user.delete(`/api/v1/triggers/${trigger.id}`);
    });

    test('events are listed with their exact values', async () => {
      await anvil.call('reputation', 'feedback', 7, -32n * 10n ** 20n, 1, 'tradingYield', 'day', '');
      const row = await until('the event', async () => {
        const answer = await user.get('/api/v1/events?agentId=7&eventType=NewFeedback');
        assert.equal(answer.status, 200);
        return answer.body.data[0];
      });
      assert.equal(row.registry, 'reputation');
      assert.equal(row.data.value, '-320000000000000000000.0');
      assert.equal(row.data.score ?? null, null);
      assert.equal(row.data.tag1, 'tradingYield');
    });

    test('a failing receiver is tried again with the same id and the same bytes', async () => {
      receiver.deliveries.length = 0;
      receiver.answer = (_, n) => ({ status: n === 1 ? 503 : 200, headers: n === 1 ? { 'retry-after': '1' } : {} });
      const { trigger, secrets } = await user.trigger(lowScore(receiver, { name: 'retry' }));
      receiver.secrets = secrets;
      await anvil.call('reputation', 'feedback', 42, 5, 0, 'starred', '', '');
      await until('the second attempt', () => receiver.deliveries.length === 2);
      const [first, second] = receiver.deliveries;
      assert.equal(second.id, first.id);
      assert.equal(second.body, first.body);
      assert.equal(second.headers['x-agentauri-attempt'], '2');
      receiver.answer = () => ({ status: 200 });
      await user.delete(`/api/v1/triggers/${trigger.id}`);
    });

    test('410 Gone disables the action', async () => {
      receiver.deliveries.length = 0;
      receiver.answer = () => ({ status: 410 });
      const { trigger, secrets } = await user.trigger(lowScore(receiver, { name: 'gone' }));
      receiver.secrets = secrets;
      await anvil.call('reputation', 'feedback', 42, 5, 0, 'starred', '', '');
      const rows = await until('the job to be dead', async () => {
        const found = await user.deliveries(trigger);
        return found.length === 1 && found[0].state === 'dead' && found;
      });
      assert.equal(rows[0].attempts.length, 1);
      receiver.answer = () => ({ status: 200 });
      await anvil.call('reputation', 'feedback', 42, 6, 0, 'starred', '', '');
      await until('the next job to end', async () => (await user.deliveries(trigger)).filter((d) => d.state === 'dead').length === 2);
      assert.equal(receiver.deliveries.length, 1);
      await user.delete(`/api/v1/triggers/${trigger.id}`);
    });

    test('a moving average fires below its bound', async () => {
      receiver.deliveries.length = 0;
      const { trigger, secrets } = await user.trigger({
        name: 'ema',
        chain_id: 31337,
        registry: 'reputation',
        is_stateful: true,
        conditions: [
          { condition_type: 'agent_id_equals', field: 'agent_id', operator: '=', value: '77' },
          { condition_type: 'ema_threshold', field: 'score', operator: '<', value: '70', config: { window_size: 10 } },
        ],
        actions: [{ action_type: 'rest', config: { url: receiver.url, body: { ema: '{{ema_score}}', text: 'now {{ score }}' } } }],
      });
      receiver.secrets = secrets;
      for (const score of [80, 60, 40, 90]) await anvil.call('reputation', 'feedback', 77, score, 0, 'starred', '', '');
      await until('the webhook', () => receiver.deliveries.length === 1);
      const body = JSON.parse(receiver.deliveries[0].body);
      assert.ok(Math.abs(Number(body.ema) - 69.75206611570248) < 1e-12, body.ema);
      assert.equal(body.text, 'now 40');
      await until('the fourth event to be evaluated', async () => (await user.get('/api/v1/events?agentId=77&eventType=NewFeedback')).body.data.length === 4);
      await user.delete(`/api/v1/triggers/${trigger.id}`);
    });

    test('a secret is rotated with overlap', async () => {
      receiver.deliveries.length = 0;
      const { trigger, secrets } = await user.trigger(lowScore(receiver, { name: 'rotate' }));
      const action = trigger.actions[0];
      const rotated = await user.post(`/api/v1/triggers/${trigger.id}/actions/${action.id}/rotate-secret`, { overlap_seconds: 600 });
      assert.equal(rotated.status, 200);
      const fresh = rotated.body.data.signing_secret;
      assert.notEqual(fresh, secrets[0]);
      for (const secret of [secrets[0], fresh]) {
        receiver.secrets = [secret];
        const before = receiver.deliveries.length;
        await anvil.call('reputation', 'feedback', 42, 3, 0, 'starred', '', '');
        await until('a webhook that this secret verifies', () => receiver.deliveries.length === before + 1);
      }
      assert.equal(receiver.unverified.length, 0);
      await user.delete(`/api/v1/triggers/${trigger.id}`);
    });
  });
}

after(stopEngines);
