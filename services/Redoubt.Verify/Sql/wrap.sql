-- Consumes transaction ids, multixacts and commit timestamps until their oldest segments can go. Variables: xids, multis.
COMMIT PREPARED 'stays';
CREATE TABLE w (id int PRIMARY KEY, v int) WITH (autovacuum_enabled = off);
INSERT INTO w SELECT i, 0 FROM generate_series(1, 200) i;
CREATE PROCEDURE subxids(amount int) LANGUAGE plpgsql AS $$
DECLARE r int;
BEGIN
  FOR i IN 1..amount / 1000 LOOP
    FOR j IN 1..1000 LOOP
      BEGIN
        SELECT id INTO r FROM w WHERE id = 1 + j % 200 FOR UPDATE;
      EXCEPTION WHEN division_by_zero THEN NULL;
      END;
    END LOOP;
    COMMIT;
  END LOOP;
END $$;
CALL subxids(:xids);
ALTER DATABASE template0 ALLOW_CONNECTIONS true;
SET vacuum_freeze_min_age = 0; SET vacuum_multixact_freeze_min_age = 0;
VACUUM (FREEZE);
\c template1
SET vacuum_freeze_min_age = 0; SET vacuum_multixact_freeze_min_age = 0;
VACUUM (FREEZE);
\c template0
SET vacuum_freeze_min_age = 0; SET vacuum_multixact_freeze_min_age = 0;
VACUUM (FREEZE);
\c postgres
SET vacuum_freeze_min_age = 0; SET vacuum_multixact_freeze_min_age = 0;
VACUUM (FREEZE);
ALTER DATABASE template0 ALLOW_CONNECTIONS false;
CHECKPOINT;
\c verify
BEGIN; UPDATE w SET v = 1 WHERE id < 9; SAVEPOINT a; INSERT INTO w VALUES (1000, 1); PREPARE TRANSACTION 'left_over';
