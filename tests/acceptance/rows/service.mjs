// Rows 35 to 43: the program and its unit, under systemd.
import assert from 'node:assert/strict';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { ROOT } from '../../functional/lib/agentauri.mjs';
import { until } from '../../functional/lib/wait.mjs';

const MAX_EXPOSURE = 2.0;
const STOP_MS = 5000;
const alive = async (system) => Number(await system.show('MainPID'));

export const rows = {
  35: async (system) => {
    await system.packages();
    const readme = await readFile(path.join(ROOT, 'README.md'), 'utf8');
    assert.match(readme + (await readFile(path.join(ROOT, 'docs/deployment/PRODUCTION_DEPLOYMENT_GUIDE.md'), 'utf8')), /script\/build[^]*build\/release\/bin\/api-gateway/, 'the place is documented');
    const said = await system.machine.ok('for each in /usr/bin/agentauri /usr/bin/api-gateway /opt/api.agentauri.ai/bin/api-gateway; do (cd / && "$each" --version); done');
    const versions = new Set(said.trim().split('\n'));
    assert.equal(versions.size, 1, said);
    return `${[...versions][0]}, on a host without a build tree`;
  },

  36: async (system) => {
    await system.packages();
    const result = await system.machine.shell('systemctl daemon-reload; systemd-analyze verify api-gateway.service');
    assert.equal(result.output.trim(), '');
    assert.equal(result.code, 0);
  },

  37: async (system) => {
    await system.packages();
    const unit = await system.machine.ok('systemctl cat api-gateway');
    assert.match(unit, /^Description=.*API Gateway.*api\.agentauri\.ai/m);
    const after = [...unit.matchAll(/^After=(.*)$/gm)].flatMap(([, names]) => names.split(' '));
    for (const name of ['network.target', 'postgresql.service', 'redis.service']) assert.ok(after.includes(name), name);
  },

  38: async (system) => {
    await system.gateway();
    const [type, user, folder, start] = await Promise.all(['Type', 'User', 'WorkingDirectory', 'ExecStart'].map((name) => system.show(name)));
    assert.ok(['simple', 'exec', 'notify'].includes(type), type);
    assert.equal(user, 'apigateway');
    assert.equal(folder, '/opt/api.agentauri.ai');
    assert.match(start, /path=\/opt\/api\.agentauri\.ai\//);
    assert.equal((await system.machine.ok(`ps -o user:20= -p ${await alive(system)}`)).trim(), 'apigateway', 'the process runs as this user');
    return `${type}, ${user}`;
  },

  39: async (system) => {
    await system.gateway();
    const { machine } = system;
    const environment = Object.fromEntries((await machine.read(`/proc/${await alive(system)}/environ`)).split('\0').filter(Boolean).map((line) => [line.slice(0, line.indexOf('=')), line.slice(line.indexOf('=') + 1)]));
    for (const [name, value] of Object.entries({ SERVER_HOST: '127.0.0.1', SERVER_PORT: '8080', LOG_LEVEL: 'info' })) assert.equal(environment[name], value, name);
    assert.match(environment.ALLOWED_ORIGINS, /^https:\/\/app\.yourdomain\.com/);
    for (const name of ['JWT_SECRET', 'DB_PASSWORD', 'REDIS_PASSWORD']) {
      assert.equal(environment[`${name}_FILE`], `/run/credentials/api-gateway.service/${name}`);
      const secret = (await machine.read(`/etc/agentauri/secrets/${name}`)).trim();
      const visible = await machine.ok(`{ systemctl show api-gateway; systemctl cat api-gateway; tr '\\0' '\\n' </proc/${await alive(system)}/environ; journalctl --no-pager; } | grep -cF -- '${secret}' || true`);
      assert.equal(visible.trim(), '0', `${name} can be seen`);
    }
    assert.equal((await machine.ok('stat -c "%a %U" /etc/agentauri/secrets /etc/agentauri/secrets/* /etc/agentauri/agentauri.env | sort -u')).trim(), '600 root\n700 root');
    return 'secrets as credentials out of 0600 files; none in unit, environment or journal';
  },

  40: async (system) => {
    await system.gateway();
    const { machine } = system;
    for (const [name, wanted] of Object.entries({ PrivateTmp: 'yes', NoNewPrivileges: 'yes', ProtectSystem: 'strict', ProtectHome: 'yes' })) assert.equal(await system.show(name), wanted, name);
    assert.match(await system.show('ReadWritePaths'), /-?\/opt\/api\.agentauri\.ai\/logs/);
    await machine.ok('systemctl stop api-gateway; rm -rf /var/log/api-gateway; systemctl start api-gateway');
    await system.healthy();
    assert.equal((await machine.ok('stat -c "%U" /var/log/api-gateway')).trim(), 'apigateway', 'the folder for logs is made');
    const said = await machine.ok('systemd-analyze security --no-pager --offline=true /usr/lib/systemd/system/api-gateway.service');
    const [, exposure] = /Overall exposure level for \S+: ([\d.]+)/.exec(said) ?? assert.fail(said);
    assert.ok(Number(exposure) <= MAX_EXPOSURE, exposure);
    return `exposure ${exposure}`;
  },

  41: async (system) => {
    await system.gateway();
    assert.equal(await system.show('Restart'), 'always');
    assert.equal(await system.show('RestartUSec'), '10s');
    const before = await alive(system);
    await system.machine.ok(`kill -9 ${before}`);
    const began = Date.now();
    await until('a new process', async () => ![0, before].includes(await alive(system)), { timeoutMs: 15_000, everyMs: 100 });
    const seconds = (Date.now() - began) / 1000;
    await system.healthy();
    return `a new process after ${seconds.toFixed(1)} s`;
  },

  42: async (system) => {
    await system.gateway();
    assert.match(await system.machine.ok('systemctl cat api-gateway'), /^WantedBy=multi-user\.target$/m);
    assert.equal(await system.machine.ok('systemctl is-enabled api-gateway; systemctl is-active api-gateway'), 'enabled\nactive\n');
    assert.match(await system.machine.ok('systemctl --no-pager status api-gateway'), /Active: active \(running\)/);
  },

  43: async (system) => {
    await system.gateway();
    const marker = (await system.machine.ok('date +%s.%N')).trim();
    // Sign-ins, each of which costs a password hash; the stop comes when the first is answered.
    const signIns = Array.from({ length: 6 }, (_, n) => system.login({ username: `stop-${n}`, password: 'a quiet river 77' }));
    await Promise.race(signIns);
    const began = Date.now();
    await system.machine.ok('systemctl stop api-gateway');
    const took = Date.now() - began;
    try {
      assert.ok(took <= STOP_MS + 500, `the stop took ${took} ms`);
      const answers = await Promise.allSettled(signIns);
      assert.deepEqual(answers.filter((each) => each.status === 'rejected').map((each) => String(each.reason.cause ?? each.reason)), [], 'none was cut off');
      assert.deepEqual([await system.show('ExecMainStatus'), await system.show('Result')], ['0', 'success']);
      const lines = (await system.machine.ok(`journalctl --no-pager -o cat -u api-gateway --since @${marker.split('.')[0]}`));
      assert.match(lines, /"message":"stopping"[^]*"message":"stopped"/);
    } finally {
      await system.machine.ok('systemctl start api-gateway');
      await system.healthy();
    }
    return `stopped in ${took} ms, six requests in flight answered`;
  },
};
