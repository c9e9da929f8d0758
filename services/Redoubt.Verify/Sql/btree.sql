CREATE TABLE b (id int, d int, t text) WITH (autovacuum_enabled = off);
CREATE UNIQUE INDEX b_id ON b (id);
CREATE INDEX b_d ON b (d);
CREATE INDEX b_t ON b (t);
CREATE INDEX b_desc ON b (id DESC) INCLUDE (d);
INSERT INTO b SELECT i, i % 40, md5(i::text) FROM generate_series(1, :n / 16) i;
INSERT INTO b SELECT i, i % 40, md5(i::text) FROM generate_series(:n / 8, :n / 16 + 1, -1) i;
-- Posting list splits: the heap has free space again inside the range of a posting list.
DELETE FROM b WHERE id % 3 = 0;
VACUUM b;
INSERT INTO b SELECT i, i % 41, md5(i::text) FROM generate_series(3, :n / 8, 3) i;
-- Killed items: index scans meet dead tuples, later insertions delete them.
CREATE TABLE churn (id int PRIMARY KEY, k int, v int) WITH (autovacuum_enabled = off);
CREATE INDEX churn_k ON churn (k);
INSERT INTO churn SELECT i, i, 0 FROM generate_series(1, 2000) i;
DO $$ BEGIN
  FOR r IN 1..10 LOOP
    UPDATE churn SET k = k + 1 WHERE id % 2 = r % 2;
  END LOOP;
END $$;
SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_indexonlyscan = off;
DELETE FROM churn WHERE id % 3 = 0;
SELECT sum(v) FROM churn WHERE k > 0;
SELECT sum(v) FROM churn WHERE id > 0;
SELECT sum(v) FROM churn WHERE k > 0;
INSERT INTO churn SELECT i, i, 0 FROM generate_series(1, 2000) i WHERE i % 3 = 0;
INSERT INTO churn SELECT i + 2000, i, 0 FROM generate_series(1, 2000) i;
RESET enable_seqscan; RESET enable_bitmapscan; RESET enable_indexonlyscan;
-- Page deletion in all shapes: the middle, whole subtrees, everything but one page; then new pages from the freed ones.
CREATE TABLE gone (id int, pad text) WITH (autovacuum_enabled = off);
CREATE INDEX gone_pad ON gone ((repeat(chr(65 + id % 26), 20) || pad), id) WITH (fillfactor = 50);
CREATE INDEX gone_id ON gone (id, (repeat('i', 600)));
INSERT INTO gone SELECT i, repeat('p', 300) FROM generate_series(1, :n / 40) i;
DELETE FROM gone WHERE id BETWEEN 100 AND :n / 80;
VACUUM gone;
VACUUM gone;
DELETE FROM gone WHERE id > 5;
VACUUM gone;
VACUUM gone;
CALL burn(10);
VACUUM gone;
INSERT INTO gone SELECT i, repeat('q', 300) FROM generate_series(1, :n / 80) i;
DELETE FROM gone;
VACUUM gone;
CALL burn(10);
VACUUM gone;
INSERT INTO gone SELECT i, 'r' FROM generate_series(1, 3000) i;
REINDEX INDEX gone_id;
REINDEX TABLE CONCURRENTLY gone;
DROP INDEX CONCURRENTLY gone_id;
CREATE INDEX CONCURRENTLY gone_again ON gone (pad);
