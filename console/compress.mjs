// Puts a .gz and a .br beside every file of the build, which the program serves as they are.
import { readdir, readFile, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';

const folder = fileURLToPath(new URL('../build/console/', import.meta.url));

async function* files(directory) {
  for (const entry of await readdir(directory, { withFileTypes: true })) {
    const name = path.join(directory, entry.name);
    if (entry.isDirectory()) yield* files(name);
    else if (!/\.(gz|br)$/.test(entry.name)) yield name;
  }
}

for await (const name of files(folder)) {
  const plain = await readFile(name);
  await writeFile(`${name}.gz`, gzipSync(plain, { level: 9 }));
  await writeFile(`${name}.br`, brotliCompressSync(plain, { params: { [constants.BROTLI_PARAM_QUALITY]: 11, [constants.BROTLI_PARAM_SIZE_HINT]: plain.length } }));
}
