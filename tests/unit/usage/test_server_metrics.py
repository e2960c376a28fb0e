"""The metrics of servers: set, absent if unknown, removed with the server."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from prometheus_client import REGISTRY

from roadstead.usage.book import Usage
from roadstead.usage.usage_metrics import Labels, ServerMetrics

LABELS: Labels = ("demo", "gemma", "uuid-1", "gemma-3-270m")


@pytest.fixture
def shown() -> Iterator[ServerMetrics]:
    metrics = ServerMetrics()
    yield metrics
    metrics.keep([])


def value(name: str) -> float | None:
    names = ("namespace", "name", "server_uuid", "model")
    return REGISTRY.get_sample_value(name, dict(zip(names, LABELS, strict=True)))


def usage(generated: float = 0.0, tokens_per_second: float | None = None) -> Usage:
    return Usage(
        memory_bytes=100,
        memory_max_bytes=200,
        cpu_percent=None,
        tokens_per_second=tokens_per_second,
        generated_tokens=generated,
    )


def test_known_values_are_set_and_unknown_ones_absent(shown: ServerMetrics) -> None:
    shown.show(LABELS, usage(tokens_per_second=3), limit=400)
    assert value("roadstead_server_memory_bytes") == 100
    assert value("roadstead_server_memory_max_bytes") == 200
    assert value("roadstead_server_memory_limit_bytes") == 400
    assert value("roadstead_server_tokens_per_second") == 3
    assert value("roadstead_server_cpu_percent") is None


def test_value_that_becomes_unknown_is_removed(shown: ServerMetrics) -> None:
    shown.show(LABELS, usage(tokens_per_second=3), limit=400)
    shown.show(LABELS, usage(), limit=None)
    assert value("roadstead_server_tokens_per_second") is None
    assert value("roadstead_server_memory_limit_bytes") is None


def test_token_counter_follows_usage(shown: ServerMetrics) -> None:
    for generated in (5.0, 5.0, 12.0):
        shown.show(LABELS, usage(generated), limit=None)
    assert value("roadstead_server_generated_tokens_total") == 12


def test_deleted_server_has_no_series(shown: ServerMetrics) -> None:
    shown.show(LABELS, usage(), limit=400)
    shown.keep([])
    assert value("roadstead_server_memory_bytes") is None
    assert value("roadstead_server_generated_tokens_total") is None
