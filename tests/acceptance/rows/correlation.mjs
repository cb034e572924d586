// Rows 92 to 95: the id of a request.
import assert from 'node:assert/strict';
import net from 'node:net';
import { Receiver } from '../../functional/lib/receiver.mjs';
import { newAddress } from '../../functional/lib/nginx.mjs';
import { until } from '../../functional/lib/wait.mjs';
import { newClient } from '../system.mjs';

const UUID_V4 = /^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/;
const ask = (system, id, target = '/api/v1/triggers') => system.http('GET', target, { headers: id === undefined ? {} : { 'x-request-id': id } });

// Bytes as they are: what no HTTP library would send.
const raw = (text) => new Promise((resolve, reject) => {
  let answer = '';
  const socket = net.connect(8080, '127.0.0.1', () => socket.end(text));
  socket.setEncoding('utf8').on('data', (chunk) => { answer += chunk; }).on('close', () => resolve(answer)).on('error', reject);
});

export const rows = {
  92: async (system) => {
    await system.gateway();
    assert.equal((await ask(system, 'order:42.a_b-c')).header('x-request-id'), 'order:42.a_b-c');
    const made = await ask(system);
    assert.match(made.header('x-request-id'), UUID_V4);
    assert.equal(made.body.request_id, made.header('x-request-id'));
  },

  93: async (system) => {
    await system.gateway();
    assert.equal((await ask(system, 'x'.repeat(128))).header('x-request-id'), 'x'.repeat(128));
    for (const bad of ['x'.repeat(129), 'not fit', 'a"b', 'a/b', 'é', '{}']) assert.match((await ask(system, bad)).header('x-request-id'), UUID_V4, bad.slice(0, 20));
    for (const bad of ['a\tb', 'a\u0001b', 'a\u007fb']) {
      const answer = await raw(`GET /api/v1/triggers HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Request-ID: ${bad}\r\n\r\n`);
      assert.ok(!answer.includes(bad), JSON.stringify(bad));
      assert.match(/^x-request-id: (.*)\r$/im.exec(answer)?.[1] ?? '(none)', UUID_V4, JSON.stringify(bad));
    }
    const injected = await raw('GET /api/v1/triggers HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Request-ID: a\r\n X-Injected: yes\r\n\r\n');
    assert.doesNotMatch(injected.split('\r\n\r\n')[0], /^x-injected/im);
    for (const line of (await system.machine.ok('journalctl --no-pager -o cat -u api-gateway -n 100')).split('\n').filter((each) => each.startsWith('{'))) JSON.parse(line);
  },

  94: async (system) => {
    await system.gateway();
    const from = newClient();
    const answers = {
      200: await ask(system, undefined, '/api/v1/health'), 401: await ask(system), 404: await ask(system, undefined, '/nothing'), 405: await system.http('DELETE', '/api/v1/health'),
      413: await system.http('POST', '/api/v1/triggers', { body: 'x'.repeat(1_100_000) }), 415: await system.http('POST', '/api/v1/auth/login', { body: 'x', headers: { 'content-encoding': 'gzip' } }),
      429: (await Promise.all(Array.from({ length: 61 }, () => system.http('GET', '/api/v1/ponder/status', { from })))).find((answer) => answer.status === 429),
      preflight: await system.http('OPTIONS', '/api/v1/triggers', { headers: { origin: 'https://app.yourdomain.com', 'access-control-request-method': 'POST' } }),
    };
    await system.machine.ok('systemctl stop postgresql@15-main');
    try {
      answers[503] = await until('503', async () => {
        const answer = await ask(system, undefined, '/api/v1/health');
        return answer.status === 503 && answer;
      });
    } finally {
      await system.machine.ok('systemctl start postgresql@15-main');
      await system.healthy();
    }
    for (const [kind, answer] of Object.entries(answers)) {
      if (kind !== 'preflight') assert.equal(String(answer?.status), kind);
      assert.match(answer.header('x-request-id') ?? '(none)', UUID_V4, kind);
    }
    await system.nginx();
    await system.machine.ok('systemctl stop api-gateway');
    try {
      const gone = await system.site.request('GET', '/api/v1/triggers', { from: newAddress() });
      assert.equal(gone.status, 502);
      assert.match(gone.header('x-request-id') ?? '(none)', UUID_V4, '502 of nginx');
    } finally {
      await system.machine.ok('systemctl start api-gateway');
      await system.healthy();
    }
    return `${Object.keys(answers).join(', ')}, and nginx's own 502`;
  },

  95: async (system) => {
    await system.nginx();
    const receiver = await Receiver.start();
    try {
      await system.machine.ok("printf 'EGRESS_ALLOW=127.0.0.0/8\\nEGRESS_HTTPS_ONLY=false\\n' >>/etc/agentauri/agentauri.env; systemctl restart api-gateway");
      await system.healthy();
      const user = await system.user();
      const from = newAddress();
      const through = (target, body, id) => until('nginx to pass it on', async () => {
        const answer = await system.site.request('POST', target, { from, headers: { authorization: `Bearer ${user.token}`, 'content-type': 'application/json', ...(id ? { 'x-request-id': id } : {}) }, body: JSON.stringify(body) });
        return answer.status !== 502 && answer;
      });
      const made = await through('/api/v1/triggers', { name: 'walk', chain_id: 8453, registry: 'reputation', conditions: [{ condition_type: 'score_threshold', field: 'score', operator: '<', value: '60' }], actions: [{ action_type: 'webhook', config: { url: receiver.url } }] });
      assert.equal(made.status, 201, JSON.stringify(made.body));
      const id = `walk-${Date.now()}`;
      const tried = await through(`/api/v1/triggers/${made.body.data.id}/test`, { sample: 'NewFeedback', send: true }, id);
      assert.equal(tried.status, 202, JSON.stringify(tried.body));
      await until('the delivery', () => receiver.deliveries.length > 0);
      const job = await system.sql(`SELECT count(*) FROM jobs WHERE request_id = '${id}'`);
      assert.notEqual(job, '0', 'the job has it');
      await until('the attempt', async () => (await system.sql(`SELECT count(*) FROM attempts WHERE request_id = '${id}'`)) !== '0');
      const lines = await until('the lines', async () => {
        const found = (await system.journal()).filter((line) => line.request_id === id);
        return found.some((line) => line.message === 'request') && found.some((line) => line.target === 'delivery' || /deliver|attempt/.test(line.message)) && found;
      });
      const nginx = (await system.machine.read('/var/log/nginx/api.agentauri.ai.access.log')).split('\n').filter((line) => line.includes(`"request_id":"${id}"`));
      assert.equal(nginx.length, 1, 'nginx');
      assert.equal(receiver.deliveries[0].headers['x-request-id'], id, 'the outgoing call');
      return `nginx, ${[...new Set(lines.map((line) => `${line.target ?? line.service}: ${line.message}`))].join(', ')}, the job, the attempt, the outgoing call`;
    } finally {
      await receiver.close();
      await system.machine.ok("sed -i '/^EGRESS_/d' /etc/agentauri/agentauri.env; systemctl restart api-gateway");
      await system.healthy();
    }
  },
};
