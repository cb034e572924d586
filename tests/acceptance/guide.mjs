// docs/deployment/PRODUCTION_DEPLOYMENT_GUIDE.md as the walk reads it: blocks of commands, each with a name of its own
// (```sh id=NAME), and the list of those that no machine of ours can run, with the reason.
import { readFileSync } from 'node:fs';
import path from 'node:path';
import { ROOT } from '../functional/lib/agentauri.mjs';

export const GUIDE = path.join(ROOT, 'docs/deployment/PRODUCTION_DEPLOYMENT_GUIDE.md');

export function parseGuide(text) {
  const blocks = new Map();
  const unnamed = [];
  for (const [, words, content] of text.matchAll(/^```([^\n]*)\n(.*?)^```$/gms)) {
    const [language, ...rest] = words.trim().split(/\s+/);
    if (language !== 'sh') continue;
    const id = /^id=([a-z0-9-]+)$/.exec(rest.join(' '))?.[1];
    if (!id || blocks.has(id)) unnamed.push(id ?? content);
    else blocks.set(id, content);
  }
  // | `NAME` | reason |   below the heading
  const reasons = new Map();
  const [, list = ''] = /^## Commands that the walk does not run\n(.*?)(?=^## |(?![^]))/ms.exec(text) ?? [];
  for (const [, id, reason] of list.matchAll(/^\| `([a-z0-9-]+)` \| (.+) \|$/gm)) reasons.set(id, reason);
  return { text, blocks, unnamed, reasons };
}

export const guide = parseGuide(readFileSync(GUIDE, 'utf8'));

// The commands of a block, as they stand there.
export function block(id) {
  const commands = guide.blocks.get(id);
  if (commands === undefined) throw new Error(`the guide has no block ${id}`);
  return commands;
}
