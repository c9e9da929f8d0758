CREATE TABLE last_file (id int);
INSERT INTO last_file SELECT generate_series(1, 300);
