// A real EVM node with the stand-in registries deployed.
import { createHash } from 'node:crypto';
import { mkdir, readFile, rename, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { Interface, getAddress } from 'ethers';
import { freePort, start } from './process.mjs';
import { until } from './wait.mjs';

const require = createRequire(import.meta.url);

// The compiler takes seconds of processor time, in each suite again: what it made is kept in build/.
let compiled;
async function compile() {
  if (compiled) return compiled;
  const sources = {};
  for (const name of ['Registries.sol', 'Wallets.sol'])
    sources[name] = { content: await readFile(new URL(`../contracts/${name}`, import.meta.url), 'utf8') };
  const input = {
    language: 'Solidity',
    sources,
    settings: { viaIR: true, optimizer: { enabled: true }, outputSelection: { '*': { '*': ['abi', 'evm.bytecode.object'] } } },
  };
  const key = createHash('sha256').update(JSON.stringify(input)).update(require('solc/package.json').version).digest('hex').slice(0, 16);
  const kept = fileURLToPath(new URL(`../../../build/contracts-${key}.json`, import.meta.url));
  const known = await readFile(kept, 'utf8').catch(() => undefined);
  if (known) return (compiled = JSON.parse(known));
  const output = JSON.parse(require('solc').compile(JSON.stringify(input)));
  const errors = (output.errors ?? []).filter((e) => e.severity === 'error');
  if (errors.length) throw new Error(errors.map((e) => e.formattedMessage).join('\n'));
  compiled = Object.assign({}, ...Object.values(output.contracts));
  await mkdir(path.dirname(kept), { recursive: true });
  await writeFile(`${kept}.${process.pid}`, JSON.stringify(compiled));
  await rename(`${kept}.${process.pid}`, kept);
  return compiled;
}

export class Anvil {
  // options.blockTime in seconds (fractions allowed); without it a block is mined for each transaction.
  static async start({ blockTime, port, chainId = 31337 } = {}) {
    const self = new Anvil();
    self.port = port ?? (await freePort());
    self.url = `http://127.0.0.1:${self.port}`;
    const binary = path.join(path.dirname(require.resolve('@foundry-rs/anvil-linux-amd64/package.json')), 'bin', 'anvil');
    self.child = start(binary, ['--port', String(self.port), '--chain-id', String(chainId), '--silent', ...(blockTime ? ['--block-time', String(blockTime)] : [])]);
    await until('anvil to answer', () => self.rpc('eth_chainId'));
    [self.account] = await self.rpc('eth_accounts');
    // A reorganisation sets the node's time back to the common ancestor's. A minute ahead from the start keeps every later
    // block newer than the triggers that the tests make.
    await self.rpc('evm_increaseTime', 60);
    self.registries = {};
    const contracts = await compile();
    for (const [name, contract] of [['identity', 'IdentityEvents'], ['reputation', 'ReputationEvents'], ['validation', 'ValidationEvents']]) {
      const receipt = await self.send({ data: `0x${contracts[contract].evm.bytecode.object}` });
      self.registries[name] = { address: receipt.contractAddress, abi: new Interface(contracts[contract].abi) };
    }
    return self;
  }

  // A contract of contracts/, constructed with `args`: its address and ABI.
  async deploy(name, ...args) {
    const { abi, evm } = (await compile())[name];
    const types = new Interface(abi);
    const receipt = await this.send({ data: `0x${evm.bytecode.object}${types.encodeDeploy(args).slice(2)}` });
    return { address: getAddress(receipt.contractAddress), abi: types };
  }

  async codeOf(name) {
    return `0x${(await compile())[name].evm.bytecode.object}`;
  }

  async rpc(method, ...params) {
    const response = await fetch(this.url, { method: 'POST', headers: { 'content-type': 'application/json' }, body: JSON.stringify({ jsonrpc: '2.0', id: 1, method, params }) });
    const answer = await response.json();
    if (answer.error) throw new Error(`${method}: ${answer.error.message}`);
    return answer.result;
  }

  async send(transaction) {
    const hash = await this.rpc('eth_sendTransaction', { from: this.account, gas: '0x1c9c380', ...transaction });
    return until('the receipt', () => this.rpc('eth_getTransactionReceipt', hash));
  }

  // call('reputation', 'feedback', 42, 10, 0, 'starred', '', '')
  call(registry, method, ...args) {
    const { address, abi } = this.registries[registry];
    return this.send({ to: address, data: abi.encodeFunctionData(method, args) });
  }

  environment() {
    return {
      CHAIN_31337_RPC_URL: this.url,
      CHAIN_31337_START_BLOCK: '0',
      CHAIN_31337_IDENTITY_ADDRESS: this.registries.identity.address,
      CHAIN_31337_REPUTATION_ADDRESS: this.registries.reputation.address,
      CHAIN_31337_VALIDATION_ADDRESS: this.registries.validation.address,
    };
  }

  async blockNumber() {
    return Number(await this.rpc('eth_blockNumber'));
  }

  async stop() {
    this.child.kill('SIGTERM');
    await this.child.ended;
  }
}
