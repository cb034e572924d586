// The roles as processes on one PostgreSQL, two of each: killed, frozen and thawed at random points while events flow. After every
// ten rounds, and at the end, the account is settled (lib/traffic.mjs): no alert lost, none enqueued twice, none unexplained.
//   KILL_ROLES_ROUNDS=1000 npm run kill       KILL_SEED=7
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Anvil } from '../lib/anvil.mjs';
import { Cluster } from '../lib/cluster.mjs';
import { Postgres } from '../lib/postgres.mjs';
import { Receiver } from '../lib/receiver.mjs';
import { Traffic, everyFeedback, settle } from '../lib/traffic.mjs';
import { until } from '../lib/wait.mjs';

const ROUNDS = Number(process.env.KILL_ROLES_ROUNDS ?? 30);
const SETTLE_EVERY = 10;
const LONGEST_FREEZE_MS = 5000;   // a lease is void after 3 s
const FREEZES = 0.35;             // of all rounds; the others kill

let seed = Number(process.env.KILL_SEED ?? Date.now() % 1_000_000);
const random = () => {
  seed = (seed * 1103515245 + 12345) % 2147483648;
  return seed / 2147483648;
};
const sleep = (ms) => new Promise((resolve) => setTimeout(resolve, ms));

test(`roles as processes: ${ROUNDS} rounds, seed ${seed}`, async () => {
  const postgres = await Postgres.start();
  const anvil = await Anvil.start({ blockTime: 0.25 });
  const receiver = await Receiver.start();
  receiver.delayMs = 50;
  const cluster = await Cluster.start({ postgres, environment: anvil.environment() });
  const counts = { killed: {}, frozen: {} };
  try {
    const user = await cluster.register();
    const { trigger, secrets } = await user.trigger(everyFeedback(receiver));
    receiver.secrets = secrets;
    const traffic = new Traffic(anvil, { random });
    let frozen = [];   // {app, until}
    const thawThoseDue = (all) => {
      for (const { app } of frozen.filter((one) => all || one.until <= Date.now())) if (app.isFrozen) cluster.thaw(app);
      frozen = frozen.filter((one) => one.app.isFrozen);
    };
    const count = (what, app) => (counts[what][app.role] = (counts[what][app.role] ?? 0) + 1);

    traffic.flow();
    for (let round = 1; round <= ROUNDS; round++) {
      await sleep(random() * 700);
      thawThoseDue();
      const app = cluster.processes[Math.floor(random() * cluster.processes.length)];
      if (random() < FREEZES) {
        if (app.isFrozen) continue;
        cluster.freeze(app);
        frozen.push({ app, until: Date.now() + random() * LONGEST_FREEZE_MS });
        count('frozen', app);
      } else {
        await app.kill();   // a frozen one too
        app.isFrozen = false;
        app.spawn();
        count('killed', app);
      }
      if (round % SETTLE_EVERY !== 0 && round !== ROUNDS) continue;
      await traffic.halt();
      // Whoever is frozen comes back late, to a world that has gone on without it.
      await sleep(random() * LONGEST_FREEZE_MS / 2);
      thawThoseDue(true);
      for (const gateway of cluster.of('gateway')) await until('the gateways', async () => (await fetch(`${gateway.url}/api/v1/health`)).status === 200);
      const settled = await settle({ traffic, user, trigger, receiver, timeoutMs: 120_000 });
      console.log(`after ${round} rounds: ${JSON.stringify(settled)}`);
      traffic.flow();
    }
    await traffic.halt();
    await settle({ traffic, user, trigger, receiver, timeoutMs: 120_000 });

    // The same from the tables, and nothing is under way any more.
    const [sums] = await cluster.rows(`SELECT
      (SELECT count(*) FROM events WHERE canonical AND event_type = 'NewFeedback') AS events,
      (SELECT count(*) FROM jobs) AS jobs,
      (SELECT count(DISTINCT event_id) FROM jobs) AS events_with_jobs,
      (SELECT count(*) FROM jobs WHERE state <> 'succeeded') AS unfinished,
      (SELECT count(*) FROM attempts WHERE finished_at IS NULL) AS open_attempts,
      (SELECT count(*) FROM event_dead_letters) AS set_aside`);
    assert.deepEqual(sums, { events: traffic.sent, jobs: traffic.sent, events_with_jobs: traffic.sent, unfinished: 0, open_attempts: 0, set_aside: 0 });
    const status = await cluster.of('indexer')[0].command(['chain', 'status', '--json']);
    assert.equal(JSON.parse(status.output).chains[0].coverage_gap_blocks, 0, status.output);
    for (const app of cluster.processes) assert.equal(app.child.exitCode, null, `${app.role} ended by itself:\n${app.child.output.slice(-2000)}`);
    console.log(`${ROUNDS} rounds: ${JSON.stringify(counts)}, ${traffic.sent} events`);
  } finally {
    await cluster.stop();
    await anvil.stop();
    await receiver.close();
    await postgres.stop();
  }
});
