// Walks the deployment guide: boots a host, sets it up as the guide says, and looks at each row. script/acceptance runs it.
import { parseArgs } from 'node:util';
import { spawn } from 'node:child_process';
import { Machine } from './machine.mjs';
import { CHECKS } from './checks.mjs';
import { System } from './system.mjs';
import { TABLE } from './table.mjs';
import { judge } from './verdict.mjs';

const DEADLINE_MS = 240_000;      // for one row, with what it needs to be set up
const WHOLE_MS = 570_000;         // for all of them: later rows are told to have had no time

const { values } = parseArgs({ options: { row: { type: 'string', multiple: true }, json: { type: 'boolean' }, list: { type: 'boolean' }, timing: { type: 'boolean' }, open: { type: 'string', multiple: true }, leader: { type: 'string' }, reason: { type: 'string' } } });

// The rows of `7`, `21-34`, with commas or repeated.
function rowsOf(texts) {
  const wanted = new Set();
  for (const part of texts.join(',').split(',')) {
    const [, from, to = from] = /^(\d+)(?:-(\d+))?$/.exec(part) ?? [];
    const range = TABLE.filter(({ row }) => row >= Number(from) && row <= Number(to));
    if (range.length === 0) {
      process.stderr.write(`no such row: ${part}; there are 1 to ${TABLE.length}\n`);
      process.exit(64);
    }
    for (const { row } of range) wanted.add(row);
  }
  return TABLE.filter(({ row }) => wanted.has(row));
}

const rows = values.row ? rowsOf(values.row) : [...TABLE];
// Known to fail: their lines say so, and the exit code is about the others. One of them that passes is a fault of the list.
const open = new Set(values.open ? rowsOf(values.open).map(({ row }) => row) : []);
if (values.list) {
  for (const { row, title, suites } of rows) console.log(`${String(row).padStart(3)}  ${title}${suites.length ? `  (more deeply: ${suites.join(', ')})` : ''}`);
  process.exit(0);
}

// The checks run in the network of the host that is walked, with the files of this one: fetch and browsers reach its loopback.
if (!values.leader && !values.reason) {
  const { machine, reason } = await Machine.boot();
  const enter = machine ? ['nsenter', '-t', String(machine.leader), '-n', '--', process.execPath] : [process.execPath];
  const [program, ...args] = [...enter, ...process.argv.slice(1), ...(machine ? ['--leader', String(machine.leader)] : ['--reason', reason])];
  const child = spawn(program, args, { stdio: 'inherit' });
  const code = await new Promise((resolve) => child.on('close', resolve));
  await machine?.stop();
  process.exit(code ?? 1);
}

// What each block of the guide did is known when the other rows are through.
const LAST = 2;
rows.sort((a, b) => Number(a.row === LAST) - Number(b.row === LAST));

const began = Date.now();
const system = new System(values.leader && Machine.attach(Number(values.leader)), values.reason);
const results = [];
for (const { row, title, suites } of rows) {
  const started = Date.now();
  const left = WHOLE_MS - (started - began);
  const result = left > 0 ? await judge(CHECKS[row], system, Math.min(DEADLINE_MS, left)) : { verdict: 'failed', seen: 'no time was left for it', notSeen: [] };
  const seconds = (Date.now() - started) / 1000;
  results.push({ row, title, suites, seconds, ...result });
  if (values.json) continue;
  const parts = [result.seen, ...(result.notSeen.length ? [`not seen here: ${result.notSeen.join('; ')}`] : [])].filter(Boolean).join(' — ');
  console.log(`${String(row).padStart(3)}  ${result.verdict.padEnd(17)}  ${title}${parts ? `: ${parts}` : ''}${values.timing ? ` (${seconds.toFixed(1)} s)` : ''}`);
}
await system.stop();
const count = (verdict) => results.filter((each) => each.verdict === verdict).length;
const summary = { passed: count('passed'), failed: count('failed'), not_runnable_here: count('not runnable here'), seconds: (Date.now() - began) / 1000 };
if (values.json) console.log(JSON.stringify({ ...summary, rows: results.sort((a, b) => a.row - b.row).map(({ notSeen, ...rest }) => ({ ...rest, not_seen: notSeen })) }, null, 2));
else console.log(`${summary.passed} passed, ${summary.failed} failed, ${summary.not_runnable_here} not runnable here, in ${summary.seconds.toFixed(0)} s`);
const unexpected = results.filter(({ row, verdict }) => (verdict === 'failed') !== open.has(row) && (verdict === 'failed' || verdict === 'passed'));
for (const { row, verdict } of unexpected.filter((each) => open.has(each.row))) process.stderr.write(`row ${row} ${verdict}: take it off the list of open rows\n`);
process.exit(unexpected.length > 0 ? 1 : 0);
