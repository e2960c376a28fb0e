"""Forward auth's Prometheus metrics."""

from __future__ import annotations

from typing import Final

from prometheus_client import Counter, Gauge, Histogram

VERDICTS: Final = Counter(
    "roadstead_forward_auth_verdicts_total",
    "Verdicts on the gateway's requests.",
    ["verdict", "reason"],
)
SECONDS: Final = Histogram(
    "roadstead_forward_auth_duration_seconds",
    "Time from the headers of the gateway's request to the answer.",
    buckets=(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.1, 0.5, 2.5),
)
LOOKUPS: Final = Counter(
    "roadstead_forward_auth_cache_lookups_total", "Lookups of cached verdicts.", ["result"]
)
CACHED: Final = Gauge("roadstead_forward_auth_cache_entries", "Cached verdicts.")
HITS: Final = LOOKUPS.labels("hit")
MISSES: Final = LOOKUPS.labels("miss")
