// Disks that are full: what cannot be kept is refused in words, nothing is lost, and all goes on when there is room. The disks
// are in memory and mounted for the test, which not every container permits.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { AgentAuri, Client } from '../lib/agentauri.mjs';
import { Anvil } from '../lib/anvil.mjs';
import { health, readyAfter } from '../lib/calls.mjs';
import { Cluster } from '../lib/cluster.mjs';
import { Postgres } from '../lib/postgres.mjs';
import { start } from '../lib/process.mjs';
import { Receiver } from '../lib/receiver.mjs';
import { SmallDisk } from '../lib/small_disk.mjs';
import { Traffic, agentOf, everyFeedback, settle } from '../lib/traffic.mjs';
import { until } from '../lib/wait.mjs';

const BACK_MS = 5000;
const saidSince = (app, place) => app.child.output.slice(place);

describe('a full disk', () => {
  let anvil, receiver, disk, reason;
  before(async () => {
    ({ disk, reason } = await SmallDisk.start({ data: 80, wal: 24, sqlite: 16 }));
    if (!disk) return;
    anvil = await Anvil.start({ blockTime: 0.25 });
    receiver = await Receiver.start();
  });
  after(async () => {
    await anvil?.stop();
    await receiver?.close();
    await disk?.stop();
  });

  // Fills it, waits until the API says so, frees it.
  async function fullFor({ app, user, traffic, place, arrival }) {
    traffic.flow();
    await arrival(await traffic.send());
    const told = app.child.output.length;
    await disk.fill(place);
    const write = () => user.post('/api/v1/triggers', { name: 'x'.repeat(200), description: 'y'.repeat(900), chain_id: 31337, registry: 'validation', enabled: false });
    const statuses = new Set();
    const refused = await until('the API to refuse what it cannot keep', async () => {
      const answers = await Promise.all(Array.from({ length: 16 }, write));
      for (const answer of answers) statuses.add(answer.status);
      return answers.find((answer) => answer.status === 503);
    }, { everyMs: 10 });
    assert.deepEqual([...statuses].filter((status) => status !== 201 && status !== 503), []);
    assert.equal(refused.body.error, 'service_unavailable');
    assert.ok(Number(refused.headers.get('retry-after')) >= 1);
    assert.equal((await health(app, '/live')).status, 200);
    return told;
  }

  test('of SQLite: refused in words, nothing lost, goes on when there is room', async (t) => {
    if (!disk) return t.skip(reason);
    const app = await AgentAuri.prepare({ ...anvil.environment(), RATE_LIMIT_MODE: 'shadow' }, { data: disk.path('sqlite') });
    // In the namespace where the disk is.
    app.spawn = (args = ['serve']) => {
      const [nsenter, ...words] = disk.enter();
      app.child = start(nsenter, [...words, 'sh', '-c', 'cd "$AGENTAURI_DATA_DIR" && exec "$@"', '_', app.program, ...args], { env: app.environment });
      return app.child;
    };
    try {
      await app.launch();
      const user = await Client.registered(app.url);
      const { trigger, secrets } = await user.trigger(everyFeedback(receiver));
      receiver.secrets = secrets;
      receiver.deliveries.length = 0;
      const traffic = new Traffic(anvil);
      const arrival = (agent) => until(`the alert about agent ${agent}`, () => receiver.deliveries.find((delivery) => agentOf(delivery) === agent));
      const told = await fullFor({ app, user, traffic, place: 'sqlite', arrival });
      await until('a sentence in the log', () => /disk or the file is full/.test(saidSince(app, told)));
      await disk.empty('sqlite');
      const free = Date.now();
      const tookMs = (await arrival(await traffic.send())).at - free;
      assert.ok(tookMs <= BACK_MS, `alerts flow again after ${tookMs} ms`);
      await traffic.halt();
      console.log(`SQLite's disk was full: alerts after ${tookMs} ms; ${JSON.stringify(await settle({ traffic, user, trigger, receiver }))}`);
      assert.equal(app.child.exitCode, null);
    } finally {
      await app.stop();
    }
  });

  test('of PostgreSQL: its tables, then its log', async (t) => {
    if (!disk) return t.skip(reason);
    const postgres = await Postgres.start({ disk });
    const cluster = await Cluster.start({ postgres, environment: { ...anvil.environment(), RATE_LIMIT_MODE: 'shadow' }, counts: { gateway: 1, indexer: 1, engine: 1, worker: 1 } });
    try {
      const [app] = cluster.of('gateway');
      const user = await cluster.register();
      const { trigger, secrets } = await user.trigger(everyFeedback(receiver));
      receiver.secrets = secrets;
      receiver.deliveries.length = 0;
      const traffic = new Traffic(anvil, { first: 1_000_000 });
      const arrival = (agent) => until(`the alert about agent ${agent}`, () => receiver.deliveries.find((delivery) => agentOf(delivery) === agent));
      const back = async (since) => {
        const tookMs = (await arrival(await traffic.send())).at - since;
        assert.ok(tookMs <= BACK_MS, `alerts flow again after ${tookMs} ms`);
        await traffic.halt();
        assert.ok((await readyAfter(app, since)) <= BACK_MS);
        for (const each of cluster.processes) assert.equal(each.child.exitCode, null, each.role);
        return `alerts after ${tookMs} ms; ${JSON.stringify(await settle({ traffic, user, trigger, receiver }))}`;
      };

      // What has no room in a table is an error of its statement.
      const told = await fullFor({ app, user, traffic, place: 'data', arrival });
      await until('a sentence in the log', () => /No space left on device/.test(saidSince(app, told)));
      await disk.empty('data');
      console.log(`the disk of PostgreSQL's tables was full: ${await back(Date.now())}`);

      // Without room for its log the server ends, and is started again once there is some.
      await disk.fill('wal');
      traffic.flow();
      await until('readiness to say no', async () => (await health(app, '/ready')).status === 503, { timeoutMs: 60_000 });
      assert.equal((await health(app, '/live')).status, 200);
      await disk.empty('wal');
      await until('PostgreSQL to be there again', async () => {
        if (postgres.child.exitCode !== null) postgres.spawn();
        return (await postgres.psql('postgres', 'SELECT 1')).code === 0;
      }, { everyMs: 100 });
      console.log(`the disk of PostgreSQL's log was full: ${await back(Date.now())}`);
    } finally {
      await cluster.stop();
      await postgres.stop();
    }
  });
});
