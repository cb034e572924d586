// The four roles as processes, two of each on one PostgreSQL: what dies, freezes or comes back late costs seconds, never an
// alert, and nothing is enqueued twice.
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import { Anvil } from '../lib/anvil.mjs';
import { Client } from '../lib/agentauri.mjs';
import { Cluster, ROLES } from '../lib/cluster.mjs';
import { Postgres } from '../lib/postgres.mjs';
import { Receiver } from '../lib/receiver.mjs';
import { Traffic, agentOf, everyFeedback, settle } from '../lib/traffic.mjs';
import { until } from '../lib/wait.mjs';

// The promise, and on a machine that is busy with other things as well what an ordinary alert takes there, several times over: a
// take-over has several steps.
const TAKE_OVER_MS = 5000;
const SLOWER = 5;
// What the one that lost its lease says when it notices.
const LATE = { engine: "the engine's lease has passed on", indexer: 'the chain is not followed here any more; taking its lease again' };

describe('roles as processes', () => {
  let postgres, anvil, receiver, cluster, user, trigger, traffic;
  before(async () => {
    postgres = await Postgres.start();
    anvil = await Anvil.start({ blockTime: 0.25 });
    receiver = await Receiver.start();
    cluster = await Cluster.start({ postgres, environment: anvil.environment() });
    user = await cluster.register();
    const made = await user.trigger(everyFeedback(receiver));
    trigger = made.trigger;
    receiver.secrets = made.secrets;
    traffic = new Traffic(anvil);
  });
  afterEach(() => traffic.halt());
  after(async () => {
    await cluster?.stop();
    await anvil?.stop();
    await receiver?.close();
    await postgres?.stop();
  });

  const arrival = (agent, options) => until(`the alert about agent ${agent}`, () => receiver.deliveries.find((delivery) => agentOf(delivery) === agent), options);
  // How long a take-over may last, by what an alert takes while all are there.
  const allowed = async () => {
    const sent = Date.now();
    const { at } = await arrival(await traffic.send());
    return TAKE_OVER_MS + SLOWER * (at - sent);
  };
  // An event sent now, and how long after `since` its alert is there.
  const alertAfter = async (since) => (await arrival(await traffic.send())).at - since;
  const account = () => settle({ traffic, user, trigger, receiver });

  test('everybody is there, each lease has one holder, and an alert arrives', async () => {
    const instances = await cluster.instances();
    assert.deepEqual(instances.map((row) => row.roles).sort(), ROLES.flatMap((role) => [role, role]).sort());
    assert.deepEqual(instances.map((row) => row.pid).sort(), cluster.processes.map((app) => app.child.pid).sort());
    assert.ok(instances.every((row) => row.silent_s < 3), JSON.stringify(instances));
    for (const role of ['indexer', 'engine']) assert.equal((await cluster.holder(role)).app.role, role);
    // And an operator sees it.
    const listed = JSON.parse((await cluster.tool.command(['instances', '--json'])).output);
    assert.deepEqual(listed.free_leases, []);
    assert.deepEqual(listed.instances.map((row) => row.pid).sort(), cluster.processes.map((app) => app.child.pid).sort());
    for (const [role, name] of [['indexer', 'chain:31337'], ['engine', 'engine:0']]) {
      const holders = listed.instances.filter((row) => row.leases.some((lease) => lease.name === name));
      assert.deepEqual(holders.map((row) => row.roles), [role]);
    }
    for (const gateway of cluster.of('gateway')) {
      const ready = await fetch(`${gateway.url}/api/v1/health/ready`);
      assert.equal(ready.status, 200, await ready.text());
    }
    await arrival(await traffic.send());
    await account();
  });

  for (const role of ['engine', 'indexer']) {
    test(`kill -9 of the ${role} that holds the lease: the other one takes over`, async () => {
      const before = await cluster.holder(role);
      traffic.flow();
      const limit = await allowed();
      await before.app.kill();
      const killed = Date.now();
      const alert = alertAfter(killed);
      const lease = await cluster.passedOn(role, before);
      assert.ok(lease.acquiredAt - killed <= limit, `the lease passed on after ${lease.acquiredAt - killed} ms`);
      const tookMs = await alert;
      assert.ok(tookMs <= limit, `the alert came ${tookMs} ms after the kill`);
      assert.equal((await cluster.holder(role)).app.role, role);
      await cluster.launch(before.app);   // it waits for its turn
      await traffic.halt();
      await account();
      assert.equal((await cluster.lease(role)).epoch, lease.epoch);
      console.log(`${role} killed: lease after ${Math.round(lease.acquiredAt - killed)} ms, alert after ${Math.round(tookMs)} ms`);
    });

    test(`a frozen ${role}: the other one takes over, and its late commit is refused`, async () => {
      const before = await cluster.holder(role);
      traffic.flow();
      const limit = await allowed();
      const told = before.app.child.output.length;
      cluster.freeze(before.app);
      const frozen = Date.now();
      const alert = alertAfter(frozen);
      const lease = await cluster.passedOn(role, before);
      assert.ok(lease.acquiredAt - frozen <= limit, `the lease passed on after ${lease.acquiredAt - frozen} ms`);
      const tookMs = await alert;
      assert.ok(tookMs <= limit, `the alert came ${tookMs} ms after it was frozen`);
      cluster.thaw(before.app);
      await until('the late one to notice', () => before.app.child.output.slice(told).includes(LATE[role]));
      await traffic.halt();
      await account();
      assert.equal((await cluster.lease(role)).epoch, lease.epoch, 'it waits for its turn');
      assert.ok(before.app.child.exitCode === null, 'it goes on');
      console.log(`${role} frozen: lease after ${Math.round(lease.acquiredAt - frozen)} ms, alert after ${Math.round(tookMs)} ms`);
    });
  }

  // It holds locks, on its lease and on the chain, that nobody would get as long as its transaction lives.
  test('an engine frozen in the middle of a commit holds up nobody for longer', async () => {
    const before = await cluster.holder('engine');
    const limit = await allowed();
    // Nobody may insert a job for the moment, so that the engine's commit stands still behind its first statements.
    const lock = postgres.session(cluster.database);
    await lock.run('BEGIN; LOCK TABLE jobs IN SHARE ROW EXCLUSIVE MODE');
    const agent = await traffic.send();
    await until('the engine to wait in its commit', async () => (await cluster.rows(`SELECT 1 FROM pg_locks WHERE relation = 'jobs'::regclass AND NOT granted`)).length > 0);
    cluster.freeze(before.app);
    const frozen = Date.now();
    await lock.run('COMMIT');
    await lock.end();
    const lease = await cluster.passedOn('engine', before);
    assert.ok(lease.acquiredAt - frozen <= limit, `the lease passed on after ${lease.acquiredAt - frozen} ms`);
    const tookMs = (await arrival(agent)).at - frozen;
    assert.ok(tookMs <= limit, `the alert came ${tookMs} ms after it was frozen`);
    const told = before.app.child.output.length;
    cluster.thaw(before.app);
    await until('the late one to notice', async () => {
      await traffic.send();
      return before.app.child.output.slice(told).includes(LATE.engine);
    }, { everyMs: 200 });
    await account();
    console.log(`engine frozen in a commit: lease after ${Math.round(lease.acquiredAt - frozen)} ms, alert after ${Math.round(tookMs)} ms`);
  });

  test('a worker frozen in mid-attempt: the other one sends again under the same id, and the late answer changes nothing', async () => {
    const limit = await allowed();
    let answer;
    const held = new Promise((resolve) => (answer = resolve));
    const before = receiver.deliveries.length;
    receiver.hold = (delivery) => (agentOf(delivery) === agent && delivery.headers['x-agentauri-attempt'] === '1' ? held : undefined);
    const agent = String(traffic.next);
    await traffic.send();
    const first = await arrival(agent);
    const [{ pid }] = await cluster.rows(`SELECT i.pid FROM jobs j JOIN instances i ON i.id = j.lease_instance WHERE j.state = 'leased'`);
    const worker = cluster.of('worker').find((app) => app.child.pid === pid);
    cluster.freeze(worker);
    const frozen = Date.now();
    answer();   // it lies in the socket of the frozen one
    const second = await until('the second attempt', () => receiver.deliveries.slice(before).find((delivery) => agentOf(delivery) === agent && delivery !== first));
    assert.ok(second.at - frozen <= limit, `the job was taken over after ${second.at - frozen} ms`);
    assert.equal(second.id, first.id);
    assert.equal(second.body, first.body);
    assert.equal(second.headers['x-agentauri-attempt'], '2');
    const recorded = async () => (await user.deliveries(trigger)).find((row) => row.id === first.id);
    await until('the record of the second', async () => (await recorded()).state === 'succeeded');
    const told = worker.child.output.length;
    cluster.thaw(worker);
    await until('the late one to be back', () => worker.child.output.slice(told).includes(first.id) || worker.logLines().some((line) => line.message === 'delivered' && line.job_id === first.id));
    await arrival(await traffic.send());   // and both work on
    const row = await recorded();
    assert.equal(row.state, 'succeeded');
    assert.deepEqual(row.attempts.map((attempt) => attempt.outcome), ['unknown', 'ok']);
    receiver.hold = undefined;
    await account();
  });

  test('a gateway that is killed: the other one serves, and sessions are valid at both', async () => {
    const [one, two] = cluster.of('gateway');
    const other = new Client(two.url);
    other.session = user.session;
    assert.equal((await other.get('/api/v1/auth/me')).status, 200);
    await one.kill();
    const me = await other.get('/api/v1/auth/me');
    assert.equal(me.status, 200);
    assert.equal(me.body.username ?? me.body.data?.username, user.username);
    const made = await other.trigger(everyFeedback(receiver, { name: 'made at the other one', enabled: false }));
    await cluster.launch(one);
    assert.equal((await user.get(`/api/v1/triggers/${made.trigger.id}`)).status, 200, 'and what was made there is known here');
    await user.delete(`/api/v1/triggers/${made.trigger.id}`);
    // A session that ends at one of them ends at both, within a second.
    const leaving = await Client.registered(two.url);
    const there = new Client(one.url);
    there.session = leaving.session;
    assert.equal((await there.get('/api/v1/auth/me')).status, 200);
    const left = Date.now();
    assert.ok((await leaving.post('/api/v1/auth/logout')).status < 300);
    await until('the other gateway to know', async () => (await there.get('/api/v1/auth/me')).status === 401);
    assert.ok(Date.now() - left <= 2000, `${Date.now() - left} ms`);
    await account();
  });

  test('stopped in order, all of them sign off, and nothing is left', async () => {
    const status = await cluster.of('indexer')[0].command(['chain', 'status', '--json']);
    assert.equal(JSON.parse(status.output).chains[0].coverage_gap_blocks, 0, status.output);
    for (const app of cluster.processes) app.child.kill('SIGTERM');
    for (const app of cluster.processes) assert.deepEqual((await app.child.ended).code, 0, app.child.output.slice(-500));
    assert.deepEqual(await cluster.instances(), []);
    const [left] = await cluster.rows(`SELECT count(*) FILTER (WHERE state <> 'succeeded') AS jobs, (SELECT count(*) FROM attempts WHERE finished_at IS NULL) AS attempts FROM jobs`);
    assert.deepEqual(left, { jobs: 0, attempts: 0 });
  });
});
