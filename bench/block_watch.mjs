// When each block of a node could first be seen: the node pushes it over a WebSocket, which disturbs nobody.
import { createRequire } from 'node:module';
import { median, nowMs } from './lib.mjs';

// Comes with ethers, which the functional tests use.
const tests = createRequire(new URL('../tests/functional/package.json', import.meta.url));
const WebSocket = createRequire(tests.resolve('ethers'))('ws');

export async function watchBlocks(anvil) {
  const self = { visible: new Map(), latest: 0, onBlock: () => {} };
  const socket = new WebSocket(anvil.url.replace('http', 'ws'));
  await new Promise((resolve, reject) => {
    socket.once('open', resolve);
    socket.once('error', reject);
  });
  socket.on('message', (text) => {
    const at = nowMs();
    const message = JSON.parse(text);
    if (message.method !== 'eth_subscription') return;
    self.latest = Number(message.params.result.number);
    self.visible.set(self.latest, at);
    self.onBlock(self.latest);
  });
  socket.send(JSON.stringify({ jsonrpc: '2.0', id: 1, method: 'eth_subscribe', params: ['newHeads'] }));
  self.close = () => socket.close();

  // How long before the push a block could be asked for: asks without a pause, so only when nothing else is measured.
  self.announcementLag = async (blocks = 12) => {
    const lags = [];
    const asked = new Map();
    for (let known = self.latest; lags.length < blocks;) {
      const block = Number(await anvil.rpc('eth_blockNumber'));
      const at = nowMs();
      if (block > known && !asked.has(block)) asked.set(block, at);
      for (const [number, first] of asked) {
        if (!self.visible.has(number)) continue;
        lags.push(self.visible.get(number) - first);
        asked.delete(number);
      }
      known = Math.max(known, block);
    }
    return Math.max(0, median(lags));
  };
  return self;
}
