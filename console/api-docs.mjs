// build/api-docs: the page of the API's description, every file packed (.gz alone: the program unpacks for who cannot).
import { mkdir, readFile, rm, writeFile } from 'node:fs/promises';
import { createRequire } from 'node:module';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { gzipSync } from 'node:zlib';

const here = (name) => fileURLToPath(new URL(name, import.meta.url));
const swagger = path.dirname(createRequire(import.meta.url).resolve('swagger-ui-dist/package.json'));
const out = here('../build/api-docs/');
const SOURCES = {
  'index.html': here('api-docs/index.html'),
  'start.js': here('api-docs/start.js'),
  'icon.svg': here('public/icon.svg'),
  'swagger-ui.css': path.join(swagger, 'swagger-ui.css'),
  'swagger-ui-bundle.js': path.join(swagger, 'swagger-ui-bundle.js'),
  'LICENSE.txt': path.join(swagger, 'LICENSE'),
  'NOTICE.txt': path.join(swagger, 'NOTICE'),
  'swagger-ui-bundle.js.LICENSE.txt': path.join(swagger, 'swagger-ui-bundle.js.LICENSE.txt'),
};

await rm(out, { recursive: true, force: true });
await mkdir(out, { recursive: true });
for (const [name, source] of Object.entries(SOURCES)) {
  // Maps are not shipped.
  const text = (await readFile(source, 'utf8')).replace(/\n\/[/*][#@] sourceMappingURL=.*$/m, '');
  await writeFile(`${out}${name}.gz`, gzipSync(text, { level: 9 }));
}
