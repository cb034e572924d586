// Pages of docs/ whose commands are run by tests as they stand there. A block of commands carries a mark in the text's source:
// `<!-- run: name -->`, the step that runs it, or `<!-- not run: why -->`.
import assert from 'node:assert/strict';
import { chmod, mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { BINARY, ROOT } from './agentauri.mjs';
import { run, start } from './process.mjs';

export class Page {
  static async read(name) {
    const self = new Page();
    self.name = name;
    self.text = await readFile(path.join(ROOT, 'docs', name), 'utf8');
    self.blocks = [];
    for (const [, mark, commands] of self.text.matchAll(/(?:^<!-- ([^\n]*) -->\n)?^```sh\n(.*?)^```$/gms)) {
      const [, kind, what] = /^(run|not run): (.+)$/.exec(mark ?? '') ?? [];
      self.blocks.push({ run: kind === 'run' ? what : undefined, reason: kind === 'not run' ? what : undefined, commands });
    }
    self.ran = new Set();
    return self;
  }

  // The commands of a step. `replacing`: what a test must have otherwise, each of which must be there.
  commands(step, replacing = {}) {
    const found = this.blocks.filter((block) => block.run === step);
    assert.equal(found.length, 1, `${this.name} has one block that is run as "${step}"`);
    this.ran.add(step);
    let { commands } = found[0];
    for (const [from, to] of Object.entries(replacing)) {
      assert.ok(commands.includes(from), `"${step}" of ${this.name} holds ${from}`);
      commands = commands.replaceAll(from, to);
    }
    return commands;
  }

  assertAllRan() {
    if (this.ran.size === 0) return;   // the tests of this page were left out
    assert.deepEqual(this.blocks.map((block) => block.run).filter((step) => step && !this.ran.has(step)), [], `every block of ${this.name} that says so is run`);
  }

  // The rows of the table whose head begins with `first`, cells without backticks.
  table(first) {
    const lines = this.text.split('\n');
    const head = lines.findIndex((line) => line.startsWith(`| ${first} |`));
    assert.ok(head >= 0, `${this.name} has a table that begins with ${first}`);
    const rows = [];
    for (let at = head + 2; lines[at]?.startsWith('|'); ++at) rows.push(lines[at].split('|').slice(1, -1).map((cell) => cell.trim().replaceAll('`', '')));
    return rows;
  }
}

// Where the commands of a page run: a folder of its own, and the programs that a host has. `sudo` only runs what follows it.
export class Host {
  static async make(environment = {}) {
    const self = new Host();
    self.directory = await mkdtemp(path.join(tmpdir(), 'agentauri-page-'));
    self.bin = path.join(self.directory, 'programs');
    self.home = path.join(self.directory, 'home');
    await mkdir(self.bin);
    await mkdir(self.home);
    await symlink(BINARY, path.join(self.bin, 'agentauri'));
    await self.program('sudo', 'exec "$@"');
    self.environment = { HOME: self.home, LANG: 'C.UTF-8', ...environment, PATH: `${self.bin}:${process.env.PATH}` };
    return self;
  }

  async program(name, script) {
    const file = path.join(this.bin, name);
    await rm(file, { force: true });
    await writeFile(file, `#!/bin/bash\n${script}\n`);
    await chmod(file, 0o755);
  }

  run(commands, environment = {}) {
    return run('bash', ['-euo', 'pipefail', '-c', commands], { cwd: this.home, env: { ...this.environment, ...environment } });
  }

  async runOk(commands, environment) {
    const result = await this.run(commands, environment);
    assert.equal(result.code, 0, `${commands}\n${result.output}`);
    return result.output;
  }

  // One command that stays.
  start(command, environment = {}) {
    return start('bash', ['-c', `exec ${command}`], { cwd: this.home, env: { ...this.environment, ...environment } });
  }

  async remove() {
    await rm(this.directory, { recursive: true, force: true });
  }
}
