// Child processes that end with the test, and free ports from the kernel.
import { spawn } from 'node:child_process';
import { createServer } from 'node:net';

const children = new Set();
process.on('exit', () => {
  for (const child of children) child.kill('SIGKILL');
});
// A run that is broken off ends by these, which alone would not be an exit.
for (const signal of ['SIGINT', 'SIGTERM']) process.once(signal, () => process.exit(1));

// Starts a program; its output is collected in `output` (bounded). `ended` resolves with {code, signal}.
export function start(file, args, options = {}) {
  const child = spawn(file, args, { stdio: ['ignore', 'pipe', 'pipe'], ...options });
  child.output = '';
  const collect = (chunk) => {
    child.output = (child.output + chunk).slice(-4_000_000);
  };
  child.stdout.setEncoding('utf8').on('data', collect);
  child.stderr.setEncoding('utf8').on('data', collect);
  children.add(child);
  child.ended = new Promise((resolve) => {
    child.on('error', (error) => resolve({ code: -1, error }));
    child.on('close', (code, signal) => {
      children.delete(child);
      resolve({ code, signal });
    });
  });
  return child;
}

export async function run(file, args, options = {}) {
  const child = start(file, args, options);
  const ended = await child.ended;
  return { ...ended, output: child.output };
}

export async function runOk(file, args, options = {}) {
  const result = await run(file, args, options);
  if (result.code !== 0) throw new Error(`${file} ${args.join(' ')} ended with ${result.code ?? result.signal}:\n${result.output}`);
  return result.output;
}

export async function freePort() {
  const server = createServer();
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  await new Promise((resolve) => server.close(resolve));
  return port;
}
