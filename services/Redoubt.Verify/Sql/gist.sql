CREATE TABLE gi (id int, p point, r int4range, t text) WITH (autovacuum_enabled = off);
CREATE INDEX gi_p ON gi USING gist (p);
CREATE INDEX gi_r ON gi USING gist (r);
CREATE INDEX gi_t ON gi USING gist (t gist_trgm_ops);
CREATE INDEX gi_i ON gi USING gist (id);
INSERT INTO gi SELECT i, point((i * 37) % 1009, (i * 91) % 997), int4range(i, i + 1 + i % 50), md5(i::text)
  FROM generate_series(1, :n / 60) i;
DELETE FROM gi WHERE id BETWEEN :n / 200 AND :n / 80;
VACUUM gi;
CALL burn(10);
VACUUM gi;
INSERT INTO gi SELECT i, point((i * 37) % 1009, (i * 91) % 997), int4range(i, i + 5), md5(i::text)
  FROM generate_series(:n / 60, :n / 40) i;
-- Whole pages emptied, then used again.
CREATE TABLE ge (id int, r int4range) WITH (autovacuum_enabled = off);
CREATE INDEX ge_r ON ge USING gist (r);
INSERT INTO ge SELECT i, int4range(i, i + 3) FROM generate_series(1, :n / 40 + 2500) i;
DELETE FROM ge WHERE id > 50;
VACUUM ge;
CALL burn(10);
VACUUM ge;
INSERT INTO ge SELECT i, int4range(i, i + 3) FROM generate_series(1, :n / 40 + 2500) i;
DELETE FROM ge;
VACUUM ge;
-- Killed items.
SET enable_seqscan = off; SET enable_bitmapscan = off;
CREATE TABLE gk (p point) WITH (autovacuum_enabled = off);
CREATE INDEX gk_p ON gk USING gist (p);
INSERT INTO gk SELECT point(i % 10, i / 10) FROM generate_series(1, 2000) i;
DELETE FROM gk WHERE p <@ box '((0,0),(5,100))';
SELECT p FROM gk WHERE p <@ box '((0,0),(9,200))';
SELECT p FROM gk WHERE p <@ box '((0,0),(9,200))';
INSERT INTO gk SELECT point(i % 6, i % 100) FROM generate_series(1, 6000) i;
RESET enable_seqscan; RESET enable_bitmapscan;
CREATE TABLE ex (r int4range, EXCLUDE USING gist (r WITH &&));
INSERT INTO ex SELECT int4range(i * 10, i * 10 + 5) FROM generate_series(1, 500) i;
CREATE INDEX gi_b ON gi USING gist (p) WITH (buffering = on, fillfactor = 50);
REINDEX INDEX gi_b;
-- The same at a size of its own: killed items of a btree_gist index, inner pages that split, pages deleted and used again.
CREATE TABLE gd (id int, p int) WITH (autovacuum_enabled = off);
CREATE INDEX gd_p ON gd USING gist (p);
INSERT INTO gd SELECT i, i FROM generate_series(1, 3000) i;
SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_indexonlyscan = off;
DELETE FROM gd WHERE id % 2 = 0;
SELECT count(id) FROM gd WHERE p > 0;
SELECT count(id) FROM gd WHERE p > 0;
INSERT INTO gd SELECT i, i FROM generate_series(1, 3000) i;
RESET enable_seqscan; RESET enable_bitmapscan; RESET enable_indexonlyscan;
CREATE TABLE gw (id int, t text) WITH (autovacuum_enabled = off);
CREATE INDEX gw_t ON gw USING gist (t);
INSERT INTO gw SELECT i, (SELECT string_agg(md5((i * 100 + x)::text), '') FROM generate_series(1, 28) x) FROM generate_series(1, 900) i;
DELETE FROM gw WHERE id > 100;
VACUUM gw;
CALL burn(10);
VACUUM gw;
INSERT INTO gw SELECT i, (SELECT string_agg(md5((i * 100 + x)::text), '') FROM generate_series(1, 28) x) FROM generate_series(1, 300) i;
