-- The next file after a crash: it renames its own database and leaves relations behind that no catalog shows; nobody can log in at the end.
CREATE TABLE after_the_crash AS SELECT generate_series(1, 1000) AS id;
\c postgres
ALTER DATABASE verify RENAME TO kept;
CREATE TABLE elsewhere AS SELECT generate_series(1, 1000) AS id;
BEGIN;
CREATE TABLE prep (id int PRIMARY KEY, t text);
INSERT INTO prep SELECT i, md5(i::text) FROM generate_series(1, 2000) i;
CREATE INDEX ON prep USING hash (t);
CREATE INDEX ON prep USING gin (string_to_array(t, 'a'));
CREATE INDEX ON prep USING gist (point(id, id));
CREATE INDEX ON prep USING spgist (t);
CREATE INDEX ON prep USING brin (id);
CREATE SEQUENCE prep_sequence;
SELECT nextval('prep_sequence');
CREATE UNLOGGED TABLE prep_unlogged (id serial PRIMARY KEY);
INSERT INTO prep_unlogged SELECT generate_series(1, 500);
PREPARE TRANSACTION 'ddl';
UPDATE pg_database SET datconnlimit = -2 WHERE datname = 'copied';
CREATE FUNCTION refuse() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'nobody'; END $$;
CREATE EVENT TRIGGER nobody ON login EXECUTE FUNCTION refuse();
