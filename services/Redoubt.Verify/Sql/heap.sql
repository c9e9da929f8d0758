CREATE TABLE h (id int, v int, pad text) WITH (fillfactor = 70, autovacuum_enabled = off);
CREATE INDEX h_id ON h (id);
INSERT INTO h SELECT i, i, repeat('x', i % 60) FROM generate_series(1, :n / 20) i;
UPDATE h SET v = v + 1;
SELECT count(*) FROM h;
UPDATE h SET v = v + 1;
SELECT count(*) FROM h;
UPDATE h SET id = id + 1000000 WHERE id % 3 = 0;
DELETE FROM h WHERE id % 5 = 0;
SELECT count(*) FROM h;
VACUUM h;
UPDATE h SET pad = repeat('y', 3000) WHERE id % 50 = 1;
VACUUM (FREEZE) h;
UPDATE h SET v = 0 WHERE id % 11 = 0;
DELETE FROM h WHERE id % 13 = 0;
VACUUM (INDEX_CLEANUP off) h;
VACUUM (INDEX_CLEANUP on, FREEZE, DISABLE_PAGE_SKIPPING) h;

-- A page whose first and only tuple comes by update.
CREATE TABLE wide (id int PRIMARY KEY, a text STORAGE PLAIN, b text STORAGE PLAIN) WITH (autovacuum_enabled = off);
INSERT INTO wide SELECT i, repeat('a', 2000), repeat('b', 1900) FROM generate_series(1, 40) i;
UPDATE wide SET a = repeat('c', 2500), b = repeat('d', 2500);
DELETE FROM wide WHERE id < 30;
VACUUM wide;
UPDATE wide SET id = id + 100;

-- COPY inserts many tuples per record.
CREATE TABLE copied (id int, t text);
COPY copied (id) FROM PROGRAM 'seq 1 2000';
COPY copied (id) FROM PROGRAM 'seq 1 3';
BEGIN; CREATE TABLE frozen (id int); COPY frozen FROM PROGRAM 'seq 1 3000' WITH (FREEZE); COMMIT;
VACUUM frozen;
DELETE FROM frozen WHERE id < 100;

-- TOAST.
CREATE TABLE toasted (id int PRIMARY KEY, big text STORAGE EXTERNAL, zip text);
INSERT INTO toasted SELECT i, repeat(md5(i::text), 300), repeat('zip', 9000) FROM generate_series(1, 60) i;
UPDATE toasted SET big = repeat(md5((id * 2)::text), 200) WHERE id % 2 = 0;
DELETE FROM toasted WHERE id % 3 = 0;
VACUUM toasted;

-- Speculative insertion.
CREATE TABLE upsert (id int PRIMARY KEY, v int);
INSERT INTO upsert SELECT i, 0 FROM generate_series(1, 200) i ON CONFLICT (id) DO NOTHING;
INSERT INTO upsert SELECT i, 1 FROM generate_series(100, 300) i ON CONFLICT (id) DO UPDATE SET v = upsert.v + 1;

-- Row locks in all strengths; tuples that moved between partitions.
BEGIN;
SELECT count(*) FROM (SELECT * FROM upsert WHERE id < 20 FOR UPDATE) q;
SELECT count(*) FROM (SELECT * FROM upsert WHERE id BETWEEN 20 AND 40 FOR NO KEY UPDATE) q;
SELECT count(*) FROM (SELECT * FROM upsert WHERE id BETWEEN 40 AND 60 FOR SHARE) q;
SELECT count(*) FROM (SELECT * FROM upsert WHERE id BETWEEN 60 AND 80 FOR KEY SHARE) q;
COMMIT;
CREATE TABLE part (k int, v int) PARTITION BY RANGE (k);
CREATE TABLE part_a PARTITION OF part FOR VALUES FROM (0) TO (100);
CREATE TABLE part_b PARTITION OF part FOR VALUES FROM (100) TO (200);
CREATE INDEX ON part (k);
INSERT INTO part SELECT i, i FROM generate_series(0, 199) i;
UPDATE part SET k = k + 50 WHERE k < 100;
ALTER TABLE part DETACH PARTITION part_b;
ALTER TABLE part ATTACH PARTITION part_b FOR VALUES FROM (100) TO (200);
TRUNCATE part;

-- Truncation at the end of a heap by VACUUM, with a visibility map.
CREATE TABLE shrinking (id int, pad text) WITH (autovacuum_enabled = off);
INSERT INTO shrinking SELECT i, repeat('s', 400) FROM generate_series(1, :n / 40) i;
VACUUM (FREEZE) shrinking;
DELETE FROM shrinking WHERE id > :n / 80;
VACUUM shrinking;
INSERT INTO shrinking SELECT i, repeat('t', 400) FROM generate_series(1, 500) i;
VACUUM shrinking;
DELETE FROM shrinking;
VACUUM shrinking;

-- Unlogged and temporary relations, and changes between logged and unlogged.
CREATE UNLOGGED TABLE unlogged (id int PRIMARY KEY, t text);
INSERT INTO unlogged SELECT i, 'u' FROM generate_series(1, 1000) i;
ALTER TABLE unlogged SET LOGGED;
INSERT INTO unlogged SELECT i, 'l' FROM generate_series(1001, 2000) i;
ALTER TABLE unlogged SET UNLOGGED;
CREATE TEMP TABLE temporary AS SELECT generate_series(1, 1000) i;

-- Sequences, large objects, materialised views.
CREATE SEQUENCE s;
SELECT count(nextval('s')) FROM generate_series(1, 500);
SELECT setval('s', 10000);
ALTER SEQUENCE s RESTART WITH 7;
CREATE TABLE serial (id serial, big bigint GENERATED ALWAYS AS IDENTITY, t text);
INSERT INTO serial (t) SELECT 'x' FROM generate_series(1, 300);
SELECT lo_from_bytea(424242, decode(repeat('ab', 20000), 'hex')) ;
SELECT lo_put(424242, 5000, '\x0102030405');
SELECT lo_unlink(424242);
CREATE MATERIALIZED VIEW mv AS SELECT id % 10 AS g, count(*) AS c FROM h GROUP BY 1;
CREATE UNIQUE INDEX mv_g ON mv (g);
REFRESH MATERIALIZED VIEW mv;
REFRESH MATERIALIZED VIEW CONCURRENTLY mv;
