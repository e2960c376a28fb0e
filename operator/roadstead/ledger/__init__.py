"""The ledger: what runs and what ran, in Postgres. Kubernetes is the truth, and it follows."""
