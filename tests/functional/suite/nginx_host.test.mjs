// The shipped installation as it is, ports, paths and all, on a host of its own: a certificate from an ACME authority, its
// renewal, and the firewall as another host sees it.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { BINARY, ROOT } from '../lib/agentauri.mjs';
import { DOMAIN } from '../lib/nginx.mjs';
import { OwnHost } from '../lib/own_host.mjs';
import { runOk } from '../lib/process.mjs';
import { until } from '../lib/wait.mjs';

const INSTALL = path.join(ROOT, 'deploy/nginx/install');
const CHECK = path.join(ROOT, 'deploy/nginx/check-certificate');

describe('deploy/nginx/install on a host of its own', () => {
  let host, reason, directory, environment;
  before(async () => {
    ({ host, reason } = await OwnHost.start());
    if (!host) return;
    directory = await mkdtemp(path.join(tmpdir(), 'agentauri-acme-'));
    // The authority: its own TLS certificate, names that all mean this host, and answers without its usual mischief.
    await runOk('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-subj', '/CN=pebble', '-addext', 'subjectAltName=IP:127.0.0.1', '-days', '1',
      '-keyout', `${directory}/acme.key`, '-out', `${directory}/acme.pem`]);
    await writeFile(`${directory}/pebble.json`, JSON.stringify({ pebble: {
      listenAddress: '127.0.0.1:14000', managementListenAddress: '127.0.0.1:15000', certificate: `${directory}/acme.pem`, privateKey: `${directory}/acme.key`, httpPort: 80, tlsPort: 443,
    } }));
    host.start('pebble-challtestsrv', ['-defaultIPv4', '127.0.0.1', '-defaultIPv6', '', '-http01', '', '-https01', '', '-tlsalpn01', '', '-dns01', '127.0.0.1:8053', '-management', '127.0.0.1:8055']);
    host.start('pebble', ['-config', `${directory}/pebble.json`, '-dnsserver', '127.0.0.1:8053'], { env: { ...process.env, PEBBLE_VA_NOSLEEP: '1', PEBBLE_WFE_NONCEREJECT: '0' } });
    // Debian's certbot without its timer: the machine that runs the tests renews nothing.
    await writeFile(`${directory}/certbot`, '#!/bin/sh\nexec python3 -c "import sys; from certbot.main import main; sys.argv[0] = \'certbot\'; sys.exit(main())" "$@"\n', { mode: 0o755 });
    environment = { PATH: `${directory}:/usr/sbin:/usr/bin:/sbin:/bin`, HOME: directory, REQUESTS_CA_BUNDLE: `${directory}/acme.pem` };
    host.start(BINARY, ['serve'], { env: { ...environment, AGENTAURI_DATA_DIR: `${directory}/data` }, cwd: directory });
    await host.shell(`rm -f /etc/nginx/conf.d/*; printf '%s\\n' 'user root;' 'pid /run/nginx.pid;' 'events {}' 'http { include /etc/nginx/conf.d/*.conf; }' >/etc/nginx/nginx.conf`);
    host.start('nginx', ['-g', 'daemon off;']);
    await until('nginx', async () => (await host.shell('test -s /run/nginx.pid')).code === 0);
    await until('the authority', async () => (await host.shell(`curl -sf --cacert ${directory}/acme.pem https://127.0.0.1:15000/roots/0 -o ${directory}/root.pem`)).code === 0);
  });
  after(async () => {
    await host?.stop();
    if (directory) await rm(directory, { recursive: true, force: true });
  });
  const install = () => host.run(INSTALL, [DOMAIN, 'operator@example.org', '--server', 'https://127.0.0.1:14000/dir'], { env: environment });
  const curl = (target, ...options) => host.run('curl', ['-s', '--cacert', `${directory}/root.pem`, '--resolve', `${DOMAIN}:443:127.0.0.1`, '--resolve', `${DOMAIN}:80:127.0.0.1`, ...options, target]);
  const serial = async () => (await host.shell(`openssl s_client -connect 127.0.0.1:443 -servername ${DOMAIN} </dev/null 2>/dev/null | openssl x509 -noout -serial`)).output.trim();

  test('from nothing to a served certificate, with one command, which may be given again', async (t) => {
    if (!host) return t.skip(reason);
    const first = await install();
    assert.equal(first.code, 0, first.output);
    const health = await until('the gateway', async () => {
      const answer = await curl(`https://${DOMAIN}/api/v1/health`, '--http2', '-w', ' %{http_version} %{http_code}');
      return answer.output.endsWith(' 2 200') && answer;
    });
    assert.match(health.output, /"status":"healthy"/);
    const moved = await curl(`http://${DOMAIN}/x?y=1`, '-o', '/dev/null', '-w', '%{http_code} %{redirect_url}');
    assert.equal(moved.output, `301 https://${DOMAIN}/x?y=1`);
    const before = await serial();
    const again = await install();
    assert.equal(again.code, 0, again.output);
    assert.equal(await serial(), before, 'a certificate that is there is kept');
  });

  test('a renewal is served without anybody doing anything', async (t) => {
    if (!host) return t.skip(reason);
    const before = await serial();
    const renewed = await host.run('certbot', ['renew', '--force-renewal', '--no-random-sleep-on-renew'], { env: environment });
    assert.equal(renewed.code, 0, renewed.output);
    await until('the new certificate', async () => (await serial()) !== before);
    const checked = await host.run(CHECK, ['--ca', `${directory}/root.pem`, DOMAIN], { env: environment });
    assert.equal(checked.code, 0, checked.output);
  });

  test('what nginx does not take is not left behind', async (t) => {
    if (!host) return t.skip(reason);
    await host.shell("echo 'nonsense;' >/etc/nginx/conf.d/zzz.conf; echo '# mine' >>/etc/nginx/conf.d/api.agentauri.ai.conf");
    const result = await install();
    assert.notEqual(result.code, 0);
    assert.match(result.output, /nonsense[^]*things are as they were/);
    const left = await host.shell('rm /etc/nginx/conf.d/zzz.conf; tail -1 /etc/nginx/conf.d/api.agentauri.ai.conf; ls /etc/nginx/conf.d');
    assert.equal(left.output, '# mine\napi.agentauri.ai.conf\n');
    assert.notEqual((await host.run(INSTALL, ['Not a host'], { env: environment })).code, 0);
  });
});

describe('the firewall', () => {
  const OPEN = [80, 443];
  const SSH = 22;
  const CLOSED = [8080, 5432, 6379, 9090, 9093, 3000, 9464, 9465, 9466, 9467];
  const PORTS = [SSH, ...OPEN, ...CLOSED];
  // Who asks from where, and by which family of addresses.
  const ADMINISTRATOR = ['10.77.0.7', 'fd77::7'];
  const ANYBODY = ['10.77.0.2', 'fd77::2'];
  let host, reason;
  before(async () => {
    ({ host, reason } = await OwnHost.start());
    if (!host) return;
    const listen = `for (const port of ${JSON.stringify(PORTS)}) require('node:net').createServer((s) => s.end()).listen(port, '::')`;
    host.start(process.execPath, ['-e', listen]);
    // Another host, at the other end of a cable.
    host.start('unshare', ['--net', 'sh', '-c', 'echo $$ >/run/peer; exec sleep infinity']);
    const wired = await until('the other host', async () => (await host.shell('test -s /run/peer')).code === 0).then(() => host.shell(`
      peer=$(cat /run/peer)
      ip link add fw type veth peer name cable netns $peer
      ip addr add 10.77.0.1/24 dev fw; ip addr add fd77::1/64 dev fw nodad; ip link set fw up
      at_peer() { nsenter -t $peer -n "$@"; }
      for last in 2 7; do at_peer ip addr add 10.77.0.$last/24 dev cable; at_peer ip addr add fd77::$last/64 dev cable nodad; done
      at_peer ip link set cable up`));
    assert.equal(wired.code, 0, wired.output);
    await until('all ports to answer', async () => (await answering(ANYBODY[0])).length === PORTS.length && (await answering(ANYBODY[1])).length === PORTS.length);
  });
  after(() => host?.stop());

  // The ports that answer somebody at the other host. What is dropped says nothing, so that there is no condition to wait for.
  async function answering(from) {
    const to = from.includes(':') ? 'fd77::1' : '10.77.0.1';
    const probe = `
      const open = [];
      let left = ${PORTS.length};
      for (const port of ${JSON.stringify(PORTS)}) {
        const socket = require('node:net').connect({ host: '${to}', port, localAddress: '${from}', timeout: 700 });
        socket.on('connect', () => { open.push(port); socket.destroy(); }).on('timeout', () => socket.destroy()).on('error', () => {})
          .on('close', () => --left || console.log(JSON.stringify(open.sort((a, b) => a - b))));
      }`;
    const result = await host.shell(`nsenter -t $(cat /run/peer) -n "$NODE" -e "$PROBE"`, { env: { ...process.env, NODE: process.execPath, PROBE: probe } });
    return JSON.parse(result.output);
  }

  test('agentauri.nft says nothing to a host that names no administrators', async (t) => {
    if (!host) return t.skip(reason);
    assert.notEqual((await host.run('nft', ['-f', path.join(ROOT, 'deploy/firewall/agentauri.nft')])).code, 0);
    assert.deepEqual(await answering(ANYBODY[0]), [...PORTS].sort((a, b) => a - b));
  });

  test('agentauri.nft: 80 and 443 for everybody, SSH for administrators, nothing else; the host itself keeps all', async (t) => {
    if (!host) return t.skip(reason);
    const load = () => host.run('nft', ['-D', 'admin4={ 10.77.0.7 }', '-D', 'admin6={ fd77::7 }', '-f', path.join(ROOT, 'deploy/firewall/agentauri.nft')]);
    for (let time = 0; time < 2; ++time) {
      const loaded = await load();
      if (/Operation not (permitted|supported)/.test(loaded.output)) return t.skip(`the kernel takes no rules here: ${loaded.output}`);
      assert.equal(loaded.code, 0, loaded.output);
    }
    await onlyWhatIsMeantAnswers();
  });

  test('ufw: the same', async (t) => {
    if (!host) return t.skip(reason);
    if ((await host.run('sh', ['-c', 'command -v ufw'])).code !== 0) return t.skip('ufw is not installed');
    if (process.getuid() !== 0) return t.skip("ufw's files may only be read by root");
    await host.run('nft', ['delete', 'table', 'inet', 'agentauri']);
    const script = path.join(ROOT, 'deploy/firewall/ufw');
    assert.equal((await host.run(script)).code, 64, 'nobody is locked out by a forgotten argument');
    const done = await host.run(script, ['10.77.0.7', 'fd77::7']);
    assert.equal(done.code, 0, done.output);
    await onlyWhatIsMeantAnswers();
  });

  async function onlyWhatIsMeantAnswers() {
    for (const from of ANYBODY) assert.deepEqual(await answering(from), OPEN, from);
    for (const from of ADMINISTRATOR) assert.deepEqual(await answering(from), [SSH, ...OPEN], from);
    for (const port of CLOSED) assert.equal((await host.shell(`exec 3<>/dev/tcp/127.0.0.1/${port}`)).code, 0, `the host itself reaches ${port}`);
  }
});
