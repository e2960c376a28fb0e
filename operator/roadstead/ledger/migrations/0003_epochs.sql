-- A restore of etcd sets resourceVersions back: versions are compared within one epoch only, and the
-- operator begins a new one where it finds that the cluster's state went back.

CREATE TABLE ledger_epochs (
    epoch    bigint PRIMARY KEY CHECK (epoch > 0),
    began_at timestamptz NOT NULL DEFAULT now()
);
ALTER TABLE server_records ADD COLUMN epoch bigint NOT NULL DEFAULT 0;
ALTER TABLE model_records ADD COLUMN epoch bigint NOT NULL DEFAULT 0;
ALTER TABLE contract_records ADD COLUMN epoch bigint NOT NULL DEFAULT 0;

COMMENT ON TABLE ledger_epochs IS 'One row for each restore of etcd that was found; the highest epoch is that of now';
