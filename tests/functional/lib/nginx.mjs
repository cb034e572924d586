// A real nginx with the shipped files: installed by the shipped script into a temporary folder, on free loopback ports, with a
// certificate of a local authority.
import assert from 'node:assert/strict';
import { mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import http2 from 'node:http2';
import https from 'node:https';
import { tmpdir, userInfo } from 'node:os';
import path from 'node:path';
import { ROOT } from './agentauri.mjs';
import { freePort, run, runOk, start } from './process.mjs';
import { until } from './wait.mjs';

export const DOMAIN = 'api.yourdomain.com';
export const DEPLOY = path.join(ROOT, 'deploy/nginx');
const PROGRAM = process.env.NGINX_BINARY ?? '/usr/sbin/nginx';   // another one, to try a newer version

export class Nginx {
  program = PROGRAM;

  // gatewayPort: where the gateway, or what stands in for it, listens.
  static async start(gatewayPort) {
    const self = new Nginx();
    self.directory = await mkdtemp(path.join(tmpdir(), 'agentauri-nginx-'));
    self.configuration = path.join(self.directory, 'etc/nginx/nginx.conf');
    self.port = await freePort();
    self.plainPort = await freePort();
    await self.#makeAuthority();
    await self.makeCertificate(90);
    await runOk(path.join(DEPLOY, 'install'), ['--files-only', self.directory, DOMAIN]);
    await self.#replace('conf.d/api.agentauri.ai.conf', {
      'listen 443 ': `listen 127.0.0.1:${self.port} `,
      '    listen [::]:443 ssl http2;\n': '',
      'server 127.0.0.1:8080;': `server 127.0.0.1:${gatewayPort};`,
      '/etc/letsencrypt/live/': `${self.directory}/etc/letsencrypt/live/`,
      '/var/log/nginx/': `${self.directory}/var/log/nginx/`,
    });
    await self.#replace('snippets/agentauri-port80.conf', {
      'listen 80;': `listen 127.0.0.1:${self.plainPort};`,
      '    listen [::]:80;\n': '',
      '/var/www/': `${self.directory}/var/www/`,
    });
    // What Debian's own nginx.conf says that matters to a site, and temporary places for the rest.
    const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map((kind) => `${kind}_temp_path ${self.directory}/${kind};`).join('\n');
    await writeFile(self.configuration, `
      ${process.getuid() === 0 ? `user ${userInfo().username} root;` : ''}
      worker_processes 2;
      pid ${self.directory}/nginx.pid;
      error_log ${self.directory}/error.log;
      events { worker_connections 768; }
      http {
        gzip on;
        gzip_types application/json text/event-stream;
        access_log off;
        ${temporary}
        include conf.d/*.conf;
      }`);
    self.child = start(PROGRAM, self.arguments('-g', 'daemon off;'), { detached: true });
    // Its workers outlive a master that is killed; they are one group.
    process.on('exit', () => {
      if (self.child.exitCode === null && self.child.signalCode === null) process.kill(-self.child.pid, 'SIGKILL');
    });
    await until('nginx to answer', async () => {
      if (self.child.exitCode !== null) throw new Error(`it ended with ${self.child.exitCode}:\n${self.child.output}`);
      return (await self.request('GET', '/api/v1/health', { from: '127.0.1.1' })).status;
    });
    return self;
  }

  // The same requests to one that runs already, on a host set up in another way.
  static at(port, ca) {
    return Object.assign(new Nginx(), { port, ca });
  }

  arguments(...more) {
    return ['-c', this.configuration, '-p', this.directory, '-e', `${this.directory}/error.log`, ...more];
  }

  // Each text must be there: a changed file must not slip through untested.
  async #replace(name, texts) {
    const file = path.join(this.directory, 'etc/nginx', name);
    let content = await readFile(file, 'utf8');
    for (const [from, to] of Object.entries(texts)) {
      if (!content.includes(from)) throw new Error(`${name} has no "${from}"`);
      content = content.replaceAll(from, to);
    }
    await writeFile(file, content);
  }

  async #makeAuthority() {
    await runOk('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-subj', '/CN=Test authority', '-days', '3650',
      '-keyout', `${this.directory}/ca.key`, '-out', `${this.directory}/ca.pem`]);
    this.ca = await readFile(`${this.directory}/ca.pem`);
  }

  // A certificate where certbot would put one, valid for so many days.
  async makeCertificate(days) {
    const folder = `${this.directory}/etc/letsencrypt/live/${DOMAIN}`;
    await mkdir(folder, { recursive: true });
    await writeFile(`${this.directory}/names`, `subjectAltName=DNS:${DOMAIN}`);
    await runOk('openssl', ['req', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-subj', `/CN=${DOMAIN}`, '-keyout', `${folder}/privkey.pem`, '-out', `${this.directory}/request.pem`]);
    await runOk('openssl', ['x509', '-req', '-in', `${this.directory}/request.pem`, '-CA', `${this.directory}/ca.pem`, '-CAkey', `${this.directory}/ca.key`,
      '-days', String(days), '-extfile', `${this.directory}/names`, '-out', `${folder}/fullchain.pem`]);
    return folder;
  }

  command(...args) {
    return run(PROGRAM, this.arguments(...args));
  }

  // The shipped hook, which finds this nginx where a host has its own.
  async reload() {
    await mkdir(`${this.directory}/bin`, { recursive: true });
    const quoted = this.arguments().map((argument) => `'${argument}'`).join(' ');
    await writeFile(`${this.directory}/bin/nginx`, `#!/bin/sh\nexec ${PROGRAM} ${quoted} "$@"\n`, { mode: 0o755 });
    await writeFile(`${this.directory}/bin/systemctl`, `#!/bin/sh\nexec ${PROGRAM} ${quoted} -s reload\n`, { mode: 0o755 });
    return run(path.join(this.directory, 'etc/letsencrypt/renewal-hooks/deploy/agentauri-nginx'), [], {
      env: { ...process.env, PATH: `${this.directory}/bin:${process.env.PATH}` },
    });
  }

  async workers() {
    const pid = (await readFile(`${this.directory}/nginx.pid`, 'utf8')).trim();
    return (await readFile(`/proc/${pid}/task/${pid}/children`, 'utf8')).trim().split(' ');
  }

  tls(from) {
    return { host: '127.0.0.1', port: this.port, servername: DOMAIN, ca: this.ca, ...(from ? { localAddress: from } : {}) };
  }

  // from: the address to call from; every one of 127.0.0.0/8 has limits of its own. agent: without one, a new connection.
  request(method, target, { headers = {}, body, from, agent = false } = {}) {
    return new Promise((resolve, reject) => {
      const options = { ...this.tls(from), method, path: target, agent, headers: { host: DOMAIN, ...headers } };
      const request = https.request(options, (response) => resolve(answerOf(response, response.statusCode, response.rawHeaders)));
      request.on('error', reject);
      request.end(body);
    });
  }

  // Many at once over one HTTP/2 connection.
  async requests2(count, headers, { body, from } = {}) {
    const session = http2.connect(`https://127.0.0.1:${this.port}`, this.tls(from));
    try {
      return await Promise.all(Array.from({ length: count }, () => new Promise((resolve, reject) => {
        const stream = session.request({ ':authority': DOMAIN, ...headers });
        stream.on('response', (head) => resolve(answerOf(stream, head[':status'], Object.entries(head).flat())));
        stream.on('error', reject);
        stream.end(body);
      })));
    } finally {
      session.close();
    }
  }

  async accessLog() {
    const text = await readFile(`${this.directory}/var/log/nginx/api.agentauri.ai.access.log`, 'utf8');
    return text.split('\n').filter(Boolean).map((line) => JSON.parse(line));
  }

  // Lines are written when an answer has ended, perhaps a moment after the client has it.
  logLine(requestId) {
    return until(`a line of ${requestId}`, async () => (await this.accessLog()).find((line) => line.request_id === requestId));
  }

  async stop() {
    if (this.child && this.child.exitCode === null) {
      this.child.kill('SIGTERM');
      await this.child.ended;
    }
    await rm(this.directory, { recursive: true, force: true });
  }
}

async function answerOf(stream, status, rawHeaders) {
  const chunks = [];
  for await (const chunk of stream) chunks.push(chunk);
  const bytes = Buffer.concat(chunks);
  const all = [];
  for (let i = 0; i < rawHeaders.length; i += 2) all.push([String(rawHeaders[i]).toLowerCase(), rawHeaders[i + 1]]);
  const text = bytes.toString('utf8');
  let body = text;
  try {
    body = JSON.parse(text);
  } catch {
    /* not JSON: the text itself */
  }
  // values: every value of a field, in order.
  const values = (name) => all.filter(([given]) => given === name).map(([, value]) => value);
  return { status, body, bytes, values, header: (name) => values(name)[0] };
}

// Every address has limits of its own: each test calls from another one.
let used = 0;
export const newAddress = () => `127.1.${++used >> 8}.${used & 255}`;

export function hasSecurityHeaders(answer, what) {
  const wanted = {
    'x-frame-options': 'SAMEORIGIN',
    'x-content-type-options': 'nosniff',
    'x-xss-protection': '1; mode=block',
    'strict-transport-security': 'max-age=31536000; includeSubDomains',
  };
  for (const [name, value] of Object.entries(wanted)) assert.deepEqual(answer.values(name), [value], `${name} of ${what}`);
  for (const name of ['referrer-policy', 'content-security-policy', 'x-request-id', 'content-type']) assert.equal(answer.values(name).length, 1, `${name} of ${what}`);
}

// An answer of nginx's own, in the shape of the gateway's.
export function isRefusal(answer, status, code) {
  assert.equal(answer.status, status);
  assert.equal(answer.header('content-type'), 'application/json');
  assert.deepEqual(Object.keys(answer.body), ['error', 'message', 'request_id']);
  assert.equal(answer.body.error, code);
  assert.equal(answer.body.request_id, answer.header('x-request-id'));
  hasSecurityHeaders(answer, status);
}
