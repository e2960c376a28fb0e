"""Prometheus metrics of servers' usage, and of its collection."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable
from typing import Final

from prometheus_client import Counter, Gauge, Histogram

from roadstead.usage.book import Usage

_SERVER: Final = ("namespace", "name", "server_uuid", "model")

MEMORY: Final = Gauge(
    "roadstead_server_memory_bytes", "Working set of all replicas of a server.", _SERVER
)
MEMORY_MAX: Final = Gauge(
    "roadstead_server_memory_max_bytes",
    "Peak memory of a server since it was created: the sum of the kernel's peaks.",
    _SERVER,
)
MEMORY_LIMIT: Final = Gauge(
    "roadstead_server_memory_limit_bytes",
    "Sum of the memory limits of the running pods; absent if one has no limit.",
    _SERVER,
)
CPU: Final = Gauge(
    "roadstead_server_cpu_percent", "CPU of all replicas; 100 is one full core.", _SERVER
)
TOKENS_PER_SECOND: Final = Gauge(
    "roadstead_server_tokens_per_second",
    "Generated tokens per second over the last minute; counted when a response completes.",
    _SERVER,
)
PROCESSING: Final = Gauge(
    "roadstead_server_requests_processing", "Requests being processed.", _SERVER
)
DEFERRED: Final = Gauge(
    "roadstead_server_requests_deferred", "Requests that wait for a free slot.", _SERVER
)
CONTEXT_MAX: Final = Gauge(
    "roadstead_server_context_tokens_max",
    "Longest sequence, prompt and response, in any slot of the running pods.",
    _SERVER,
)
PROMPT_TOKENS: Final = Counter(
    "roadstead_server_prompt_tokens_total",
    "Prompt tokens computed, without cached ones.",
    _SERVER,
)
GENERATED_TOKENS: Final = Counter(
    "roadstead_server_generated_tokens_total", "Tokens generated.", _SERVER
)
SCRAPES: Final = Counter(
    "roadstead_usage_scrapes_total",
    "Reads of usage, by source and result.",
    ["source", "result"],
)
SCRAPE_SECONDS: Final = Histogram(
    "roadstead_usage_scrape_duration_seconds",
    "Duration of one read of usage.",
    ["source"],
    buckets=(0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10),
)
LAST_SUCCESS: Final = Gauge(
    "roadstead_usage_last_success_timestamp_seconds",
    "When usage was last collected, in seconds since 1970.",
)

_OF_SERVER: Final = (
    MEMORY, MEMORY_MAX, MEMORY_LIMIT, CPU, TOKENS_PER_SECOND, PROCESSING, DEFERRED, CONTEXT_MAX,
    PROMPT_TOKENS, GENERATED_TOKENS,
)  # fmt: skip

Labels = tuple[str, str, str, str]
"""namespace, name, server_uuid and model of one server."""


@dataclasses.dataclass(kw_only=True)
class _Series:
    """The series of one server, kept because looking them up costs more than setting them."""

    gauges: dict[Gauge, Gauge]
    prompt: Counter
    generated: Counter
    counted: tuple[float, float] = (0.0, 0.0)


class ServerMetrics:
    """Sets the metrics of each server, and removes those of servers without a measurement."""

    def __init__(self) -> None:
        self._shown: dict[Labels, _Series] = {}

    def show(self, labels: Labels, usage: Usage, *, limit: int | None) -> None:
        """Set the metrics of one server; unknown values are absent, not zero."""
        series = self._shown.get(labels) or self._shown.setdefault(labels, _series(labels))
        values: tuple[tuple[Gauge, float | None], ...] = (
            (MEMORY, usage.memory_bytes),
            (MEMORY_MAX, usage.memory_max_bytes),
            (MEMORY_LIMIT, limit),
            (CPU, usage.cpu_percent),
            (TOKENS_PER_SECOND, usage.tokens_per_second),
            (PROCESSING, usage.requests_processing),
            (DEFERRED, usage.requests_deferred),
            (CONTEXT_MAX, usage.context_tokens_max),
        )
        for gauge, value in values:
            _set(series, gauge, labels, value)
        prompt, generated = series.counted
        series.prompt.inc(max(0.0, usage.prompt_tokens - prompt))
        series.generated.inc(max(0.0, usage.generated_tokens - generated))
        series.counted = usage.prompt_tokens, usage.generated_tokens

    def keep(self, shown: Iterable[Labels]) -> None:
        """Remove the metrics of all servers except these."""
        for labels in self._shown.keys() - set(shown):
            del self._shown[labels]
            for metric in _OF_SERVER:
                metric.remove(*labels)


def _series(labels: Labels) -> _Series:
    return _Series(
        gauges={},
        prompt=PROMPT_TOKENS.labels(*labels),
        generated=GENERATED_TOKENS.labels(*labels),
    )


def _set(series: _Series, gauge: Gauge, labels: Labels, value: float | None) -> None:
    child = series.gauges.get(gauge)
    if value is not None:
        if child is None:
            child = series.gauges[gauge] = gauge.labels(*labels)
        child.set(value)
    elif child is not None:
        gauge.remove(*labels)
        del series.gauges[gauge]
