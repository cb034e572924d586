// capacity_bench on a PostgreSQL of its own, whose folder goes afterwards: ten million events take about 8 GB of TMPDIR.
//   node bench/capacity.mjs [few] [many]
import { execFileSync } from 'node:child_process';
import path from 'node:path';
import { ROOT } from '../tests/functional/lib/agentauri.mjs';
import { prepare, stopEngines } from '../tests/functional/lib/engines.mjs';

const app = await prepare('postgres', {});
try {
  execFileSync(path.join(ROOT, 'build/release/bin/capacity_bench'), [process.argv[2] ?? '100000', process.argv[3] ?? '10000000'],
    { env: app.environment, stdio: ['ignore', 'inherit', 'inherit'] });
} finally {
  await stopEngines();
}
