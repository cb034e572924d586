// Events that can be told from each other, and the account that is settled at the end: each event of the run has exactly one
// job, each job was delivered under one id with one body, and whatever came twice is explained by an attempt without an answer.
import assert from 'node:assert/strict';
import { until } from './wait.mjs';

export class Traffic {
  // Each feedback is about an agent of its own, from `first` on.
  constructor(anvil, { first = 1, random = Math.random } = {}) {
    this.anvil = anvil;
    this.first = this.next = first;
    this.random = random;
  }

  get sent() {
    return this.next - this.first;
  }

  // One event now, behind those before it (the node numbers the transactions of an account); the agent that it is about.
  send() {
    this.turn = (this.turn ?? Promise.resolve()).then(async () => {
      const { address, abi } = this.anvil.registries.reputation;
      const data = abi.encodeFunctionData('feedback', [this.next, 10, 0, 'starred', '', '']);
      await this.anvil.rpc('eth_sendTransaction', { from: this.anvil.account, to: address, data, gas: '0x7a120' });
      return String(this.next++);
    });
    return this.turn;
  }

  // Some every 40 to 120 ms, until halt().
  flow() {
    this.flowing = true;
    this.running = (async () => {
      while (this.flowing) {
        for (let left = 1 + Math.floor(this.random() * 3); left > 0; left--) await this.send();
        await new Promise((resolve) => setTimeout(resolve, 40 + this.random() * 80));
      }
    })();
  }

  async halt() {
    this.flowing = false;
    await this.running;
  }
}

export const everyFeedback = (receiver, extra = {}) => ({
  name: 'every feedback', chain_id: 31337, registry: 'reputation',
  conditions: [{ condition_type: 'event_type_equals', field: 'event_type', operator: '=', value: 'NewFeedback' }],
  actions: [{ action_type: 'rest', config: { url: receiver.url } }],
  ...extra,
});

// Parsed once: tests ask for it again and again.
export const agentOf = (delivery) => (delivery.agent ??= String(JSON.parse(delivery.body).event.data.agent_id));

// Waits until every event of `traffic` is delivered and recorded, then checks. `user` reads the deliveries through the API.
export async function settle({ traffic, user, trigger, receiver, timeoutMs = 60_000 }) {
  const expected = traffic.sent;
  const last = {};
  const rows = await until('every job to be delivered', async () => {
    last.rows = await user.deliveries(trigger);
    return last.rows.length >= expected && last.rows.every((row) => row.state === 'succeeded') && last.rows;
  }, { timeoutMs, everyMs: 250 }).catch((error) => {
    const states = Object.groupBy ? Object.groupBy(last.rows ?? [], (row) => row.state) : {};
    error.message += `: ${last.rows?.length} of ${expected} jobs, ${JSON.stringify(Object.entries(states).map(([state, list]) => [state, list.length]))}`;
    throw error;
  });

  assert.equal(rows.length, expected, 'one job for each event');
  assert.equal(new Set(rows.map((row) => row.id)).size, expected);
  assert.equal(new Set(rows.map((row) => row.event_id)).size, expected);
  const jobs = new Map(rows.map((row) => [row.id, row]));
  const arrived = new Map();   // by webhook-id
  for (const delivery of receiver.deliveries) {
    const known = arrived.get(delivery.id);
    assert.ok(jobs.has(delivery.id), `a webhook without a job: ${delivery.id}`);
    if (known) assert.equal(delivery.body, known.body, 'the same id carries the same bytes');
    arrived.set(delivery.id, { body: delivery.body, agent: agentOf(delivery), count: (known?.count ?? 0) + 1 });
  }
  assert.equal(arrived.size, expected, 'each was delivered');
  const agents = new Set([...arrived.values()].map((one) => one.agent));
  for (let agent = traffic.first; agent < traffic.next; agent++) assert.ok(agents.has(String(agent)), `the event about agent ${agent} is missing`);
  assert.equal(agents.size, expected);
  assert.equal(receiver.unverified.length, 0);

  // Only what has no answer may come again, and each time is recorded.
  let repeats = 0, unknown = 0;
  for (const row of rows) {
    const open = row.attempts.filter((attempt) => attempt.outcome === 'unknown').length;
    const again = arrived.get(row.id).count - 1;
    assert.ok(again <= open, `${row.id} came ${again + 1} times, with ${open} attempts without an answer: ${JSON.stringify(row.attempts)}`);
    assert.equal(row.attempts.filter((attempt) => attempt.outcome === 'ok').length, 1, JSON.stringify(row.attempts));
    assert.equal(row.explanation.decision, 'match');
    repeats += again;
    unknown += open;
  }
  return { events: expected, repeats, unknown };
}
