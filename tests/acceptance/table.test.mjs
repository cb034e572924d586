// The walk itself: every row of the guide's list stands in the table once and has a check; every block of commands of the
// guide is run by some row or listed with a reason; suites that the table names exist.
import assert from 'node:assert/strict';
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';
import { test } from 'node:test';
import { ROOT } from '../functional/lib/agentauri.mjs';
import { CHECKS } from './checks.mjs';
import { guide, parseGuide } from './guide.mjs';
import { TABLE } from './table.mjs';
import { judge, notHere } from './verdict.mjs';

const ROWS = 101;
const numbers = Array.from({ length: ROWS }, (_, i) => i + 1);
const here = path.join(ROOT, 'tests/acceptance');

test('each row once, in order', () => assert.deepEqual(TABLE.map(({ row }) => row), numbers));

test('each row has one check, and there is no other', () => {
  assert.deepEqual(Object.keys(CHECKS).map(Number).sort((a, b) => a - b), numbers);
  for (const check of Object.values(CHECKS)) assert.equal(typeof check, 'function');
});

test('suites that are named exist', () => {
  for (const { row, suites } of TABLE) {
    for (const suite of suites) {
      const file = suite.startsWith('functional/') ? `tests/functional/suite/${suite.slice('functional/'.length)}.test.mjs` : suite;
      assert.ok(existsSync(path.join(ROOT, file)), `row ${row}: ${file}`);
    }
  }
});

test('every block of the guide has a name of its own, and a row that runs it or a reason', () => {
  assert.deepEqual(guide.unnamed, [], 'blocks of commands without a name, or with one that is there already');
  const sources = [...readdirSync(path.join(here, 'rows')).map((name) => path.join(here, 'rows', name)), path.join(here, 'system.mjs'), path.join(here, 'go_live.mjs')].map((file) => readFileSync(file, 'utf8')).join('\n');
  const run = new Set([...sources.matchAll(/(?:first|guide|block)\('([a-z0-9-]+)'\)/g)].map(([, id]) => id));
  for (const id of guide.blocks.keys()) assert.ok(run.has(id) !== guide.reasons.has(id) || (run.has(id) && id === 'timescaledb'), `${id}: either run or listed with a reason`);
  for (const id of [...run, ...guide.reasons.keys()]) assert.ok(guide.blocks.has(id), `${id} is no block of the guide`);
});

test('the reader of the guide sees what is wrong with it', () => {
  const text = '```sh id=one\na\n```\n\n```sh\nnameless\n```\n\n```sh id=one\nagain\n```\n\n```\nno commands\n```\n## Commands that the walk does not run\n| `two` | because |\n';
  const { blocks, unnamed, reasons } = parseGuide(text);
  assert.deepEqual([...blocks], [['one', 'a\n']]);
  assert.deepEqual(unnamed, ['nameless\n', 'one']);
  assert.deepEqual([...reasons], [['two', 'because']]);
});

test('a row passes, fails or cannot be run; one that hangs fails', async () => {
  const verdict = async (check) => (await judge(check, undefined, 50)).verdict;
  assert.equal(await verdict(async () => 'seen'), 'passed');
  assert.equal(await verdict(async () => assert.fail('no')), 'failed');
  assert.equal(await verdict(async () => notHere('no cloud')), 'not runnable here');
  assert.equal(await verdict(() => new Promise(() => {})), 'failed');
});
