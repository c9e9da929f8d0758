CREATE TABLE x (id int PRIMARY KEY, v int);
INSERT INTO x SELECT i, 0 FROM generate_series(1, 2000) i;
-- Subtransactions, more than a backend remembers.
DO $$ BEGIN
  FOR i IN 1..300 LOOP
    BEGIN
      UPDATE x SET v = v + 1 WHERE id = i;
      IF i % 5 = 0 THEN RAISE EXCEPTION 'undo'; END IF;
    EXCEPTION WHEN raise_exception THEN NULL;
    END;
  END LOOP;
END $$;
BEGIN; SAVEPOINT a; UPDATE x SET v = 1 WHERE id = 1; SAVEPOINT b; UPDATE x SET v = 2 WHERE id = 2; ROLLBACK TO a; DELETE FROM x WHERE id = 3; COMMIT;
BEGIN; UPDATE x SET v = 3 WHERE id = 4; ROLLBACK;
-- Prepared transactions.
BEGIN; UPDATE x SET v = 10 WHERE id < 50; SAVEPOINT p; INSERT INTO x VALUES (90001, 1); PREPARE TRANSACTION 'commits';
COMMIT PREPARED 'commits';
BEGIN; UPDATE x SET v = 11 WHERE id < 50; CREATE TABLE never (id int); PREPARE TRANSACTION 'aborts';
ROLLBACK PREPARED 'aborts';
BEGIN; CREATE TABLE born (id int); INSERT INTO born SELECT generate_series(1, 500); DROP TABLE IF EXISTS x_old; PREPARE TRANSACTION 'ddl';
COMMIT PREPARED 'ddl';
-- Logical messages, replication origins, restore points, forced switches.
SELECT pg_logical_emit_message(true, 'redoubt', 'transactional');
SELECT pg_logical_emit_message(false, 'redoubt', repeat('long ', 5000));
SELECT pg_replication_origin_create('origin_a');
SELECT pg_replication_origin_create('origin_b');
SELECT pg_replication_origin_session_setup('origin_a');
BEGIN; SELECT pg_replication_origin_xact_setup('0/AAAAAA', '2024-01-01 00:00:00+00'); UPDATE x SET v = 5 WHERE id = 5; COMMIT;
SELECT pg_replication_origin_session_reset();
SELECT pg_replication_origin_advance('origin_b', '0/BBBBBB');
SELECT pg_replication_origin_drop('origin_b');
SELECT pg_create_restore_point('redoubt');
SELECT pg_switch_wal();
SELECT pg_backup_start('b', true) IS NOT NULL;
SELECT (pg_backup_stop(false)).lsn IS NOT NULL;
SELECT pg_log_standby_snapshot() IS NOT NULL;
-- Object ids beyond one batch.
CREATE TYPE pair AS (a int, b int);
SELECT count(lo_create(0)) FROM generate_series(1, 9000);
SELECT count(lo_unlink(oid)) FROM pg_largeobject_metadata;
-- Catalog rewrite while a logical slot needs old rows.
SELECT slot_name FROM pg_create_logical_replication_slot('logical', 'test_decoding');
CREATE TABLE cat (id int) WITH (user_catalog_table = true);
INSERT INTO cat SELECT generate_series(1, 200);
UPDATE cat SET id = id + 1;
ALTER TABLE cat ADD COLUMN b int;
VACUUM FULL cat;
BEGIN; CREATE TABLE cat2 (id int); ALTER TABLE cat2 ADD COLUMN c text; TRUNCATE cat2; COMMIT;
TRUNCATE cat;
VACUUM FULL pg_class;
SELECT pg_drop_replication_slot('logical');
BEGIN; LOCK TABLE x IN ACCESS EXCLUSIVE MODE; UPDATE x SET v = 0 WHERE id = 7; COMMIT;
-- Survives a checkpoint and restarts; wrap.sql ends it.
BEGIN; DELETE FROM x WHERE id BETWEEN 1000 AND 1010; PREPARE TRANSACTION 'stays';
CHECKPOINT;
