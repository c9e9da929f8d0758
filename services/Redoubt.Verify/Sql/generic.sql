CREATE TABLE bl (a int, b int, t text) WITH (autovacuum_enabled = off);
CREATE INDEX bl_ab ON bl USING bloom (a, b, t) WITH (length = 80);
INSERT INTO bl SELECT i, i % 100, 'b' || i FROM generate_series(1, :n / 40) i;
DELETE FROM bl WHERE a % 2 = 0;
VACUUM bl;
INSERT INTO bl SELECT i, 0, 'c' FROM generate_series(1, 2000) i;
DELETE FROM bl;
VACUUM bl;
