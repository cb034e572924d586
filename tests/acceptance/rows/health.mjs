// Rows 44 to 46: liveness and readiness.
import assert from 'node:assert/strict';
import { until } from '../../functional/lib/wait.mjs';
import { GATEWAY } from '../system.mjs';

const DOWN_WITHIN_MS = 5000;
const get = async (target) => {
  const response = await fetch(GATEWAY + target);
  return { status: response.status, body: await response.json() };
};

// One outage serves two rows: what each endpoint said before, during and after it.
let outage;
function databaseOutage(system) {
  outage ??= (async () => {
    await system.gateway();
    const pid = await system.show('MainPID');
    await system.machine.ok('systemctl stop postgresql@15-main');
    const seen = {};
    try {
      const began = Date.now();
      seen.health = await until('503', async () => {
        const answer = await get('/api/v1/health');
        return answer.status === 503 && answer;
      }, { timeoutMs: DOWN_WITHIN_MS });
      seen.after = Date.now() - began;
      seen.live = await get('/api/v1/health/live');
      seen.ready = await get('/api/v1/health/ready');
    } finally {
      await system.machine.ok('systemctl start postgresql@15-main');
    }
    const began = Date.now();
    await system.healthy();
    seen.back = Date.now() - began;
    seen.samePid = (await system.show('MainPID')) === pid;
    return seen;
  })();
  return outage;
}

export const rows = {
  44: async (system) => {
    await system.gateway();
    await system.guide('health');
    await system.machine.ok(`curl -s ${GATEWAY}/api/v1/health | jq -e '.status=="healthy" and .database=="connected" and (.timestamp|test("^[0-9]{4}-[0-9]{2}-[0-9]{2}T"))'`);
    const { status, body } = await get('/api/v1/health');
    assert.equal(status, 200);
    return Object.entries(body).map(([name, value]) => `${name} ${value}`).join(', ');
  },

  45: async (system) => {
    const seen = await databaseOutage(system);
    assert.deepEqual([seen.health.body.status, seen.health.body.database], ['unhealthy', 'disconnected']);
    assert.ok(seen.samePid, 'the process stayed');
    return `503 after ${seen.after} ms, 200 again ${seen.back} ms after the start of PostgreSQL, same process`;
  },

  46: async (system) => {
    const { live, ready } = await databaseOutage(system);
    assert.equal(live.status, 200);
    assert.equal(ready.status, 503);
    assert.match(JSON.stringify(ready.body), /"database":"?(disconnected|.*disconnected)/, `it names the database: ${JSON.stringify(ready.body)}`);
    const now = await get('/api/v1/health/ready');
    assert.equal(now.status, 200);
    assert.deepEqual(now.body.chains, []);
    await system.machine.ok('systemctl stop redis-server');
    try {
      await until('Redis to be missed', async () => (await get('/api/v1/health/ready')).body.redis === 'disconnected');
      for (const name of ['', '/live', '/ready']) assert.equal((await get(`/api/v1/health${name}`)).status, 200, name);
    } finally {
      await system.machine.ok('systemctl start redis-server');
      await until('Redis to be used again', async () => (await get('/api/v1/health/ready')).body.redis === 'connected');
    }
    return 'without the database live is 200 and ready 503; without Redis both are 200';
  },
};
