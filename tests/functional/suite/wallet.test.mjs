// Wallets and the agents that they own, with a real EVM node: keys, contracts, contracts that are not there yet.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { AbiCoder, Wallet, concat, getCreate2Address, keccak256, zeroPadValue } from 'ethers';
import { Anvil } from '../lib/anvil.mjs';
import { Client } from '../lib/agentauri.mjs';
import { ENGINES, launch, stopEngines } from '../lib/engines.mjs';
import { until } from '../lib/wait.mjs';

const CHAIN = 31337;
const MARKER = `0x${'6492'.repeat(16)}`;
// The node's own first accounts, which it signs transactions for too.
const ada = new Wallet('0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80');
const eve = new Wallet('0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d');

for (const engine of ENGINES) {
  describe(`wallets on ${engine}`, () => {
    let anvil, app;
    before(async () => {
      anvil = await Anvil.start();
      app = await launch(engine, anvil.environment());
    });
    after(async () => {
      await app?.stop();
      await anvil?.stop();
    });

    const textFor = async (address, chain = CHAIN, at = app.url) => {
      const issued = await new Client(at).post('/api/v1/auth/nonce', { address, chain_id: chain });
      assert.equal(issued.status, 200, JSON.stringify(issued.body));
      return issued.body.message;
    };
    const logIn = async (address, sign, { chain = CHAIN, at = app.url } = {}) => {
      const message = await textFor(address, chain, at);
      return new Client(at).post('/api/v1/auth/wallet', { address, message, signature: await sign(message) });
    };
    const signedIn = async (wallet) => {
      const answer = await logIn(wallet.address, (text) => wallet.signMessage(text));
      assert.equal(answer.status, 200, JSON.stringify(answer.body));
      const client = new Client(app.url);
      client.session = answer.body;
      const me = await client.get('/api/v1/auth/me');
      client.me = me.body;
      client.organization = me.body.organizations[0].id;
      return client;
    };

    test('a key signs in, and only with its own signature', async () => {
      const first = await signedIn(ada);
      assert.equal(first.me.username, 'wallet_f39fd6e5');
      assert.deepEqual(first.me.wallets, [{ address: ada.address.toLowerCase(), chain_id: CHAIN }]);
      assert.equal((await signedIn(ada)).me.id, first.me.id);
      const wrong = await logIn(ada.address, (text) => eve.signMessage(text));
      assert.equal(wrong.status, 400);
      assert.equal(wrong.body.error, 'signature_mismatch');
    });

    test('a deployed contract is asked (EIP-1271)', async () => {
      const contract = await anvil.deploy('KeyWallet', ada.address);
      const good = await logIn(contract.address, (text) => ada.signMessage(text));
      assert.equal(good.status, 200, JSON.stringify(good.body));
      assert.notEqual(good.body.user.id, (await signedIn(ada)).me.id);
      assert.equal((await logIn(contract.address, (text) => eve.signMessage(text))).body.error, 'signature_mismatch');
      const refuser = await anvil.deploy('Refuser');
      assert.equal((await logIn(refuser.address, (text) => ada.signMessage(text))).body.error, 'signature_mismatch');
      // The same address on a chain that this service does not reach is nobody's.
      assert.equal((await logIn(contract.address, (text) => ada.signMessage(text), { chain: 1 })).body.error, 'signature_mismatch');
    });

    test('a contract signs in before it is deployed (ERC-6492), and stays who it is', async () => {
      const factory = await anvil.deploy('WalletFactory');
      const salt = zeroPadValue('0x07', 32);
      const owner = AbiCoder.defaultAbiCoder().encode(['address'], [ada.address]);
      const address = getCreate2Address(factory.address, salt, keccak256(concat([await anvil.codeOf('KeyWallet'), owner])));
      const deploy = factory.abi.encodeFunctionData('deploy', [ada.address, salt]);
      const wrap = (signature, call = deploy) =>
        concat([AbiCoder.defaultAbiCoder().encode(['address', 'bytes', 'bytes'], [factory.address, call, signature]), MARKER]);

      const plain = await logIn(address, (text) => ada.signMessage(text));
      assert.equal(plain.body.error, 'signature_mismatch', 'nobody is there yet');
      const wrong = await logIn(address, async (text) => wrap(await eve.signMessage(text)));
      assert.equal(wrong.body.error, 'signature_mismatch');
      const elsewhere = factory.abi.encodeFunctionData('deploy', [eve.address, salt]);
      assert.equal((await logIn(address, async (text) => wrap(await eve.signMessage(text), elsewhere))).body.error, 'signature_mismatch');

      const before = await logIn(address, async (text) => wrap(await ada.signMessage(text)));
      assert.equal(before.status, 200, JSON.stringify(before.body));
      assert.equal(await anvil.rpc('eth_getCode', address, 'latest'), '0x', 'asking deployed nothing');
      await anvil.send({ to: factory.address, data: deploy });
      assert.notEqual(await anvil.rpc('eth_getCode', address, 'latest'), '0x');
      for (const sign of [(text) => ada.signMessage(text), async (text) => wrap(await ada.signMessage(text))]) {
        const later = await logIn(address, sign);
        assert.equal(later.status, 200, JSON.stringify(later.body));
        assert.equal(later.body.user.id, before.body.user.id);
      }
      assert.equal((await logIn(address, async (text) => wrap(await eve.signMessage(text)))).body.error, 'signature_mismatch');
    });

    test('a precompile, which repeats what it is asked, is no wallet', async () => {
      const identity = '0x0000000000000000000000000000000000000004';
      const wrapped = concat([AbiCoder.defaultAbiCoder().encode(['address', 'bytes', 'bytes'], [ada.address, '0x', '0x00']), MARKER]);
      const answer = await logIn(identity, async () => wrapped);
      assert.equal(answer.body.error, 'signature_mismatch', JSON.stringify(answer.body));
    });

    const wish = (client, wallet, agent) => ({
      agent_id: agent, chain_id: CHAIN, organization_id: client.organization, wallet_address: wallet,
    });
    const link = async (client, wallet, agent, sign) => {
      const asked = await client.post('/api/v1/agents/link/challenge', wish(client, wallet, agent));
      assert.equal(asked.status, 200, JSON.stringify(asked.body));
      const { challenge } = asked.body;
      return client.post('/api/v1/agents/link', { ...wish(client, wallet, agent), challenge, signature: await sign(challenge) });
    };
    const linked = async (client) => (await client.get(`/api/v1/agents/linked?organization_id=${client.organization}`)).body;

    test('an agent is linked by its owner, unlinked, and linked again', async () => {
      const mine = await signedIn(ada);
      const theirs = await signedIn(eve);
      await anvil.call('identity', 'register', 42, 'ipfs://agent');
      const wrong = await link(theirs, eve.address, 42, (text) => eve.signMessage(text));
      assert.equal(wrong.status, 403);
      assert.equal(wrong.body.error, 'not_owner');
      const absent = await link(mine, ada.address, 43, (text) => ada.signMessage(text));
      assert.equal(absent.status, 404);
      assert.equal(absent.body.error, 'agent_not_found');
      const forged = await link(mine, ada.address, 42, (text) => eve.signMessage(text));
      assert.equal(forged.body.error, 'invalid_signature');

      const good = await link(mine, ada.address, 42, (text) => ada.signMessage(text));
      assert.equal(good.status, 201, JSON.stringify(good.body));
      assert.equal(good.body.agent_id, 42);
      assert.deepEqual(await linked(mine), [good.body]);
      assert.equal((await link(mine, ada.address, 42, (text) => ada.signMessage(text))).body.error, 'already_linked');
      const path = (client) => `/api/v1/agents/42/link?chain_id=${CHAIN}&organization_id=${client.organization}`;
      assert.equal((await theirs.delete(path(theirs))).status, 404);
      assert.equal((await mine.delete(path(mine))).status, 200);
      assert.deepEqual(await linked(mine), []);
      assert.equal((await link(mine, ada.address, 42, (text) => ada.signMessage(text))).status, 201);

      // The new owner takes it over; the old one has nothing left of it.
      await anvil.call('identity', 'transferFrom', ada.address, eve.address, 42);
      assert.equal((await link(mine, ada.address, 42, (text) => ada.signMessage(text))).body.error, 'not_owner');
      assert.equal((await link(theirs, eve.address, 42, (text) => eve.signMessage(text))).status, 201);
      assert.deepEqual(await linked(mine), []);
    });

    test('an agent of a contract is linked with the contract\'s signature', async () => {
      const mine = await signedIn(ada);
      const contract = await anvil.deploy('KeyWallet', eve.address);
      await anvil.call('identity', 'register', 77, '');
      await anvil.call('identity', 'transferFrom', ada.address, contract.address, 77);
      assert.equal((await link(mine, ada.address, 77, (text) => ada.signMessage(text))).body.error, 'not_owner');
      const good = await link(mine, contract.address, 77, (text) => eve.signMessage(text));
      assert.equal(good.status, 201, JSON.stringify(good.body));
    });

    test('a link ends when the agent goes to somebody else', async () => {
      const mine = await signedIn(ada);
      await anvil.call('identity', 'register', 5, '');
      assert.equal((await link(mine, ada.address, 5, (text) => ada.signMessage(text))).status, 201);
      await anvil.call('identity', 'transferFrom', ada.address, eve.address, 5);
      await until('the link to be gone', async () => !(await linked(mine)).some((row) => row.agent_id === 5));
    });

    test('a gateway alone asks chains too, and a chain that is away is 503', async () => {
      const contract = await anvil.deploy('KeyWallet', ada.address);
      const alone = await launch(engine, { ...anvil.environment(), ROLES: 'gateway' });
      try {
        const sign = (text) => ada.signMessage(text);
        assert.equal((await logIn(contract.address, sign, { at: alone.url })).status, 200);
        const mine = await signedIn(ada);
        await anvil.call('identity', 'register', 99, '');
        const challenged = await mine.post('/api/v1/agents/link/challenge', wish(mine, ada.address, 99));
        await anvil.stop();
        const away = await logIn(contract.address, sign, { at: alone.url });
        assert.equal(away.status, 503);
        assert.equal(away.body.error, 'verification_unavailable');
        assert.equal(away.headers.get('retry-after'), '30');
        const { challenge } = challenged.body;
        const unlinked = await mine.post('/api/v1/agents/link', { ...wish(mine, ada.address, 99), challenge, signature: await sign(challenge) });
        assert.equal(unlinked.status, 503);
        assert.equal(unlinked.body.error, 'verification_unavailable');
        assert.equal((await logIn(ada.address, sign, { at: alone.url })).status, 200, 'a key needs no chain');
      } finally {
        await alone.stop();
      }
    });
  });
}

after(stopEngines);
