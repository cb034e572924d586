// docs/: every command is run as it stands, or says why not; every setting, route, sub-command, file and figure that a page names
// is there. Troubleshooting and upgrading have suites of their own.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { access, mkdir, readFile, readdir } from 'node:fs/promises';
import path from 'node:path';
import { AgentAuri, BINARY, Client, JWT_SECRET, ROOT } from '../lib/agentauri.mjs';
import { Anvil } from '../lib/anvil.mjs';
import { Host, Page } from '../lib/pages.mjs';
import { Postgres } from '../lib/postgres.mjs';
import { freePort, run } from '../lib/process.mjs';
import { until } from '../lib/wait.mjs';

// Pages whose commands are marked, and the suite that runs them.
const OWN = { 'install.md': 'pages', 'operate.md': 'pages', 'upgrade.md': 'upgrade', 'troubleshoot.md': 'troubleshoot' };
const PROSE = ['README.md', 'configuration.md', 'capacity.md', 'threat-model.md'];
const read = (name) => readFile(path.join(ROOT, name), 'utf8');
const exists = (name) => access(path.join(ROOT, name)).then(() => true, () => false);
const texts = Object.fromEntries(await Promise.all([...Object.keys(OWN), ...PROSE].map(async (name) => [`docs/${name}`, await read(`docs/${name}`)])));
const others = Object.fromEntries(await Promise.all(['README.md', 'SECURITY.md', 'CONTRIBUTING.md', 'docs/architecture.md', 'deploy/systemd/README.md', 'deploy/docker/README.md', 'deploy/nginx/README.md']
  .map(async (name) => [name, await read(name)])));
const onBase = (anvil) => Object.fromEntries(Object.entries(anvil.environment()).map(([name, value]) => [name.replace('31337', '8453'), value]));
const inlineCode = (text) => [...text.replaceAll(/^```.*?^```$/gms, '').matchAll(/`([^`\n]+)`/g)].map((match) => match[1]);

describe('what pages name is there', () => {
  test('each block of commands is run by its suite, or says why it is not', async () => {
    for (const [name, suite] of Object.entries(OWN)) {
      const page = await Page.read(name);
      assert.ok(page.blocks.length > 0, name);
      for (const block of page.blocks) assert.ok(block.run || block.reason, `${name}: a block without a mark: ${block.commands}`);
      assert.equal(new Set(page.blocks.map((block) => block.run ?? block)).size, page.blocks.length, `${name}: each step once`);
      const source = await read(`tests/functional/suite/${suite}.test.mjs`);
      assert.ok(source.includes(`Page.read('${name}')`), `${suite} runs ${name}`);
    }
    for (const name of PROSE) assert.doesNotMatch(texts[`docs/${name}`], /^```sh/m, `${name} shows commands: give it to a suite`);
  });

  test('settings', async () => {
    const document = await run(BINARY, ['check-config', '--document'], { env: { PATH: process.env.PATH } });
    assert.equal(document.code, 0, document.output);
    const known = new Set([...document.output.matchAll(/`([A-Z][A-Z0-9_<>id]*)`/g)].map((match) => match[1]));
    const families = [/^CHAIN_(<id>|\d+)_[A-Z_]+$/, /^PG[A-Z]+$/, /^(DB|REDIS|CHAIN|SECURITY|NAME)_/];
    // Names of other programs, of the scripts and tests of this tree, and of the containers beside ours.
    const compose = await read('deploy/docker/compose.yaml');
    const foreign = new Set(['TEST_PACKAGES', 'AGENTAURI_IMAGE', 'FUZZ_SECONDS', 'KILL_ROUNDS', 'CONTRACT_EXAMPLES', 'ON_ERROR_STOP']);
    for (const [name, text] of Object.entries({ ...texts, ...others })) {
      for (const code of inlineCode(text)) {
        const [, setting] = /^([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)(?:=.*)?$/.exec(code) ?? [];
        if (!setting || families.some((family) => family.test(setting)) || foreign.has(setting) || compose.includes(`\${${setting}`)) continue;
        assert.ok(known.has(setting.replace(/_FILE$/, '')), `${name} names ${setting}`);
      }
    }
    // And by their exact names where the family alone would do.
    for (const [name, text] of Object.entries(texts)) {
      for (const code of inlineCode(text)) {
        const [, setting] = /^((?:DB|REDIS)_[A-Z_]+)$/.exec(code) ?? [];
        if (setting) assert.ok(known.has(setting) || name === 'docs/troubleshoot.md', `${name} names ${setting}`);
      }
    }
  });

  test('flags of serve', async () => {
    const help = (await run(BINARY, ['serve', '--help'], { env: { PATH: process.env.PATH } })).output;
    const there = new Set([...help.matchAll(/^ +(?:-h,)?(--[a-z-]+)/gm)].map((match) => match[1]));
    const table = [...texts['docs/configuration.md'].matchAll(/^\| `[A-Z_]+` \(`(--[a-z-]+)`\)/gm)].map((match) => match[1]);
    there.delete('--help');
    assert.deepEqual([...there].sort(), table.sort());
  });

  test('sub-commands', async () => {
    const known = new Map();
    const below = async (words) => {
      const key = words.join(' ');
      if (!known.has(key)) {
        const help = (await run(BINARY, [...words, '--help'], { env: { PATH: process.env.PATH } })).output;
        known.set(key, [...(/^Subcommands:\n((?: .*\n)+)/m.exec(help)?.[1] ?? '').matchAll(/^ {2}([a-z-]+)/gm)].map((match) => match[1]));
      }
      return known.get(key);
    };
    assert.ok((await below(['user'])).includes('reset-password'));
    let seen = 0;
    for (const [name, text] of Object.entries({ ...texts, ...others })) {
      for (const code of inlineCode(text)) {
        const [, rest] = /^(?:sudo )?agentauri(?:-admin)? ([a-z].*)$/.exec(code) ?? [];
        if (!rest || code.includes('|')) continue;
        const [first, second] = rest.split(' ');
        assert.ok((await below([])).includes(first), `${name} names ${code}`);
        if (second && (await below([first])).length > 0) assert.ok((await below([first])).includes(second), `${name} names ${code}`);
        ++seen;
      }
    }
    assert.ok(seen > 10);
  });

  test('routes', async () => {
    const routes = await read('src/gateway/api/openapi.yaml');
    for (const [name, text] of Object.entries({ ...texts, ...others })) {
      for (const [, method, route] of text.matchAll(/`(GET|POST|PUT|PATCH|DELETE) (\/[^`\s]*)/g)) {
        const full = route.startsWith('/api/') ? route : `/api/v1${route}`;
        assert.ok(routes.includes(`\n  ${full}:\n`), `${name} names ${method} ${route}`);
      }
    }
  });

  test('files, and headings behind #', async () => {
    const anchor = (heading) => heading.toLowerCase().replaceAll(/[^\p{L}\p{N} _-]/gu, '').replaceAll(' ', '-');
    for (const [name, text] of Object.entries({ ...texts, ...others })) {
      for (const [, target] of text.matchAll(/\]\(([^)\s]+)\)/g)) {
        if (/^https?:/.test(target)) continue;
        const [file, heading] = target.split('#');
        const where = file ? path.join(path.dirname(name), file) : name;
        assert.ok(await exists(where), `${name} leads to ${target}`);
        if (heading) assert.ok([...(await read(where)).matchAll(/^#+ (.*)$/gm)].some((match) => anchor(match[1]) === heading), `${name} leads to ${target}`);
      }
      for (const code of inlineCode(text)) {
        if (!/^(src|tests|script|deploy|docs|database|bench)\/[\w./-]+$/.test(code)) continue;
        assert.ok(await exists(code), `${name} names ${code}`);
      }
    }
    for (const [, cell] of (await read('SECURITY.md')).matchAll(/\| `((?:api|auth)\/\w+\.cpp)` \|$/gm)) assert.ok(await exists(`src/gateway/${cell}`), `SECURITY.md names ${cell}`);
  });

  test('every page is in the index', async () => {
    const index = texts['docs/README.md'];
    for (const name of (await readdir(path.join(ROOT, 'docs'))).filter((file) => file.endsWith('.md') && file !== 'README.md')) assert.ok(index.includes(`(${name})`), `docs/README.md leads to ${name}`);
  });

  test('figures of capacity.md are those of the bench', async () => {
    const bench = await read('bench/README.md');
    const tables = texts['docs/capacity.md'].split('## What grows')[0].split('\n').filter((line) => /^\| .*\d/.test(line));
    assert.ok(tables.length > 12);
    for (const line of tables) {
      for (const [figure] of line.split('|').slice(2).join('|').matchAll(/\d[\d,.]*\d/g)) {
        assert.match(bench, new RegExp(`(?<![\\d,.])${figure.replaceAll('.', '\\.')}(?![\\d]|[,.]\\d)`), `${figure} of: ${line}`);
      }
    }
  });
});

describe('install.md', () => {
  let page, host, postgres, port;
  const stays = [];
  before(async () => {
    page = await Page.read('install.md');
    postgres = await Postgres.start();
    port = await freePort();
    host = await Host.make({ SERVER_PORT: String(port), METRICS_ADDR: `127.0.0.1:${await freePort()}`, DB_HOST: '', DB_PORT: '' });
  });
  after(async () => {
    for (const child of stays) if (child.exitCode === null) child.kill('SIGKILL');
    await host?.remove();
    await postgres?.stop();
    page.assertAllRan();
  });
  const here = () => ({ '127.0.0.1:8080': `127.0.0.1:${port}` });
  const serve = async (command, environment) => {
    const child = host.start(command.trim(), environment);
    stays.push(child);
    await until('the gateway', async () => {
      assert.equal(child.exitCode, null, child.output);
      return (await fetch(`http://127.0.0.1:${port}/api/v1/health`)).status === 200;
    });
    return async () => {
      child.kill('SIGTERM');
      assert.equal((await child.ended).code, 0, child.output.slice(-2000));
    };
  };

  test('the program is copied and serves, with nothing else', async () => {
    const programs = path.join(host.directory, 'local-bin');
    await mkdir(programs);
    await mkdir(path.join(host.home, 'build/release/bin'), { recursive: true });
    await host.runOk(`cp ${BINARY} build/release/bin/agentauri`);
    await host.runOk(page.commands('copy', { '/usr/local/bin': programs }));
    host.environment.PATH = `${programs}:${host.environment.PATH}`;
    assert.match(await host.runOk('command -v agentauri; command -v api-gateway; agentauri --version'), new RegExp(`^${programs}/agentauri\n${programs}/api-gateway\n\\d`));
    const stop = await serve(page.commands('embedded'));
    // Where the page says that an administrator is made by registering.
    const first = await Client.registered(`http://127.0.0.1:${port}`);
    assert.equal((await first.get('/api/v1/auth/me')).body.is_admin, true);
    await stop();
  });

  test('on PostgreSQL: database, settings, schema, start, a look, an administrator', async () => {
    const superuser = { PGHOST: '127.0.0.1', PGPORT: String(postgres.port), PGUSER: 'postgres', PGPASSWORD: postgres.password };
    const where = { DB_HOST: '127.0.0.1', DB_PORT: String(postgres.port) };
    await host.runOk(page.commands('database'), superuser);
    assert.equal((await host.runOk('stat -c %a .env')).trim(), '600');
    const schema = await host.runOk(page.commands('schema'), where);
    assert.match(schema, /^store +PostgreSQL, database agentauri_backend at 127\.0\.0\.1:\d+ as agentauri_app$/m);
    assert.match(schema, /^0001_ledger +applied/m);
    const stop = await serve(page.commands('serve'), where);
    const look = await host.runOk(page.commands('look', here()), where);
    const ready = JSON.parse(look.split('\n').find((line) => line.startsWith('{')) ?? look.slice(0, look.indexOf('}') + 1));
    assert.deepEqual([ready.status, ready.database, ready.migrations, ready.redis, ready.chains], ['ready', 'connected', 'current', 'disabled', []]);
    const made = await host.runOk(page.commands('administrator'), where);
    assert.match(made, /ada/);
    assert.match(await host.runOk('agentauri user list --json', where), /"username":"ada".*"is_admin":true/);
    await stop();
  });
});

describe('operate.md', () => {
  let page, host, postgres, anvil, app, user;
  before(async () => {
    page = await Page.read('operate.md');
    anvil = await Anvil.start({ chainId: 8453 });
    postgres = await Postgres.start();
    await postgres.createDatabase('agentauri_backend');
    const prepared = await AgentAuri.prepare({ ...postgres.environment('agentauri_backend'), ...onBase(anvil), JWT_SECRET, ENVIRONMENT: 'development' });
    prepared.environment.LOG_DIR = path.join(prepared.data, 'logs');
    await mkdir(prepared.environment.LOG_DIR);
    assert.equal((await prepared.command(['migrate', 'up'])).code, 0);
    host = await Host.make({ ...prepared.environment, HOME: prepared.data });
    app = prepared;
    await app.launch();
    user = await Client.registered(app.url, 'ada');
  });
  after(async () => {
    await app?.stop();
    await anvil?.stop();
    await postgres?.stop();
    await host?.remove();
    page.assertAllRan();
  });

  test('who is there', async () => {
    const commands = page.commands('who is there');
    await until('both leases', async () => {
      const shown = await host.runOk(commands);
      return /^alive +gateway,indexer,engine,worker +pid \d+ .*holds chain:8453 \(epoch \d+\)/m.test(shown) && /holds engine:0 /.test(shown);
    });
  });

  test('chains', async () => {
    const commands = page.commands('chains');
    await until('the chain', async () => /^ok +\S+ +head \d+ +gap 0 /m.test(await host.runOk(commands)));
  });

  test('users', async () => {
    const shown = await host.runOk(page.commands('users'));
    assert.match(shown, /ada/);
    assert.equal((await user.get('/api/v1/auth/me')).status, 401, 'every session was ended');
    assert.match(await host.runOk('agentauri user list --json'), /"username":"ada".*"is_active":true/);
  });

  test('logs', async () => {
    const answer = await fetch(`${app.url}/api/v1/triggers`);
    const id = answer.headers.get('x-request-id');
    // A chain that is away makes lines above info, which the first command looks for.
    const commands = page.commands('logs');
    await anvil.stop();
    const shown = await until('both kinds of lines', async () => {
      const result = await host.run(commands, { REQUEST_ID: id });
      return result.code === 0 && /"level":"warn"/.test(result.output) && result.output.includes(`"request_id":"${id}"`) && result.output;
    });
    assert.match(shown, /the chain could not be followed/);
    anvil = undefined;
  });

  test('a rewind, and a new JWT_SECRET without signing anybody out', async () => {
    const node = await Anvil.start({ chainId: 8453 });
    const other = await AgentAuri.prepare(onBase(node));
    const place = await Host.make(other.environment);
    try {
      await host.runOk(`printf 'JWT_SECRET=%s\\n' '${JWT_SECRET}' >${other.data}/.env`);
      place.home = other.data;
      await other.launch();
      const client = await Client.registered(other.url);
      const before = JSON.parse(await place.runOk('agentauri chain status --json')).chains[0];
      await node.rpc('anvil_mine', '0x5');
      await until('five more blocks', async () => JSON.parse(await place.runOk('agentauri chain status --json')).chains[0].head_block >= before.head_block + 5);
      const end = () => other.stop.call(Object.assign(Object.create(AgentAuri.prototype), other, { ownsData: false }));
      await end();
      assert.match(await place.runOk(page.commands('rewind', { 41700000: String(before.head_block + 1) })), /^chain 8453 goes on from block \d+$/m);

      await place.runOk(page.commands('new JWT_SECRET'));
      const settings = await place.runOk('cat .env');
      assert.ok(settings.includes(`JWT_SECRET_PREVIOUS=${JWT_SECRET}\n`) && /^JWT_SECRET=.{44}$/m.test(settings), settings);
      await other.launch();
      assert.equal((await client.get('/api/v1/auth/me')).status, 200);
      await until('the blocks again', async () => JSON.parse(await place.runOk('agentauri chain status --json')).chains[0].head_block >= before.head_block + 5);
    } finally {
      await other.stop();
      await node.stop();
      await place.remove();
    }
  });
});
