-- Roles of a new server, once: the image runs this when its volume is empty; by hand,
-- `psql --file 10-roles.sql postgres`. Passwords are read from files and stand nowhere else.
-- `SECRETS_DIR` (/run/secrets) has db_password, db_report_password, postgres_monitor_password and
-- postgres_replication_password.

\set ON_ERROR_STOP on
\set secrets /run/secrets
\getenv secrets SECRETS_DIR
\setenv HOLDFAST_SECRETS :secrets
\set owner_password `cat "$HOLDFAST_SECRETS/db_password"`
\set report_password `cat "$HOLDFAST_SECRETS/db_report_password"`
\set monitor_password `cat "$HOLDFAST_SECRETS/postgres_monitor_password"`
\set replication_password `cat "$HOLDFAST_SECRETS/postgres_replication_password"`

-- Owns the database and nothing else: no superuser writes a journal.
CREATE ROLE holdfast LOGIN PASSWORD :'owner_password' CONNECTION LIMIT 150;
-- A server that was set up where no language was set has another encoding, and names would be bytes.
CREATE DATABASE holdfast OWNER holdfast TEMPLATE template0 ENCODING 'UTF8' LOCALE 'C.UTF-8';
REVOKE ALL ON DATABASE holdfast FROM PUBLIC;

-- Reads the tables of reports (docs/running.md), for people and their tools.
CREATE ROLE holdfast_report LOGIN PASSWORD :'report_password' CONNECTION LIMIT 10;
GRANT CONNECT ON DATABASE holdfast TO holdfast_report;
ALTER ROLE holdfast_report SET default_transaction_read_only = on;
ALTER ROLE holdfast_report SET statement_timeout = '30s';

-- Sees the server's numbers, for postgres_exporter.
CREATE ROLE monitor LOGIN PASSWORD :'monitor_password' CONNECTION LIMIT 5;
GRANT pg_monitor TO monitor;
GRANT CONNECT ON DATABASE holdfast TO monitor;

-- Copies the server, for a standby and for the second site (deploy/compose/dr.yml).
CREATE ROLE replicator LOGIN REPLICATION PASSWORD :'replication_password' CONNECTION LIMIT 5;

\connect holdfast
SELECT 'CREATE EXTENSION pg_stat_statements'
WHERE EXISTS (SELECT FROM pg_available_extensions WHERE name = 'pg_stat_statements') \gexec
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT ALL ON SCHEMA public TO holdfast;
GRANT USAGE ON SCHEMA public TO holdfast_report, monitor;
-- Tables that are still to come; the journal's own are among them, and are only read.
ALTER DEFAULT PRIVILEGES FOR ROLE holdfast IN SCHEMA public GRANT SELECT ON TABLES TO holdfast_report;
