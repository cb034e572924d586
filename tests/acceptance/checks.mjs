// Every row's check, by its number: the groups of rows/ together. A row that two groups have is a fault.
import { readdirSync } from 'node:fs';

export const CHECKS = {};
for (const name of readdirSync(new URL('rows/', import.meta.url)).sort()) {
  const { rows } = await import(`./rows/${name}`);
  for (const [row, check] of Object.entries(rows)) {
    if (CHECKS[row]) throw new Error(`row ${row} is checked twice, the second time in ${name}`);
    CHECKS[row] = check;
  }
}
