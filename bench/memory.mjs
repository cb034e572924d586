// Memory of the whole program with a million stored events and a thousand triggers, while it follows a chain with four
// blocks a second and one event in each: settled after its start, and after the API has read through the events.
//   node bench/memory.mjs [events]
import { spawnSync } from 'node:child_process';
import { stat } from 'node:fs/promises';
import path from 'node:path';
import { AgentAuri, Client, ROOT } from '../tests/functional/lib/agentauri.mjs';
import { until } from '../tests/functional/lib/wait.mjs';
import { FastReceiver, PacedNode, launchLogged, memoryMb, note, nowMs, report, sleep, webhookTrigger } from './lib.mjs';

const events = Number(process.argv[2] ?? 1_000_000);
const TRIGGERS = 1000;   // as many as an organization may have
const AT_ONCE = 8;
const SETTLE_MS = 8000;   // until first work is done and freed
const PAGES = 100;

async function end(app) {
  app.child.kill('SIGTERM');
  await app.child.ended;
}

const node = await PacedNode.start({ blocksPerSecond: 4, eventsOfBlock: 1 });
const receiver = await FastReceiver.start(1);
// Creating a thousand triggers, and reading, is above what a free plan may ask for in an hour.
const app = await AgentAuri.prepare({ ...node.environment, RATE_LIMIT_MODE: 'shadow' });
// A store that is older than its folder's secrets would be refused.
await launchLogged(app);
await end(app);
const began = nowMs();
const filled = spawnSync(path.join(ROOT, 'build/release/bin/fill_store'), [app.data, String(events)], { cwd: ROOT, stdio: 'inherit' });
if (filled.status !== 0) throw new Error('the store could not be filled');
note('events written to the store beforehand', events / ((nowMs() - began) / 1000), 'events/s');

await launchLogged(app);
const user = await Client.registered(app.url);
const secrets = {};
let made = 0;
await Promise.all(Array.from({ length: AT_ONCE }, async () => {
  while (made < TRIGGERS) {
    const agent = made++;   // the node's events are about agents 0 to 9
    const { trigger, secrets: [secret] } = await user.trigger({
      ...webhookTrigger(`feedback on agent ${agent}`, receiver.urls[0]),
      conditions: [{ condition_type: 'agent_id_equals', field: 'agent_id', operator: '=', value: String(agent) },
        { condition_type: 'score_threshold', field: 'score', operator: '<', value: '60' }],
    });
    secrets[trigger.id] = secret;
  }
}));
await receiver.expect(secrets);
await end(app);

// The start that counts reads all of it anew.
await launchLogged(app);
node.begin();
await sleep(SETTLE_MS);
await until('a webhook', async () => (await receiver.stats()).received > 0);
const resident = await memoryMb(app.child.pid, 'VmRSS');
note('of the memory: not shared with files', await memoryMb(app.child.pid, 'RssAnon'), 'MB');
note('size of the database', (await stat(path.join(app.data, 'agentauri.db'))).size / 1e6, 'MB');
report(`memory with ${events} events and ${TRIGGERS} triggers (VmRSS)`, resident, 'MB', { atMost: 80 });
for (let page = 0; page < PAGES; page++) {
  const answer = await user.get(`/api/v1/events?limit=100&offset=${page * 100}`);
  if (answer.status !== 200) throw new Error(`events: ${answer.status} ${JSON.stringify(answer.body)}`);
}
note(`the same after ${PAGES} pages of events were read`, await memoryMb(app.child.pid, 'VmRSS'), 'MB');
note('the same at its highest', await memoryMb(app.child.pid, 'VmHWM'), 'MB');
await app.stop();
await receiver.stop();
await node.stop();
