// The little that tests need to know of PromQL and of the files in deploy/prometheus and deploy/grafana.
import { readdir, readFile } from 'node:fs/promises';
import path from 'node:path';
import { ROOT } from './agentauri.mjs';
import { runOk } from './process.mjs';

// Named by rules or dashboards, and not there yet: what they measure is not in the program. docs/metrics.md has the list.
export const RESERVED = /^(a2a[_:]|secrets_manager_)/;
// What promtool says of names that operations gave: its only remark about an export.
export const GIVEN_NAMES = /^(ponder_rpc_latency_ms|a2a_tasks_duration_ms) metric names should not contain abbreviated units$/;

const NO_METRIC = new Set(['by', 'without', 'on', 'ignoring', 'group_left', 'group_right', 'and', 'or', 'unless', 'offset', 'bool', 'inf', 'nan']);

// Names of metrics in an expression: what is left of its words without strings, labels, ranges, functions and keywords.
export function metricNames(expression) {
  const bare = expression
    .replaceAll(/"(?:[^"\\]|\\.)*"/g, '')
    .replaceAll(/\{[^{}]*\}/g, ' ')
    .replaceAll(/\[[^\]]*\]/g, ' ')
    .replaceAll(/\b(by|without|on|ignoring|group_left|group_right)\s*\([^()]*\)/gi, ' ');
  const names = new Set();
  for (const match of bare.matchAll(/([a-zA-Z_:][\w:]*)\s*(\(?)/g)) {
    if (match[2] === '(' || NO_METRIC.has(match[1].toLowerCase())) continue;
    names.add(match[1]);
  }
  return names;
}

// What Grafana fills in before it asks.
export const withoutVariables = (expression) => expression.replaceAll('$chain', '.*').replaceAll('$__rate_interval', '1m');

// Several files in one go: a Python interpreter takes its time to start.
export async function readYamls(files) {
  const text = await runOk('python3', ['-c', 'import json, sys, yaml; json.dump([yaml.load(open(name), getattr(yaml, "CSafeLoader", yaml.SafeLoader)) for name in sys.argv[1:]], sys.stdout)', ...files]);
  return JSON.parse(text);
}

export const readYaml = async (file) => (await readYamls([file]))[0];

// [{file, group, ...rule}] of the shipped rules.
export async function shippedRules() {
  const folder = path.join(ROOT, 'deploy/prometheus/alerts');
  const files = (await readdir(folder)).sort();
  const parsed = await readYamls(files.map((file) => path.join(folder, file)));
  return parsed.flatMap(({ groups }, n) => groups.flatMap((group) => group.rules.map((rule) => ({ file: files[n], group: group.name, ...rule }))));
}

export async function shippedDashboards() {
  const folder = path.join(ROOT, 'deploy/grafana/dashboards');
  const dashboards = [];
  for (const file of (await readdir(folder)).sort()) dashboards.push({ file, ...JSON.parse(await readFile(path.join(folder, file), 'utf8')) });
  return dashboards;
}

// [{dashboard, panel, expr}] of every query that Prometheus is asked.
export function queriesOf(dashboards) {
  return dashboards.flatMap((each) => each.panels.flatMap((panel) => (panel.targets ?? []).map((target) => ({ dashboard: each.uid, panel: panel.title, expr: target.expr }))));
}
