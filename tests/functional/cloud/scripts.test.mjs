// terraform/deploy, rotate, smoke and image/agentauri-progress as they are, against an AWS of our own (fake_aws.py) whose every call is
// then held against Amazon's description of it, and against the program.
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { createServer } from 'node:http';
import { chmod, cp, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { AgentAuri, BINARY } from '../lib/agentauri.mjs';
import { Anvil } from '../lib/anvil.mjs';
import { run, runOk, start } from '../lib/process.mjs';
import { until } from '../lib/wait.mjs';
import { TERRAFORM } from './terraform.mjs';

// A machine that is busy with other things is no failure.
const PATIENCE = { timeoutMs: 120_000 };
const HERE = path.dirname(new URL(import.meta.url).pathname);
const REGISTRY = '123456789012.dkr.ecr.us-east-1.amazonaws.com/agentauri-backend';
const OLD = `sha256:${'0'.repeat(64)}`;
const NEW = `sha256:${'1'.repeat(64)}`;
const ABSENT = `sha256:${'2'.repeat(64)}`;
const SERVICES = { 'api-gateway': 2, engine: 1, indexer: 1, worker: 2 };
const FAMILIES = [...Object.keys(SERVICES), 'migrate'].map((name) => `agentauri-production-${name}`);
const arn = (name) => `arn:aws:ecs:us-east-1:123456789012:task-definition/${name}`;

let folder;
let calls;
let aws;           // bin/aws asks it
let awsPort;
let stub;          // where the load balancer would be
let healthy = true;

before(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'agentauri-cloud-'));
  calls = path.join(folder, 'calls');
  await writeFile(calls, '');
  aws = start(path.join(HERE, 'fake_aws.py'), [calls]);
  awsPort = await until('the port of the fake AWS', async () => /^\d+$/m.exec(aws.output)?.[0], PATIENCE);
  // A copy, so that a build's certificates do not land in the tree.
  await cp(TERRAFORM, path.join(folder, 'terraform'), { recursive: true });
  stub = createServer((request, response) => {
    const answers = { '/api/v1/health': { status: 'healthy', database: 'connected' }, '/api/v1/health/ready': {}, '/api/v1/openapi.json': { openapi: '3.1.0', paths: { '/api/v1/triggers': {} } } };
    response.statusCode = !healthy ? 503 : request.url in answers ? 200 : 401;
    response.end(JSON.stringify(answers[request.url] ?? {}));
  });
  await new Promise((resolve) => stub.listen(0, '127.0.0.1', resolve));
});
after(async () => {
  stub?.close();
  aws?.kill('SIGKILL');
  await rm(folder, { recursive: true, force: true });
});

let worlds = 0;
class World {
  // An account where everything runs the old image, unless `changes` say otherwise.
  static async make(changes = {}) {
    const self = new World();
    self.file = path.join(folder, `world-${++worlds}.json`);
    self.docker = path.join(folder, `docker-${worlds}`);
    const definition = (family, revision) => ({
      family, revision, taskDefinitionArn: arn(`${family}:${revision}`), status: 'ACTIVE', networkMode: 'awsvpc', cpu: '256', memory: '512', requiresCompatibilities: ['FARGATE'],
      executionRoleArn: 'arn:aws:iam::123456789012:role/agentauri-production-execution', taskRoleArn: 'arn:aws:iam::123456789012:role/agentauri-production-task', volumes: [], placementConstraints: [],
      runtimePlatform: { cpuArchitecture: 'X86_64', operatingSystemFamily: 'LINUX' }, containerDefinitions: [{ name: 'agentauri', image: `${REGISTRY}@${OLD}`, environment: [{ name: 'LOG_LEVEL', value: 'info' }] }, ...(family.endsWith('indexer') ? [{ name: 'progress', image: `${REGISTRY}@${OLD}` }] : [])],
    });
    const deploy = {
      cluster: 'agentauri-production', database: 'agentauri-production', registry: REGISTRY, url: `http://127.0.0.1:${stub.address().port}`, previous_release: '/agentauri/production/previous-release', migrate_family: 'agentauri-production-migrate',
      migrate_log_group: '/ecs/agentauri-production/migrate', subnets: ['subnet-1', 'subnet-2'], security_groups: ['sg-1'], services: Object.fromEntries(Object.entries(SERVICES).map(([name, desired]) => [name, { family: `agentauri-production-${name}`, desired }])),
    };
    await writeFile(self.file, JSON.stringify({
      parameters: { '/agentauri/production/deploy': JSON.stringify(deploy) },
      images: { 'v1.0.0': OLD, 'v1.1.0': NEW },
      // Revision 7 is what terraform made last; 5 runs.
      revisions: Object.fromEntries(FAMILIES.map((family) => [family, 7])),
      task_definitions: Object.fromEntries(FAMILIES.flatMap((family) => [5, 7].map((n) => [`${family}:${n}`, definition(family, n)]))),
      services: Object.fromEntries(Object.entries(SERVICES).map(([name, desired]) => [name, { task_definition: arn(`agentauri-production-${name}:5`), desired }])),
      tasks: {}, exit_codes: { 'migrate verify': [0] },
      secrets: Object.fromEntries(['rds-password', 'jwt-secret', 'jwt-secret-previous', 'monitoring-token', 'data-encryption-keys', 'redis-url'].map((name) => [`agentauri/production/${name}`, { ['version-1'.padEnd(32, '0')]: ['AWSCURRENT', { 'redis-url': 'rediss://:oldtoken@cache.example:6379', 'data-encryption-keys': 'k1:b2xkb2xkb2xkb2xkb2xkb2xkb2xkb2xkb2xkb2xkb2w=' }[name] ?? `old-${name}`] }])),
      database_password: 'old', redis_tokens: ['oldtoken'], story: [], ...changes,
    }));
    return self;
  }

  async run(script, ...args) {
    return run(path.join(folder, 'terraform', script), args, {
      env: { PATH: `${path.join(HERE, 'bin')}:${process.env.PATH}`, HOME: folder, FAKE_AWS: this.file, FAKE_AWS_PORT: awsPort, FAKE_DOCKER_LOG: this.docker, POLL_SECONDS: '0', SMOKE_SECONDS: '0', SMOKE_ANSWER_SECONDS: '60', ...this.environment },
      cwd: folder,
    });
  }

  async state() { return JSON.parse(await readFile(this.file, 'utf8')); }

  // service -> the image that it runs.
  async runs() {
    const { services, task_definitions: definitions } = await this.state();
    return Object.fromEntries(Object.entries(services).map(([name, { task_definition: each, desired }]) => [name, desired > 0 ? definitions[each.split('/')[1]].containerDefinitions[0].image.split('@')[1] : 'nothing']));
  }

  secret(state, name, stage = 'AWSCURRENT') {
    return Object.values(state.secrets[`agentauri/production/${name}`]).find(([each]) => each === stage)[1];
  }
}
const all = (digest) => Object.fromEntries(Object.keys(SERVICES).map((name) => [name, digest]));

describe('terraform/deploy', () => {
  test('roll: every service gets the digest, on the newest settings, and what ran before is remembered', async () => {
    const world = await World.make();
    const result = await world.run('deploy', 'roll', NEW);
    assert.equal(result.code, 0, result.output);
    assert.deepEqual(await world.runs(), all(NEW));
    const state = await world.state();
    assert.equal(state.parameters['/agentauri/production/previous-release'], Object.keys(SERVICES).map((name) => `${name} ${arn(`agentauri-production-${name}:5`)}`).join('\n'));
    assert.equal(state.story[0], 'ran migrate verify: 0', 'before any service');
    assert.ok(!state.story.some((each) => /snapshot|migrate up/.test(each)), 'nothing is pending');
    const { containerDefinitions: containers, ...made } = state.task_definitions['agentauri-production-indexer:8'];
    assert.deepEqual(containers.map(({ image }) => image), [`${REGISTRY}@${NEW}`, `${REGISTRY}@${NEW}`], 'the second container, too');
    assert.deepEqual(containers[0].environment, [{ name: 'LOG_LEVEL', value: 'info' }]);
    assert.equal(made.executionRoleArn, 'arn:aws:iam::123456789012:role/agentauri-production-execution');
  });

  test('a pending migration: snapshot, migration with the new image, then the services', async () => {
    const world = await World.make({ exit_codes: { 'migrate verify': [1], 'migrate up': [0] } });
    const result = await world.run('deploy', 'roll', NEW);
    assert.equal(result.code, 0, result.output);
    const { story } = await world.state();
    assert.deepEqual(story.slice(0, 3), ['ran migrate verify: 1', 'snapshot of agentauri-production', 'ran migrate up: 0']);
    assert.match(result.output, /log of migrate\/agentauri\/1/);
    assert.deepEqual(await world.runs(), all(NEW));
  });

  test('a migration that fails, or cannot be looked at, or does not start: the services are not touched', async () => {
    for (const [codes, said] of [
      [{ 'migrate verify': [1], 'migrate up': [1] }, /the migration failed \(exit code 1\)/],
      [{ 'migrate verify': [69] }, /could not be looked at \(exit code 69\)/],
      [{ 'migrate verify': ['no capacity'] }, /no task could be started/],
      [{ 'migrate verify': [null] }, /the task did not run: image is gone/],
    ]) {
      const world = await World.make({ exit_codes: codes });
      const result = await world.run('deploy', 'roll', NEW);
      assert.equal(result.code, 1, result.output);
      assert.match(result.output, said);
      assert.deepEqual(await world.runs(), all(OLD));
      assert.ok(!(await world.state()).story.some((each) => each.includes('->')));
    }
  });

  test('a service that ECS takes back: all services go back, and the exit code says so', async () => {
    const world = await World.make({ crashes: { service: 'engine', image: `${REGISTRY}@${NEW}` } });
    const result = await world.run('deploy', 'roll', NEW);
    assert.equal(result.code, 1);
    assert.match(result.output, /all services are back on what they ran before/);
    assert.deepEqual(await world.runs(), all(OLD));
    for (const [name, { task_definition: revision }] of Object.entries((await world.state()).services)) assert.equal(revision, arn(`agentauri-production-${name}:5`), 'the very revision, not the old image on new settings');
  });

  test('a call that AWS refuses half-way: all services go back', async () => {
    const world = await World.make({ refuse_update: 'indexer' });
    const result = await world.run('deploy', 'roll', NEW);
    assert.equal(result.code, 1, result.output);
    assert.deepEqual(await world.runs(), all(OLD));
  });

  test('a smoke test that fails: all services go back', async () => {
    const world = await World.make();
    healthy = false;
    try {
      const result = await world.run('deploy', 'roll', NEW);
      assert.equal(result.code, 1);
      assert.match(result.output, /is not healthy and ready/);
      assert.deepEqual(await world.runs(), all(OLD));
    } finally {
      healthy = true;
    }
  });

  test('the first deployment starts as many tasks as are wanted; when it fails there is nothing to go back to', async () => {
    const stopped = { services: Object.fromEntries(Object.keys(SERVICES).map((name) => [name, { task_definition: arn(`agentauri-production-${name}:5`), desired: 0 }])) };
    const world = await World.make({ ...stopped, exit_codes: { 'migrate verify': [1], 'migrate up': [0] } });
    const result = await world.run('deploy', 'roll', NEW);
    assert.equal(result.code, 0, result.output);
    const state = await world.state();
    assert.deepEqual(Object.fromEntries(Object.entries(state.services).map(([name, { desired }]) => [name, desired])), SERVICES);
    assert.ok(!('/agentauri/production/previous-release' in state.parameters));
    const failing = await World.make({ ...stopped, crashes: { service: 'worker', image: `${REGISTRY}@${NEW}` } });
    const failed = await failing.run('deploy', 'roll', NEW);
    assert.equal(failed.code, 1);
    assert.match(failed.output, /there is nothing to go back to/);
  });

  test('back: the revisions of before the last roll; an older image with --no-migrate', async () => {
    const world = await World.make();
    assert.equal((await world.run('deploy', 'roll', NEW)).code, 0);
    const result = await world.run('deploy', 'back');
    assert.equal(result.code, 0, result.output);
    assert.deepEqual(await world.runs(), all(OLD));
    const older = await world.run('deploy', 'roll', '--no-migrate', OLD);
    assert.equal(older.code, 0, older.output);
    assert.equal((await world.state()).story.filter((each) => each.startsWith('ran migrate')).length, 1, 'the schema was left alone');
    assert.deepEqual(await world.runs(), all(OLD));
    const never = await World.make();
    assert.notEqual((await never.run('deploy', 'back')).code, 0, 'nothing was rolled');
  });

  test('only a digest that the registry has is rolled', async () => {
    const world = await World.make();
    for (const [digest, said] of [['v1.1.0', /not a digest/], ['latest', /not a digest/], [ABSENT, /the registry does not have/]]) {
      const result = await world.run('deploy', 'roll', digest);
      assert.equal(result.code, 1, digest);
      assert.match(result.output, said);
    }
    assert.deepEqual((await world.state()).story, []);
    for (const args of [[], ['roll'], ['release'], ['run'], ['nonsense']]) assert.equal((await world.run('deploy', ...args)).code, 64, args.join(' '));
  });

  test('release: build, scan, roll; a finding stops it before anything is touched', async () => {
    await runOk('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '90', '-subj', '/CN=RDS', '-keyout', path.join(folder, 'ca.key'), '-out', path.join(folder, 'terraform/image/aws-rds-ca.pem')]);
    const world = await World.make();
    const result = await world.run('deploy', 'release', 'v1.1.0');
    assert.equal(result.code, 0, result.output);
    assert.deepEqual(await world.runs(), all(NEW));
    const docker = await readFile(world.docker, 'utf8');
    assert.match(docker, /^login with password-of-the-registry$/m);
    assert.match(docker, /^build --pull -f \S+deploy\/docker\/Dockerfile -t agentauri-base:v1\.1\.0 \S+$/m);
    assert.match(docker, new RegExp(`^build -f \\S+image/Dockerfile --build-arg BASE=agentauri-base:v1\\.1\\.0 -t ${REGISTRY}:v1\\.1\\.0 \\S+image$`, 'm'));
    assert.match(docker, new RegExp(`^push ${REGISTRY}:v1\\.1\\.0$`, 'm'));

    const finding = { name: 'CVE-2026-0001', severity: 'CRITICAL' };
    const unsafe = await World.make({ findings: [finding, { name: 'CVE-2026-0002', severity: 'LOW' }] });
    const stopped = await unsafe.run('deploy', 'release', 'v1.1.0');
    assert.equal(stopped.code, 1);
    assert.match(stopped.output, /the scan found CVE-2026-0001:/);
    assert.deepEqual((await unsafe.state()).story, []);
    unsafe.environment = { ACCEPTED_FINDINGS: 'CVE-2025-1 CVE-2026-0001' };
    assert.equal((await unsafe.run('deploy', 'release', 'v1.1.0')).code, 0);
    assert.match((await world.run('deploy', 'build', 'latest')).output, /a tag is v/);
  });

  test('certificates that end soon are not built in', async () => {
    await runOk('openssl', ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:P-256', '-nodes', '-days', '7', '-subj', '/CN=RDS', '-keyout', path.join(folder, 'ca.key'), '-out', path.join(folder, 'terraform/image/aws-rds-ca.pem')]);
    const result = await (await World.make()).run('deploy', 'build', 'v1.1.0');
    assert.equal(result.code, 1);
    assert.match(result.output, /ends within 30 days/);
  });

  test('run: a command beside the services, with its exit code', async () => {
    const world = await World.make({ exit_codes: { 'user list': [3] } });
    const result = await world.run('deploy', 'run', 'user', 'list', '--json');
    assert.equal(result.code, 3, result.output);
    assert.deepEqual((await world.state()).story, ['ran user list --json: 3']);
  });
});

describe('terraform/rotate', () => {
  test('jwt: the old one goes on verifying', async () => {
    const world = await World.make();
    const result = await world.run('rotate', 'jwt');
    assert.equal(result.code, 0, result.output);
    const state = await world.state();
    assert.equal(world.secret(state, 'jwt-secret-previous'), 'old-jwt-secret');
    assert.match(world.secret(state, 'jwt-secret'), /^[A-Za-z0-9]{64}$/);
    assert.equal(state.story.filter((each) => each.endsWith('restarted')).length, 4);
    assert.ok(state.story.indexOf('jwt-secret-previous AWSCURRENT') < state.story.indexOf('jwt-secret AWSCURRENT'));
  });

  test('data-key: a new one in front, the old ones behind it, as the program reads them', async () => {
    const world = await World.make();
    assert.equal((await world.run('rotate', 'data-key')).code, 0);
    const keys = world.secret(await world.state(), 'data-encryption-keys');
    assert.match(keys, /^k2:[A-Za-z0-9+/]{43}=,k1:b2xkb2xkb2xkb2xkb2xkb2xkb2xkb2xkb2xkb2xkb2w=$/);
  });

  test('database: the new password is kept before it is set, and is the current one after', async () => {
    const world = await World.make();
    const result = await world.run('rotate', 'database');
    assert.equal(result.code, 0, result.output);
    const state = await world.state();
    assert.equal(world.secret(state, 'rds-password'), state.database_password);
    assert.match(state.database_password, /^[A-Za-z0-9]{40}$/);
    assert.equal(state.pending, 0, 'it waited until RDS had it');
    assert.deepEqual(state.story.slice(0, 2), ['rds-password AWSPENDING', 'rds-password AWSCURRENT']);
    const lost = await World.make({ refuse_secret: 'agentauri/production/rds-password' });
    assert.notEqual((await lost.run('rotate', 'database')).code, 0);
    assert.equal((await lost.state()).database_password, 'old', 'what could not be kept is not set');
  });

  test('redis: both tokens hold until the services have the new one', async () => {
    const world = await World.make();
    const result = await world.run('rotate', 'redis');
    assert.equal(result.code, 0, result.output);
    const state = await world.state();
    const [token] = state.redis_tokens;
    assert.equal(state.redis_tokens.length, 1);
    assert.equal(world.secret(state, 'redis-url'), `rediss://:${token}@cache.example:6379`);
    const order = state.story.filter((each) => !each.endsWith('restarted'));
    assert.deepEqual(order, ['redis-url AWSPENDING', 'redis ROTATE', 'redis-url AWSCURRENT', 'redis SET']);
    assert.ok(state.story.lastIndexOf('worker restarted') < state.story.indexOf('redis SET'));
  });

  test('no value is an argument of a call', async () => {
    const world = await World.make();
    assert.equal((await world.run('rotate', 'monitoring')).code, 0);
    for (const line of (await readFile(calls, 'utf8')).trim().split('\n')) {
      const { arguments: args, input } = JSON.parse(line);
      for (const value of [input?.SecretString, input?.MasterUserPassword, input?.AuthToken].filter(Boolean)) assert.ok(!args.join(' ').includes(value));
      if (/put-secret-value|modify/.test(args[1])) assert.ok(args.includes('--cli-input-json'), args.join(' '));
    }
  });
});

test('every call of the above is one that AWS has', async () => {
  const found = await run('bash', ['-c', `"${path.join(HERE, 'check_aws_calls.py')}" <"${calls}"`]);
  assert.equal(found.code, 0, found.output);
  assert.ok(Number(/(\d+) calls/.exec(found.output)[1]) > 200, found.output);
  // And the check would have seen it.
  for (const wrong of [['ecs', 'update-services'], ['ecs', 'update-service', '--service', 'x', '--task', 'y'], ['ecs', 'update-service', '--cluster', 'x'], ['ecs', 'wait', 'service-stable'], ['nothing', 'at-all']]) {
    const file = path.join(folder, 'wrong');
    await writeFile(file, `${JSON.stringify({ arguments: wrong })}\n`);
    assert.equal((await run('bash', ['-c', `"${path.join(HERE, 'check_aws_calls.py')}" <"${file}"`])).code, 1, wrong.join(' '));
  }
});

describe('terraform/smoke, against the program', () => {
  test('signs in, makes a trigger and leaves nothing behind', async () => {
    const app = await AgentAuri.start();
    try {
      const smoke = (environment = {}) => run(path.join(TERRAFORM, 'smoke'), [app.url], { env: { PATH: process.env.PATH, HOME: folder, SMOKE_SECONDS: '5', SMOKE_ANSWER_SECONDS: '60', ...environment } });
      const nobody = await smoke();
      assert.equal(nobody.code, 0, nobody.output);
      assert.match(nobody.output, /closed to strangers/);
      const account = { username: 'smoke', email: 'smoke@example.org', password: 'a quiet river "77" \\ more' };
      const registered = await fetch(`${app.url}/api/v1/auth/register`, { method: 'POST', headers: { 'Content-Type': 'application/json' }, body: JSON.stringify(account) });
      assert.equal(registered.status, 201);
      const { token } = await registered.json();
      const signedIn = await smoke({ SMOKE_USER: 'smoke', SMOKE_PASSWORD: account.password });
      assert.equal(signedIn.code, 0, signedIn.output);
      assert.match(signedIn.output, /made, read and deleted a trigger/);
      assert.ok(!signedIn.output.includes(account.password));
      const left = await (await fetch(`${app.url}/api/v1/triggers`, { headers: { Authorization: `Bearer ${token}` } })).json();
      assert.deepEqual(left.data, []);
      const wrong = await smoke({ SMOKE_USER: 'smoke', SMOKE_PASSWORD: 'something else' });
      assert.equal(wrong.code, 1);
      assert.match(wrong.output, /signing in was answered 401/);
    } finally {
      await app.stop();
    }
    const gone = await run(path.join(TERRAFORM, 'smoke'), [app.url], { env: { PATH: process.env.PATH, HOME: folder, SMOKE_SECONDS: '0' } });
    assert.equal(gone.code, 1);
  });
});

describe('image/agentauri-progress', () => {
  // heads: what `agentauri chain status --json` says, one after the other, the last for ever.
  async function lines(answers, environment, enough) {
    const bin = await mkdtemp(path.join(folder, 'bin-'));
    for (const [index, answer] of answers.entries()) await writeFile(path.join(bin, `answer-${index}`), answer);
    await writeFile(path.join(bin, 'agentauri'), `#!/bin/bash\ncd ${bin}\n[ "$*" = "chain status --json" ] || exit 64\nn=$(cat n 2>/dev/null || echo 0)\ncat answer-$n\n[ $((n + 1)) -lt ${answers.length} ] && echo $((n + 1)) >n\nexit 0\n`);
    await chmod(path.join(bin, 'agentauri'), 0o755);
    const child = start(path.join(TERRAFORM, 'image/agentauri-progress'), [], { env: { PATH: `${bin}:${process.env.PATH}`, PROGRESS_INTERVAL_SECONDS: '0.05', ...environment } });
    const read = () => child.output.split('\n').slice(0, -1).map((line) => JSON.parse(line));
    try {
      return await until('enough lines', async () => enough(read()) && read(), PATIENCE);
    } finally {
      child.kill('SIGTERM');
      assert.equal((await child.ended).code, 0, 'a stop is no failure');
    }
  }
  const status = (heads) => JSON.stringify({ chains: Object.entries(heads).map(([id, head]) => ({ chain_id: Number(id), name: `chain ${id}`, state: 'ok', reason: 'a "head_block":7, is here, and {"a":1},{"chain_id":8453}', start_block: 1, live_from_block: 2, head_block: head, finalized_block: null, last_seq: 3 })) });
  const both = { CHAIN_1_RPC_URL: 'https://a', CHAIN_8453_RPC_URL: 'https://b', CHAIN_59141_RPC_URL: '' };

  test('says so when every configured chain moves', async () => {
    const said = await lines([status({ 1: 10, 8453: 20 }), status({ 1: 11, 8453: 20 }), status({ 1: 11, 8453: 25, 59141: 3 })], both, (all) => all.some(({ message }) => message === 'synced block'));
    assert.deepEqual(said[0], { level: 'warn', message: 'a chain does not move', chains: '1,8453' });
    assert.deepEqual(said[1], { level: 'warn', message: 'a chain does not move', chains: '8453' });
    assert.deepEqual(said[2], { level: 'info', message: 'synced block', heads: { 1: 11, 8453: 25 } });
  });

  test('names the one that stands still, that is missing, and the trouble to look', async () => {
    const still = await lines([status({ 1: 10, 8453: 20 }), status({ 1: 11, 8453: 21 })], { ...both, STALL_SECONDS: '0' }, (all) => all.length > 2 && all.at(-1).message === 'a chain does not move');
    assert.equal(still.at(-1).chains, '1,8453');
    const missing = await lines([status({ 1: 10 }), status({ 1: 11 })], both, (all) => all.length > 2);
    assert.equal(missing.at(-1).chains, '8453');
    const none = await lines([status({ 1: 10 })], {}, (all) => all.length > 0);
    assert.equal(none[0].chains, 'none is configured');
    const warned = await lines([1, 2].map((head) => `{"level":"warn","message":"DB_COLOUR is not a setting of this program"}\n${status({ 1: head, 8453: head })}`), both, (all) => all.some(({ message }) => message === 'synced block'));
    assert.deepEqual(warned.at(-1).heads, { 1: 2, 8453: 2 });
    const broken = await lines(['cannot connect to "db"\n\\ at all'], both, (all) => all.length > 0);
    assert.match(broken[0].why, /cannot connect to 'db'/);
  });

  test('reads what the program really prints, of two chains', async () => {
    const [first, second] = [await Anvil.start(), await Anvil.start({ chainId: 8453 })];
    const chains = { ...first.environment(), ...Object.fromEntries(Object.entries(second.environment()).map(([name, value]) => [name.replace('31337', '8453'), value])) };
    // A warning about a setting stands before what the program prints.
    const app = await AgentAuri.start({ ...chains, DB_COLOUR: 'blue' });
    const status = async () => JSON.parse((await app.command(['chain', 'status', '--json'])).output.split('\n').find((line) => line.startsWith('{"chains":'))).chains;
    // What the program still has to read at the beginning would be movement.
    await until('both chains to be read', async () => {
      const heads = Object.fromEntries((await status()).map(({ chain_id: id, head_block: head }) => [id, head]));
      return heads[31337] === await first.blockNumber() && heads[8453] === await second.blockNumber();
    }, PATIENCE);
    const bin = await mkdtemp(path.join(folder, 'bin-'));
    await symlink(BINARY, path.join(bin, 'agentauri'));
    const child = start(path.join(TERRAFORM, 'image/agentauri-progress'), [], { env: { ...app.environment, PATH: `${bin}:${process.env.PATH}`, PROGRESS_INTERVAL_SECONDS: '0.05' }, cwd: app.data });
    try {
      const read = () => child.output.split('\n').slice(0, -1).map((line) => JSON.parse(line));
      const stands = (which) => read().some(({ message, chains: said }) => message === 'a chain does not move' && said === which);
      await until('both to stand', () => stands('31337,8453'), PATIENCE);
      // One that moves does not hide the other.
      await until('the second to stand alone', async () => (await first.rpc('evm_mine'), stands('8453')), PATIENCE);
      assert.ok(!read().some(({ message }) => message === 'synced block'));
      const synced = await until('both to move', async () => (await second.rpc('evm_mine'), read().find(({ message }) => message === 'synced block')), PATIENCE);
      assert.deepEqual(Object.keys(synced.heads), ['8453', '31337']);
      assert.ok(synced.heads[31337] <= await first.blockNumber() && synced.heads[8453] <= await second.blockNumber());
      assert.ok(!read().some(({ why }) => why), child.output);
    } finally {
      child.kill('SIGTERM');
      await child.ended;
      await app.stop();
      await Promise.all([first.stop(), second.stop()]);
    }
  });
});
