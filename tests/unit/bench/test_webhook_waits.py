"""The time that the API server waits for webhooks, from its metrics."""

from __future__ import annotations

from bench.scale.counting import Buckets
from bench.webhook_waits import Waits


def waits(*counts: float) -> Waits:
    """Calls up to 5 ms, up to 100 ms, and all."""
    buckets: Buckets = dict(zip((0.005, 0.1, float("inf")), counts, strict=True))
    return Waits(buckets=buckets)


def test_only_calls_between_two_pages_count() -> None:
    found = waits(10, 29, 30).since(waits(10, 10, 10), goal_seconds=0.1)
    assert found["webhooksInTime"] == 0.95
    assert 5 < found["webhooksP50"] < 100


def test_without_calls_all_are_in_time() -> None:
    assert waits(5, 5, 5).since(waits(5, 5, 5), goal_seconds=0.1)["webhooksInTime"] == 1.0
    nothing = Waits(buckets={})
    assert nothing.since(nothing, goal_seconds=0.1)["webhooksInTime"] == 1.0
