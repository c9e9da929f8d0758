-- Consumes transaction ids, multixacts and commit timestamps until their oldest files can go: then every database must be frozen.
-- Variable xids: how many.
COMMIT PREPARED 'stays';
CREATE TABLE w (id int PRIMARY KEY, v int) WITH (autovacuum_enabled = off);
INSERT INTO w SELECT i, 0 FROM generate_series(1, 200) i;
CREATE TEMP TABLE taken (id int);
CREATE PROCEDURE subxids(amount int) LANGUAGE plpgsql AS $$
BEGIN
  FOR i IN 1..amount / 1000 LOOP
    FOR j IN 1..1000 LOOP
      BEGIN
        INSERT INTO taken VALUES (j);
      EXCEPTION WHEN division_by_zero THEN NULL;
      END;
    END LOOP;
    COMMIT;
  END LOOP;
END $$;
CALL subxids(:xids);
