// A host of the test's own, as far as files and network go: /etc is a copy in memory, /run and what programs keep below /var
// are empty, and every port is free. What is installed on the machine is installed there. Linux namespaces, which not every
// container permits.
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { run, start } from './process.mjs';
import { until } from './wait.mjs';

const SETUP = `
set -e
mount -t tmpfs tmpfs "$MEMORY"
cp -a /etc "$MEMORY/etc" 2>/dev/null || true   # what only root may read is not needed
mount --bind "$MEMORY/etc" /etc
for place in /run /var/lib /var/log /var/www; do mount -t tmpfs tmpfs $place; done
mkdir /var/lib/nginx /var/log/nginx
ip link set lo up
echo ready
exec sleep infinity`;

export class OwnHost {
  // Gives {host} or, where the machine does not permit it, {reason}.
  static async start() {
    const self = new OwnHost();
    self.memory = await mkdtemp(path.join(tmpdir(), 'agentauri-host-'));
    const isRoot = process.getuid() === 0;
    self.child = start('unshare', [...(isRoot ? [] : ['--map-root-user']), '--mount', '--net', '--pid', '--fork', '--kill-child', '--mount-proc', 'sh', '-c', SETUP], {
      env: { ...process.env, MEMORY: self.memory },
    });
    await until('the host to be set up', () => self.child.exitCode !== null || self.child.output.includes('ready'));
    if (self.child.exitCode !== null) {
      await self.stop();
      return { reason: `the machine permits no namespaces: ${self.child.output.trim()}` };
    }
    const [first] = (await readFile(`/proc/${self.child.pid}/task/${self.child.pid}/children`, 'utf8')).trim().split(' ');
    self.enter = ['-t', first, ...(isRoot ? [] : ['-U', '--preserve-credentials']), '-m', '-n', '-p', '--'];
    return { host: self };
  }

  run(file, args = [], options) {
    return run('nsenter', [...this.enter, file, ...args], options);
  }

  start(file, args = [], options) {
    return start('nsenter', [...this.enter, file, ...args], options);
  }

  shell(script, options) {
    return this.run('bash', ['-euc', script], options);
  }

  // Ends everything that runs there.
  async stop() {
    this.child.kill('SIGKILL');
    await this.child.ended;
    await rm(this.memory, { recursive: true, force: true });
  }
}
