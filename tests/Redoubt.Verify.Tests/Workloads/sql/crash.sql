-- A backend that dies takes the server with it; what its transaction made stays behind in files that no catalog knows.
BEGIN;
CREATE TABLE crashed (id int PRIMARY KEY, t text);
INSERT INTO crashed SELECT i, md5(i::text) FROM generate_series(1, 2000) i;
CREATE INDEX ON crashed USING hash (t);
CREATE INDEX ON crashed USING gin (string_to_array(t, 'a'));
CREATE INDEX ON crashed USING gist (point(id, id));
CREATE INDEX ON crashed USING spgist (t);
CREATE INDEX ON crashed USING brin (id);
CREATE SEQUENCE crashed_sequence;
SELECT nextval('crashed_sequence');
CREATE UNLOGGED TABLE crashed_unlogged (id serial PRIMARY KEY);
INSERT INTO crashed_unlogged SELECT generate_series(1, 500);
CREATE TEMP TABLE crashed_temporary AS SELECT generate_series(1, 500) AS id;
SELECT pg_switch_wal();
SELECT pg_backend_pid() AS backend \gset
\setenv BACKEND :backend
\! kill -9 $BACKEND
SELECT 'never reached';
