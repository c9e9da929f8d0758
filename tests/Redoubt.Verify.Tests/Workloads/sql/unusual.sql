-- What users' files do and the built-in workloads do not: errors, commands of psql, access methods under other names, truncation without a
-- visibility map, databases that move, a replication slot that goes.
\set ON_ERROR_STOP off
\getenv source PG_ABS_SRCDIR
\getenv library PG_LIBDIR
\if :{?source}
CREATE TABLE found_source (id int);
\endif
CREATE TABLE numbers (id int);
\copy numbers from 'data/numbers.data'
SELECT count(*) AS amount FROM numbers \gset
SELECT 1 / 0;
this is no statement;
\i no_such_file.sql
\nosuchcommand
CREATE ACCESS METHOD heap_again TYPE TABLE HANDLER heap_tableam_handler;
CREATE TABLE again (id int, t text) USING heap_again;
INSERT INTO again SELECT i, md5(i::text) FROM generate_series(1, 500) i;
UPDATE again SET t = 'x' WHERE id % 7 = 0;
CREATE ACCESS METHOD gist_again TYPE INDEX HANDLER gisthandler;
CREATE EXTENSION bloom;
CREATE UNLOGGED TABLE blooming (id int);
CREATE INDEX ON blooming USING bloom (id);
-- Nothing is visible to all while a prepared transaction lives: VACUUM cuts off what COPY added too much, and there is no visibility map.
CREATE TABLE no_map (id int) WITH (autovacuum_enabled = off);
BEGIN; SELECT pg_current_xact_id(); PREPARE TRANSACTION 'holds';
COPY no_map FROM PROGRAM 'seq 20000';
VACUUM no_map;
ROLLBACK PREPARED 'holds';
SET allow_in_place_tablespaces = on;
CREATE TABLESPACE inplace LOCATION '';
\! mkdir -p "$PG_ABS_BUILDDIR/outside" && chown --reference="$PG_ABS_BUILDDIR" "$PG_ABS_BUILDDIR/outside"
\getenv build PG_ABS_BUILDDIR
\set place :build '/outside'
CREATE TABLESPACE outside LOCATION :'place';
CREATE TABLE out_there (id int PRIMARY KEY USING INDEX TABLESPACE outside) TABLESPACE outside;
INSERT INTO out_there SELECT generate_series(1, 1000);
CREATE DATABASE moving STRATEGY file_copy;
ALTER DATABASE moving SET TABLESPACE inplace;
CREATE DATABASE copied TEMPLATE moving STRATEGY wal_log;
\c copied
CREATE TABLE here AS SELECT generate_series(1, 1000) AS id;
\c verify
SELECT pg_drop_replication_slot(slot_name) FROM pg_replication_slots;
SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE backend_type = 'client backend' AND pid <> pg_backend_pid();
SELECT :amount AS still_here;
