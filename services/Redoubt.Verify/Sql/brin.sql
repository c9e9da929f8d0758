CREATE TABLE br (id int, v int, t text) WITH (autovacuum_enabled = off, fillfactor = 10);
CREATE INDEX br_id ON br USING brin (id) WITH (pages_per_range = 1);
CREATE INDEX br_m ON br USING brin (v int4_minmax_multi_ops, t text_bloom_ops) WITH (pages_per_range = 2, autosummarize = on);
CREATE INDEX br_t ON br USING brin (t) WITH (pages_per_range = 1);
INSERT INTO br SELECT i, i % 1000, repeat(chr(65 + i % 26), 20 + i % 30) FROM generate_series(1, :n / 2) i;
SELECT brin_summarize_new_values('br_id'), brin_summarize_new_values('br_m'), brin_summarize_new_values('br_t');
UPDATE br SET id = id + 5 WHERE id % 100 = 0;
-- Summaries that grow until they no longer fit where they are.
UPDATE br SET t = repeat('~', 40 + id % 900) WHERE id % 60 = 0;
UPDATE br SET t = repeat('!', 900) WHERE id % 61 = 0;
SELECT brin_desummarize_range('br_id', b) FROM generate_series(0, 60, 3) b;
SELECT brin_desummarize_range('br_t', b) FROM generate_series(0, 30) b;
SELECT brin_summarize_range('br_id', 3);
SELECT brin_summarize_new_values('br_t');
INSERT INTO br SELECT i, -i, repeat('z', 900) FROM generate_series(1, 2000) i;
VACUUM br;
CREATE INDEX br_late ON br USING brin (v) WITH (pages_per_range = 1);
REINDEX INDEX br_late;
