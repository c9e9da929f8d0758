CREATE TABLE g (id int, a int[], t text, j jsonb) WITH (autovacuum_enabled = off);
CREATE INDEX g_a ON g USING gin (a) WITH (fastupdate = off);
CREATE INDEX g_t ON g USING gin (t gin_trgm_ops) WITH (fastupdate = on, gin_pending_list_limit = 64);
CREATE INDEX g_j ON g USING gin (j jsonb_path_ops);
CREATE INDEX g_m ON g USING gin (id, a);
INSERT INTO g SELECT i, ARRAY[1, 2 + i % 5, i, i % 1000], md5(i::text), jsonb_build_object('k', i % 50, 'l', i)
  FROM generate_series(1, :n / 60) i;
SELECT gin_clean_pending_list('g_t');
DELETE FROM g WHERE id % 3 = 0;
VACUUM g;
INSERT INTO g SELECT i, ARRAY[1, 3, i], 'more ' || i, jsonb_build_object('m', i) FROM generate_series(1, :n / 100) i;
-- Posting trees: split, vacuum, pages deleted.
CREATE TABLE gp (id int, a int[]) WITH (autovacuum_enabled = off);
INSERT INTO gp SELECT i, ARRAY[1, 2] FROM generate_series(1, :n + 20000) i;
CREATE INDEX gp_a ON gp USING gin (a) WITH (fastupdate = off);
INSERT INTO gp SELECT i, ARRAY[1] FROM generate_series(1, :n / 20) i;
DELETE FROM gp WHERE id BETWEEN 1000 AND :n + 15000;
VACUUM gp;
INSERT INTO gp SELECT i, ARRAY[1, 2] FROM generate_series(1, :n / 4) i;
-- A posting list that outgrows its leaf item.
INSERT INTO gp SELECT i, ARRAY[-7] FROM generate_series(1, 6000) i;
DELETE FROM gp WHERE id % 2 = 0;
VACUUM gp;
DELETE FROM gp;
VACUUM gp;
CALL burn(10);
INSERT INTO gp SELECT i, ARRAY[i % 5, i] FROM generate_series(1, 6000) i;
REINDEX INDEX gp_a;
-- Long pending lists of large items.
CREATE TABLE gl (t text) WITH (autovacuum_enabled = off);
CREATE INDEX gl_t ON gl USING gin (t gin_trgm_ops) WITH (fastupdate = on, gin_pending_list_limit = 2048);
INSERT INTO gl SELECT (SELECT string_agg(md5((i * 100 + x)::text), ' ') FROM generate_series(1, 40) x) FROM generate_series(1, 60) i;
VACUUM gl;
-- Keys so wide that inner pages of the entry tree split.
CREATE TABLE gx (id int, a text[]) WITH (autovacuum_enabled = off);
CREATE INDEX gx_a ON gx USING gin (a) WITH (fastupdate = off);
INSERT INTO gx SELECT i, ARRAY[(SELECT string_agg(md5((i * 100 + x)::text), '') FROM generate_series(1, 60) x)] FROM generate_series(1, 400) i;
DELETE FROM gx WHERE id % 2 = 0;
VACUUM gx;
