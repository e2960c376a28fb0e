-- The ledger's database and its three roles. For psql 14 or newer, as a role that may create roles
-- and databases; said again it changes nothing but the passwords, which it takes from the
-- environment, so that they stand in no list of processes.
\set ON_ERROR_STOP on
\getenv owner_password ROADSTEAD_OWNER_PASSWORD
\getenv writer_password ROADSTEAD_WRITER_PASSWORD
\getenv reader_password ROADSTEAD_READER_PASSWORD

SELECT format('CREATE ROLE %I', wanted)
FROM unnest(ARRAY['roadstead_owner', 'roadstead_writer', 'roadstead_reader']) AS wanted
WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = wanted) \gexec

-- roadstead_owner has the tables and migrates them; roadstead_writer, of the operator and the
-- webhooks, writes rows; roadstead_reader, of people, Grafana and the console, reads them, and
-- leaves connections for the writer.
ALTER ROLE roadstead_owner LOGIN PASSWORD :'owner_password';
ALTER ROLE roadstead_writer LOGIN PASSWORD :'writer_password';
ALTER ROLE roadstead_reader LOGIN PASSWORD :'reader_password' CONNECTION LIMIT 50;

-- Who is no superuser makes a database for a role only as a member of it.
SELECT format('GRANT roadstead_owner TO %I', current_user)
WHERE NOT pg_has_role(current_user, 'roadstead_owner', 'USAGE') \gexec

SELECT 'CREATE DATABASE roadstead OWNER roadstead_owner ENCODING ''UTF8'' TEMPLATE template0'
WHERE NOT EXISTS (SELECT FROM pg_database WHERE datname = 'roadstead') \gexec

\connect roadstead
REVOKE ALL ON DATABASE roadstead FROM PUBLIC;
GRANT CONNECT ON DATABASE roadstead TO roadstead_writer, roadstead_reader;
-- Which rows the two may see and change is said by `roadstead ledger migrate`.
REVOKE ALL ON SCHEMA public FROM PUBLIC;
GRANT ALL ON SCHEMA public TO roadstead_owner;
GRANT USAGE ON SCHEMA public TO roadstead_writer, roadstead_reader;
