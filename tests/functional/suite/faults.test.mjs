// What happens to a database and to the network in front of it: restarts, terminated connections, resets, cuts, silence.
// Nothing is lost, what cannot be done is said in words, and all of it mends itself: no process is started again.
import assert from 'node:assert/strict';
import { after, afterEach, before, describe, test } from 'node:test';
import { Anvil } from '../lib/anvil.mjs';
import { Calls, health, readyAfter } from '../lib/calls.mjs';
import { Cluster } from '../lib/cluster.mjs';
import { Postgres } from '../lib/postgres.mjs';
import { Receiver } from '../lib/receiver.mjs';
import { TcpProxy } from '../lib/tcp_proxy.mjs';
import { Traffic, agentOf, everyFeedback, settle } from '../lib/traffic.mjs';
import { until } from '../lib/wait.mjs';

const BACK_MS = 5000;
const TAKE_OVER_MS = 5000;

const saidSince = (app, place) => app.child.output.slice(place);

describe('faults of the database and the network', () => {
  let postgres, anvil, receiver, cluster, user, trigger, traffic, gateway, proxies, pids, seen;
  before(async () => {
    postgres = await Postgres.start();
    anvil = await Anvil.start({ blockTime: 0.25 });
    receiver = await Receiver.start();
    proxies = [];
    const environment = async (role, n) => {
      const proxy = await TcpProxy.start(postgres.port);
      proxies.push({ role, n, proxy });
      return { ...anvil.environment(), DB_PORT: String(proxy.port), RATE_LIMIT_MODE: 'shadow' };
    };
    cluster = await Cluster.start({ postgres, environment, counts: { gateway: 1, indexer: 1, engine: 2, worker: 1 } });
    for (const entry of proxies) entry.app = cluster.of(entry.role)[entry.n];
    [gateway] = cluster.of('gateway');
    user = await cluster.register();
    const made = await user.trigger(everyFeedback(receiver));
    trigger = made.trigger;
    receiver.secrets = made.secrets;
    traffic = new Traffic(anvil);
    pids = cluster.processes.map((app) => app.child.pid);
    seen = () => new Map(cluster.processes.map((app) => [app, app.child.output.length]));
    await arrival(await traffic.send());
  });
  afterEach(() => traffic.halt());
  after(async () => {
    await cluster?.stop();
    for (const { proxy } of proxies ?? []) await proxy.stop();
    await anvil?.stop();
    await receiver?.close();
    await postgres?.stop();
  });

  const arrival = (agent, options) => until(`the alert about agent ${agent}`, () => receiver.deliveries.find((delivery) => agentOf(delivery) === agent), options);
  const account = async () => {
    const settled = await settle({ traffic, user, trigger, receiver });
    assert.deepEqual(cluster.processes.map((app) => app.child.exitCode), pids.map(() => null), 'nobody ended');
    return settled;
  };
  const everyProxy = (act) => Promise.all(proxies.map(({ proxy }) => act(proxy)));

  for (const [how, signal, awayMs] of [['fast', 'SIGINT', 6500], ['immediate', 'SIGQUIT', 500]]) {
    test(`PostgreSQL restarts (${how}) under load`, async () => {
      const from = seen();
      const calls = new Calls(user);
      traffic.flow();
      calls.begin();
      await arrival(await traffic.send());
      const stopped = Date.now();
      await postgres.pause(signal);
      const unready = await until('readiness to say no', async () => {
        const answer = await health(gateway, '/ready');
        return answer.status === 503 && answer;
      });
      assert.ok(Date.now() - stopped <= BACK_MS, `after ${Date.now() - stopped} ms`);
      assert.equal(unready.body.failed, 'database');
      assert.equal(unready.body.database, 'disconnected');
      const unhealthy = await health(gateway);
      assert.equal(unhealthy.status, 503);
      assert.equal(unhealthy.body.status, 'unhealthy');
      assert.equal(unhealthy.body.database, 'disconnected');
      assert.equal((await health(gateway, '/live')).status, 200);
      await until('the outage to have lasted', () => Date.now() - stopped >= awayMs);
      await postgres.launch();
      const back = Date.now();
      const readyMs = await readyAfter(gateway, back);
      assert.ok(readyMs <= BACK_MS, `ready again after ${readyMs} ms`);
      const alertMs = (await arrival(await traffic.send())).at - back;
      assert.ok(alertMs <= BACK_MS, `alerts flow again after ${alertMs} ms`);
      await traffic.halt();
      const refused = await calls.end();
      const settled = await account();
      // Whoever was away from it for long said so.
      if (awayMs > 2000) {
        for (const [app, place] of from) assert.match(saidSince(app, place), /does not reach the store|does not serve|cannot be reached/, app.role);
      }
      console.log(`restart (${how}): ready after ${readyMs} ms, alerts after ${alertMs} ms; ${refused} of ${calls.answers.length} calls were answered 503; ${JSON.stringify(settled)}`);
    });
  }

  test('connections are terminated again and again', async () => {
    const calls = new Calls(user);
    traffic.flow();
    calls.begin();
    const until4s = Date.now() + 4000;
    let ended = 0;
    while (Date.now() < until4s) {
      ended += Number(await postgres.query(cluster.database, `SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()`));
    }
    const over = Date.now();
    const alertMs = (await arrival(await traffic.send())).at - over;
    assert.ok(alertMs <= BACK_MS, `alerts flow again after ${alertMs} ms`);
    await traffic.halt();
    const refused = await calls.end();
    const settled = await account();
    assert.ok(ended > 20, `${ended} connections were ended`);
    console.log(`${ended} connections terminated: alerts after ${alertMs} ms; ${refused} of ${calls.answers.length} calls were answered 503; ${JSON.stringify(settled)}`);
  });

  test('a commit whose answer is lost is a 503 that says so, never a 500', async () => {
    await postgres.query(cluster.database, `
      CREATE FUNCTION test_die() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NULL; END $$;
      CREATE CONSTRAINT TRIGGER test_die AFTER INSERT ON triggers DEFERRABLE INITIALLY DEFERRED FOR EACH ROW WHEN (NEW.name = 'lost') EXECUTE FUNCTION test_die()`);
    const answer = await user.post('/api/v1/triggers', { name: 'lost', chain_id: 31337, registry: 'validation', enabled: false });
    assert.equal(answer.status, 503, JSON.stringify(answer.body));
    assert.equal(answer.body.error, 'service_unavailable');
    assert.match(answer.body.message, /may have been done all the same/);
    assert.equal(answer.headers.get('retry-after'), '1');
    await postgres.query(cluster.database, 'DROP TRIGGER test_die ON triggers; DROP FUNCTION test_die');
  });

  const NETWORK = {
    'resets every connection, several times': async () => {
      for (let n = 0; n < 5; n++) {
        await everyProxy((proxy) => proxy.reset());
        await arrival(await traffic.send());
      }
    },
    'is cut for two seconds': async () => {
      await everyProxy((proxy) => proxy.cut());
      const unready = await until('readiness to say no', async () => {
        const answer = await health(gateway, '/ready');
        return answer.status === 503 && answer;
      });
      assert.equal(unready.body.failed, 'database');
      await new Promise((resolve) => setTimeout(resolve, 2000));
      await everyProxy((proxy) => proxy.open());
    },
    'falls silent for longer than a lease lives': async () => {
      await everyProxy((proxy) => proxy.fallSilent());
      const silent = Date.now();
      const unready = await until('readiness to say no', async () => {
        const answer = await health(gateway, '/ready');
        return answer.status === 503 && answer;
      });
      assert.ok(Date.now() - silent <= BACK_MS, `after ${Date.now() - silent} ms`);
      assert.equal(unready.body.failed, 'database');
      assert.equal((await health(gateway, '/live')).status, 200);
      await until('the silence to have lasted', () => Date.now() - silent >= 4500);
      await everyProxy((proxy) => proxy.speakAgain());
    },
  };
  for (const [what, act] of Object.entries(NETWORK)) {
    test(`the network ${what}`, async () => {
      const calls = new Calls(user);
      traffic.flow();
      calls.begin();
      await arrival(await traffic.send());
      await act();
      const over = Date.now();
      const readyMs = await readyAfter(gateway, over);
      assert.ok(readyMs <= BACK_MS, `ready again after ${readyMs} ms`);
      const alertMs = (await arrival(await traffic.send())).at - over;
      assert.ok(alertMs <= BACK_MS, `alerts flow again after ${alertMs} ms`);
      await traffic.halt();
      const refused = await calls.end();
      const settled = await account();
      console.log(`the network ${what}: ready after ${readyMs} ms, alerts after ${alertMs} ms; ${refused} of ${calls.answers.length} calls were answered 503; ${JSON.stringify(settled)}`);
    });
  }

  test('an engine that is cut off by silence loses its lease, and its late commit is refused', async () => {
    const before = await cluster.holder('engine');
    const { proxy } = proxies.find((entry) => entry.app === before.app);
    traffic.flow();
    await arrival(await traffic.send());
    const told = before.app.child.output.length;
    proxy.fallSilent();
    const silent = Date.now();
    const lease = await cluster.passedOn('engine', before);
    assert.ok(lease.acquiredAt - silent <= TAKE_OVER_MS, `the lease passed on after ${lease.acquiredAt - silent} ms`);
    const tookMs = (await arrival(await traffic.send())).at - silent;
    assert.ok(tookMs <= TAKE_OVER_MS, `alerts flow again after ${tookMs} ms`);
    proxy.speakAgain();
    await until('the late one to notice', () => saidSince(before.app, told).includes("the engine's lease has passed on"));
    await traffic.halt();
    console.log(`an engine cut off: lease after ${Math.round(lease.acquiredAt - silent)} ms; ${JSON.stringify(await account())}`);
    assert.equal((await cluster.lease('engine')).epoch, lease.epoch);
  });
});
