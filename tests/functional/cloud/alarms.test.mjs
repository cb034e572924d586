// The alarms of the cloud against the list of the operations document (7.2), and what they count against where it is written.
import assert from 'node:assert/strict';
import { before, describe, test } from 'node:test';
import { readFile } from 'node:fs/promises';
import path from 'node:path';
import { ROOT } from '../lib/agentauri.mjs';
import { runOk } from '../lib/process.mjs';
import { Configuration, TERRAFORM } from './terraform.mjs';

const OVER = 'GreaterThanThreshold';
const UNDER = 'LessThanThreshold';
const GIB = 1024 ** 3;
const service = (name) => '${local.service_dimensions["' + name + '"]}';

// name: [metric, comparison, threshold, periods, seconds of a period, missing data, dimensions]
const GENERAL = {
  'api-gateway-cpu-high': ['AWS/ECS CPUUtilization', OVER, 85, 3, 60, 'missing', service('api-gateway')],
  'api-gateway-memory-high': ['AWS/ECS MemoryUtilization', OVER, 90, 3, 60, 'missing', service('api-gateway')],
  'api-gateway-no-tasks': ['ECS/ContainerInsights RunningTaskCount', UNDER, 1, 2, 60, 'breaching', service('api-gateway')],
  'engine-no-tasks': ['ECS/ContainerInsights RunningTaskCount', UNDER, 1, 2, 60, 'breaching', service('engine')],
  'worker-no-tasks': ['ECS/ContainerInsights RunningTaskCount', UNDER, 1, 2, 60, 'breaching', service('worker')],
  'worker-cpu-high': ['AWS/ECS CPUUtilization', OVER, 85, 3, 60, 'missing', service('worker')],
  'api-gw-5xx-high': ['AWS/ApplicationELB HTTPCode_Target_5XX_Count', OVER, 10, 2, 60, 'notBreaching', '${local.front_dimensions}'],
  'api-gw-latency-high': ['AWS/ApplicationELB TargetResponseTime', OVER, 2, 3, 60, 'notBreaching', '${local.front_dimensions}'],
  'rds-cpu-high': ['AWS/RDS CPUUtilization', OVER, 80, 3, 60, 'missing', '${local.database_dimensions}'],
  'rds-storage-low': ['AWS/RDS FreeStorageSpace', UNDER, 5 * GIB, 2, 300, 'missing', '${local.database_dimensions}'],
  'rds-connections-high': ['AWS/RDS DatabaseConnections', OVER, 80, 2, 60, 'missing', '${local.database_dimensions}'],
  'rds-memory-low': ['AWS/RDS FreeableMemory', UNDER, GIB / 4, 3, 60, 'missing', '${local.database_dimensions}'],
  'redis-cpu-high': ['AWS/ElastiCache CPUUtilization', OVER, 80, 3, 60, 'missing', '${local.redis_dimensions}'],
  'redis-memory-high': ['AWS/ElastiCache DatabaseMemoryUsagePercentage', OVER, 80, 2, 60, 'missing', '${local.redis_dimensions}'],
};
const INDEXER = {
  'indexer-task-down': ['ECS/ContainerInsights RunningTaskCount', UNDER, 1, 2, 60, 'breaching', service('indexer')],
  'indexer-high-cpu': ['AWS/ECS CPUUtilization', OVER, 80, 5, 60, 'missing', service('indexer')],
  'indexer-critical-cpu': ['AWS/ECS CPUUtilization', OVER, 95, 2, 60, 'missing', service('indexer')],
  'indexer-high-memory': ['AWS/ECS MemoryUtilization', OVER, 80, 5, 60, 'missing', service('indexer')],
  'indexer-critical-memory': ['AWS/ECS MemoryUtilization', OVER, 95, 2, 60, 'missing', service('indexer')],
  'indexer-rpc-errors': ['AgentAuri/Ponder RpcErrors', OVER, 10, 1, 300, 'notBreaching', {}],
  'indexer-sync-stalled': ['AgentAuri/Ponder SyncedBlocks', UNDER, 1, 2, 300, 'breaching', {}],
};
const DATABASE = {
  'rds-high-cpu': ['CPUUtilization', OVER, 70, 5, 60],
  'rds-critical-cpu': ['CPUUtilization', OVER, 90, 2, 60],
  'rds-low-storage': ['FreeStorageSpace', UNDER, '${0.2 * local.allocated_bytes}', 1, 300],
  'rds-critical-storage': ['FreeStorageSpace', UNDER, '${0.1 * local.allocated_bytes}', 1, 300],
  'rds-high-connections': ['DatabaseConnections', OVER, 120, 3, 60],
  'rds-low-memory': ['FreeableMemory', UNDER, GIB / 4, 3, 60],
  'rds-high-read-latency': ['ReadLatency', OVER, 0.02, 5, 60],
  'rds-high-write-latency': ['WriteLatency', OVER, 0.05, 5, 60],
  'rds-high-read-iops': ['ReadIOPS', OVER, 2400, 5, 60],
};
const SUMS = ['api-gw-5xx-high', 'indexer-rpc-errors', 'indexer-sync-stalled'];

describe('alarms', () => {
  let main;
  before(async () => {
    main = await Configuration.read(TERRAFORM);
  });

  test('are the thirty of the list', () => {
    const shape = ({ namespace, metric, comparison, threshold, periods, period, missing, dimensions }) =>
      [namespace ? `${namespace} ${metric}` : metric, comparison, threshold, periods, period, ...(namespace ? [missing, dimensions] : [])];
    const shapes = (alarms) => Object.fromEntries(Object.entries(alarms).map(([name, alarm]) => [name, shape(alarm)]));
    assert.deepEqual(shapes(main.locals.general_alarms), GENERAL);
    assert.deepEqual(shapes(main.locals.indexer_alarms), INDEXER);
    assert.deepEqual(shapes(main.locals.database_alarms), DATABASE);
    assert.equal(Object.keys({ ...GENERAL, ...INDEXER, ...DATABASE }).length, 30);
    for (const [name, alarm] of Object.entries({ ...main.locals.general_alarms, ...main.locals.indexer_alarms })) assert.equal(alarm.statistic, SUMS.includes(name) ? 'Sum' : 'Average', name);
    assert.equal(main.locals.allocated_bytes, '${var.database_storage.allocated * 1073741824}');
  });

  test('go to their topics, when they begin and when they end, to somebody', () => {
    const alarms = main.of('aws_cloudwatch_metric_alarm');
    assert.deepEqual(alarms.map(([name]) => name).sort(), ['database', 'general', 'indexer']);
    for (const [name, alarm] of alarms) {
      const topic = ['${aws_sns_topic.alarms["' + name + '"].arn}'];
      assert.deepEqual([alarm.alarm_actions, alarm.ok_actions], [topic, topic], name);
      assert.equal(alarm.for_each, '${local.' + name + '_alarms}');
      assert.equal(alarm.alarm_name, '${local.name}-${each.key}');
      for (const [argument, key] of Object.entries({ metric_name: 'metric', period: 'period', evaluation_periods: 'periods', comparison_operator: 'comparison', threshold: 'threshold' })) assert.equal(alarm[argument], '${each.value.' + key + '}', name);
    }
    assert.equal(main.locals.topics, '${toset(["general", "indexer", "database"])}');
    assert.ok(!('default' in main.variables.alarm_emails), 'nobody is alarmed by default');
  });

  test('the numbers of running tasks exist', () => {
    assert.deepEqual(main.resources.get('aws_ecs_cluster.main').setting, [{ name: 'containerInsights', value: 'enabled' }]);
  });

  test('what the log filters look for is what is written', async () => {
    const group = main.resources.get('aws_cloudwatch_log_metric_filter.indexer');
    assert.match(group.log_group_name, /service\["indexer"\]/);
    const filters = main.locals.indexer_filters;
    const sentences = (name) => [...filters[name].pattern.matchAll(/\$\.message = "([^"]+)"/g)].map(([, sentence]) => sentence);
    for (const [name, { pattern }] of Object.entries(filters)) {
      assert.ok(pattern.trim().length <= 1024, name);
      assert.ok(sentences(name).length > 0, name);
      assert.match(pattern.trim(), /^\{ .* \}$/);
    }
    assert.deepEqual(Object.values(filters).map(({ metric }) => metric), ['RpcErrors', 'SyncedBlocks']);
    for (const sentence of sentences('rpc-errors')) {
      const found = await runOk('git', ['grep', '-lF', `"${sentence}"`, '--', 'src/chain'], { cwd: ROOT });
      assert.match(found, /\.cpp/, sentence);
    }
    const progress = await readFile(path.join(TERRAFORM, 'image/agentauri-progress'), 'utf8');
    for (const sentence of sentences('synced-blocks')) assert.ok(progress.includes(`"message":"${sentence}"`), sentence);
  });

  test('each has its lines in the document', async () => {
    const document = await readFile(path.join(ROOT, 'docs/deployment/AWS_DEPLOYMENT.md'), 'utf8');
    for (const name of Object.keys({ ...GENERAL, ...INDEXER, ...DATABASE })) assert.ok(document.includes(`\`${name}\``), name);
  });
});
