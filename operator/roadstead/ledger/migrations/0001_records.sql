-- What runs and what ran. Kubernetes is the truth: each row follows one object, by its UID, and
-- outlives it. `resource_version` is the object's, and no older one replaces a newer one.
-- A megabyte (mb) is 1,000,000 bytes.

CREATE TABLE server_records (
    server_uuid        uuid PRIMARY KEY,
    model_uuid         uuid,
    model_name         text NOT NULL,
    namespace          text NOT NULL,
    name               text NOT NULL,
    runtime_params     jsonb NOT NULL,
    resources          jsonb NOT NULL,
    status             text NOT NULL CHECK (status IN ('Pending', 'Ready', 'Failed', 'Stopped', 'Deleted')),
    status_reason      text NOT NULL,
    status_message     text NOT NULL,
    conditions         jsonb NOT NULL,
    desired_replicas   integer NOT NULL,
    replicas           integer NOT NULL,
    ready_replicas     integer NOT NULL,
    pod_names          text[] NOT NULL,
    service_name       text NOT NULL,
    subject            text NOT NULL,
    contract           text NOT NULL,
    gateway_url        text NOT NULL,
    memory_current_mb  double precision,
    memory_max_mb      double precision,
    memory_limit_mb    double precision,
    cpu_usage_percent  double precision,
    tokens_per_second  double precision,
    measured_at        timestamptz,
    created_at         timestamptz NOT NULL,
    started_at         timestamptz,
    updated_at         timestamptz NOT NULL,
    deleted_at         timestamptz,
    generation         bigint NOT NULL,
    resource_version   bigint NOT NULL,
    pods_version       bigint NOT NULL
);
CREATE INDEX server_records_by_name ON server_records (namespace, name);
CREATE INDEX server_records_living ON server_records (status, server_uuid) WHERE deleted_at IS NULL;

CREATE TABLE model_records (
    uuid               uuid PRIMARY KEY,
    model_name         text NOT NULL,
    minio_endpoint     text NOT NULL,
    minio_bucket       text NOT NULL,
    minio_path         text NOT NULL,
    quant_level        text NOT NULL,
    format             text NOT NULL,
    architecture       text NOT NULL,
    parameter_count    bigint,
    context_length     bigint,
    file_size_bytes    bigint,
    sha256             text NOT NULL,
    status             text NOT NULL CHECK (status IN ('Pending', 'Ready', 'Failed', 'Deleted')),
    status_reason      text NOT NULL,
    status_message     text NOT NULL,
    transfer           jsonb NOT NULL,
    servers            integer NOT NULL,
    created_at         timestamptz NOT NULL,
    updated_at         timestamptz NOT NULL,
    deleted_at         timestamptz,
    generation         bigint NOT NULL,
    resource_version   bigint NOT NULL
);
CREATE INDEX model_records_by_name ON model_records (model_name);

CREATE TABLE contract_records (
    uuid               uuid PRIMARY KEY,
    name               text NOT NULL,
    spec               jsonb NOT NULL,
    used               jsonb NOT NULL,
    status             text NOT NULL CHECK (status IN ('Pending', 'Ready', 'Failed', 'Deleted')),
    status_reason      text NOT NULL,
    status_message     text NOT NULL,
    expires_at         timestamptz,
    created_at         timestamptz NOT NULL,
    updated_at         timestamptz NOT NULL,
    deleted_at         timestamptz,
    generation         bigint NOT NULL,
    resource_version   bigint NOT NULL
);

-- What grows: a partition for each day, made ahead and dropped when its time is over.

CREATE TABLE status_history (
    object_uuid        uuid NOT NULL,
    kind               text NOT NULL,
    at                 timestamptz NOT NULL,
    status             text NOT NULL,
    status_reason      text NOT NULL,
    status_message     text NOT NULL
) PARTITION BY RANGE (at);
CREATE INDEX status_history_of ON status_history (object_uuid, at);

CREATE TABLE usage_samples (
    server_uuid         uuid NOT NULL,
    sampled_at          timestamptz NOT NULL,
    memory_current_mb   double precision NOT NULL,
    memory_max_mb       double precision NOT NULL,
    cpu_usage_percent   double precision NOT NULL,
    tokens_per_second   double precision,
    requests_processing integer,
    requests_deferred   integer,
    PRIMARY KEY (server_uuid, sampled_at)
) PARTITION BY RANGE (sampled_at);

CREATE TABLE admission_records (
    request_uid        uuid NOT NULL,
    decided_at         timestamptz NOT NULL,
    allowed            boolean NOT NULL,
    reason             text NOT NULL,
    message            text NOT NULL,
    operation          text NOT NULL,
    kind               text NOT NULL,
    namespace          text NOT NULL,
    name               text NOT NULL,
    subject            text NOT NULL,
    username           text NOT NULL,
    contract           text NOT NULL,
    PRIMARY KEY (request_uid, decided_at)
) PARTITION BY RANGE (decided_at);
CREATE INDEX admission_records_by_object ON admission_records (namespace, name, decided_at);

COMMENT ON TABLE server_records IS 'One row for each ModelServe that there is or was';
COMMENT ON TABLE model_records IS 'One row for each Model that there is or was';
COMMENT ON TABLE contract_records IS 'One row for each ResourceContract that there is or was';
COMMENT ON TABLE status_history IS 'Each turn of a record''s status; written by the tables'' triggers';
COMMENT ON TABLE usage_samples IS 'What a server used at a moment; a sample that repeats the one before is left out for up to ten minutes';
COMMENT ON TABLE admission_records IS 'What the webhooks answered to requests for ModelServes, Models and contracts';
COMMENT ON COLUMN server_records.cpu_usage_percent IS '100 is one core in full, of all replicas';
COMMENT ON COLUMN server_records.memory_max_mb IS 'The kernel''s own peak, all replicas, since the server was created';

CREATE FUNCTION record_turn() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO status_history (object_uuid, kind, at, status, status_reason, status_message)
    VALUES (CASE TG_TABLE_NAME WHEN 'server_records' THEN (to_jsonb(NEW) ->> 'server_uuid')::uuid
                               ELSE (to_jsonb(NEW) ->> 'uuid')::uuid END,
            TG_ARGV[0], NEW.updated_at, NEW.status, NEW.status_reason, NEW.status_message);
    RETURN NULL;
END $$;

CREATE TRIGGER server_came AFTER INSERT ON server_records
    FOR EACH ROW EXECUTE FUNCTION record_turn('ModelServe');
CREATE TRIGGER server_turned AFTER UPDATE OF status, status_reason ON server_records FOR EACH ROW
    WHEN ((OLD.status, OLD.status_reason) IS DISTINCT FROM (NEW.status, NEW.status_reason))
    EXECUTE FUNCTION record_turn('ModelServe');
CREATE TRIGGER model_came AFTER INSERT ON model_records
    FOR EACH ROW EXECUTE FUNCTION record_turn('Model');
CREATE TRIGGER model_turned AFTER UPDATE OF status, status_reason ON model_records FOR EACH ROW
    WHEN ((OLD.status, OLD.status_reason) IS DISTINCT FROM (NEW.status, NEW.status_reason))
    EXECUTE FUNCTION record_turn('Model');

-- A hint for those who show the records: once for each statement, without what changed. Who
-- misses one looks again by itself.
CREATE FUNCTION tell_of_records() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('roadstead_records', TG_TABLE_NAME);
    RETURN NULL;
END $$;

CREATE TRIGGER servers_told AFTER INSERT OR UPDATE ON server_records
    FOR EACH STATEMENT EXECUTE FUNCTION tell_of_records();
CREATE TRIGGER models_told AFTER INSERT OR UPDATE ON model_records
    FOR EACH STATEMENT EXECUTE FUNCTION tell_of_records();
CREATE TRIGGER contracts_told AFTER INSERT OR UPDATE ON contract_records
    FOR EACH STATEMENT EXECUTE FUNCTION tell_of_records();

-- Rows of a day without a partition, after a week without anybody who made them, go here.
CREATE TABLE status_history_default PARTITION OF status_history DEFAULT;
CREATE TABLE usage_samples_default PARTITION OF usage_samples DEFAULT;
CREATE TABLE admission_records_default PARTITION OF admission_records DEFAULT;

CREATE FUNCTION make_partition(parent text, day date)
RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    made text := parent || to_char(day, '_YYYYMMDD');
    time_column name := (SELECT a.attname FROM pg_partitioned_table p
                      JOIN pg_attribute a ON a.attrelid = p.partrelid AND a.attnum = p.partattrs[0]
                      WHERE p.partrelid = parent::regclass);
    low text := day::text || ' 00:00:00+00';
    high text := (day + 1)::text || ' 00:00:00+00';
BEGIN
    IF to_regclass(made) IS NOT NULL THEN
        RETURN;
    END IF;
    EXECUTE format('CREATE TABLE %I (LIKE %I INCLUDING DEFAULTS)', made, parent);
    EXECUTE format('WITH moved AS (DELETE FROM %I WHERE %I >= %L AND %I < %L RETURNING *)'
                   ' INSERT INTO %I SELECT * FROM moved',
                   parent || '_default', time_column, low, time_column, high, made);
    EXECUTE format('ALTER TABLE %I ATTACH PARTITION %I FOR VALUES FROM (%L) TO (%L)',
                   parent, made, low, high);
END $$;

-- The writer may not create or drop tables; through this function it has partitions made for the
-- days to come, and those dropped whose time is over.
CREATE FUNCTION keep_partitions(history_days integer, usage_days integer, admission_days integer)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp SET lock_timeout = '3s' SET timezone = 'UTC' AS $$
DECLARE
    kept record;
    day date;
    part text;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('roadstead.keep_partitions'));
    FOR kept IN SELECT * FROM (VALUES ('status_history', history_days),
                                      ('usage_samples', usage_days),
                                      ('admission_records', admission_days)) AS v(parent, days) LOOP
        FOR day IN SELECT generate_series(current_date - 1, current_date + 7, '1 day')::date LOOP
            PERFORM make_partition(kept.parent, day);
        END LOOP;
        FOR part IN SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
                    WHERE i.inhparent = kept.parent::regclass AND c.relname ~ '_[0-9]{8}$'
                      AND to_date(right(c.relname, 8), 'YYYYMMDD') < current_date - kept.days LOOP
            EXECUTE format('DROP TABLE %I', part);
        END LOOP;
    END LOOP;
END $$;
REVOKE ALL ON FUNCTION make_partition(text, date) FROM PUBLIC;
REVOKE ALL ON FUNCTION keep_partitions(integer, integer, integer) FROM PUBLIC;

-- The cluster whose objects these are, by the UID of its namespace kube-system: another one's
-- operator would take all of them for deleted.
CREATE TABLE ledger_cluster (
    one         boolean PRIMARY KEY DEFAULT true CHECK (one),
    cluster_uid uuid NOT NULL
);
