-- What people call a model, which need not be a name that Kubernetes takes.

ALTER TABLE model_records ADD COLUMN display_name text NOT NULL DEFAULT '';
