-- Many changes of small pages: low fill factors keep the images of wal_consistency_checking short.
CREATE TABLE bulk (id int, k int, v int, t text) WITH (fillfactor = 20, autovacuum_enabled = off);
CREATE INDEX bulk_id ON bulk (id) WITH (fillfactor = 20);
CREATE INDEX bulk_k ON bulk (k) WITH (fillfactor = 20);
INSERT INTO bulk SELECT i, (i * 7919) % (:n / 2 + 1), i % 100, 'row ' || i FROM generate_series(1, :n) i;
UPDATE bulk SET v = v + 1;
UPDATE bulk SET v = v + 1 WHERE id % 2 = 0;
VACUUM bulk;
UPDATE bulk SET k = k + 1 WHERE id % 5 = 0;
DELETE FROM bulk WHERE id % 7 = 0;
VACUUM (FREEZE) bulk;
INSERT INTO bulk SELECT i, i % 1000, 0, 'again' FROM generate_series(1, :n / 4) i;
TRUNCATE bulk;
