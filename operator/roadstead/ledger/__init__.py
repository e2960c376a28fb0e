"""The ledger: a record of current and past objects in Postgres, derived from Kubernetes."""
