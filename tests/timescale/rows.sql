-- A hundred days from 2026-01-01 on, a block a day, ten events each.
INSERT INTO events (chain_id, block_hash, txn_index, log_index, block_time, id, txn_hash, contract, txn_ordinal, content_hash,
                    block_num, registry, event_type, canonical, live, inserted_at)
SELECT 1, decode(lpad(to_hex(day), 64, '0'), 'hex'), 0, log, '2026-01-01+00'::timestamptz + make_interval(days => day),
       'reputation-1-' || day || '-' || log, decode(lpad(to_hex(day), 64, '1'), 'hex'), decode(lpad('', 40, '2'), 'hex'), log,
       decode(lpad(to_hex(log), 64, '3'), 'hex'), 1000 + day, 'reputation', 'NewFeedback', true, true, now()
FROM generate_series(0, 99) AS day, generate_series(0, 9) AS log;
