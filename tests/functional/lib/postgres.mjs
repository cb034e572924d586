// A PostgreSQL 15 of our own: temporary folder, free loopback port, run as an ordinary user.
import { chmod, chown, mkdtemp, rm } from 'node:fs/promises';
import { existsSync } from 'node:fs';
import { tmpdir, userInfo } from 'node:os';
import path from 'node:path';
import { freePort, run, runOk, start } from './process.mjs';
import { until } from './wait.mjs';

const BIN = ['/usr/lib/postgresql/15/bin', '/usr/lib/postgresql/16/bin', '/usr/lib/postgresql/17/bin'].find((dir) => existsSync(path.join(dir, 'postgres')));

// PostgreSQL refuses to run as root.
async function ordinaryUser() {
  if (process.getuid() !== 0) return { options: {}, name: userInfo().username };
  const uid = Number((await runOk('id', ['-u', 'postgres'])).trim());
  const gid = Number((await runOk('id', ['-g', 'postgres'])).trim());
  return { options: { uid, gid }, name: 'postgres', uid, gid };
}

export class Postgres {
  // disk: a SmallDisk with the places `data` and `wal`, where its files are to lie.
  static async start({ disk } = {}) {
    if (!BIN) throw new Error('PostgreSQL server binaries are missing: script/test installs postgresql-15');
    const self = new Postgres();
    self.user = await ordinaryUser();
    self.directory = await mkdtemp(path.join(tmpdir(), 'agentauri-postgres-'));
    await chmod(self.directory, 0o755);
    if (self.user.uid !== undefined) await chown(self.directory, self.user.uid, self.user.gid);
    self.port = await freePort();
    self.password = 'p/+=@:#?% word';   // every character that a spliced URL would break on
    self.data = path.join(disk ? disk.path('data') : self.directory, 'data');
    self.enter = disk ? disk.enter(self.user) : [];
    const passwordFile = path.join(self.directory, 'password');
    await runOk('bash', ['-c', 'umask 022; printf %s "$1" > "$2"', '_', self.password, passwordFile]);
    const small = disk ? [`--waldir=${path.join(disk.path('wal'), 'wal')}`, '--wal-segsize=1'] : [];
    await runOk(...self.asUser([path.join(BIN, 'initdb'), '-D', self.data, '-U', 'postgres', '-A', 'scram-sha-256', `--pwfile=${passwordFile}`, '--no-sync', '-E', 'UTF8', '--locale=C', ...small]));
    await self.launch();
    return self;
  }

  // A command as PostgreSQL's user, where its files are: what start() and run() take.
  asUser(words) {
    const [file, ...args] = [...this.enter, ...words];
    return [file, args, { ...(this.enter.length > 0 ? {} : this.user.options), cwd: this.directory }];
  }

  spawn() {
    this.child = start(...this.asUser([path.join(BIN, 'postgres'), '-D', this.data, '-p', String(this.port), '-c', 'listen_addresses=127.0.0.1',
      '-c', `unix_socket_directories=${this.directory}`, '-c', 'max_connections=200', '-c', 'shared_buffers=64MB',
      ...(this.enter.length > 0 ? ['-c', 'max_wal_size=8MB', '-c', 'min_wal_size=2MB'] : [])]));
  }

  async launch() {
    this.spawn();
    await until('PostgreSQL to answer', async () => (await this.psql('postgres', 'SELECT 1')).code === 0);
  }

  environment(database) {
    return { DB_HOST: '127.0.0.1', DB_PORT: String(this.port), DB_NAME: database, DB_USER: 'postgres', DB_PASSWORD: this.password };
  }

  psqlEnvironment() {
    return { ...process.env, PGPASSWORD: this.password, PGCONNECT_TIMEOUT: '5' };
  }

  psql(database, sql, extra = []) {
    return run('psql', ['-X', '-q', '-A', '-t', '-h', '127.0.0.1', '-p', String(this.port), '-U', 'postgres', '-d', database, ...extra, '-c', sql], { env: this.psqlEnvironment() });
  }

  async query(database, sql) {
    const result = await this.psql(database, sql, ['-v', 'ON_ERROR_STOP=1']);
    if (result.code !== 0) throw new Error(result.output);
    return result.output.trim();
  }

  // A connection that stays, for transactions that a test holds open: run(sql), end().
  session(database) {
    const child = start('psql', ['-X', '-q', '-A', '-t', '-v', 'ON_ERROR_STOP=1', '-h', '127.0.0.1', '-p', String(this.port), '-U', 'postgres', '-d', database],
      { env: this.psqlEnvironment(), stdio: ['pipe', 'pipe', 'pipe'] });
    let runs = 0;
    return {
      async run(sql) {
        const mark = `done ${++runs}`;
        child.stdin.write(`${sql};\n\\echo ${mark}\n`);
        await until(sql, () => {
          if (child.exitCode !== null) throw new Error(child.output);
          return child.output.includes(mark);
        }, { everyMs: 5 });
      },
      async end() {
        child.stdin.end();
        await child.ended;
      },
    };
  }

  async createDatabase(name) {
    await this.query('postgres', `CREATE DATABASE ${name}`);
    return name;
  }

  // SIGINT: fast, like a restart of the service. SIGQUIT: immediate, like a crash.
  async pause(signal = 'SIGINT') {
    this.child.kill(signal);
    await this.child.ended;
  }

  async stop() {
    if (this.child) await this.pause();
    await rm(this.directory, { recursive: true, force: true });
  }
}
