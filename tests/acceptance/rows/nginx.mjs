// Rows 21 to 34: the shipped nginx files as installed, with live requests.
import assert from 'node:assert/strict';
import { createServer } from 'node:http';
import http from 'node:http';
import { hasSecurityHeaders, newAddress } from '../../functional/lib/nginx.mjs';
import { until } from '../../functional/lib/wait.mjs';
import { count } from '../http.mjs';
import { DOMAIN, GATEWAY } from '../system.mjs';

const JSON_BODY = { 'content-type': 'application/json' };
const BAD_LOGIN = { target: '/api/v1/auth/login', body: JSON.stringify({ username: 'nobody-here', password: 'wrong' }) };
const BURST = 20, RATE = 10;   // of /api/v1

const loaded = async (system) => {
  await system.nginx();
  return system.machine.ok('nginx -T 2>&1');
};

// Sixty at once on one connection: the statuses, and in how many seconds.
export async function sixty(system) {
  const started = Date.now();
  const answers = await system.site.requests2(60, { ':method': 'GET', ':path': '/api/v1/openapi.json' }, { from: newAddress() });
  return { statuses: answers.map((answer) => answer.status), seconds: (Date.now() - started) / 1000, answers };
}

const plain = (target) => new Promise((resolve, reject) => {
  http.get({ host: '127.0.0.1', port: 80, path: target, headers: { host: DOMAIN }, agent: false }, async (response) => {
    let text = '';
    for await (const chunk of response.setEncoding('utf8')) text += chunk;
    resolve({ status: response.statusCode, location: response.headers.location, text });
  }).on('error', reject);
});

export const rows = {
  21: async (system) => assert.match(await loaded(system), /limit_req_zone \$binary_remote_addr zone=auth_limit:10m rate=3r\/m;/),
  22: async (system) => assert.match(await loaded(system), /limit_req_zone \$binary_remote_addr zone=api_limit:10m rate=10r\/s;/),
  23: async (system) => assert.match(await loaded(system), /upstream api_gateway \{\s+server 127\.0\.0\.1:8080;/),

  24: async (system, row) => {
    await system.nginx();
    const said = await system.machine.ok(`curl -s --http2 -o /dev/null -w '%{http_version} %{http_code} %{ssl_verify_result}' https://${DOMAIN}/api/v1/health`);
    assert.equal(said, '2 200 0');
    const { output } = await system.machine.run('nginx', ['-v']);
    if (!/1\.2[5-9]/.test(output)) row.without('nginx 1.25 and newer (functional/nginx takes one by NGINX_BINARY)');
    return 'HTTP/2, verified against the authority';
  },

  25: async (system) => {
    const text = await loaded(system);
    assert.match(text, /ssl_certificate \/etc\/letsencrypt\/live\/api\.yourdomain\.com\/fullchain\.pem;/);
    assert.match(text, /ssl_certificate_key \/etc\/letsencrypt\/live\/api\.yourdomain\.com\/privkey\.pem;/);
    await system.machine.ok('test -s /etc/letsencrypt/live/api.yourdomain.com/fullchain.pem -a -s /etc/letsencrypt/live/api.yourdomain.com/privkey.pem');
  },

  26: async (system) => {
    await system.nginx();
    const from = newAddress();
    const answers = {
      200: await system.site.request('GET', '/api/v1/openapi.json', { from }),
      401: await system.site.request('GET', '/api/v1/triggers', { from }),
      404: await system.site.request('GET', '/nothing/here', { from }),
      413: await system.site.request('POST', '/api/v1/triggers', { from, headers: JSON_BODY, body: 'x'.repeat(2_000_000) }),
      429: (await sixty(system)).answers.find((answer) => answer.status === 429),
    };
    for (const [status, answer] of Object.entries(answers)) {
      assert.equal(String(answer?.status), status);
      hasSecurityHeaders(answer, status);
    }
    return '200, 401, 404, 413 and 429';
  },

  27: async (system) => {
    await system.nginx();
    const body = 'x'.repeat(2_000_000);
    const through = await system.site.request('POST', '/api/v1/triggers', { from: newAddress(), headers: JSON_BODY, body });
    const direct = await system.http('POST', '/api/v1/triggers', { body });
    assert.deepEqual([through.status, direct.status], [413, 413]);
    return '2 MB: 413 through nginx and direct';
  },

  28: async (system) => {
    await system.nginx();
    const answers = await system.site.requests2(10, { ':method': 'POST', ':path': BAD_LOGIN.target, ...JSON_BODY }, { from: newAddress(), body: BAD_LOGIN.body });
    // The gateway's own answers carry its policy.
    const reached = answers.filter((answer) => answer.header('ratelimit-policy')).length;
    assert.equal(reached, 6);
    assert.equal(answers.filter((answer) => answer.status === 429 && !answer.header('ratelimit-policy')).length, 4);
    return '6 of 10 reached the gateway, 4 were refused by nginx';
  },

  29: async (system) => {
    await system.nginx();
    const { statuses, seconds } = await sixty(system);
    const admitted = count(statuses, 200);
    assert.ok(admitted > BURST && admitted <= BURST + 2 + RATE * seconds, `${admitted} admitted in ${seconds} s`);
    assert.equal(count(statuses, 429), 60 - admitted);
    return `${admitted} of 60 admitted in ${seconds} s`;
  },

  30: async (system) => {
    await system.nginx();
    const { statuses } = await sixty(system);
    const logins = await system.site.requests2(10, { ':method': 'POST', ':path': BAD_LOGIN.target, ...JSON_BODY }, { from: newAddress(), body: BAD_LOGIN.body });
    const all = [...statuses, ...logins.map((answer) => answer.status)];
    assert.ok(count(all, 429) > 30);
    assert.deepEqual(all.filter((status) => ![200, 401, 429].includes(status)), []);
    return `${count(all, 429)} refusals, all 429`;
  },

  31: async (system) => {
    await system.nginx();
    await system.machine.ok('systemctl stop api-gateway');
    const echo = createServer((request, response) => response.end(JSON.stringify(request.headers)));
    try {
      await new Promise((resolve, reject) => echo.once('error', reject).listen(8080, '127.0.0.1', resolve));
      const from = newAddress();
      const { body } = await system.site.request('GET', '/api/v1/triggers', { from, headers: { 'x-forwarded-for': '203.0.113.9', 'x-real-ip': '203.0.113.9' } });
      assert.equal(body.host, DOMAIN);
      assert.equal(body['x-real-ip'], from);
      assert.equal(body['x-forwarded-for'], `203.0.113.9, ${from}`);
      assert.equal(body['x-forwarded-proto'], 'https');
    } finally {
      echo.closeAllConnections();
      await new Promise((resolve) => echo.close(resolve));
      await system.machine.ok('systemctl start api-gateway');
      await system.healthy();
    }
    // And the gateway believes what nginx saw.
    const from = newAddress();
    const answer = await until('the gateway behind nginx', async () => {
      const each = await system.site.request('GET', '/api/v1/triggers', { from, headers: { 'x-forwarded-for': '203.0.113.9' } });
      return each.status === 401 && each;
    });
    const line = await until('its line', async () => (await system.journal()).find((each) => each.request_id === answer.header('x-request-id')));
    assert.equal(line.client_ip, from);
    return 'an echo in the gateway’s place saw all four; a claimed address is appended to, not believed';
  },

  32: async (system) => {
    await system.nginx();
    const log = async () => (await system.machine.read('/var/log/nginx/api.agentauri.ai.access.log')).split('\n').filter(Boolean);
    const lines = (await log()).length;
    const answers = await system.site.requests2(100, { ':method': 'GET', ':path': '/api/v1/health' }, { from: newAddress() });
    assert.equal(count(answers.map((answer) => answer.status), 200), 100);
    const next = await system.site.request('GET', '/api/v1/triggers', { from: newAddress() });
    await until('the next line', async () => (await log()).some((line) => line.includes(next.header('x-request-id'))));
    assert.equal((await log()).length, lines + 1);
    return '100 × 200, no line';
  },

  33: async (system) => {
    await system.nginx();
    assert.match(await system.machine.ok("curl -sI 'http://api.yourdomain.com/x?y=1'"), /^HTTP\/1\.1 301[^]*\r\nlocation: https:\/\/api\.yourdomain\.com\/x\?y=1\r\n/i);
    await system.machine.write('/var/www/certbot/.well-known/acme-challenge/token', 'proof');
    assert.deepEqual(await plain('/.well-known/acme-challenge/token'), { status: 200, location: undefined, text: 'proof' });
    assert.equal((await plain('/.well-known/acme-challenge/none')).status, 404);
  },

  34: async (system) => {
    await system.nginx();
    let going = true;
    const seen = {};
    // Each on a connection of its own: an idle kept one may be closed by a reload, which is no fault (deploy/nginx/README.md).
    const callers = Array.from({ length: 6 }, async () => {
      while (going) {
        const status = await system.site.request('GET', '/api/v1/health').then((answer) => answer.status, (error) => error.code ?? error.message);
        seen[status] = (seen[status] ?? 0) + 1;
      }
    });
    for (let i = 0; i < 3; ++i) {
      const before = seen[200] ?? 0;
      await system.guide('nginx-reload');
      await until('requests after the reload', () => (seen[200] ?? 0) >= before + 30);
    }
    going = false;
    await Promise.all(callers);
    assert.deepEqual(Object.keys(seen), ['200'], JSON.stringify(seen));
    return `${seen[200]} requests over three reloads, no fault`;
  },
};
