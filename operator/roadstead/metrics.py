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
