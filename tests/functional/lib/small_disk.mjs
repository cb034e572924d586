// A disk in memory that can be full: a mount in a namespace of its own, so that nothing is left of it when the test ends.
// Needs the right to mount, which not every container gives.
import { mkdir, mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { run, runOk, start } from './process.mjs';
import { until } from './wait.mjs';

export class SmallDisk {
  // sizes: {name: megabytes}, each a disk at path(name). Gives {disk} or, where the machine does not permit it, {reason}.
  static async start(sizes) {
    const self = new SmallDisk();
    self.directory = await mkdtemp(path.join(tmpdir(), 'agentauri-disk-'));
    const mounts = [];
    for (const [name, megabytes] of Object.entries(sizes)) {
      await mkdir(self.path(name), { recursive: true });
      mounts.push(`mount -t tmpfs -o mode=0777,size=${megabytes}m tmpfs '${self.path(name)}'`);
    }
    if (process.getuid() !== 0) return self.#none('only root may mount');
    self.child = start('unshare', ['--mount', '--propagation', 'private', 'sh', '-c', `set -e; chmod 755 '${self.directory}'; ${mounts.join('; ')}; echo ready; exec sleep infinity`]);
    await until('the disks to be mounted', () => self.child.exitCode !== null || self.child.output.includes('ready'));
    if (self.child.exitCode !== null) return self.#none(self.child.output.trim());
    return { disk: self };
  }

  async #none(why) {
    await rm(this.directory, { recursive: true, force: true });
    return { reason: `the machine permits no mounts: ${why}` };
  }

  path(name) {
    return path.join(this.directory, name);
  }

  // The words before a program that is to see the disks. `user`: {uid, gid} to become.
  enter(user) {
    const as = user?.uid === undefined ? [] : ['-S', String(user.uid), '-G', String(user.gid)];
    return ['nsenter', '-t', String(this.child.pid), '-m', ...as, '--'];
  }

  // Takes all that is left.
  async fill(name) {
    const [nsenter, ...words] = this.enter();
    const filled = await run(nsenter, [...words, 'dd', 'if=/dev/zero', `of=${path.join(this.path(name), 'ballast')}`, 'bs=4k']);
    if (!filled.output.includes('No space left')) throw new Error(filled.output);
  }
  async empty(name) {
    const [nsenter, ...words] = this.enter();
    await runOk(nsenter, [...words, 'rm', '-f', path.join(this.path(name), 'ballast')]);
  }

  async stop() {
    this.child.kill('SIGKILL');
    await this.child.ended;
    await rm(this.directory, { recursive: true, force: true });
  }
}
