"""The operator's Prometheus metrics, named by Prometheus' conventions."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

RECONCILES: Final = Counter(
    "roadstead_reconciles_total", "Reconciles by kind and result.", ["kind", "result"]
)
RECONCILE_SECONDS: Final = Histogram(
    "roadstead_reconcile_duration_seconds",
    "Duration of one reconcile.",
    ["kind"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
QUEUE_LENGTH: Final = Gauge(
    "roadstead_queue_length", "Objects that wait for a reconcile, including delayed ones.", ["kind"]
)
CHILD_WRITES: Final = Counter(
    "roadstead_child_writes_total", "Creates, applies and deletes of children."
)
TRANSFERS: Final = Gauge("roadstead_transfers", "Transfers by state.", ["state"])
TRANSFER_RESULTS: Final = Counter(
    "roadstead_transfer_results_total", "Finished transfers, by reason.", ["reason"]
)
TRANSFER_BYTES: Final = Gauge(
    "roadstead_transfer_bytes_done",
    "Bytes of the running transfer that are in the store.",
    ["model"],
)
TRANSFER_SIZE: Final = Gauge(
    "roadstead_transfer_size_bytes", "Total bytes of the running transfer.", ["model"]
)

_SERVER: Final = ["namespace", "name", "server_uuid", "model"]

SERVER_READY: Final = Gauge(
    "roadstead_server_ready", "Whether the ModelServe is Ready: 1 or 0.", _SERVER
)
SERVER_REPLICAS: Final = Gauge(
    "roadstead_server_replicas", "Replicas that the ModelServe requests.", _SERVER
)
SERVER_REPLICAS_READY: Final = Gauge(
    "roadstead_server_replicas_ready", "Ready replicas of the ModelServe.", _SERVER
)
MODELS: Final = Gauge("roadstead_models", "Models by status.", ["status"])
MODEL_SIZE: Final = Gauge(
    "roadstead_model_size_bytes", "Size of the Model's verified object.", ["model"]
)
CONTRACT_USED: Final = Gauge(
    "roadstead_contract_used",
    "Use of a resource by the servers of a contract: cpu in cores, memory in bytes.",
    ["contract", "resource"],
)
CONTRACT_LIMIT: Final = Gauge(
    "roadstead_contract_limit",
    "The contract's total limit of a resource, if it has one.",
    ["contract", "resource"],
)
CONTRACT_EXPIRY: Final = Gauge(
    "roadstead_contract_expiry_timestamp_seconds", "When the contract expires.", ["contract"]
)
LEDGER_WAITING: Final = Gauge(
    "roadstead_ledger_waiting", "Rows that are not yet written to the ledger.", ["table"]
)
LEDGER_OLDEST: Final = Gauge(
    "roadstead_ledger_oldest_seconds", "Waiting time of the oldest unwritten row."
)
LEDGER_WRITTEN: Final = Counter("roadstead_ledger_written_total", "Rows written.", ["table"])
LEDGER_DROPPED: Final = Counter(
    "roadstead_ledger_dropped_total",
    "Dropped rows: refused by Postgres, or too many while it was unavailable.",
    ["table"],
)
LEDGER_FAILURES: Final = Counter(
    "roadstead_ledger_failures_total", "Failed attempts to write the ledger.", ["reason"]
)
LEDGER_BATCH_SECONDS: Final = Histogram(
    "roadstead_ledger_batch_duration_seconds",
    "Duration of writing one batch.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
LEDGER_LAST_WRITE: Final = Gauge(
    "roadstead_ledger_last_write_timestamp_seconds", "When the last batch was written."
)
EVENT_LOOP_LAG: Final = Histogram(
    "roadstead_event_loop_lag_seconds",
    "Delay of the event loop's wakeups.",
    buckets=(0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
LEADER: Final = Gauge(
    "roadstead_leader", "Whether this replica of the operator is the leader: 1 or 0."
)
LEASE_TRANSITIONS: Final = Counter(
    "roadstead_lease_transitions_total", "Changes of the Lease's holder that this replica observed."
)
