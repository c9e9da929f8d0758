CREATE TABLE d (id int PRIMARY KEY, a int, b text) WITH (autovacuum_enabled = off);
INSERT INTO d SELECT i, i, 'b' || i FROM generate_series(1, 5000) i;
ALTER TABLE d ADD COLUMN c int DEFAULT 5;
ALTER TABLE d ALTER COLUMN a TYPE bigint;
ALTER TABLE d ADD COLUMN u uuid DEFAULT gen_random_uuid();
CREATE INDEX CONCURRENTLY d_a ON d (a);
CREATE UNIQUE INDEX CONCURRENTLY d_u ON d (u);
CLUSTER d USING d_a;
VACUUM FULL d;
REINDEX TABLE d;
ALTER TABLE d SET (fillfactor = 50);
CREATE TABLE d2 AS SELECT * FROM d;
SELECT * INTO d3 FROM d WHERE id < 100;
DROP TABLE d2;
BEGIN; CREATE TABLE rolled (id int PRIMARY KEY); INSERT INTO rolled SELECT generate_series(1, 1000); ROLLBACK;
BEGIN; TRUNCATE d; INSERT INTO d (id) VALUES (1); SAVEPOINT x; TRUNCATE d; ROLLBACK TO x; COMMIT;
-- Mapped relations and shared catalogs.
VACUUM FULL pg_class;
VACUUM FULL pg_database;
REINDEX TABLE pg_class;
REINDEX INDEX CONCURRENTLY d_a;
VACUUM FULL pg_proc;
VACUUM (FREEZE);
ANALYZE;
-- Tablespaces inside the data directory.
SET allow_in_place_tablespaces = on;
CREATE TABLESPACE inplace LOCATION '';
CREATE TABLE spaced (id int PRIMARY KEY, t text) TABLESPACE inplace;
INSERT INTO spaced SELECT i, 's' FROM generate_series(1, 3000) i;
ALTER TABLE d SET TABLESPACE inplace;
ALTER TABLE d SET TABLESPACE pg_default;
CREATE TABLESPACE shortlived LOCATION '';
DROP TABLESPACE shortlived;
-- Databases by both strategies, moved and dropped.
CREATE DATABASE db_wal STRATEGY wal_log;
CREATE DATABASE db_file STRATEGY file_copy;
CREATE DATABASE db_moved;
ALTER DATABASE db_moved SET TABLESPACE inplace;
CREATE DATABASE db_dropped;
DROP DATABASE db_dropped;
\c db_file
CREATE TABLE inside (id int PRIMARY KEY); INSERT INTO inside SELECT generate_series(1, 2000);
VACUUM FULL pg_class;
\c db_wal
CREATE TABLE inside (id int PRIMARY KEY); INSERT INTO inside SELECT generate_series(1, 2000);
CREATE DATABASE db_copy TEMPLATE db_file STRATEGY file_copy;
CREATE DATABASE db_copy2 TEMPLATE db_file STRATEGY wal_log;
