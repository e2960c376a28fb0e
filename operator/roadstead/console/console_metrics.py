"""The console's Prometheus metrics."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

SECONDS: Final = Histogram(
    "roadstead_console_request_duration_seconds",
    "Duration of requests of pages and of the JSON API, without streams of events.",
    ["kind"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
FAILURES: Final = Counter(
    "roadstead_console_failures_total", "Requests that failed with status 500 or above.", ["status"]
)
OPEN_PAGES: Final = Gauge(
    "roadstead_console_open_pages", "Open pages that receive notifications of changes."
)
SIGN_INS: Final = Counter(
    "roadstead_console_sign_ins_total",
    "Attempts to sign in, by result: done or refused.",
    ["result"],
)
