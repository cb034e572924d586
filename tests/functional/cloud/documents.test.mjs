// docs/deployment/AWS_DEPLOYMENT.md cannot be carried out here. Its blocks are linted, and run where every command is a stand-in that
// writes down what it was asked; each call of AWS is then held against Amazon's description.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { access, chmod, mkdir, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { ROOT } from '../lib/agentauri.mjs';
import { run, runOk } from '../lib/process.mjs';
import { Configuration, TERRAFORM } from './terraform.mjs';

const HERE = path.dirname(new URL(import.meta.url).pathname);
const SCRIPTS = ['deploy', 'rotate', 'smoke'];

describe('the AWS document', () => {
  let document;
  let blocks;
  let folder;
  before(async () => {
    document = await readFile(path.join(ROOT, 'docs/deployment/AWS_DEPLOYMENT.md'), 'utf8');
    blocks = [...document.matchAll(/^```([^\n]*)\n(.*?)^```$/gms)].map(([, kind, text]) => ({ kind, text }));
    folder = await mkdtemp(path.join(tmpdir(), 'agentauri-document-'));
  });
  after(() => rm(folder, { recursive: true, force: true }));

  test('says where, what, and what was not proven', () => {
    assert.match(document, /Fargate/);
    assert.match(document, /us-east-1/);
    for (const service of ['api-gateway', 'indexer', 'engine', 'worker']) assert.match(document, new RegExp(`^\\| \`${service}\` \\|`, 'm'));
    for (const part of ['First deployment', 'Deploying', 'Rollback', 'Restore', 'Secrets', 'Alarms', 'Costs']) assert.match(document, new RegExp(`^## ${part}$`, 'm'));
    assert.match(document, /No `terraform validate`, `plan` or `apply` was ever run/);
    assert.ok(blocks.length > 15);
    for (const { kind, text } of blocks) assert.equal(kind, 'sh aws', `every block says that it is not runnable here: ${text}`);
  });

  test('shellcheck has nothing to say about its blocks', async () => {
    for (const [index, { text }] of blocks.entries()) {
      const file = path.join(folder, `block-${index}.sh`);
      await writeFile(file, `#!/usr/bin/env bash\n${text}`);
      // What the reader fills in is not assigned, and a reader sees that a `cd` failed.
      const result = await run('shellcheck', ['--exclude=SC2154,SC2164', file]);
      assert.equal(result.code, 0, result.output);
    }
  });

  test('its commands are commands: of AWS, of the scripts, of terraform', async () => {
    const bin = path.join(folder, 'bin');
    const calls = path.join(folder, 'calls');
    const others = path.join(folder, 'others');
    await mkdir(path.join(folder, 'runtime'));
    await mkdir(bin);
    await writeFile(calls, '');
    await writeFile(others, '');
    const program = async (file, text) => {
      await writeFile(file, text);
      await chmod(file, 0o755);
    };
    await program(path.join(bin, 'aws'), `#!/usr/bin/python3
import json, sys
arguments = sys.argv[1:]
given = None
if "--cli-input-json" in arguments:
    given = json.load(open(arguments[arguments.index("--cli-input-json") + 1].removeprefix("file://")))
with open(${JSON.stringify(calls)}, "a") as log:
    log.write(json.dumps({"arguments": arguments, "input": given, "answer": None}) + "\\n")
`);
    for (const name of ['terraform', 'docker', 'curl', 'cp', 'rm', 'vi']) await program(path.join(bin, name), `#!/bin/bash\necho "${name} $*" >>${others}\n`);
    const fill = { ACCOUNT: '123456789012', CERTIFICATE: 'arn:aws:acm:us-east-1:123456789012:certificate/0', DIGEST: `sha256:${'1'.repeat(64)}`, SNAPSHOT: 'pre-migration-1', GROUP: 'sg-1', OLD: 'o'.repeat(32), NEW: 'n'.repeat(32), XDG_RUNTIME_DIR: path.join(folder, 'runtime') };
    for (const [index, { text }] of blocks.entries()) {
      const place = path.join(folder, `place-${index}`);
      await mkdir(path.join(place, 'terraform/bootstrap'), { recursive: true });
      for (const script of SCRIPTS) await program(path.join(place, 'terraform', script), `#!/bin/bash\necho "terraform/${script} $*" >>${others}\n`);
      const result = await run('/bin/bash', ['-u', '-c', `command_not_found_handle() { echo "there is no $1"; exit 99; }\n${text}`], { env: { PATH: bin, HOME: place, ...fill }, cwd: place });
      assert.equal(result.code, 0, `${text}\n${result.output}`);
      assert.doesNotMatch(result.output, /there is no|unbound|No such file/, text);
    }
    const checked = await run('bash', ['-c', `"${path.join(HERE, 'check_aws_calls.py')}" <"${calls}"`]);
    assert.equal(checked.code, 0, checked.output);
    assert.ok(Number(/(\d+) calls/.exec(checked.output)[1]) > 20, checked.output);

    const said = (await readFile(others, 'utf8')).trim().split('\n');
    const known = {};
    for (const script of ['deploy', 'rotate']) known[script] = [...(await runOk(path.join(TERRAFORM, script), ['--help'])).matchAll(new RegExp(`^terraform/${script} (\\w[\\w-]*)`, 'gm'))].map(([, word]) => word);
    for (const line of said) {
      const [, script, word] = /^terraform\/(deploy|rotate) (\S+)/.exec(line) ?? [];
      if (script) assert.ok(known[script].includes(word), line);
      const [, command] = /^terraform (\S+)/.exec(line) ?? [];
      if (command) assert.ok(['init', 'plan', 'apply', 'state', 'import'].includes(command), line);
    }
    for (const word of known.rotate) assert.ok(document.includes(`terraform/rotate ${word}`), word);
  });

  test('its files exist, its secrets and settings are those of terraform', async () => {
    const main = await Configuration.read(TERRAFORM);
    for (const [, target] of document.matchAll(/\]\((\.\.[^)#]*)\)/g)) await access(path.join(ROOT, 'docs/deployment', target));
    for (const [, file] of document.matchAll(/`((?:bootstrap\/)?[a-z_]+\.tf)`/g)) await access(path.join(TERRAFORM, file));
    const rows = [...document.matchAll(/^\| `([a-z-]+|chain-<id>-rpc-url)`[^|]*\| `([A-Z_]+|CHAIN_<id>_RPC_URL)` \|/gm)].map(([, secret, setting]) => [setting, secret]);
    const wanted = Object.entries(main.locals.secrets).map(([setting, arn]) => [setting, /made\["([a-z-]+)"\]/.exec(arn)[1]]);
    assert.deepEqual(rows.sort(), [...wanted, ['CHAIN_<id>_RPC_URL', 'chain-<id>-rpc-url']].sort());
    for (const [name, { role, cpu, memory }] of Object.entries(main.locals.services)) assert.match(document, new RegExp(`^\\| \`${name}\` \\| \`${role}\` \\| ${cpu}, ${memory} MB \\|`, 'm'));
  });
});
