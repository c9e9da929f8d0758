CREATE TABLE ha (k int, t text) WITH (autovacuum_enabled = off, fillfactor = 50);
CREATE INDEX ha_k ON ha USING hash (k);
CREATE INDEX ha_t ON ha USING hash (t) WITH (fillfactor = 10);
INSERT INTO ha SELECT i, 't' || i FROM generate_series(1, :n / 20) i;
-- One bucket with a long chain of overflow pages.
INSERT INTO ha SELECT 7, 'same' FROM generate_series(1, :n / 40) i;
VACUUM ha;
DELETE FROM ha WHERE k = 7 AND ctid::text LIKE '%1)';
DELETE FROM ha WHERE k % 3 = 0;
VACUUM ha;
DELETE FROM ha WHERE k = 7 AND ctid::text ~ '[2-6]\)$';
VACUUM ha;
INSERT INTO ha SELECT i, 'u' || i FROM generate_series(1, :n / 20) i;
-- Killed items.
SET enable_seqscan = off; SET enable_bitmapscan = off;
CREATE TABLE hk (k int, v int) WITH (autovacuum_enabled = off);
CREATE INDEX hk_k ON hk USING hash (k);
INSERT INTO hk SELECT 1, i FROM generate_series(1, 900) i;
DELETE FROM hk WHERE v <= 600;
SELECT count(*) FROM hk WHERE k = 1;
SELECT count(*) FROM hk WHERE k = 1;
INSERT INTO hk SELECT 1, i FROM generate_series(1, 1500) i;
RESET enable_seqscan; RESET enable_bitmapscan;
-- Chains that are squeezed in steps: full pages behind gaps.
CREATE TABLE hs (k int, v int) WITH (autovacuum_enabled = off);
CREATE INDEX hs_k ON hs USING hash (k);
INSERT INTO hs SELECT i % 3, i FROM generate_series(1, 6000) i;
DELETE FROM hs WHERE v < 3000 AND v % 7 <> 0;
VACUUM hs;
DELETE FROM hs WHERE v > 4000 AND v % 3 = 0;
VACUUM hs;
INSERT INTO hs SELECT i % 3, i FROM generate_series(1, 5000) i;
DELETE FROM hs WHERE v % 2 = 0;
VACUUM hs;
REINDEX INDEX hs_k;
DELETE FROM hs;
VACUUM hs;
