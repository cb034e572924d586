// terraform/ as data, read with HashiCorp's own parser (compiled to WebAssembly): what stands in the files, not what a plan
// would make of it.
import { readFile, readdir } from 'node:fs/promises';
import path from 'node:path';
import hcl2json from '@cdktf/hcl2json';
import { ROOT } from '../lib/agentauri.mjs';

export const TERRAFORM = path.join(ROOT, 'terraform');

export class Configuration {
  // folder: of one root module.
  static async read(folder) {
    const self = new Configuration();
    self.folder = folder;
    self.files = new Map();
    self.resources = new Map();   // "aws_vpc.main" -> its arguments
    self.data = new Map();        // "data.aws_ecr_repository.main"
    self.ephemeral = new Map();
    self.variables = {};
    self.locals = {};
    self.outputs = {};
    for (const name of (await readdir(folder)).filter((each) => each.endsWith('.tf')).sort()) {
      const text = await readFile(path.join(folder, name), 'utf8');
      const parsed = await hcl2json.parse(name, text);
      self.files.set(name, { text, parsed });
      for (const [kind, into, prefix] of [['resource', self.resources, ''], ['data', self.data, 'data.'], ['ephemeral', self.ephemeral, 'ephemeral.']])
        for (const [type, blocks] of Object.entries(parsed[kind] ?? {}))
          for (const [label, [block]] of Object.entries(blocks)) once(into, `${prefix}${type}.${label}`, block, name);
      for (const [label, [block]] of Object.entries(parsed.variable ?? {})) self.variables[label] = block;
      for (const [label, [block]] of Object.entries(parsed.output ?? {})) self.outputs[label] = block;
      for (const block of parsed.locals ?? [])
        for (const [label, value] of Object.entries(block)) {
          if (label in self.locals) throw new Error(`${name}: local.${label} is there twice`);
          self.locals[label] = value;
        }
      if (parsed.terraform) self.terraform = parsed.terraform[0];
    }
    return self;
  }

  of(type) {
    return [...this.resources].filter(([name]) => name.startsWith(`${type}.`)).map(([name, block]) => [name.slice(type.length + 1), block]);
  }

  // Every place that names something: "var.x", "local.x", "aws_vpc.main.id", "data.t.n.attribute", with where it stands.
  references() {
    const out = [];
    for (const [file, { parsed }] of this.files)
      walk(parsed, file, (text, where) => {
        for (const part of expressions(text))
          for (const [reference] of part.matchAll(/(?<![\w.$-])(?:data\.|ephemeral\.)?[a-z][\w-]*(?:\.[a-zA-Z_][\w-]*|\[[^\][]*\])+/g)) out.push({ reference, where });
      });
    return out;
  }
}

function once(map, key, value, file) {
  if (map.has(key)) throw new Error(`${file}: ${key} is there twice`);
  map.set(key, value);
}

export function walk(value, where, visit) {
  if (typeof value === 'string') visit(value, where);
  else if (value && typeof value === 'object') for (const [key, each] of Object.entries(value)) walk(each, `${where}: ${key}`, visit);
}

// The expressions ${…} of a text, without the plain texts in them.
function expressions(text) {
  const out = [];
  for (let at = text.indexOf('${'); at !== -1; at = text.indexOf('${', at)) {
    if (text[at - 1] === '$') { at += 2; continue; }
    let depth = 1, end = at + 2;
    for (; end < text.length && depth > 0; ++end) {
      if (text[end] === '{') ++depth;
      if (text[end] === '}') --depth;
    }
    const inner = text.slice(at + 2, end - 1);
    // Texts inside an expression may hold expressions themselves.
    out.push(inner.replaceAll(/"((?:[^"\\]|\\.)*)"/g, (_, quoted) => {
      out.push(...expressions(quoted));
      return '""';
    }));
    at = end;
  }
  return out;
}
