-- The writer chooses how long rows are kept, but not less than the owner says: whoever has the
-- writer's password can neither drop partitions early nor change a row of an appended table. The
-- rights themselves are granted by `roadstead ledger migrate`.

CREATE TABLE retention_floors (
    parent text PRIMARY KEY,
    days   integer NOT NULL CHECK (days BETWEEN 1 AND 3650)
);
COMMENT ON TABLE retention_floors IS 'Days that keep_partitions keeps at least; set by roadstead ledger migrate';
INSERT INTO retention_floors VALUES ('status_history', 30), ('usage_samples', 30), ('admission_records', 30);

-- As before, but for the floor: a table without one keeps everything.
CREATE OR REPLACE FUNCTION keep_partitions(history_days integer, usage_days integer, admission_days integer)
RETURNS void LANGUAGE plpgsql SECURITY DEFINER
SET search_path = public, pg_temp SET lock_timeout = '3s' SET timezone = 'UTC' SET datestyle = 'ISO, YMD' AS $$
DECLARE
    kept record;
    day date;
    part text;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtext('roadstead.keep_partitions'));
    FOR kept IN SELECT wanted.parent,
                       CASE WHEN floors.days IS NOT NULL THEN greatest(wanted.days, floors.days) END AS days
                FROM (VALUES ('status_history', history_days),
                             ('usage_samples', usage_days),
                             ('admission_records', admission_days)) AS wanted (parent, days)
                LEFT JOIN retention_floors floors USING (parent) LOOP
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
