// What the README shows is run as it is written, from a fresh clone: the test takes the commands out of its text and fills
// in only what the text leaves open (`…`, the token, ports that may be taken).
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { mkdtemp, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { Anvil } from '../lib/anvil.mjs';
import { ROOT } from '../lib/agentauri.mjs';
import { prepare, stopEngines } from '../lib/engines.mjs';
import { freePort, runOk, start } from '../lib/process.mjs';
import { until } from '../lib/wait.mjs';

const readme = await readFile(path.join(ROOT, 'README.md'), 'utf8');
const blocks = [...readme.matchAll(/^```\n(.*?)^```$/gms)].map((match) => match[1]);
const blockWith = (text) => {
  const found = blocks.filter((block) => block.includes(text));
  assert.equal(found.length, 1, `the README shows \`${text}\` in one block`);
  return found[0];
};

const environment = { PATH: process.env.PATH, HOME: process.env.HOME, LANG: 'C.UTF-8' };
if (process.env.CCACHE_DIR) environment.CCACHE_DIR = process.env.CCACHE_DIR;

let folder, clone;
before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'agentauri-readme-'));
  clone = path.join(folder, 'agentauri');
  await runOk('git', ['clone', '-q', '--no-hardlinks', ROOT, clone]);
});
after(async () => {
  await stopEngines();
  await rm(folder, { recursive: true, force: true });
});

async function healthy(port, child) {
  await until('the gateway', async () => {
    assert.equal(child.exitCode, null, child.output.slice(-3000));
    return (await fetch(`http://127.0.0.1:${port}/api/v1/health`)).status === 200;
  }, { timeoutMs: 30_000, everyMs: 20 });
}

async function end(child, signal) {
  child.kill(signal);
  const { code } = await child.ended;
  assert.equal(code, 0, child.output.slice(-3000));
}

describe('the README', () => {
  test('every block of commands is known to this test', () => {
    const commands = blocks.filter((block) => /^(script\/|curl |export |build\/|CHAIN_)/m.test(block));
    assert.equal(commands.length, 5, 'a new block of commands needs a test');
  });

  test('script/run shows the first signed alert, and the first trigger can be made by hand', { timeout: 600_000 }, async () => {
    assert.match(blockWith('script/run '), /^script\/run .*\n(.*\n)*script\/test /);
    const port = await freePort();
    const shell = { cwd: clone, env: { ...environment, SERVER_PORT: String(port), METRICS_ADDR: `127.0.0.1:${await freePort()}` } };
    const app = start('script/run', [], shell);
    try {
      await until('the first alert', () => {
        assert.equal(app.exitCode, null, app.output.slice(-3000));
        return /acknowledged/i.test(app.output);
      }, { timeoutMs: 580_000, everyMs: 100 });

      const [register, trigger] = blockWith('/auth/register').replaceAll('127.0.0.1:8080', `127.0.0.1:${port}`).split('\n\n');
      const registered = JSON.parse(await runOk('bash', ['-euc', register], shell));
      assert.equal(typeof registered.token, 'string');
      const made = JSON.parse(await runOk('bash', ['-euc', trigger], { ...shell, env: { ...shell.env, TOKEN: registered.token } }));
      assert.match(JSON.stringify(made), /"signing_secret":"whsec_/);

      const stream = start('bash', ['-c', `exec ${blockWith('/events/stream').replace('127.0.0.1:8080', `127.0.0.1:${port}`)}`], { ...shell, env: { ...shell.env, TOKEN: registered.token } });
      await until('an event of the demo chain', () => /^event: event\ndata: \{/m.test(stream.output));
      stream.kill('SIGTERM');
      const described = /`http:\/\/127\.0\.0\.1:8080(\/api-docs\/)`, and as JSON at `(\/[^`]+)`/.exec(readme);
      for (const page of described.slice(1)) assert.equal((await fetch(`http://127.0.0.1:${port}${page}`)).status, 200, page);

      for (const [, route] of readme.matchAll(/`GET (\/api\/[^`]*)`/g)) {
        const url = `http://127.0.0.1:${port}${route.replace('{id}', made.data.id)}`;
        const answer = await fetch(url, { headers: { authorization: `Bearer ${registered.token}` } });
        assert.equal(answer.status, 200, route);
      }
    } finally {
      if (app.exitCode === null) await end(app, 'SIGINT');
    }
  });

  test('following a real chain', async () => {
    const command = blockWith('CHAIN_8453_RPC_URL');
    const anvil = await Anvil.start({ chainId: 8453 });
    const port = await freePort();
    const app = start('bash', ['-c', command.replace('https://…', anvil.url).replace(' build/', ' exec build/')], {
      cwd: clone,
      env: { ...environment, SERVER_PORT: String(port), METRICS_ADDR: `127.0.0.1:${await freePort()}`, AGENTAURI_DATA_DIR: path.join(folder, 'chain') },
    });
    try {
      await healthy(port, app);
      await until('the chain', () => /"chain attached","chain":"base/.test(app.output));
    } finally {
      if (app.exitCode === null) await end(app, 'SIGTERM');
      await anvil.stop();
    }
  });

  test('on PostgreSQL', async () => {
    const { environment: database } = await prepare('postgres', {});
    await runOk('psql', ['-X', '-q', '-h', '127.0.0.1', '-p', database.DB_PORT, '-U', database.DB_USER, '-d', database.DB_NAME, '-c', 'DROP SCHEMA public CASCADE; CREATE SCHEMA public'],
      { env: { ...environment, PGPASSWORD: database.DB_PASSWORD } });
    const port = await freePort();
    const commands = blockWith('export DB_HOST').replace('DB_HOST=…', `DB_HOST=${database.DB_HOST}`).replace(' DB_PASSWORD=…', '');
    const app = start('bash', ['-euc', commands.replace(/^(build\/.* serve)$/m, 'exec $1')], {
      cwd: clone,
      env: { ...environment, DB_PORT: database.DB_PORT, DB_NAME: database.DB_NAME, DB_USER: database.DB_USER, DB_PASSWORD: database.DB_PASSWORD,
        SERVER_PORT: String(port), METRICS_ADDR: `127.0.0.1:${await freePort()}` },
    });
    try {
      await healthy(port, app);
    } finally {
      if (app.exitCode === null) await end(app, 'SIGTERM');
    }
  });
});
