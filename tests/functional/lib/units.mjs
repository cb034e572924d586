// Unit files of systemd as a test reads them: sections of keys, each with its values in order; drop-ins are added.
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import path from 'node:path';

export function parseUnit(text) {
  const unit = {};
  let section;
  for (const line of text.replaceAll(/\\\n/g, ' ').split('\n').map((each) => each.trim())) {
    if (line === '' || line.startsWith('#') || line.startsWith(';')) continue;
    const header = /^\[(.+)\]$/.exec(line);
    if (header) {
      section = unit[header[1]] ??= {};
      continue;
    }
    const [, key, value] = /^([A-Za-z]+)=(.*)$/.exec(line) ?? [];
    if (key === undefined || section === undefined) throw new Error(`not a line of a unit: ${line}`);
    (section[key] ??= []).push(value);
  }
  return unit;
}

// `name` such as agentauri@gateway.service, out of `folder`: the file or its template, with the drop-ins of both, and the
// specifiers %n and %i resolved.
export function readUnit(folder, name) {
  const [, prefix, instance] = /^([^@]+)@(.+)\.service$/.exec(name) ?? [];
  const template = prefix && `${prefix}@.service`;
  const names = [template, name].filter((each) => each && existsSync(path.join(folder, each)));
  if (names.length === 0) throw new Error(`${folder} has no ${name}`);
  const texts = [readFileSync(path.join(folder, names.at(-1)), 'utf8')];
  for (const each of [template, name]) {
    const dropIns = each && path.join(folder, `${each}.d`);
    if (dropIns && existsSync(dropIns)) for (const file of readdirSync(dropIns).sort()) texts.push(readFileSync(path.join(dropIns, file), 'utf8'));
  }
  return parseUnit(texts.join('\n').replaceAll('%n', name).replaceAll('%i', instance ?? ''));
}

// What the unit sets, before its EnvironmentFile: the later line wins.
export function environmentOf(unit) {
  return Object.fromEntries((unit.Service.Environment ?? []).map((line) => {
    const equals = line.indexOf('=');
    return [line.slice(0, equals), line.slice(equals + 1)];
  }));
}
