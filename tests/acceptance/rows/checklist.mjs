// Rows 47 to 57: the checklist before going live. script/go-live-check evaluates it; each row looks at what it says, and at
// the thing itself.
import assert from 'node:assert/strict';
import { readlink } from 'node:fs/promises';
import { run, start } from '../../functional/lib/process.mjs';
import { until } from '../../functional/lib/wait.mjs';
import { count } from '../http.mjs';
import { preflight } from '../origins.mjs';
import { refused, shortSecret } from './settings.mjs';
import { sixty } from './nginx.mjs';
import { goLive } from '../go_live.mjs';

// Each of the built-in patterns, in a value that is long enough.
const WEAK = ['dev_secret', 'change_me', 'changeme', 'example', 'secret', 'password', 'test', 'default', 'your_secret', 'your-secret', 'jwt_secret', 'jwt-secret'];
const OPEN = [80, 443], SSH = 22;
const CLOSED = [8080, 5432, 6379, 9090, 9093, 3000, 9464, 9465, 9466, 9467];

export const rows = {
  47: async (system) => {
    await system.migrated();
    for (const word of WEAK) {
      const { code, output } = await refused(system, { JWT_SECRET: `${word} 0123456789 abcdefghij klmno` });
      assert.equal(code, 78, word);
      assert.match(output, /JWT_SECRET/, word);
    }
    return `${WEAK.length} patterns refused`;
  },

  48: async (system) => {
    await system.migrated();
    await shortSecret(system);
  },

  49: async (system) => {
    await system.gateway();
    const found = (await goLive(system)).of('database.password');
    assert.equal(found.verdict, 'ok', found.finding);
    for (const weak of ['postgres', 'password', 'fifteen-letters', ' ']) {
      const said = await goLive(system, { DB_PASSWORD: weak });
      assert.notEqual(said.of('database.password').verdict, 'ok', weak);
      assert.notEqual(said.code, 0, weak);
    }
    return 'the random one passes; postgres, password, a short one and a blank do not';
  },

  50: async (system) => {
    await system.gateway();
    assert.match((await system.machine.run('redis-cli', ['ping'])).output, /NOAUTH/, 'an unauthenticated PING is refused');
    const found = (await goLive(system)).of('redis.password');
    assert.equal(found.verdict, 'ok', found.finding);
    return 'PING without a password is refused';
  },

  51: async (system) => {
    await system.migrated();
    const database = await system.freshDatabase();
    await system.withGateway({ ALLOWED_ORIGINS: '*', DB_NAME: database }, async (base, child) => {
      for (const origin of ['https://app.yourdomain.com', 'https://evil.example']) assert.equal(await preflight(origin, base), null);
      assert.match(child.output, /"level":"warn"[^\n]*ALLOWED_ORIGINS/);
    });
    return 'dropped with a WARN, no origin is allowed';
  },

  52: async (system) => {
    await system.nginx();
    assert.ok(count((await sixty(system)).statuses, 429) > 30, 'the limit is at work (rows 21 to 30)');
    const found = (await goLive(system)).of('edge.limits');
    assert.equal(found.verdict, 'ok', found.finding);
    return found.finding;
  },

  53: async (system) => {
    await system.nginx();
    const { machine } = system;
    await machine.ok('openssl s_client -connect 127.0.0.1:443 -servername api.yourdomain.com </dev/null 2>/dev/null | openssl x509 -noout -checkend 0');
    const looked = (await machine.ok('/usr/share/agentauri/nginx/check-certificate api.yourdomain.com')).trim();
    // Another one, which ends soon: the same check warns below 30 days and is critical below 7.
    const seen = {};
    for (const [days, code] of [[20, 1], [3, 2]]) {
      await machine.ok(`cd /root/acme; openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -subj /CN=api.yourdomain.com -addext subjectAltName=DNS:api.yourdomain.com -days ${days} -keyout soon.key -out soon.pem 2>/dev/null`);
      const server = machine.start('openssl', ['s_server', '-accept', '127.0.0.1:8443', '-cert', '/root/acme/soon.pem', '-key', '/root/acme/soon.key', '-quiet']);
      const result = await until('the other certificate', async () => {
        const each = await machine.shell('/usr/share/agentauri/nginx/check-certificate --connect 127.0.0.1:8443 --ca /root/acme/soon.pem api.yourdomain.com');
        return !each.output.includes('serves no certificate') && each;
      });
      server.kill('SIGKILL');
      await server.ended;
      assert.equal(result.code, code, result.output);
      seen[days] = result.output.trim();
    }
    const found = (await goLive(system)).of('edge.certificates');
    assert.equal(found.verdict, 'ok', found.finding);
    return `${looked}; 20 days: warning, 3 days: critical`;
  },

  54: async (system) => {
    await system.nginx();
    const { machine } = system;
    // Somebody listens on every port of the list, so that a closed one is the firewall's doing.
    const script = `for (const port of ${JSON.stringify([SSH, ...CLOSED])}) require('node:net').createServer((s) => s.end()).on('error', () => {}).listen(port, '10.77.0.1')`;
    const listener = start(process.execPath, ['-e', script]);
    // Another host at the other end of a cable.
    const peer = start('unshare', ['--net', 'sleep', 'infinity']);
    try {
      await until('the other host', async () => (await readlinkOf(`/proc/${peer.pid}/ns/net`)) !== (await readlinkOf('/proc/self/ns/net')));
      const at = `nsenter -t ${peer.pid} -n`;
      const wired = await run('bash', ['-euc', `ip link add fw type veth peer name cable netns /proc/${peer.pid}/ns/net; ip addr add 10.77.0.1/24 dev fw; ip link set fw up
        ${at} ip addr add 10.77.0.2/24 dev cable; ${at} ip addr add 203.0.113.7/32 dev cable; ${at} ip link set cable up; ip route add 203.0.113.7/32 dev fw; ${at} ip route add 10.77.0.0/24 dev cable 2>/dev/null || true`]);
      assert.equal(wired.code, 0, wired.output);
      const answering = async (from) => {
        const probe = `const open = []; let left = 0;
          for (const port of ${JSON.stringify([SSH, ...OPEN, ...CLOSED])}) { ++left; const s = require('node:net').connect({ host: '10.77.0.1', port, localAddress: '${from}', timeout: 800 });
            s.on('connect', () => { open.push(port); s.destroy(); }).on('timeout', () => s.destroy()).on('error', () => {}).on('close', () => --left || console.log(JSON.stringify(open.sort((a, b) => a - b)))); }`;
        const { output } = await run('nsenter', ['-t', String(peer.pid), '-n', process.execPath, '-e', probe]);
        return JSON.parse(output);
      };
      const before = await until('ports to answer without a firewall', async () => {
        const open = await answering('10.77.0.2');
        return open.includes(SSH) && open.includes(80) && open.length > 5 && open;
      });
      await system.first('firewall');
      assert.deepEqual(await answering('10.77.0.2'), OPEN);
      assert.deepEqual(await answering('203.0.113.7'), [SSH, ...OPEN], 'SSH for the administrator');
      assert.equal((await fetch('http://127.0.0.1:8080/api/v1/health')).status, 200, 'the host itself keeps all');
      return `of ${before.length} open ports another host reaches ${OPEN.join(' and ')}, the administrator 22 as well`;
    } finally {
      for (const child of [listener, peer]) child.kill('SIGKILL');
      await Promise.all([listener.ended, peer.ended]);
      await machine.shell('nft delete table inet agentauri');
    }
  },

  55: async (system) => {
    await system.gateway();
    await system.backup();
    const said = await goLive(system);
    for (const id of ['backup.age', 'backup.failure']) assert.equal(said.of(id).verdict, 'ok', said.of(id).finding);
    return said.of('backup.age').finding;
  },

  56: async (system) => {
    await system.gateway();
    await system.http('GET', '/api/v1/nothing-here');
    const said = await system.guide('logrotate');
    assert.match(said, /rotating pattern: \/var\/log\/api-gateway\/\*\.log/);
    assert.doesNotMatch(said, /error/i);
    await system.first('journal-size');
    assert.match(await system.machine.ok('systemd-analyze cat-config systemd/journald.conf'), /^SystemMaxUse=1G$/m);
    return 'logrotate takes it; SystemMaxUse is in the guide';
  },

  57: async (system) => {
    await system.gateway();
    await system.monitoring();
    const found = (await goLive(system)).of('machine.monitoring');
    assert.equal(found.verdict, 'ok', found.finding);
    const rules = await (await fetch('http://127.0.0.1:9090/api/v1/rules')).json();
    const alerts = rules.data.groups.flatMap((group) => group.rules).filter((rule) => rule.type === 'alerting');
    assert.ok(alerts.length > 0);
    const managers = await (await fetch('http://127.0.0.1:9090/api/v1/alertmanagers')).json();
    assert.equal(managers.data.activeAlertmanagers.length, 1);
    return `${alerts.length} alert rules in Prometheus, Alertmanager attached (rows 96 to 101)`;
  },
};

const readlinkOf = (file) => readlink(file).catch(() => undefined);
