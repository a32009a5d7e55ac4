/**
 * What the databases of real products hold and a sample's does not: keys in cycles, sequences behind defaults, rows that
 * break a rule of later, history, large and odd values. As the product itself would make it.
 */
export const REAL_DATABASE = {
  mariadb: `
SET NAMES utf8mb4;
CREATE TABLE companies (id int PRIMARY KEY, main_contract int NULL, name varchar(50) COLLATE utf8mb4_german2_ci);
CREATE TABLE contracts (id int PRIMARY KEY, company int NOT NULL, FOREIGN KEY (company) REFERENCES companies (id));
INSERT INTO companies (id, name) VALUES (1, 'Ärzte & Söhne'), (2, 'Лаборатория 🧪');
INSERT INTO contracts VALUES (10, 1), (20, 2);
UPDATE companies SET main_contract = id * 10;
ALTER TABLE companies ADD FOREIGN KEY (main_contract) REFERENCES contracts (id);
CREATE SEQUENCE numbers START WITH 100;
CREATE TABLE invoices (number bigint PRIMARY KEY DEFAULT nextval(numbers), net decimal(10, 2),
  gross decimal(10, 2) AS (net * 1.2) STORED);
INSERT INTO invoices (net) VALUES (10), (20);
SET SESSION check_constraint_checks = 0, innodb_strict_mode = 0;
CREATE TABLE checked (amount int CHECK (amount > 0));
INSERT INTO checked VALUES (-1);
CREATE TABLE wide (${Array.from({ length: 12 }, (_, index) => `c${index} varchar(3000)`).join(', ')})
  ROW_FORMAT = COMPACT CHARACTER SET latin1;
CREATE TABLE prices (cents int) WITH SYSTEM VERSIONING;
INSERT INTO prices VALUES (1), (2);
UPDATE prices SET cents = cents + 10;
CREATE TABLE parts (id int PRIMARY KEY) PARTITION BY RANGE (id) (PARTITION low VALUES LESS THAN (10),
  PARTITION high VALUES LESS THAN MAXVALUE);
INSERT INTO parts VALUES (1), (100);
CREATE TABLE files (id int PRIMARY KEY, data longblob, flags bit(8), point point);
INSERT INTO files VALUES (1, REPEAT(RANDOM_BYTES(1024), 9 * 1024), b'11101001', POINT(1, 2)), (2, 0x00275C0A0D1A22, 0, NULL);
`,
  postgres: `
CREATE TABLE companies (id int PRIMARY KEY, main_contract int NULL, name text COLLATE "C");
CREATE TABLE contracts (id int PRIMARY KEY, company int NOT NULL REFERENCES companies (id));
INSERT INTO companies (id, name) VALUES (1, 'Ärzte & Söhne'), (2, 'Лаборатория 🧪');
INSERT INTO contracts VALUES (10, 1), (20, 2);
UPDATE companies SET main_contract = id * 10;
ALTER TABLE companies ADD FOREIGN KEY (main_contract) REFERENCES contracts (id);
CREATE SEQUENCE numbers START WITH 100;
CREATE TYPE colour AS ENUM ('red', 'green');
CREATE DOMAIN money_amount AS numeric CHECK (VALUE >= 0);
CREATE TABLE invoices (number bigint PRIMARY KEY DEFAULT nextval('numbers'), net money_amount,
  gross numeric GENERATED ALWAYS AS (net * 1.2) STORED, colour colour DEFAULT 'red');
INSERT INTO invoices (net) VALUES (10), (20);
CREATE TABLE checked (amount int);
INSERT INTO checked VALUES (-1);
ALTER TABLE checked ADD CHECK (amount > 0) NOT VALID;
CREATE TABLE parts (id int PRIMARY KEY) PARTITION BY RANGE (id);
CREATE TABLE parts_low PARTITION OF parts FOR VALUES FROM (0) TO (10);
CREATE TABLE parts_high PARTITION OF parts DEFAULT;
INSERT INTO parts VALUES (1), (100);
CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.net := NEW.net + 0; RETURN NEW; END $$;
CREATE TRIGGER stamped BEFORE UPDATE ON invoices FOR EACH ROW EXECUTE FUNCTION stamp();
CREATE VIEW dear AS SELECT * FROM invoices WHERE net > 15;
CREATE MATERIALIZED VIEW totals AS SELECT sum(net) FROM invoices;
CREATE SCHEMA reports;
CREATE TABLE reports."Odd ""Name""" (id int);
CREATE TABLE files (id int PRIMARY KEY, data bytea, big oid);
INSERT INTO files VALUES (1, decode(repeat(md5('x'), 300000), 'hex'), lo_from_bytea(0, '\\x00275c0a0d'));
COMMENT ON TABLE files IS 'what visitors bring';
`,
} as const;

/** How many rows of `prices` there are and have been; where an engine keeps no history, nobody asks. */
export const HISTORY = 'SELECT count(*) FROM prices FOR SYSTEM_TIME ALL';
