// Rows 17 to 20: PostgreSQL, migrations, Redis.
import assert from 'node:assert/strict';
import { readdir } from 'node:fs/promises';
import path from 'node:path';
import { ROOT } from '../../functional/lib/agentauri.mjs';
import { block } from '../guide.mjs';
import { notHere } from '../verdict.mjs';

const FILES = await readdir(path.join(ROOT, 'database/migrations'));

// The guide's loop on another database, with and without ON_ERROR_STOP.
const loop = (database, stopOnError) => block('migrations').replaceAll('agentauri_backend', database).replace('-v ON_ERROR_STOP=1 ', stopOnError ? '-v ON_ERROR_STOP=1 ' : '');
// Everything that a dump of the schema tells, and the versions.
const schema = (system, database) => system.machine.ok(`export PGPASSWORD="$(cat /etc/agentauri/secrets/DB_PASSWORD)"
  { pg_dump -h localhost -U postgres --schema-only ${database} | grep -v '^.\\(un\\)\\?restrict '; psql -At -h localhost -U postgres -d ${database} -c 'SELECT version, name, applied_at FROM agentauri_migrations ORDER BY 1'; } | sha256sum`);

export const rows = {
  17: async () => {
    const steps = ['postgresql-15 postgresql-contrib-15', 'timescaledb.list', 'timescaledb-2-postgresql-15', 'timescaledb-tune --quiet --yes', 'systemctl restart postgresql'];
    const text = [...['packages', 'timescaledb'].map(block)].join('\n');
    const places = steps.map((step) => text.indexOf(step));
    assert.ok(places.every((place, i) => place >= 0 && (i === 0 || place > places[i - 1])), `the guide has the steps in this order: ${steps.join(' → ')}`);
    notHere('the steps stand in the guide in this order; the package is not in Debian');
  },

  18: async (system) => {
    await system.database();
    for (const [database, stopOnError] of [['loop_without', false], ['loop_with', true]]) {
      await system.sql(`CREATE DATABASE ${database}`, 'postgres');
      let before;
      for (const pass of ['first', 'second']) {
        const said = await system.machine.ok(`set +e\n${loop(database, stopOnError)}`);
        assert.doesNotMatch(said, /ERROR/, `${pass} pass`);
        assert.equal((said.match(/^Running: .*\.sql$/gm) ?? []).length, FILES.length);
        const after = await schema(system, database);
        if (before) assert.equal(after, before, 'the second pass changes nothing');
        before = after;
      }
    }
    await system.migrated();
    assert.doesNotMatch(await system.guide('migrations'), /ERROR/);
    await system.sql('CREATE DATABASE somebody_else', 'postgres');
    await system.sql('CREATE TABLE users (id int)', 'somebody_else');
    const foreign = await system.machine.shell(loop('somebody_else', true));
    assert.notEqual(foreign.code, 0, 'a schema that is not ours is refused');
    assert.match(foreign.output, /not AgentAuri's[^]*createdb/);
    assert.equal((foreign.output.match(/^Running: /gm) ?? []).length, 1, 'by the first file');
    return `${FILES.length} files, twice each way, no ERROR`;
  },

  19: async (system) => {
    await system.gateway();
    await system.guide('migrate-command');   // after the loop of row 18: it takes over
    assert.equal(await system.sql('SELECT count(*) FROM agentauri_migrations WHERE checksum IS NULL'), '0', 'every version is adopted');
    const database = await system.freshDatabase({ migrated: false });
    const up = () => system.machine.shell(`DB_HOST=localhost DB_NAME=${database} DB_PASSWORD="$(cat /etc/agentauri/secrets/DB_PASSWORD)" JWT_SECRET="$(cat /etc/agentauri/secrets/JWT_SECRET)" agentauri migrate "$COMMAND"`, { env: { COMMAND: 'up' } });
    for (const result of await Promise.all([up(), up(), up()])) assert.equal(result.code, 0, result.output);
    assert.equal(await system.sql('SELECT count(*) FROM agentauri_migrations', database), String(FILES.length));
    await system.sql("UPDATE agentauri_migrations SET checksum = repeat('0', 64) WHERE version = 3", database);
    const verified = await system.machine.shell(`DB_HOST=localhost DB_NAME=${database} DB_PASSWORD="$(cat /etc/agentauri/secrets/DB_PASSWORD)" JWT_SECRET="$(cat /etc/agentauri/secrets/JWT_SECRET)" agentauri migrate verify`);
    assert.notEqual(verified.code, 0, verified.output);
    assert.match(verified.output, /chain/, 'the changed one is named');
    return 'adopts the loop’s versions; three at once are one; a changed file is named';
  },

  20: async (system) => {
    await system.redis();
    const [without, withPassword] = (await system.guide('redis-check')).trim().split('\n').filter(Boolean);
    assert.match(without, /NOAUTH/);
    assert.equal(withPassword, 'PONG');
    const listening = (await system.machine.ok('ss -ltnH')).split('\n').map((line) => line.trim().split(/\s+/)[3]).filter((address) => address?.endsWith(':6379'));
    assert.ok(listening.length > 0 && listening.every((address) => /^(127\.0\.0\.1|\[::1\]):/.test(address)), listening.join(' '));
    return `NOAUTH, PONG, ${listening.join(' ')}`;
  },
};
