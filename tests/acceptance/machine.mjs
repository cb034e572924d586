// A Debian that systemd boots in a container of the test's own: the packages of this machine, nothing of its configuration,
// every port free, nothing to be seen from outside and nothing written that lasts. So a guide can be followed there word by
// word, `systemctl` and all.
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { run, start } from '../functional/lib/process.mjs';
import { until } from '../functional/lib/wait.mjs';

// What the machine’s own administrator, or the installation of its packages, may have put there: a fresh host has it empty. Nor
// does it know of newer packages than it has, since no mirror can be reached.
const EMPTY = ['root', 'home', 'srv', 'opt', 'var/tmp', 'var/backups', 'var/log', 'var/www', 'var/cache/apt', 'var/lib/apt/lists', 'etc/systemd/system', 'etc/rc2.d', 'etc/rc3.d', 'etc/rcS.d',
  'etc/cron.d', 'etc/cron.daily', 'etc/letsencrypt', 'etc/nginx/conf.d', 'etc/nginx/sites-enabled', 'var/lib/prometheus', 'var/lib/redis', 'etc/postgresql', 'var/lib/postgresql'];

// The root is this machine's, with a layer in memory over it. Only what is started by name runs, besides systemd's basics.
const BOOT = `
set -eu
mount -t tmpfs tmpfs "$FOLDER"
mkdir "$FOLDER/lower" "$FOLDER/upper" "$FOLDER/work" "$FOLDER/root"
mount --bind / "$FOLDER/lower"
mount -t overlay overlay -o "lowerdir=$FOLDER/lower,upperdir=$FOLDER/upper,workdir=$FOLDER/work" "$FOLDER/root"
for place in $EMPTY; do mkdir -p "$FOLDER/root/$place"; mount -t tmpfs tmpfs "$FOLDER/root/$place"; done
chmod 0700 "$FOLDER/root/root"
chmod 1777 "$FOLDER/root/var/tmp"
mkdir -p "$FOLDER/root/var/lib/prometheus/node-exporter" "$FOLDER/root/var/lib/prometheus/alertmanager" "$FOLDER/root/var/log/nginx" "$FOLDER/root/var/log/redis" "$FOLDER/root/var/log/postgresql" "$FOLDER/root/var/log/journal" "$FOLDER/root/etc/systemd/system/multi-user.target.wants"
for owned in redis:var/lib/redis redis:var/log/redis postgres:var/lib/postgresql postgres:var/log/postgresql postgres:etc/postgresql prometheus:var/lib/prometheus prometheus:var/lib/prometheus/alertmanager; do
  if getent passwd "\${owned%%:*}" >/dev/null; then chown "\${owned%%:*}:\${owned%%:*}" "$FOLDER/root/\${owned#*:}"; fi
done
rm -f "$FOLDER/root/etc/postgresql-common/createcluster.conf"
printf '[Unit]\\nRequires=basic.target dbus.socket\\nAfter=basic.target dbus.socket\\n' >"$FOLDER/root/etc/systemd/system/acceptance.target"
printf 'agentauri-host\\n' >"$FOLDER/root/etc/hostname"
printf '127.0.0.1 localhost agentauri-host api.yourdomain.com\\n::1 localhost\\n' >"$FOLDER/root/etc/hosts"
exec systemd-nspawn --quiet --directory="$FOLDER/root" --private-network --register=no --keep-unit --machine=agentauri-acceptance --resolv-conf=off \\
  --boot --console=pipe -- --unit=acceptance.target`;

export class Machine {
  // Gives {machine} or, where this one cannot do it, {reason}.
  static async boot() {
    if (process.getuid() !== 0) return { reason: 'root is needed to boot a container' };
    for (const [program, name] of [['/usr/bin/systemd-nspawn', 'systemd-container'], ['/sbin/init', 'systemd-sysv'], ['/usr/bin/dbus-daemon', 'dbus']])
      if (!existsSync(program)) return { reason: `${name} is not installed` };
    const self = new Machine();
    process.on('exit', () => self.child && self.halt());
    await mkdir('/run/agentauri-acceptance', { recursive: true });
    self.folder = await mkdtemp('/run/agentauri-acceptance/');
    self.child = start('unshare', ['--mount', '--propagation', 'private', '--kill-child', '--fork', 'sh', '-c', BOOT], { env: { ...process.env, FOLDER: self.folder, EMPTY: EMPTY.join(' ') } });
    try {
      await until('the container to boot', async () => {
        if (self.child.exitCode !== null) throw new Error(`no container can be booted here: ${self.child.output.trim().slice(-600)}`);
        self.leader ??= await self.#findLeader();
        return self.leader && /^(running|degraded)/m.test((await self.run('systemctl', ['is-system-running'])).output);
      }, { timeoutMs: 60_000, everyMs: 100 });
      return { machine: self };
    } catch (error) {
      await self.stop();
      return { reason: (error.cause ?? error).message.replaceAll('\n', ' ') };
    }
  }

  // One that runs already, by the number of its first process.
  static attach(leader) {
    return Object.assign(new Machine(), { leader });
  }

  // The container's first process takes all others with it; unshare and systemd-nspawn end with it or are ended.
  halt() {
    for (const pid of [this.leader, this.child.pid]) {
      try {
        if (pid) process.kill(pid, 'SIGKILL');
      } catch {
        /* it has ended */
      }
    }
  }

  // unshare -> systemd-nspawn -> the container's first process.
  async #findLeader() {
    let pid = this.child.pid;
    for (let depth = 0; depth < 2; ++depth) {
      pid = (await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')).trim().split(' ')[0];
      if (!pid) return undefined;
    }
    return (await readFile(`/proc/${pid}/comm`, 'utf8')).trim() === 'systemd' ? Number(pid) : undefined;
  }

  // Below which the machine's files are seen from here.
  get root() {
    return `/proc/${this.leader}/root`;
  }
  file(name) {
    return path.join(this.root, name);
  }
  read(name) {
    return readFile(this.file(name), 'utf8');
  }
  async write(name, content, mode = 0o644) {
    await mkdir(path.dirname(this.file(name)), { recursive: true });
    await writeFile(this.file(name), content, { mode });
  }

  #enter(file, args, environment = {}) {
    const settings = { PATH: '/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin', HOME: '/root', SHELL: '/bin/bash', LANG: 'C.UTF-8', DEBIAN_FRONTEND: 'noninteractive', ...environment };
    return ['-t', String(this.leader), '-m', '-u', '-i', '-n', '-p', '--', 'env', '-i', ...Object.entries(settings).map(([name, value]) => `${name}=${value}`), file, ...args];
  }
  run(file, args = [], { env, ...options } = {}) {
    return run('nsenter', this.#enter(file, args, env), options);
  }
  start(file, args = [], { env, ...options } = {}) {
    const child = start('nsenter', this.#enter(file, args, env), { ...options, detached: true });
    // nsenter only waits for the program, which is in its group.
    child.kill = (signal) => {
      try {
        return process.kill(-child.pid, signal);
      } catch {
        return false;   // it has ended
      }
    };
    return child;
  }
  // As an administrator types it, in root's home folder; the first fault ends it.
  shell(script, options) {
    return this.run('bash', ['-euo', 'pipefail', '-c', `cd\n${script}`], options);
  }
  async ok(script, options) {
    const result = await this.shell(script, options);
    if (result.code !== 0) throw new Error(`${script.trim()}\nended with ${result.code ?? result.signal}: ${result.output.trim().slice(-1500)}`);
    return result.output;
  }

  async stop() {
    this.halt();
    await this.child.ended;
    await rm(this.folder, { recursive: true, force: true });
  }
}
