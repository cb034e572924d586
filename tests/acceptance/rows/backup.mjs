// Rows 74 to 79: backup and restore, by the guide's script, cron, and the timers.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { until } from '../../functional/lib/wait.mjs';
import { METRICS } from '../system.mjs';
import { notHere } from '../verdict.mjs';

const FOLDER = '/var/backups/postgresql';
const NAME = /^agentauri_backend_\d{8}_\d{6}\.sql\.gz$/;
const CRON = 'env -i HOME=/root PATH=/usr/bin:/bin SHELL=/bin/sh /usr/lib/agentauri/backup-postgresql';   // as cron runs it
// What a running gateway writes by itself.
const ALIVE = ['instances', 'leases', 'rate_limits', 'chains', 'engine_cursor'];

const ready = async (system) => {
  await system.gateway();
  if (!existsSync(system.machine.file('/usr/lib/agentauri/backup-postgresql'))) throw new Error('the package has no /usr/lib/agentauri/backup-postgresql');
};
const files = async (system) => (await system.machine.ok(`ls -A ${FOLDER} 2>/dev/null || true`)).split('\n').filter(Boolean);
const backups = async (system) => (await files(system)).filter((name) => NAME.test(name));
const status = async (system) => JSON.parse(await system.machine.read(`${FOLDER}/status.json`));
const metric = async (name) => Number(new RegExp(`^${name}(?:\\{[^}]*\\})? (\\S+)$`, 'm').exec(await (await fetch(METRICS)).text())?.[1]);
// Names of a backup are seconds: the next one needs the next second.
const nextSecond = async (system) => {
  const now = (await system.machine.ok('date +%s')).trim();
  await until('the next second', async () => (await system.machine.ok('date +%s')).trim() !== now);
};
const dump = async (system) => {
  await nextSecond(system);
  return system.machine.shell(CRON);
};
// {table: rows and digest} of all that a stopped gateway leaves alone.
const contents = async (system) => {
  const tables = (await system.sql("SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1")).split('\n').filter((table) => !ALIVE.includes(table));
  const query = tables.map((table) => `SELECT '${table}', count(*), md5(coalesce(string_agg(t::text, E'\\n' ORDER BY t::text), '')) FROM ${table} t`).join(' UNION ALL ');
  return Object.fromEntries((await system.sql(query)).split('\n').map((line) => [line.split('|')[0], line]));
};

export const rows = {
  74: async (system) => {
    await ready(system);
    const before = await backups(system);
    const result = await dump(system);
    assert.equal(result.code, 0, result.output);
    const made = (await backups(system)).filter((name) => !before.includes(name));
    assert.equal(made.length, 1, made.join(' '));
    assert.match(await system.machine.ok(`gzip -t ${FOLDER}/${made[0]}; gunzip <${FOLDER}/${made[0]} | sed -n 1,6p`), /PostgreSQL database dump/);
    return made[0];
  },

  75: async (system) => {
    await ready(system);
    const named = { 6: 'agentauri_backend_20200101_000006.sql.gz', 7: 'agentauri_backend_20200101_000007.sql.gz', 9: 'agentauri_backend_20200101_000009.sql.gz' };
    const others = ['notes.sql.gz', 'other_20200101_000000.sql.gz', 'agentauri_backend_latest.sql.gz'];
    for (const [days, name] of Object.entries(named)) await system.machine.ok(`touch -d '${days} days ago' ${FOLDER}/${name}`);
    for (const name of others) await system.machine.ok(`touch -d '30 days ago' ${FOLDER}/${name}`);
    try {
      const result = await dump(system);
      assert.equal(result.code, 0, result.output);
      const left = await files(system);
      assert.deepEqual([named[6], named[7], named[9], ...others].filter((name) => !left.includes(name)), [named[9]]);
    } finally {
      await system.machine.ok(`cd ${FOLDER}; rm -f ${Object.values(named).join(' ')} ${others.join(' ')}`);
    }
    return 'of 6, 7 and 9 days only the last is gone, and nothing that is named otherwise';
  },

  76: async (system, row) => {
    await ready(system);
    const { machine } = system;
    if (!existsSync(machine.file('/usr/sbin/cron'))) notHere('cron is not installed');
    await system.guide('backup-cron');
    const table = await machine.read('/etc/cron.d/agentauri-backup');
    assert.match(table, /^0 2 \* \* \* root /m);
    assert.match(await machine.ok("systemd-analyze calendar --iterations=1 \"$(sed -n 's/^OnCalendar=//p' /usr/lib/systemd/system/agentauri-backup.timer)\""), /02:00:00/);
    // The same line, for every minute: cron itself has to run it. It tells a changed table by the second of the change, and may
    // have read the one before in this very second.
    const before = await backups(system);
    await nextSecond(system);
    await machine.write('/etc/cron.d/agentauri-backup', table.replace(/^0 2 /m, '* * '));
    try {
      await until('cron to make a backup', async () => (await backups(system)).some((name) => !before.includes(name)), { timeoutMs: 130_000, everyMs: 500 });
    } catch (error) {
      const said = await machine.shell('systemctl is-active cron; journalctl -u cron -n 8 --no-pager; cat /var/backups/postgresql/status.json');
      throw new Error(`${error.message}; cron: ${said.output.replaceAll('\n', ' | ')}`, { cause: error });
    } finally {
      await machine.write('/etc/cron.d/agentauri-backup', table);
    }
    row.without('the wait until 02:00 (the same line was run by cron at the next minute)');
    return '0 2 * * *, and the timer says 02:00';
  },

  77: async (system) => {
    await ready(system);
    const user = await system.user();
    await system.machine.ok('systemctl stop api-gateway');
    let before, after;
    try {
      before = await contents(system);
      const result = await dump(system);
      assert.equal(result.code, 0, result.output);
      assert.doesNotMatch(await system.guide('restore'), /ERROR/);
      after = await contents(system);
    } finally {
      await system.machine.ok('systemctl start api-gateway');
    }
    await system.healthy();
    const differ = Object.keys(before).filter((table) => before[table] !== after[table]);
    assert.deepEqual(differ.map((table) => [before[table], after[table]]), [], 'tables that differ');
    assert.equal((await system.login(user)).status, 200);
    return `${Object.keys(before).length} tables equal in rows and digest; health 200, a user of before signs in`;
  },

  78: async (system) => {
    await ready(system);
    const { machine } = system;
    assert.equal((await dump(system)).code, 0);
    const before = await backups(system);
    const good = await status(system);
    await until('the metrics to have it', async () => (await metric('backup_last_success_timestamp_seconds')) === good.last_success_at, { timeoutMs: 90_000, everyMs: 500 });
    assert.equal(await metric('backup_last_size_bytes'), good.last_size_bytes);
    const old = 'agentauri_backend_20200101_000009.sql.gz';
    await machine.ok(`touch -d '30 days ago' ${FOLDER}/${old}`);
    const kept = [...before, old].sort();
    const failedAs = async (what, result) => {
      assert.notEqual(result.code, 0, what);
      assert.deepEqual((await backups(system)).sort(), kept, `${what}: nothing deleted, nothing under a final name`);
      const now = await status(system);
      assert.ok(now.last_failure && now.last_failure_at >= good.last_success_at, `${what}: it is in status.json`);
      assert.equal(now.last_success_at, good.last_success_at);
    };
    // pg_dump is under way for as long as somebody holds a table.
    const holder = machine.start('psql', ['-X', '-h', 'localhost', '-U', 'postgres', '-d', 'agentauri_backend', '-c', 'BEGIN', '-c', 'LOCK TABLE auth_failures IN ACCESS EXCLUSIVE MODE', '-c', 'SELECT pg_sleep(60)'], { env: { PGPASSWORD: system.databasePassword } });
    try {
      await until('the lock', async () => (await system.sql("SELECT count(*) FROM pg_locks WHERE mode = 'AccessExclusiveLock' AND granted AND relation = 'auth_failures'::regclass")) === '1');
      const running = dump(system);
      await until('pg_dump to wait', async () => (await system.sql("SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pg_dump' AND wait_event_type = 'Lock'")) !== '0');
      await machine.ok("kill -9 $(ps -eo pid=,comm= | awk '$2 == \"pg_dump\" {print $1}')");
      await failedAs('pg_dump killed', await running);
    } finally {
      holder.kill('SIGKILL');
      await holder.ended;
      await system.sql("SELECT count(pg_terminate_backend(pid)) FROM pg_stat_activity WHERE query LIKE '%pg_sleep%' AND pid <> pg_backend_pid()");
    }
    await machine.ok('systemctl stop postgresql@15-main');
    try {
      await failedAs('server stopped', await dump(system));
    } finally {
      await machine.ok(`systemctl start postgresql@15-main; rm -f ${FOLDER}/${old}`);
      await system.healthy();
    }
    // So that a walk goes on from a host whose last backup is a good one.
    assert.equal((await dump(system)).code, 0);
    return 'pg_dump killed, server stopped: exit ≠ 0, nothing deleted, no final name, status.json; the metrics have the last success';
  },

  79: async (system) => {
    await ready(system);
    await system.backup();
    const { machine } = system;
    assert.match(await machine.ok('systemctl cat agentauri-verify-backup.timer; systemctl is-enabled agentauri-verify-backup.timer'), /^OnCalendar=(weekly|Sun|Mon|Tue|Wed|Thu|Fri|Sat)[^]*^enabled$/m);
    const now = await status(system);
    assert.ok(now.last_verified_at > 0 && now.last_verified_file);
    assert.match(await machine.ok('journalctl --no-pager -o cat -u agentauri-verify-backup'), /good: restored/);
    await until('the metrics to have it', async () => (await metric('backup_last_verified_timestamp_seconds')) === now.last_verified_at, { timeoutMs: 90_000, everyMs: 500 });
    return `${now.last_verified_file} restored and compared; weekly`;
  },
};
