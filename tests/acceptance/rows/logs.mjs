// Rows 58 to 60: logs, the database looked at, CORS.
import assert from 'node:assert/strict';
import { until } from '../../functional/lib/wait.mjs';
import { preflight } from '../origins.mjs';
import { GATEWAY, METRICS } from '../system.mjs';

const LOG = '/var/log/api-gateway/api-gateway.log';

export const rows = {
  58: async (system) => {
    await system.gateway();
    const { machine } = system;
    const answer = await system.http('GET', '/api/v1/nothing-here');
    const id = answer.header('x-request-id');
    const inFile = await until('the line in the file', async () => (await machine.read(LOG)).split('\n').find((line) => line.includes(id)));
    const inJournal = await until('the line in the journal', async () => (await machine.ok('journalctl --no-pager -o cat -u api-gateway -n 200')).split('\n').find((line) => line.includes(id)));
    assert.equal(inJournal, inFile);
    await system.guide('logs');
    await machine.ok('logrotate -f /etc/logrotate.d/agentauri');
    const again = (await system.http('GET', '/api/v1/nothing-here')).header('x-request-id');
    await until('a line in the new file', async () => (await machine.read(LOG)).includes(again));
    assert.ok(!(await machine.read(LOG)).includes(id), 'a new file');
    assert.match(await machine.ok('ls /var/log/api-gateway'), /api-gateway\.log-\d{8}/);
    return 'the same line in file and journal; a rotated file goes on anew';
  },

  59: async (system) => {
    await system.gateway();
    const said = await system.guide('database-queries');
    const [connections, tables] = [/^\s*(\d+)\s*$/m.exec(said)?.[1], [...said.matchAll(/^ public\s+\|\s+(\w+)\s+\|\s+(\d+) (bytes|kB|MB)$/gm)]];
    assert.ok(Number(connections) >= 1, said.slice(0, 300));
    assert.ok(tables.length >= 10, said.slice(0, 600));
    const scale = { bytes: 1, kB: 1024, MB: 1048576 };
    const sizes = tables.map(([, , size, unit]) => Number(size) * scale[unit]);
    assert.ok(sizes.every((size, i) => i === 0 || size <= sizes[i - 1] * 1.01), 'largest first');
    const metrics = await (await fetch(METRICS)).text();
    assert.match(metrics, /^db_pool_connections_(active|idle|max)\b/m, 'connections are a metric');
    return `${connections} connections, ${tables.length} tables`;
  },

  60: async (system) => {
    await system.gateway();
    const answer = await fetch(`${GATEWAY}/api/v1/triggers`, { method: 'OPTIONS', headers: { origin: 'https://app.yourdomain.com', 'access-control-request-method': 'POST' } });
    assert.equal(answer.headers.get('access-control-allow-origin'), 'https://app.yourdomain.com');
    assert.equal(answer.headers.get('access-control-allow-credentials'), 'true');
    assert.equal(await preflight('https://evil.example'), null);
    const real = await fetch(`${GATEWAY}/api/v1/triggers`, { headers: { origin: 'https://evil.example' } });
    assert.equal(real.headers.get('access-control-allow-origin'), null);
    await system.nginx();
    const said = await system.guide('verify-cors');
    assert.deepEqual([...said.matchAll(/^access-control-allow-origin: (.*)\r$/gim)].map(([, value]) => value), ['https://app.yourdomain.com']);
    return 'the listed origin alone, direct and through nginx';
  },
};
