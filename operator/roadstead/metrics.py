"""The operator's Prometheus metrics, named by the Prometheus conventions."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

RECONCILES: Final = Counter(
    "roadstead_reconciles_total", "Reconciles by kind and result.", ["kind", "result"]
)
RECONCILE_SECONDS: Final = Histogram(
    "roadstead_reconcile_duration_seconds",
    "Time that one reconcile took.",
    ["kind"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
QUEUE_LENGTH: Final = Gauge(
    "roadstead_queue_length", "Objects that wait to be reconciled, delayed ones too.", ["kind"]
)
CHILD_WRITES: Final = Counter(
    "roadstead_child_writes_total", "Creates, applies and deletes of children."
)
TRANSFERS: Final = Gauge("roadstead_transfers", "Transfers by state.", ["state"])
TRANSFER_RESULTS: Final = Counter(
    "roadstead_transfer_results_total", "Transfers that ended, by reason.", ["reason"]
)
TRANSFER_BYTES: Final = Gauge(
    "roadstead_transfer_bytes_done", "Bytes of the running transfer in the store.", ["model"]
)
TRANSFER_SIZE: Final = Gauge(
    "roadstead_transfer_size_bytes", "Bytes of the running transfer in all.", ["model"]
)

_SERVER: Final = ["namespace", "name", "server_uuid", "model"]

SERVER_READY: Final = Gauge(
    "roadstead_server_ready", "Whether the ModelServe is Ready: 1 or 0.", _SERVER
)
SERVER_REPLICAS: Final = Gauge(
    "roadstead_server_replicas", "Replicas that the ModelServe asks for.", _SERVER
)
SERVER_REPLICAS_READY: Final = Gauge(
    "roadstead_server_replicas_ready", "Replicas that answer.", _SERVER
)
MODELS: Final = Gauge("roadstead_models", "Models by how they are.", ["status"])
MODEL_SIZE: Final = Gauge(
    "roadstead_model_size_bytes", "Size of the Model's verified object.", ["model"]
)
CONTRACT_USED: Final = Gauge(
    "roadstead_contract_used",
    "What the servers under a contract use of a resource: cpu in cores, memory in bytes.",
    ["contract", "resource"],
)
CONTRACT_LIMIT: Final = Gauge(
    "roadstead_contract_limit",
    "The contract's total of a resource, where it has one.",
    ["contract", "resource"],
)
CONTRACT_EXPIRY: Final = Gauge(
    "roadstead_contract_expiry_timestamp_seconds", "When the contract ends.", ["contract"]
)
LEDGER_WAITING: Final = Gauge(
    "roadstead_ledger_waiting", "Rows that are not in the ledger yet.", ["table"]
)
LEDGER_OLDEST: Final = Gauge(
    "roadstead_ledger_oldest_seconds", "How long the longest waiting row has waited."
)
LEDGER_WRITTEN: Final = Counter("roadstead_ledger_written_total", "Rows written.", ["table"])
LEDGER_DROPPED: Final = Counter(
    "roadstead_ledger_dropped_total",
    "Rows given up: refused by Postgres, or too many while it was away.",
    ["table"],
)
LEDGER_FAILURES: Final = Counter(
    "roadstead_ledger_failures_total", "Attempts at the ledger that failed.", ["reason"]
)
LEDGER_BATCH_SECONDS: Final = Histogram(
    "roadstead_ledger_batch_duration_seconds",
    "Time that one batch took to be written.",
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30),
)
LEDGER_LAST_WRITE: Final = Gauge(
    "roadstead_ledger_last_write_timestamp_seconds", "When a batch was last written."
)
EVENT_LOOP_LAG: Final = Histogram(
    "roadstead_event_loop_lag_seconds",
    "How much later than asked for the event loop woke up.",
    buckets=(0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
LEADER: Final = Gauge(
    "roadstead_leader", "Whether this replica of the operator leads: 1 or 0, in one of them 1."
)
LEASE_TRANSITIONS: Final = Counter(
    "roadstead_lease_transitions_total", "Holders of the Lease that this replica has seen come."
)
WATCH_SILENCE: Final = Gauge(
    "roadstead_operator_watch_silence_seconds",
    "How long a watch has been silent; the API server sends a bookmark about once a minute.",
    ["resource"],
)
