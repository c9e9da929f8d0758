-- A log like that of a busy application: random updates and inserts over tables with B-trees, in short transactions.
-- Variable rounds: batches of 200 transactions.
CREATE TABLE accounts (id int PRIMARY KEY, balance int, filler char(80)) WITH (fillfactor = 90);
CREATE TABLE history (id bigserial PRIMARY KEY, account int, delta int, at timestamptz DEFAULT now());
CREATE INDEX history_account ON history (account);
INSERT INTO accounts SELECT i, 0, '' FROM generate_series(1, 500000) i;
CREATE PROCEDURE busy(rounds int) LANGUAGE plpgsql AS $$
DECLARE a int;
BEGIN
  FOR r IN 1..rounds LOOP
    FOR t IN 1..200 LOOP
      FOR u IN 1..5 LOOP
        a := 1 + (random() * 499999)::int;
        UPDATE accounts SET balance = balance + u WHERE id = a;
        INSERT INTO history (account, delta) VALUES (a, u);
      END LOOP;
      COMMIT;
    END LOOP;
  END LOOP;
END $$;
SET synchronous_commit = off;
CALL busy(:rounds);
VACUUM accounts;
DELETE FROM history WHERE id % 10 = 0;
VACUUM history;
