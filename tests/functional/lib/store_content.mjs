// A store with something in it, for suites that carry stores about: users, triggers with every kind of value, rows enough
// that a copy takes several pages.
import { Client } from './agentauri.mjs';
import { run } from './process.mjs';

export async function fillThroughApi(app) {
  const client = await Client.registered(app.url, 'keeper');
  const { trigger } = await client.trigger({
    name: 'Wächter "eins"', registry: 'reputation', chain_id: 8453,
    conditions: [{ condition_type: 'score_threshold', field: 'score', operator: '<', value: '60' }],
    actions: [{ action_type: 'rest', priority: 1, config: { url: 'http://127.0.0.1:9/hook', headers: { authorization: 'Bearer a-secret-token' } } }],
  });
  return { client, trigger };
}

// Events straight into the store of a stopped program; `rows` of them.
export async function fillSqlite(folder, rows) {
  const sql = `
    WITH RECURSIVE n(i) AS (SELECT 0 UNION ALL SELECT i + 1 FROM n WHERE i < ${rows - 1})
    INSERT INTO events (chain_id, block_hash, txn_index, log_index, block_time, id, txn_hash, contract, txn_ordinal, content_hash, block_num, registry, event_type,
      agent_id, feedback_index, value, value_decimals, score, tag1, raw, canonical, live, inserted_at)
    SELECT 8453, CAST(substr(CAST(i AS BLOB) || zeroblob(32), 1, 32) AS BLOB), i % 7, i, 1700000000000000 + i * 1000003, 'reputation-8453-' || i, zeroblob(32), zeroblob(20), i,
      zeroblob(32), i, 'reputation', 'NewFeedback', '115792089237316195423570985008687907853269984665640564039457584007913129639935', '18446744073709551615',
      CASE i % 3 WHEN 0 THEN '-170141183460469231731687303715884105728' WHEN 1 THEN '0' ELSE '170141183460469231731687303715884105727' END, 18, i % 101,
      'tag ''' || i || ''' \\ ü', '{"n": ' || i || ', "text": "a\\u0000b"}', i % 2, 1, 1700000000000001 FROM n;`;
  const result = await run('python3', ['-c', 'import sqlite3,sys; c=sqlite3.connect(sys.argv[1]); c.executescript(sys.argv[2]); c.commit()', `${folder}/agentauri.db`, sql]);
  if (result.code !== 0) throw new Error(result.output);
}
