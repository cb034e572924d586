// Rows 1 to 8: where it runs, and what it stands on.
import assert from 'node:assert/strict';
import { existsSync } from 'node:fs';
import { readFile, readdir } from 'node:fs/promises';
import path from 'node:path';
import { ROOT } from '../../functional/lib/agentauri.mjs';
import { run } from '../../functional/lib/process.mjs';
import { until } from '../../functional/lib/wait.mjs';
import { DOMAIN } from '../system.mjs';
import { guide } from '../guide.mjs';

const MAX_GLIBC = 35;

export const rows = {
  1: async (system, row) => {
    const files = existsSync(path.join(ROOT, 'terraform')) ? (await readdir(path.join(ROOT, 'terraform'))).filter((name) => name.endsWith('.tf')) : [];
    assert.notEqual(files.length, 0, 'terraform/ has no .tf file');
    const document = path.join(ROOT, 'docs/deployment/AWS_DEPLOYMENT.md');
    assert.ok(existsSync(document), 'docs/deployment/AWS_DEPLOYMENT.md is missing');
    const text = await readFile(document, 'utf8');
    for (const needed of [/Fargate/, /us-east-1/, /gateway/, /indexer/, /engine/, /worker/, /roll.?back/i]) assert.match(text, needed);
    row.without('terraform fmt (no terraform command in Debian), ECS itself');
    return `${files.length} .tf files`;
  },

  // Judged last: by then the walk has run what it runs.
  2: async (system) => {
    await system.nginx();
    const left = [];
    for (const id of guide.blocks.keys()) {
      if (guide.reasons.has(id) || system.ran(id)) continue;
      left.push(id);
      await system.first(id);
    }
    return `${guide.blocks.size} blocks: ${guide.blocks.size - guide.reasons.size} run, ${guide.reasons.size} listed as not runnable${left.length ? ` (now: ${left.join(', ')})` : ''}`;
  },

  3: async (system, row) => {
    await system.packages();
    const libraries = await system.machine.ok('ldd /usr/bin/agentauri; dpkg-query -W -f "\\${Status}\\n" agentauri');
    assert.doesNotMatch(libraries, /not found/);
    assert.match(libraries, /install ok installed/, 'what the package depends on is there');
    const names = (await readFile(system.machine.file('/usr/bin/agentauri'), 'latin1')).match(/\bGLIBC_2\.\d+/g) ?? [];
    const highest = Math.max(...names.map((name) => Number(name.split('.')[1])));
    assert.ok(names.length > 0 && highest <= MAX_GLIBC, `GLIBC_2.${highest}`);
    row.without('a clean Ubuntu 22.04');
    return `Debian ${(await system.machine.read('/etc/debian_version')).trim()}, needs GLIBC_2.${highest}`;
  },

  4: async (system, row) => {
    const listed = await run('python3', ['-c', 'import json, sys, yaml; print(json.dumps(yaml.safe_load(open(sys.argv[1]))))', path.join(ROOT, 'deploy/docker/compose.yaml')]);
    assert.equal(listed.code, 0, listed.output);
    const { services } = JSON.parse(listed.output);
    for (const name of ['postgres', 'redis', 'gateway', 'indexer', 'engine', 'worker', 'prometheus', 'nginx']) assert.ok(services[name], `compose.yaml has no service ${name}`);
    row.without('docker compose config (no Docker client here)');
    return `${Object.keys(services).length} services`;
  },

  5: async (system) => {
    await system.nginx();
    const answer = await system.site.request('GET', '/api/v1/health');
    assert.equal(answer.status, 200);
    assert.equal(answer.header('server'), 'nginx');
    return system.machine.ok('nginx -v 2>&1').then((text) => text.trim().replace(/^nginx version: /, ''));
  },

  6: async (system) => {
    await system.nginx();
    const { machine } = system;
    assert.match(await machine.ok('nginx -t 2>&1'), /test is successful/);
    const serial = async () => (await machine.ok(`openssl s_client -connect 127.0.0.1:443 -servername ${DOMAIN} </dev/null 2>/dev/null | openssl x509 -noout -serial`)).trim();
    const before = await serial();
    await machine.ok('test -x /etc/letsencrypt/renewal-hooks/deploy/agentauri-nginx; certbot renew --force-renewal --no-random-sleep-on-renew');
    await until('nginx to serve the new certificate', async () => (await serial()) !== before);
    return 'issued and renewed by an ACME authority on the host, nginx reloaded by the hook';
  },

  7: async (system, row) => {
    await system.gateway();
    const version = Number(await system.sql('SHOW server_version_num'));
    assert.ok(version >= 150000, String(version));
    assert.equal(Number(await system.sql('SELECT count(*) FROM agentauri_migrations')), (await readdir(path.join(ROOT, 'database/migrations'))).length);
    await system.healthy();
    row.without('the TimescaleDB extension (no Debian package)');
    return `PostgreSQL ${Math.floor(version / 10000)} without TimescaleDB: all migrations and the service work`;
  },

  8: async (system) => {
    await system.redis();
    const info = await system.machine.ok('redis-cli -a "$(cat /etc/agentauri/secrets/REDIS_PASSWORD)" --no-auth-warning info server');
    const [, major] = /redis_version:(\d+)/.exec(info) ?? [];
    assert.ok(Number(major) >= 7, info.slice(0, 200));
    return /redis_version:\S+/.exec(info)[0];
  },
};
