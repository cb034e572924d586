// terraform/ without terraform: parsed by HashiCorp's parser, formatted by HashiCorp's formatter, held against the provider's
// arguments (provider_schema.json), against the numbers of the operations document and against the program itself. No plan was
// made and nothing was applied: docs/deployment/AWS_DEPLOYMENT.md says so, too.
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { readFile, readdir } from 'node:fs/promises';
import path from 'node:path';
import { format } from '@cdktf/hcl-tools';
import hcl2json from '@cdktf/hcl2json';
import { BINARY, JWT_SECRET, ROOT } from '../lib/agentauri.mjs';
import { run, runOk } from '../lib/process.mjs';
import { Configuration, TERRAFORM, walk } from './terraform.mjs';

const HERE = path.dirname(new URL(import.meta.url).pathname);
let main;
let bootstrap;
let schema;

before(async () => {
  main = await Configuration.read(TERRAFORM);
  bootstrap = await Configuration.read(path.join(TERRAFORM, 'bootstrap'));
  schema = JSON.parse(await readFile(path.join(HERE, 'provider_schema.json'), 'utf8'));
});

describe('the files', () => {
  test('are formatted as terraform fmt does', async () => {
    for (const root of [main, bootstrap])
      for (const [name, { text }] of root.files) {
        assert.equal(text, await format(text), name);
        assert.doesNotMatch(text, /= "\$\{[^}"]*\}"$/m, `${name}: an expression in quotes that needs none`);
        assert.ok(text.split('\n').length <= 260, `${name} is long`);
      }
    const example = await readFile(path.join(TERRAFORM, 'production.tfvars.example'), 'utf8');
    assert.equal(example, await format(example));
  });

  test('name only what is there, and nothing is there that nobody names', () => {
    for (const root of [main, bootstrap]) {
      const used = new Set();
      for (const { reference, where } of root.references()) {
        const parts = reference.replaceAll(/\[[^\][]*\]/g, '').split('.');
        const [first, second, third] = parts;
        if (first === 'var') {
          assert.ok(second in root.variables, `${where}: ${reference}`);
          used.add(`var.${second}`);
        } else if (first === 'local') {
          assert.ok(second in root.locals, `${where}: ${reference}`);
          used.add(`local.${second}`);
        } else if (first === 'data') {
          const key = `data.${second}.${third}`;
          assert.ok(root.data.has(key), `${where}: ${reference}`);
          used.add(key);
          if (parts[3]) assert.ok(schema[`data_${second}`].attributes.includes(parts[3]) || second === 'aws_iam_policy_document', `${where}: ${reference}`);
        } else if (first === 'ephemeral') {
          assert.ok(root.ephemeral.has(`ephemeral.${second}.${third}`), `${where}: ${reference}`);
          used.add(`ephemeral.${second}.${third}`);
          assert.equal(parts[3], second === 'random_password' ? 'result' : 'secret_string', `${where}: ${reference}`);
        } else if (/^(aws|random)_/.test(first)) {
          const key = `${first}.${second}`;
          assert.ok(root.resources.has(key), `${where}: ${reference}`);
          used.add(key);
          if (third && first !== 'random_password') assert.ok(schema[first].attributes.includes(third), `${where}: ${first} has no ${third}`);
        }
      }
      const unused = [...Object.keys(root.variables).map((each) => `var.${each}`), ...Object.keys(root.locals).map((each) => `local.${each}`), ...root.data.keys(), ...root.ephemeral.keys()].filter((each) => !used.has(each));
      assert.deepEqual(unused, [], root.folder);
    }
  });

  test('variables say what they are for, have a type, and refuse what cannot be', () => {
    for (const root of [main, bootstrap])
      for (const [name, variable] of Object.entries(root.variables)) {
        assert.ok(variable.description?.length > 20, name);
        assert.ok(variable.type, name);
        if (name === 'settings' || variable.type !== 'bool') assert.ok(variable.validation?.length, name);
      }
    for (const [name, output] of Object.entries({ ...main.outputs, ...bootstrap.outputs })) assert.ok(output.description, name);
  });

  test('the example holds every variable without a default, and passes the rules that are patterns', async () => {
    const example = await hcl2json.parse('example', await readFile(path.join(TERRAFORM, 'production.tfvars.example'), 'utf8'));
    for (const [name, variable] of Object.entries(main.variables)) {
      if (!('default' in variable)) assert.ok(name in example, name);
      const [, pattern] = /^\$\{can\(regex\("(.+)", var\.\w+\)\)\}$/.exec(variable.validation[0].condition) ?? [];
      if (!pattern) continue;
      const rule = new RegExp(JSON.parse(`"${pattern}"`));
      assert.match(String(example[name] ?? variable.default), rule, name);
      if (name === 'image') for (const wrong of ['latest', 'v1.2.3', `v1@sha256:${'0'.repeat(64)}`]) assert.doesNotMatch(`123456789012.dkr.ecr.us-east-1.amazonaws.com/agentauri-backend:${wrong}`, rule);
      if (name === 'pipeline_repository') for (const wrong of ['agentauri/*', '*', 'agentauri']) assert.doesNotMatch(wrong, rule);
    }
  });

  test('no state, no plan and no values are in the repository, and the state is kept elsewhere, locked and encrypted', async () => {
    const tracked = (await runOk('git', ['ls-files', 'terraform'], { cwd: ROOT })).split('\n');
    assert.ok(tracked.includes('terraform/versions.tf'));
    for (const file of tracked) assert.doesNotMatch(file, /tfstate|tfplan|\.tfvars$|\.terraform\/|\.pem$/);
    assert.deepEqual(main.terraform.backend.s3, [{ key: 'production/terraform.tfstate', region: 'us-east-1', encrypt: true, use_lockfile: true }]);
    assert.equal(bootstrap.resources.get('aws_s3_bucket_versioning.state').versioning_configuration[0].status, 'Enabled');
  });
});

describe('the provider', () => {
  const META = new Set(['for_each', 'count', 'depends_on', 'lifecycle', 'provider', 'provisioner']);

  function check(block, known, where) {
    const given = new Set();
    for (const [name, value] of Object.entries(block)) {
      if (META.has(name)) continue;
      if (name === 'dynamic') {
        for (const [label, dynamics] of Object.entries(value)) {
          given.add(label);
          assert.ok(known[label]?.block, `${where}: no block ${label}`);
          for (const each of dynamics) for (const content of each.content) check(content, known[label].block, `${where}.${label}`);
        }
        continue;
      }
      given.add(name);
      assert.ok(known[name], `${where}: the provider has no argument ${name}`);
      const isBlock = Array.isArray(value) && value.length > 0 && value.every((each) => each && typeof each === 'object' && !Array.isArray(each));
      if (known[name].block) {
        assert.ok(isBlock, `${where}: ${name} is a block`);
        for (const each of value) check(each, known[name].block, `${where}.${name}`);
      }
    }
    for (const [name, { required }] of Object.entries(known)) if (required) assert.ok(given.has(name), `${where}: ${name} is required`);
  }

  test('knows every argument and every block, and misses none', () => {
    let checked = 0;
    for (const root of [main, bootstrap])
      for (const [name, block] of [...root.resources, ...root.data]) {
        const kind = name.startsWith('data.') ? `data_${name.split('.')[1]}` : name.split('.')[0];
        if (kind === 'random_password') continue;
        assert.ok(schema[kind], `${kind} is not in provider_schema.json: make_provider_schema`);
        check(block, schema[kind].arguments, name);
        ++checked;
      }
    assert.ok(checked > 80, `only ${checked}`);
  });
});

describe('services', () => {
  // operations.md 11.3.
  const EXPECTED = {
    'api-gateway': { role: 'gateway', cpu: 512, memory: 1024, desired: 2, minimum: 100, maximum: 200, scaling: { minimum: 1, maximum: 4 }, health: [30, 5, 3, 60] },
    indexer: { role: 'indexer', cpu: 512, memory: 1024, desired: 1, minimum: 0, maximum: 100, scaling: null, health: [30, 10, 3, 300] },
    engine: { role: 'engine', cpu: 256, memory: 512, desired: 1, minimum: 0, maximum: 100, scaling: null, health: [30, 5, 3, 60] },
    worker: { role: 'worker', cpu: 256, memory: 512, desired: 2, minimum: 50, maximum: 200, scaling: { minimum: 1, maximum: 6 }, health: [30, 5, 3, 60] },
  };

  test('are the four roles, one each', () => {
    for (const [name, { public: open, ...service }] of Object.entries(main.locals.services)) {
      assert.deepEqual(service, EXPECTED[name], name);
      assert.equal(open, service.role === 'gateway');
    }
    assert.deepEqual(Object.keys(main.locals.services).sort(), Object.keys(EXPECTED).sort());
    const [, service] = main.of('aws_ecs_service')[0];
    assert.equal(service.for_each, '${local.services}');
    assert.deepEqual(service.deployment_circuit_breaker, [{ enable: true, rollback: true }]);
    assert.equal(service.desired_count, 0, 'nothing starts before the schema is there');
    assert.match(main.resources.get('aws_ecs_task_definition.migrate').container_definitions, /command\s*= \["agentauri", "migrate", "up"\]/);
  });

  test('run an image by digest, as an ordinary user, on a file system that is read-only, and log', async () => {
    const { container } = main.locals;
    assert.equal(container.image, '${var.image}');
    assert.equal(container.user, '10001:10001');
    assert.equal(container.readonlyRootFilesystem, true);
    assert.deepEqual(container.linuxParameters.capabilities, { drop: ['ALL'] });
    for (const [name, task] of main.of('aws_ecs_task_definition')) {
      assert.equal(task.network_mode, 'awsvpc', name);
      assert.match(task.container_definitions, /logDriver = "awslogs"/, name);
      assert.match(task.container_definitions, /merge\(local\.container,/, name);
    }
    for (const folder of [TERRAFORM, path.join(TERRAFORM, 'image'), path.join(TERRAFORM, 'bootstrap')])
      for (const file of await readdir(folder, { withFileTypes: true }))
        if (file.isFile()) assert.doesNotMatch(await readFile(path.join(folder, file.name), 'utf8'), /:latest\b|AWS_SECRET_ACCESS_KEY|AKIA[0-9A-Z]{16}/, file.name);
  });

  test('a database that is away has nobody killed: probes ask `live`', () => {
    assert.equal(main.resources.get('aws_lb_target_group.gateway').health_check[0].path, '/api/v1/health/live');
    assert.match(main.resources.get('aws_ecs_task_definition.role').container_definitions, /HEALTHCHECK_PATH=\/api\/v1\/health\/live agentauri-healthcheck/);
  });

  test('what they are given, the program accepts and knows', async () => {
    const { environment, secrets, chain_secrets: chains } = main.locals;
    assert.match(chains, /"CHAIN_\$\{id\}_RPC_URL"/);
    const given = {
      ...Object.fromEntries(Object.entries(environment).map(([name, value]) => [name, EXAMPLES[name] ?? value])),
      ...Object.fromEntries(Object.keys(secrets).map((name) => [name, EXAMPLES[name]])),
      ...Object.fromEntries(main.variables.chain_ids.default.map((id) => [`CHAIN_${id}_RPC_URL`, 'https://rpc.example.org/v2/key'])),
    };
    for (const [name, value] of Object.entries(given)) assert.ok(value && !value.includes('${'), `EXAMPLES lacks ${name}: ${value}`);
    const bytes = await readFile(BINARY);
    const documented = await readFile(path.join(ROOT, 'docs/configuration.md'), 'utf8');
    for (const name of Object.keys(given)) {
      if (/^CHAIN_\d+_RPC_URL$/.test(name)) continue;
      assert.ok(bytes.includes(name), `the program does not know ${name}`);
      if (!name.startsWith('REDIS_')) assert.ok(documented.includes(`\`${name}\``), `${name} is not in docs/configuration.md`);
    }
    for (const { role } of Object.values(main.locals.services)) {
      const result = await run(BINARY, ['check-config'], { env: { PATH: process.env.PATH, ROLES: role, ...given }, cwd: HERE });
      assert.equal(result.code, 0, result.output);
      assert.doesNotMatch(result.output, /is not a setting|did you mean/, result.output);
      assert.match(result.output, /PostgreSQL, database agentauri_backend at agentauri-production\.example\.us-east-1\.rds\.amazonaws\.com:5432/);
      assert.match(result.output, new RegExp(`roles +${role}$`, 'm'));
      const typo = await run(BINARY, ['check-config'], { env: { PATH: process.env.PATH, ROLES: role, ...given, DB_SSL_MODES: 'verify-full' }, cwd: HERE });
      assert.match(typo.output, /DB_SSL_MODES is not a setting/, 'the program would have said so');
    }
  });

  // What a plan would put in for names that AWS or the operator gives.
  const EXAMPLES = {
    LOG_LEVEL: 'info',
    DB_HOST: 'agentauri-production.example.us-east-1.rds.amazonaws.com',
    DB_NAME: 'agentauri_backend',
    DB_USER: 'agentauri_admin',
    TRUSTED_PROXIES: '10.1.0.0/16',
    BASE_URL: 'https://api.agentauri.ai',
    ALLOWED_ORIGINS: 'https://agentauri.ai,https://app.agentauri.ai',
    REGISTRATION: 'open',
    DB_PASSWORD: 'k'.repeat(20) + 'Z3'.repeat(10),
    JWT_SECRET,
    JWT_SECRET_PREVIOUS: [...JWT_SECRET].reverse().join(''),
    DATA_ENCRYPTION_KEYS: `k1:${Buffer.from('Ab3dEf6hIj9kLm2nOp5qRs8tUv1wXy4z').toString('base64')}`,
    REDIS_URL: 'rediss://:Zq8Zq8Zq8Zq8Zq8Zq8Zq8@master.agentauri.example.use1.cache.amazonaws.com:6379',
    MONITORING_TOKEN: 'm0nitorm0nitorm0nitorm0nitorm0nitorm0nit',
  };
});

describe('secrets', () => {
  const NAMES = ['rds-password', 'jwt-secret', 'jwt-secret-previous', 'monitoring-token', 'data-encryption-keys', 'redis-url'];

  test('are the named ones, encrypted with our key, recoverable for 30 days', () => {
    assert.deepEqual(Object.keys(main.locals.made_secrets).sort(), [...NAMES].sort());
    assert.match(main.locals.made_secret_names, new RegExp(NAMES.map((name) => `"${name}"`).join(', ')));
    for (const [name, secret] of main.of('aws_secretsmanager_secret')) {
      assert.equal(secret.kms_key_id, '${aws_kms_key.main.arn}', name);
      assert.equal(secret.recovery_window_in_days, 30, name);
      assert.match(secret.name, /^\$\{local\.secret_prefix\}\//);
    }
    assert.equal(main.locals.secret_prefix, 'agentauri/${var.environment}');
    for (const arn of Object.values(main.locals.secrets)) {
      const [, name] = /^\$\{aws_secretsmanager_secret\.made\["([a-z-]+)"\]\.arn\}$/.exec(arn);
      assert.ok(NAMES.includes(name), name);
    }
  });

  test('stand in no file and, but for the first token of Redis, in no state', () => {
    const version = main.resources.get('aws_secretsmanager_secret_version.made');
    assert.ok(version.secret_string_wo && !version.secret_string);
    const database = main.resources.get('aws_db_instance.main');
    assert.ok(database.password_wo.startsWith('${ephemeral.') && !database.password);
    assert.equal(main.ephemeral.get('ephemeral.aws_secretsmanager_secret_version.database').secret_id, '${aws_secretsmanager_secret_version.made["rds-password"].secret_id}');
    assert.deepEqual([...main.resources.keys()].filter((name) => name.startsWith('random_')), ['random_password.redis_first']);
    assert.deepEqual(main.resources.get('aws_elasticache_replication_group.main').lifecycle[0].ignore_changes, ['${auth_token}']);
    for (const [file, { parsed }] of main.files)
      walk(parsed, file, (text, where) => {
        if (/(password|secret|token|auth)[\w-]*$/i.test(where) && !/description|error_message|resources|actions/.test(where)) assert.match(text, /\$\{|^[a-z-]+$/, where);
      });
    for (const name of Object.keys(main.locals.environment)) assert.doesNotMatch(name, /PASSWORD|SECRET|TOKEN|KEYS|RPC_URL|REDIS_URL/);
    for (const name of Object.keys(main.outputs)) assert.doesNotMatch(JSON.stringify(main.outputs[name]), /password|secret|token/i);
  });
});

describe('network', () => {
  test('nothing is open to the world but 80 and 443 of the load balancer', () => {
    for (const [name, rule] of main.of('aws_vpc_security_group_ingress_rule')) {
      assert.equal(rule.from_port, rule.to_port, name);
      assert.ok(rule.description, name);
      if (rule.cidr_ipv4 || rule.cidr_ipv6) {
        assert.equal(rule.security_group_id, '${aws_security_group.load_balancer.id}', name);
        assert.ok([80, 443].includes(rule.from_port), name);
      } else {
        assert.match(rule.referenced_security_group_id, /^\$\{aws_security_group\.(load_balancer|tasks)\.id\}$/, name);
      }
    }
    for (const [name, group] of main.of('aws_security_group')) {
      assert.ok(!group.ingress && !group.egress, `${name}: rules are resources of their own`);
      assert.ok(group.description, name);
    }
    assert.equal(main.of('aws_security_group_rule').length, 0);
    assert.ok(!main.resources.get('aws_default_security_group.none').ingress);
    const { role, url } = { role: main.resources.get('aws_ecs_service.role'), url: main.resources.get('aws_lb_listener.http') };
    assert.equal(role.network_configuration[0].assign_public_ip, true);
    assert.equal(url.default_action[0].redirect[0].status_code, 'HTTP_301');
    assert.match(main.resources.get('aws_lb_listener.https').ssl_policy, /TLS13-1-2/);
    assert.equal(main.of('aws_nat_gateway').length, 0);
    const routes = main.of('aws_route').map(([, route]) => route.route_table_id);
    assert.deepEqual(routes, ['${aws_route_table.public.id}'], 'the private subnets have no way out');
  });
});

describe('rights', () => {
  const statements = (name) => main.data.get(`data.aws_iam_policy_document.${name}`).statement;

  test('are narrow: no wildcard of actions, and of resources only where AWS knows none', () => {
    for (const [name, document] of main.data) {
      if (!name.startsWith('data.aws_iam_policy_document.') || name.endsWith('.key')) continue;
      for (const { sid, effect, actions, resources } of document.statement) {
        if (effect === 'Deny') continue;
        for (const action of actions) assert.doesNotMatch(action, /\*/, `${name} ${sid}`);
        // A list, or an expression that makes one.
        if ([resources ?? []].flat().some((each) => each === '*' || /"\*"/.test(each))) for (const action of actions) assert.ok(['ecr:GetAuthorizationToken', 'ecs:DescribeTaskDefinition', 'ecs:RegisterTaskDefinition'].includes(action), `${name} ${action}`);
      }
    }
    assert.ok(![...main.resources].some(([name, block]) => name.startsWith('aws_iam_role_policy') && block.role.includes('role.task.')), 'the program itself may do nothing in AWS');
  });

  test('the pipeline is main and version tags of the one repository, without a key, and may pass two roles to ECS alone', () => {
    const [{ condition: conditions }] = statements('pipeline_trust');
    const values = Object.fromEntries(conditions.map(({ variable, values: each }) => [variable.split(':').at(-1), each]));
    assert.deepEqual(values, { aud: ['sts.amazonaws.com'], sub: ['repo:${var.pipeline_repository}:ref:refs/heads/main', 'repo:${var.pipeline_repository}:ref:refs/tags/v*'] });
    const pass = statements('pipeline').filter(({ actions }) => actions.includes('iam:PassRole'));
    assert.equal(pass.length, 1);
    assert.deepEqual(pass[0].resources, ['${aws_iam_role.execution.arn}', '${aws_iam_role.task.arn}']);
    assert.deepEqual(pass[0].condition[0].values, ['ecs-tasks.amazonaws.com']);
    for (const [type] of [...main.resources].map(([name]) => name.split('.'))) assert.notEqual(type, 'aws_iam_access_key');
  });
});

describe('data stores', () => {
  test('PostgreSQL: TLS that is verified, two zones, a week of backups at the least', () => {
    const database = main.resources.get('aws_db_instance.main');
    for (const [name, value] of Object.entries({ engine: 'postgres', engine_version: '15', db_name: 'agentauri_backend', username: 'agentauri_admin', multi_az: true, storage_encrypted: true, publicly_accessible: false, deletion_protection: true, skip_final_snapshot: false, delete_automated_backups: false, storage_type: 'gp3', backup_window: '03:00-04:00', maintenance_window: 'Mon:04:00-Mon:05:00', performance_insights_enabled: true, iam_database_authentication_enabled: true }))
      assert.equal(database[name], value, name);
    assert.equal(main.variables.backup_retention_days.default, 7);
    assert.match(main.variables.backup_retention_days.validation[0].condition, />= 7 /);
    const parameters = Object.fromEntries(main.resources.get('aws_db_parameter_group.main').parameter.map(({ name, value }) => [name, value]));
    assert.deepEqual(parameters, { 'rds.force_ssl': '1', shared_preload_libraries: 'pg_stat_statements', log_min_duration_statement: '1000', log_statement: 'ddl', log_connections: '1' });
    assert.equal(main.locals.environment.DB_SSL_MODE, 'verify-full');
    assert.equal(main.locals.environment.DB_SSL_ROOT_CERT, '/app/certs/aws-rds-ca.pem');
  });

  test('the image brings the certificates', async () => {
    assert.match(await readFile(path.join(TERRAFORM, 'image/Dockerfile'), 'utf8'), /^COPY --chmod=0644 aws-rds-ca\.pem \/app\/certs\/aws-rds-ca\.pem$/m);
  });

  test('Redis: TLS, a token, encrypted, a week of snapshots', () => {
    const redis = main.resources.get('aws_elasticache_replication_group.main');
    for (const [name, value] of Object.entries({ engine: 'redis', engine_version: '7.1', transit_encryption_enabled: true, at_rest_encryption_enabled: true, snapshot_retention_limit: 7, maintenance_window: 'sun:05:00-sun:06:00', snapshot_window: '04:00-05:00', automatic_failover_enabled: '${var.redis_nodes > 1}' }))
      assert.equal(redis[name], value, name);
    const parameters = Object.fromEntries(main.resources.get('aws_elasticache_parameter_group.main').parameter.map(({ name, value }) => [name, value]));
    assert.deepEqual(parameters, { 'maxmemory-policy': 'volatile-lru', 'notify-keyspace-events': 'Ex' });
    assert.match(main.locals.made_secrets['redis-url'], /^rediss:\/\//);
  });

  test('the registry: tags do not move, images are scanned, old ones go', async () => {
    const registry = bootstrap.resources.get('aws_ecr_repository.main');
    assert.equal(registry.image_tag_mutability, 'IMMUTABLE');
    assert.equal(registry.image_scanning_configuration[0].scan_on_push, true);
    const policy = bootstrap.resources.get('aws_ecr_lifecycle_policy.main').policy;
    assert.match(policy, /countNumber\s*= 10 .*countNumber\s*= 30 .*countNumber\s*= 7 /s);
  });
});
