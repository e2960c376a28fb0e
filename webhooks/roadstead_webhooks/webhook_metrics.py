"""The webhooks' Prometheus metrics."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

ADMISSIONS: Final = Counter(
    "roadstead_admissions_total",
    "Admission reviews that were answered.",
    ["webhook", "kind", "operation", "verdict", "reason"],
)
ADMISSION_SECONDS: Final = Histogram(
    "roadstead_admission_duration_seconds",
    "Time from a review's last byte to its answer.",
    ["webhook"],
    buckets=(0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5),
)
BAD_REVIEWS: Final = Counter(
    "roadstead_admission_bad_reviews_total",
    "Requests that were not a review, or not from the API server (403).",
    ["status"],
)
RECORDS_DROPPED: Final = Counter(
    "roadstead_admission_records_dropped_total",
    "Answers that are missing in the ledger because they exceeded the rate limit.",
)
CONFLICTS: Final = Counter(
    "roadstead_reservation_conflicts_total",
    "Writes of a contract's reservations that conflicted with another writer.",
)
EVENTS_DROPPED: Final = Counter(
    "roadstead_denial_events_dropped_total", "Events of denials that exceeded the rate limit."
)
CERTIFICATE_EXPIRY: Final = Gauge(
    "roadstead_certificate_expiry_timestamp_seconds",
    "When a certificate in use expires: the serving certificate, or the webhooks' own authority.",
    ["certificate"],
)
