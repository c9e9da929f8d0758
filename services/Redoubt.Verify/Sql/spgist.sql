CREATE TABLE sp (id int, p point, t text, r int4range, i inet) WITH (autovacuum_enabled = off);
CREATE INDEX sp_p ON sp USING spgist (p);
CREATE INDEX sp_k ON sp USING spgist (p kd_point_ops);
CREATE INDEX sp_t ON sp USING spgist (t);
CREATE INDEX sp_r ON sp USING spgist (r);
CREATE INDEX sp_i ON sp USING spgist (i);
INSERT INTO sp SELECT i, point((i * 37) % 1009, (i * 91) % 997), CASE WHEN i % 2 = 0 THEN md5(i::text) ELSE 'http://www.example.org/' || i || '/' || md5(i::text) END,
  int4range(i % 1000, i % 1000 + 1 + i % 50), ('10.' || i % 200 || '.' || i % 250 || '.' || i % 99)::inet
  FROM generate_series(1, :n / 60) i;
DELETE FROM sp WHERE id % 3 = 0;
VACUUM sp;
CALL burn(10);
VACUUM sp;
INSERT INTO sp SELECT i, point(i % 100, i % 70), repeat('a', i % 300) || i, int4range(i, i + 9), '10.0.0.1' FROM generate_series(1, :n / 100) i;
-- Equal keys make inner tuples of equal nodes.
INSERT INTO sp SELECT i, point(5, 5), 'equal', int4range(1, 2), '10.9.9.9' FROM generate_series(1, 3000) i;
DELETE FROM sp WHERE id > 10;
VACUUM sp;
CALL burn(10);
VACUUM sp;
-- A tree that is its root page only.
CREATE TABLE sr (p point) WITH (autovacuum_enabled = off);
CREATE INDEX sr_p ON sr USING spgist (p);
INSERT INTO sr SELECT point(i, i) FROM generate_series(1, 20) i;
DELETE FROM sr WHERE p[0] > 5;
VACUUM sr;
-- Prefixes that must be split, and nodes that must be added to full inner tuples.
CREATE TABLE st (t text) WITH (autovacuum_enabled = off);
CREATE INDEX st_t ON st USING spgist (t);
INSERT INTO st SELECT repeat('p', 200) || i FROM generate_series(1, 600) i;
INSERT INTO st SELECT repeat('p', i % 200) || chr(33 + i % 90) || i FROM generate_series(1, :n / 100) i;
INSERT INTO st SELECT chr(161 + (i * 7) % 1200) || chr(161 + i % 900) || i FROM generate_series(1, :n / 60) i;
DELETE FROM st WHERE length(t) % 2 = 0;
VACUUM st;
REINDEX INDEX st_t;
