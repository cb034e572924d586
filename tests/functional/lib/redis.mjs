// A real Redis on a loopback port of its own, in a temporary folder.
import net from 'node:net';
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { freePort, start } from './process.mjs';
import { until } from './wait.mjs';

export class Redis {
  static async start({ password } = {}) {
    const self = new Redis();
    self.password = password;
    self.folder = await mkdtemp(path.join(tmpdir(), 'agentauri-redis-'));
    self.port = await freePort();
    await self.launch();
    return self;
  }

  // Again on the same port, empty.
  async launch() {
    const words = ['--port', String(this.port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no', '--dir', this.folder];
    if (this.password) words.push('--requirepass', this.password);
    // The program of redis-tools is that of redis-server: what it is called decides.
    this.child = start('redis-check-rdb', words, { argv0: 'redis-server' });
    await until('redis to answer', () => this.command('PING').then((answer) => answer !== undefined, () => false));
  }

  // The first line of the answer, without the mark of a number, or the text behind a length.
  command(...words) {
    return new Promise((resolve, reject) => {
      const socket = net.connect(this.port, '127.0.0.1');
      const login = this.password ? `AUTH ${this.password}\r\n` : '';
      let text = '';
      socket.setEncoding('utf8').on('data', (chunk) => {
        text += chunk;
        const lines = text.split('\r\n').slice(login ? 1 : 0);
        if (lines.length < 2 || (lines[0].startsWith('$') && lines.length < 3)) return;
        socket.destroy();
        resolve(lines[0].startsWith('$') ? lines[1] : lines[0].replace(/^:/, ''));
      });
      socket.on('error', reject);
      socket.write(`${login}${words.join(' ')}\r\n`);
    });
  }

  freeze() {
    this.child.kill('SIGSTOP');
  }
  thaw() {
    this.child.kill('SIGCONT');
  }
  async halt() {
    this.child.kill('SIGKILL');
    await this.child.ended;
  }
  async stop() {
    await this.halt();
    await rm(this.folder, { recursive: true, force: true });
  }
}
