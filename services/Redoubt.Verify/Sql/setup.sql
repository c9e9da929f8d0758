-- Extensions and tables shared by the other files. Variable n: rows of a large table.
CREATE EXTENSION IF NOT EXISTS bloom;
CREATE EXTENSION IF NOT EXISTS btree_gist;
CREATE EXTENSION IF NOT EXISTS btree_gin;
CREATE EXTENSION IF NOT EXISTS pg_trgm;
CREATE EXTENSION IF NOT EXISTS intarray;
CREATE EXTENSION IF NOT EXISTS pageinspect;
CREATE EXTENSION IF NOT EXISTS amcheck;

-- Advances the xid counter, so that pages deleted by VACUUM may be used again.
CREATE PROCEDURE burn(transactions int) LANGUAGE plpgsql AS $$
BEGIN
  FOR i IN 1..transactions LOOP
    PERFORM pg_current_xact_id();
    COMMIT;
  END LOOP;
END $$;
