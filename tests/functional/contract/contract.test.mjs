// The contract, fuzzed: schemathesis sends what openapi.yaml allows and what it forbids to the release binary, as a session,
// as an API key and as nobody, and holds every answer against the document. hooks.py says what it checks on top, which
// ids it uses and how it keeps the fuzzer from sawing off its own branch.
//
// CONTRACT_EXAMPLES: random requests for each operation, credential and engine, beyond those at the borders of the
// document (default 10). CONTRACT_SEED: another seed than the default finds other requests.
import assert from 'node:assert/strict';
import { mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { after, before, describe, test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { HDNodeWallet } from 'ethers';
import { Anvil } from '../lib/anvil.mjs';
import { Client, ROOT } from '../lib/agentauri.mjs';
import { ENGINES, launch, stopEngines } from '../lib/engines.mjs';
import { run } from '../lib/process.mjs';
import { Receiver } from '../lib/receiver.mjs';
import { until } from '../lib/wait.mjs';

const FUZZER = path.join(ROOT, 'build/contract-venv/bin/st');
const HERE = fileURLToPath(new URL('.', import.meta.url));
const MONITORING_TOKEN = 'lifts-the-limits-so-that-the-fuzzer-is-answered';
const EXAMPLES = process.env.CONTRACT_EXAMPLES ?? '10';
const SEED = process.env.CONTRACT_SEED ?? '20260115';
const CHAIN = 31337;
// The first account of every anvil: it owns what the registries mint.
const ada = HDNodeWallet.fromPhrase('test test test test test test test test test test test junk', undefined, "m/44'/60'/0'/0/0");

const answered = async (promise, status) => {
  const answer = await promise;
  assert.equal(answer.status, status, JSON.stringify(answer.body));
  return answer.body;
};

// An organization that has one of everything, so that answers are full and not only 404 and [].
async function furnish(app, receiver) {
  const owner = await Client.registered(app.url, 'owner');
  const organization = (await answered(owner.get('/api/v1/auth/me'), 200)).organizations[0].id;
  const guest = await Client.registered(app.url, 'guest');
  await answered(owner.post(`/api/v1/organizations/${organization}/members`, { user_id: guest.session.user.id, role: 'viewer' }), 201);
  await answered(owner.post('/api/v1/agents/42/follow', { chain_id: CHAIN, actions: [{ action_type: 'rest', config: { url: receiver.url } }] }), 201);
  const key = (await answered(owner.post(`/api/v1/organizations/${organization}/api-keys`, { name: 'fuzzer', environment: 'test', permissions: ['admin'] }), 201)).data;
  return {
    owner, url: app.url, monitoring_token: MONITORING_TOKEN, session: owner.session.token, api_key: key.key, key: key.id,
    organization, agent: '42', chain: CHAIN, receiver: receiver.url,
  };
}

// What a run uses up: three triggers with a delivery that succeeded and one that is dead, and a linked agent.
async function refurnish(world, anvil) {
  const { owner, organization, receiver } = world;
  const trigger = async (name) => (await owner.trigger({
    name, description: 'one of everything', chain_id: CHAIN, registry: 'reputation',
    conditions: [{ condition_type: 'score_threshold', field: 'score', operator: '<', value: '60' }],
    actions: [
      { action_type: 'rest', config: { url: receiver, headers: { Authorization: 'Bearer of-the-receiver' } } },
      { action_type: 'rest', config: { url: `${receiver}/gone` } },
    ],
  })).trigger;
  const triggers = [await trigger('kept'), await trigger('purged'), await trigger('purged by event')];
  await anvil.call('identity', 'register', 42, 'ipfs://agent');
  await anvil.call('reputation', 'feedback', 42, 45, 0, 'starred', 'week', 'ipfs://file');
  const deliveries = await Promise.all(triggers.map((made) => until('one delivery to succeed and one to be dead', async () => {
    const rows = await owner.deliveries(made);
    return ['succeeded', 'dead'].every((state) => rows.some((row) => row.state === state)) && rows;
  })));

  const wish = { agent_id: 42, chain_id: CHAIN, organization_id: organization, wallet_address: ada.address };
  await owner.delete(`/api/v1/agents/42/link?chain_id=${CHAIN}&organization_id=${organization}`);
  const { challenge } = await answered(owner.post('/api/v1/agents/link/challenge', wish), 200);
  await answered(owner.post('/api/v1/agents/link', { ...wish, challenge, signature: await ada.signMessage(challenge) }), 201);
  return {
    trigger: triggers[0].id, condition: triggers[0].conditions[0].id, action: triggers[0].actions[0].id, gone: triggers[0].actions[1].id,
    dead: deliveries[0].find((row) => row.state === 'dead').id, event: deliveries[0][0].event_id,
    purged: triggers[1].id, purged_by_event: triggers[2].id,
  };
}

// Nobody could guess what they need: a signature. The functional tests serve them.
const SIGNED = ['link_agent', 'wallet_login'];
// A key may not: the routes are for sessions, or for the owner.
const NOT_FOR_KEYS = ['change_password', 'create_organization', 'delete_organization', 'end_session', 'list_sessions', 'me', 'transfer_organization', 'update_member'];

const [SESSION, KEY, NOBODY] = ['session', 'key', 'nobody'];
const PHASES = { [SESSION]: 'examples,coverage,fuzzing', [KEY]: 'examples,fuzzing', [NOBODY]: 'examples,fuzzing' };

// Both engines at once: each has a program, a chain and a fuzzer of its own.
describe('the contract', { concurrency: true }, () => {
  after(stopEngines);
  for (const engine of ENGINES) {
    describe(`the contract on ${engine}`, { concurrency: 1 }, () => {
      let anvil, receiver, app, world, folder;
      before(async () => {
        assert.ok(existsSync(FUZZER), `${FUZZER} is missing: script/test contract installs it`);
        folder = await mkdtemp(path.join(tmpdir(), 'agentauri-contract-'));
        anvil = await Anvil.start();
        receiver = await Receiver.start();
        receiver.answer = (delivery) => ({ status: delivery.url.endsWith('/gone') ? 410 : 200 });
        app = await launch(engine, { ...anvil.environment(), MONITORING_TOKEN, LOG_LEVEL: 'info' });
        world = await furnish(app, receiver);
      });
      after(async () => {
        await app?.stop();
        await anvil?.stop();
        await receiver?.close();
        await rm(folder, { recursive: true, force: true });
      });

      for (const principal of [SESSION, KEY, NOBODY]) {
        test(`as ${principal}: no 5xx and no answer that the document does not describe`, async () => {
          const { owner, ...furniture } = Object.assign(world, await refurnish(world, anvil));
          await writeFile(path.join(folder, 'world.json'), JSON.stringify(furniture));
          const tally = path.join(folder, `${principal}.json`);
          const fuzzed = await run(FUZZER, [
            '--config-file', path.join(HERE, 'schemathesis.toml'), 'run', `${app.url}/api/v1/openapi.json`,
            '--phases', PHASES[principal],
            '--max-examples', EXAMPLES, '--seed', SEED, '--no-color',
          ], {
            cwd: folder,
            env: { PATH: process.env.PATH, HOME: folder, SCHEMATHESIS_HOOKS: 'hooks', PYTHONPATH: HERE, PYTHONDONTWRITEBYTECODE: '1',
              CONTRACT_WORLD: path.join(folder, 'world.json'), CONTRACT_PRINCIPAL: principal, CONTRACT_TALLY: tally },
          });
          assert.equal(fuzzed.code, 0, fuzzed.output.slice(-20_000));
          // A fuzzer that was refused everywhere would have found nothing either.
          const { requests, statuses, served } = JSON.parse(await readFile(tally, 'utf8'));
          console.log(`${engine}, as ${principal}: ${requests} requests, ${JSON.stringify(statuses)}`);
          assert.ok(requests > 200, `only ${requests} requests`);
          if (principal === NOBODY) return;
          const unserved = served.filter(([, count]) => count === 0).map(([operation]) => operation);
          const expected = principal === KEY ? [...SIGNED, ...NOT_FOR_KEYS].sort() : SIGNED;
          assert.deepEqual(unserved, expected, 'operations that never succeeded');
        });
      }

      test('the service and its furniture have survived', async () => {
        const owner = new Client(app.url);
        owner.session = { token: world.session };
        await answered(owner.get(`/api/v1/triggers/${world.trigger}`), 200);
        await answered(new Client(app.url).get('/api/v1/triggers', { 'x-api-key': world.api_key }), 200);
        const faults = app.logLines().filter((line) => line.message === 'request' && line.status >= 500);
        assert.deepEqual(faults, []);
      });
    });
  }
});
